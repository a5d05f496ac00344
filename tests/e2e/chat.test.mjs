// Chat from both ends in real browsers: asked for, waited for, offered with its own words, two at a time, written both
// ways, read, reloaded, cut off, passed on, ended by either side, wrapped up, found again.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { until } from './peers/process.mjs';
import { portalToken } from './server.mjs';
import { Stage, shot } from './stage.mjs';

let stage, maria, jon, rosa, luis;

before(async () => {
  // Longer than a network is away here, whatever else the machine does: a customer who is away longer has left.
  stage = await Stage.set({ chat: { reconnect_grace_seconds: 15 } });
});
after(() => stage?.strike());

/** A customer's chat page, used by its labels in either language. */
class Customer {
  static async come({ lang = 'en', tenant = 'sacramento', cuttable = false, ...options } = {}) {
    const self = new Customer();
    self.lang = lang;
    self.person = await stage.person({ viewport: { width: 390, height: 760 }, ...options });
    if (cuttable) await self.#wire();
    self.page = await self.person.page(`${stage.server.url}/t/${tenant}/chat?lang=${lang}`);
    return self;
  }

  /** A wire that can be cut: the browser's own offline switch leaves sockets alone. */
  async #wire() {
    this.live = new Set();
    await this.person.context.routeWebSocket(/\/api\/v1\/chat\//, (here) => {
      if (this.cutOff) return here.close({ code: 3001 });
      const there = here.connectToServer();
      this.live.add(() => Promise.all([there.close({ code: 3001 }), here.close({ code: 3001 })]));
    });
  }

  async cut(off) {
    this.cutOff = off;
    await this.person.context.setOffline(off);
    if (off) await Promise.all([...this.live].map((close) => close().catch(() => {})));
  }

  async ask(name, phone, question) {
    const words = this.lang === 'es' ? ['Su nombre', 'Número de teléfono', 'Su pregunta', 'Iniciar chat'] : ['Your name', 'Phone number', 'Your question', 'Start chat'];
    await this.page.getByLabel(words[0]).fill(name);
    await this.page.getByLabel(words[1]).fill(phone);
    if (question) await this.page.getByLabel(words[2]).fill(question);
    await this.page.getByRole('button', { name: words[3] }).click();
    await this.log.waitFor();
  }

  get log() {
    return this.page.getByRole('log');
  }

  get box() {
    return this.page.getByLabel(this.lang === 'es' ? 'Su mensaje' : 'Your message');
  }

  async say(text) {
    await this.box.fill(text);
    await this.box.press('Enter');
  }

  reads(text) {
    return this.log.getByText(text, { exact: true }).waitFor();
  }
}

/** The agent's chat pane. */
const pane = (desk, name) => desk.page.getByRole('log', { name: `Chat with ${name}` });
const box = (desk, name) => desk.page.getByLabel(`Message to ${name}`);
async function say(desk, name, text) {
  await box(desk, name).fill(text);
  await box(desk, name).press('Enter');
}
const choose = (desk, name) => desk.page.getByRole('navigation', { name: 'My contacts' }).getByRole('button', { name }).click();
const offer = (desk) => desk.page.getByRole('dialog', { name: /./ });

/** The texts of a log in order, each once. */
async function texts(log, wanted) {
  const all = await log.locator('.bubble > p:first-of-type').allInnerTexts();
  return all.filter((text) => wanted.includes(text));
}

test('the page for customers offers what the administrator chose, in both languages, without JavaScript', async () => {
  const person = await stage.person({ viewport: { width: 320, height: 640 }, javaScriptEnabled: false });
  const page = await person.page(`${stage.server.url}/t/sacramento`);
  await page.getByRole('heading', { name: 'How can we help?' }).waitFor();
  await page.getByRole('link', { name: 'Get a call from us' }).waitFor();
  await page.getByText('Where is the office?').click();
  await page.getByText('At 2007 Scenario Street.').waitFor();
  await shot(page, 'welcome');
  await page.getByRole('link', { name: 'Español' }).click();
  await page.getByRole('heading', { name: '¿En qué podemos ayudarle?' }).waitFor();
  await page.getByRole('link', { name: 'Chatee con nosotros' }).click();
  await page.waitForURL(/\/t\/sacramento\/chat\?lang=es/);
  await page.goto(`${stage.server.url}/t/alpine`);
  await page.getByText('(916) 874-3100').waitFor();
  assert.equal(await page.getByRole('link', { name: /Chat|call from us/ }).count(), 0, 'what is off is not shown');
  await page.goto(`${stage.server.url}/t/placer`);
  await page.getByText('Please sign in on your county’s website').waitFor();
  assert.equal(await page.getByRole('link', { name: /call from us/ }).count(), 0, 'not before the customer is signed in');
  await page.goto(`${stage.server.url}/t/placer?token=${portalToken()}`);
  await page.getByRole('link', { name: 'Get a call from us' }).waitFor();
  assert.equal(await page.getByRole('link', { name: 'Chat with us' }).count(), 0);
  const seen = await (await stage.person({ viewport: { width: 320, height: 640 }, colorScheme: 'dark' })).page(`${stage.server.url}/t/sacramento?lang=es`);
  assert.deepEqual(await findings(seen), []);
  assert.ok((await seen.evaluate(() => document.documentElement.scrollWidth)) <= 320);
  await shot(seen, 'welcome-es-dark');
});

test('a county without chat: a kind page with hours and telephone number, and nothing to be had by asking', async () => {
  const page = await (await stage.person()).page(`${stage.server.url}/t/alpine/chat`);
  await page.getByText('does not offer chat').waitFor();
  await page.getByText('(916) 874-3100').first().waitFor();
  assert.deepEqual(await findings(page), []);
  const refused = await stage.server.api('/api/v1/t/alpine/chats', { method: 'POST', body: { name: 'Ana', phone: '916 555 0101' } });
  assert.equal(refused.status, 403);
  assert.equal(refused.json.code, 'not_enabled');
});

test('closed when asked: the customer is told when it opens', async () => {
  const closed = await stage.server.api('/api/v1/t/sacramento/chats', { method: 'POST', body: { name: '', phone: '' } });
  assert.equal(closed.json.code, 'phone_required');
  const cookie = await stage.server.signIn('sam');
  const closure = await stage.server.api('/api/v1/closure', { method: 'POST', cookie, body: { message: 'Water in the office', until: Date.now() + 3_600_000 } });
  assert.equal(closure.status, 204, closure.text);
  const late = await stage.server.api('/api/v1/t/sacramento/chats', { method: 'POST', body: { name: 'Ana', phone: '916 555 0101' } });
  assert.equal(late.status, 409);
  assert.equal(late.json.code, 'closed');
  const page = await (await stage.person()).page(`${stage.server.url}/t/sacramento/chat`);
  await page.getByText('Water in the office').waitFor();
  const lifted = await fetch(`${stage.server.url}/api/v1/closure`, { method: 'DELETE', headers: { cookie, origin: stage.server.url } });
  assert.equal(lifted.status, 204);
});

test('the form says what is missing; the customer is in line and can write already', async () => {
  rosa = await Customer.come({ cuttable: true });
  await rosa.page.getByText('Where is the office?').click();
  await rosa.page.getByText('At 2007 Scenario Street.').waitFor();
  await rosa.page.getByRole('button', { name: 'Start chat' }).click();
  await rosa.page.getByText('Please tell us your name').waitFor();
  assert.deepEqual(await findings(rosa.page), []);
  await shot(rosa.page, 'chat-form');
  await rosa.ask('Rosa Diaz', '(916) 555-0119', 'Where do I send my papers?');
  await rosa.page.getByText('You are next in line.').waitFor();
  await rosa.reads('Where do I send my papers?');
  await rosa.say('I have them here.');
  await rosa.reads('I have them here.');
  assert.deepEqual(await findings(rosa.page), []);
  await shot(rosa.page, 'chat-waiting');
});

test('the agent is offered the chat in words, sees the question before accepting, and finds both messages', async () => {
  maria = await stage.desk();
  await maria.page.getByRole('tab', { name: 'Chat', exact: true }).waitFor();
  await maria.goAvailable();
  await maria.offered();
  await offer(maria).getByText('Incoming chat', { exact: true }).waitFor();
  await offer(maria).getByText('I have them here.').waitFor();
  await maria.page.getByRole('tab', { name: /1 chat is offered/ }).waitFor();
  assert.deepEqual(await findings(maria.page), []);
  await shot(maria.page, 'ccp-chat-offer');
  await maria.accept();
  await pane(maria, 'Rosa Diaz').getByText('Where do I send my papers?').waitFor();
  await rosa.page.getByRole('heading', { name: 'You are chatting with Maria' }).waitFor();
});

test('both ways, with typing, delivered and read', async () => {
  await box(maria, 'Rosa Diaz').pressSequentially('Good mor');
  await rosa.page.getByText('Maria is typing').waitFor();
  await say(maria, 'Rosa Diaz', 'Good morning, Rosa.');
  await rosa.reads('Good morning, Rosa.');
  await pane(maria, 'Rosa Diaz').getByText('Read').waitFor();
  await rosa.box.pressSequentially('Than');
  await maria.page.getByText('Rosa Diaz is typing').first().waitFor();
  await rosa.say('Thank you! See https://example.gov/papers. Or javascript:alert(1)');
  const link = pane(maria, 'Rosa Diaz').getByRole('link');
  assert.equal(await link.getAttribute('href'), 'https://example.gov/papers');
  assert.match(await link.getAttribute('rel'), /noopener/);
  assert.equal(await pane(maria, 'Rosa Diaz').getByRole('link').count(), 1);
  await rosa.log.getByText('· Read').waitFor();
});

test('a prepared answer by typing / with its variables, and a question of many by its button', async () => {
  await box(maria, 'Rosa Diaz').fill('/hel');
  await maria.page.getByRole('option', { name: /hello/ }).waitFor();
  assert.deepEqual(await findings(maria.page), []);
  await box(maria, 'Rosa Diaz').press('Enter');
  assert.equal(await box(maria, 'Rosa Diaz').inputValue(), 'Hello Rosa, this is Maria of Sacramento County. How can I help?');
  await box(maria, 'Rosa Diaz').press('Enter');
  await rosa.reads('Hello Rosa, this is Maria of Sacramento County. How can I help?');
  await maria.page.getByRole('tab', { name: 'FAQ' }).click();
  await maria.button(/Insert/).click();
  assert.equal(await box(maria, 'Rosa Diaz').inputValue(), 'At 2007 Scenario Street.');
  await box(maria, 'Rosa Diaz').press('Enter');
  await rosa.reads('At 2007 Scenario Street.');
});

test('a second chat during the first, in Spanish; a third waits', async () => {
  luis = await Customer.come({ lang: 'es', colorScheme: 'dark' });
  assert.deepEqual(await findings(luis.page), []);
  await luis.ask('Luis Peña', '916 555 0120', '¿Hablan español?');
  await maria.offered();
  await offer(maria).getByText('One more chat', { exact: true }).waitFor();
  await shot(maria.page, 'ccp-chat-second');
  await maria.accept();
  await luis.page.getByRole('heading', { name: 'Está chateando con Maria' }).waitFor();
  await choose(maria, /Luis Peña/);
  await say(maria, 'Luis Peña', 'Sí, claro.');
  await luis.reads('Sí, claro.');
  await rosa.say('Are you there?');
  await maria.page.getByRole('navigation').getByText('1 unread').waitFor();
  assert.deepEqual(await findings(maria.page), []);
  await shot(maria.page, 'ccp-two-chats');
  await shot(luis.page, 'chat-talking-es-dark');
  await choose(maria, /Rosa Diaz/);
  await pane(maria, 'Rosa Diaz').getByText('Are you there?').waitFor();
  const third = await Customer.come();
  await third.ask('Tom Third', '916 555 0121');
  await third.page.getByText('You are next in line.').waitFor();
  assert.equal(await offer(maria).count(), 0, 'two chats are all');
  await third.page.getByRole('button', { name: 'End chat' }).click();
  await third.page.getByRole('button', { name: 'Yes, end the chat' }).click();
  await third.page.getByText('You ended the chat.').waitFor();
});

test('a reload and a lost network lose nothing and say nothing twice', async () => {
  await rosa.page.reload();
  await rosa.reads('Are you there?');
  await rosa.reads('Good morning, Rosa.');
  rosa.person.expected.push(/ERR_INTERNET_DISCONNECTED|WebSocket connection/);
  await rosa.cut(true);
  await rosa.page.getByText('Connection lost').waitFor({ timeout: 40_000 });
  await rosa.say('written without a network');
  await say(maria, 'Rosa Diaz', 'one while you were away');
  await say(maria, 'Rosa Diaz', 'two while you were away');
  await rosa.cut(false);
  await rosa.reads('two while you were away');
  await pane(maria, 'Rosa Diaz').getByText('written without a network').waitFor();
  const wanted = ['one while you were away', 'two while you were away', 'written without a network'];
  for (const log of [rosa.log, pane(maria, 'Rosa Diaz')]) {
    await until(async () => (await texts(log, wanted)).length === 3, 'all three, once');
    assert.deepEqual(await texts(log, wanted.slice(0, 2)), wanted.slice(0, 2), 'in order');
  }
});

test('passed on to another queue with a note; the history goes along and the note stays inside', async () => {
  await stage.agentIs('jon', 'offline');
  jon = await stage.desk('jon');
  await jon.goAvailable();
  await choose(maria, /Rosa Diaz/);
  await maria.button('Transfer').click();
  const dialog = maria.page.getByRole('dialog', { name: 'Transfer this chat' });
  await dialog.getByLabel('To queue').selectOption('Housing');
  await dialog.getByLabel('Note').fill('She has all her papers.');
  assert.deepEqual(await findings(maria.page), []);
  await dialog.getByRole('button', { name: 'Transfer' }).click();
  await jon.offered();
  await offer(jon).getByText('She has all her papers.').waitFor();
  await jon.accept();
  await pane(jon, 'Rosa Diaz').getByText('Where do I send my papers?').waitFor();
  await pane(jon, 'Rosa Diaz').getByText('She has all her papers.').waitFor();
  await rosa.page.getByRole('heading', { name: 'You are chatting with Jon' }).waitFor();
  await say(jon, 'Rosa Diaz', 'Jon here.');
  await rosa.reads('Jon here.');
  assert.equal(await rosa.log.getByText('She has all her papers.').count(), 0, 'the customer does not see the note');
  await choose(maria, /Rosa Diaz/);
  await maria.button('Dispose').click();
});

test('the customer ends it: the agent wraps up; the copy holds what was said', async () => {
  await rosa.page.getByRole('button', { name: 'End chat' }).click();
  assert.deepEqual(await findings(rosa.page), []);
  await rosa.page.getByRole('button', { name: 'Yes, end the chat' }).click();
  await rosa.page.getByText('You ended the chat.').waitFor();
  await shot(rosa.page, 'chat-ended');
  await jon.page.getByText('Rosa Diaz ended the chat').first().waitFor();
  await shot(jon.page, 'ccp-chat-wrap-up');
  const [red, , blue] = (await jon.button('Dispose').evaluate((button) => getComputedStyle(button).backgroundColor)).match(/\d+/g).map(Number);
  assert.ok(blue > red + 60, 'what is left to do is blue');
  assert.deepEqual(await findings(jon.page), []);
  const [download] = await Promise.all([rosa.page.waitForEvent('download'), rosa.page.getByRole('link', { name: 'Save a copy' }).click()]);
  const copy = readFileSync(await download.path(), 'utf8');
  assert.match(copy, /You: Where do I send my papers\?/);
  assert.match(copy, /Jon: Jon here\./);
  assert.doesNotMatch(copy, /She has all her papers/);
  await jon.page.getByLabel('Resolved').check();
  await jon.button('Dispose').click();
  await stage.agentIs('jon', 'ready');
});

test('the agent ends it: the customer is told', async () => {
  await choose(maria, /Luis Peña/);
  await maria.button('End chat').click();
  await luis.page.getByText('El agente terminó el chat.').waitFor();
  assert.deepEqual(await findings(luis.page), []);
  await maria.page.getByLabel('Follow-up needed').check();
  await maria.page.getByLabel('Resolved').check();
  await maria.button('Dispose').click();
  await stage.agentIs('maria', 'ready');
});

test('an earlier chat is found with its transcript when the same customer comes again', async () => {
  const again = await Customer.come();
  await again.ask('Rosa Diaz', '916-555-0119');
  await until(async () => (await maria.button('Accept').isVisible()) || (await jon.button('Accept').isVisible()), 'an offer');
  const desk = (await maria.button('Accept').isVisible()) ? maria : jon;
  await desk.page.getByRole('tab', { name: 'Chat History' }).click();
  await desk.button('Show transcript').first().click();
  await desk.page.getByText('Where do I send my papers?').waitFor();
  assert.deepEqual(await findings(desk.page), []);
  await shot(desk.page, 'ccp-chat-history');
  await desk.accept();
  await again.page.getByRole('heading', { name: /You are chatting with/ }).waitFor();
  await again.page.close();
  await desk.page.getByText('closed the page and did not come back').first().waitFor({ timeout: 30_000 });
  await desk.button('Dispose').click();
  await stage.agentIs(desk.user, 'ready');
});

test('where no WebSocket gets through, plain requests carry the chat', async () => {
  const person = await stage.person({ viewport: { width: 320, height: 640 } });
  await person.context.addInitScript(() => {
    window.WebSocket = class {
      static OPEN = 1;
      readyState = 3;
      constructor() {
        setTimeout(() => this.onclose?.({ code: 1006 }), 10);
      }
      close() {}
    };
  });
  const page = await person.page(`${stage.server.url}/t/sacramento/chat`);
  const poor = Object.assign(new Customer(), { lang: 'en', person, page });
  await poor.ask('Pia Poll', '916 555 0130', 'No socket here');
  await until(async () => (await maria.button('Accept').isVisible()) || (await jon.button('Accept').isVisible()), 'an offer');
  const desk = (await maria.button('Accept').isVisible()) ? maria : jon;
  await desk.accept();
  await say(desk, 'Pia Poll', 'I read you.');
  await poor.reads('I read you.');
  await poor.say('And I you.');
  await pane(desk, 'Pia Poll').getByText('And I you.').waitFor();
  assert.deepEqual(await findings(page), []);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${wide} px wider than a phone`);
  await shot(page, 'chat-poll-320');
  await desk.button('End chat').click();
  await page.getByText('The agent ended the chat.').waitFor();
  await desk.button('Dispose').click();
  await stage.agentIs(desk.user, 'ready');
});

test('the supervisor, a fourth browser, finds a chat by name, agent and number and reads it; that is written down', async () => {
  const sam = await stage.person({ viewport: { width: 1280, height: 900 } });
  const page = await sam.signIn(stage.server, 'sam', '/supervisor');
  await page.getByRole('tab', { name: 'Chats' }).click();
  const found = page.getByRole('region', { name: 'Chats found' });
  const form = page.getByRole('search', { name: 'Chats' });
  await found.getByRole('button', { name: 'Rosa Diaz' }).first().waitFor();
  await found.getByRole('button', { name: 'Luis Peña' }).waitFor();
  const ended = await found.getByRole('row', { name: /Luis Peña/ }).innerText();
  assert.ok(ended.includes('Resolved') && ended.includes('Follow-up needed'), `more than one result: ${ended}`);
  assert.deepEqual(await findings(page), []);
  await form.getByLabel('Agent').selectOption('Jon Park');
  await found.getByRole('button', { name: 'Luis Peña' }).waitFor({ state: 'hidden' });
  await form.getByLabel('Name').fill('rosa d');
  await form.getByLabel('Phone number').fill('0119');
  await form.getByRole('button', { name: 'Search' }).click();
  // The chat that was passed on: both agents were in it, the first and the last word of it are there.
  await found.getByRole('row', { name: /Maria Vega, Jon Park/ }).getByRole('button', { name: 'Rosa Diaz' }).click();
  const transcript = page.getByRole('list', { name: 'Transcript' });
  await transcript.getByText('Where do I send my papers?').waitFor();
  await transcript.getByText('She has all her papers.').waitFor();
  await transcript.getByText('Jon here.').waitFor();
  assert.deepEqual(await findings(page), []);
  await shot(page, 'supervisor-transcript');
  await form.getByLabel('Name').fill('nobody of that name');
  await form.getByRole('button', { name: 'Search' }).click();
  await page.getByText('No chat matches.').waitFor();
  await page.getByRole('tab', { name: 'Audit' }).click();
  await page.getByText(/transcript.read/i).first().waitFor();
  const cookie = await stage.server.signIn('jon');
  assert.equal((await stage.server.api('/api/v1/transcripts', { cookie })).status, 403, 'agents do not browse');
});

test('too much is refused by the server: letters, messages without text, other people’s links', async () => {
  const { json } = await stage.server.api('/api/v1/t/sacramento/chats', { method: 'POST', body: { name: 'Lea Long', phone: 'see my file' } });
  const path = `/api/v1/chat/${json.chat_token}`;
  const write = (body, client_id = 'a') => stage.server.api(`${path}/messages`, { method: 'POST', body: { client_id, body } });
  assert.equal((await write('😀'.repeat(500))).status, 200);
  const long = await write('é'.repeat(501), 'b');
  assert.equal(long.status, 422);
  assert.equal(long.json.limit, 500);
  assert.equal((await write(' \n ', 'c')).json.code, 'message_empty');
  assert.equal((await write('x', 'not plain!')).json.code, 'bad_value');
  const one = await write('same', 'd');
  const two = await write('same', 'd');
  assert.deepEqual(one.json, two.json, 'sent twice is kept once');
  assert.equal((await stage.server.api(`/api/v1/chat/${'x'.repeat(43)}`)).status, 404);
  assert.equal((await stage.server.api(`/api/v1/status/${json.chat_token}`)).status, 404, 'a chat’s link opens no callback');
  const callback = await stage.server.ask('916 555 0177');
  assert.equal((await stage.server.api(`/api/v1/chat/${callback.status_token}`)).status, 404, 'a callback’s link opens no chat');
  await stage.server.api(`/api/v1/status/${callback.status_token}/cancel`, { method: 'POST', body: {} });
  const cookie = await stage.server.signIn('jon');
  const contact = (await stage.board()).waiting.find(({ channel }) => channel === 'chat')?.id;
  if (contact) assert.equal((await stage.server.api(`/api/v1/contacts/${contact}/history`, { cookie })).status, 404, 'not in hand, not there');
  await stage.server.api(`${path}/end`, { method: 'POST', body: {} });
  assert.equal((await write('late', 'e')).json.code, 'chat_over');
});

test('nobody complained', async () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
