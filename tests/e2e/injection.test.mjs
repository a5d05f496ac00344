// Text is text in every field that anybody can fill: what customers, agents, supervisors and administrators type is shown on all
// pages, in both languages, as it was typed. An element made of it, a dialog or a report of the policy fails the scenario.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { until } from './peers/process.mjs';
import { Stage, shot } from './stage.mjs';

/** Markup that would show itself: an element of a class, a script that asks. No blanks: a first name ends at one. */
const bad = (word) => `${word}<svg/onload=alert(1)><b/class=evil>"'</b><script>alert(2)</script>{{3*3}}`;
const STAFF = [
  { id: 'maria', role: 'agent', name: bad('Maria') },
  { id: 'jon', role: 'agent', name: bad('Jon') },
  { id: 'sam', role: 'supervisor', name: bad('Sam') },
  { id: 'ada', role: 'admin', name: bad('Ada') },
];
const NUMBER = '(916) 555-0188';

let stage, maria, jon, ada, sam, customer;

before(async () => {
  stage = await Stage.set({ chat: { log_opens: 'accept', offer_callback_seconds: 1, reconnect_grace_seconds: 60 }, staff: STAFF, server: { second_factor_for: [] } });
});
after(() => stage?.strike());

/** A page on which a dialog of a script ends the scenario. */
async function watched(person, page) {
  page.on('dialog', (dialog) => assert.fail(`a dialog: ${dialog.message()}`));
  page.person = person;
  return page;
}

/** Nothing typed became an element, and the browser reported nothing. */
async function clean(page, where) {
  const made = await page.evaluate(() => document.querySelectorAll('.evil, [onload], svg:not([viewBox]), main script, body > script:not([type="application/json"])').length);
  assert.equal(made, 0, where);
  assert.deepEqual(page.person.complaints, [], where);
}

const settings = async (change) => {
  const cookie = await stage.server.signIn('ada');
  const kept = (await stage.server.api('/api/v1/settings', { cookie })).json;
  change(kept.settings);
  const saved = await stage.server.api('/api/v1/settings', { method: 'PUT', cookie, body: { base: kept.version, settings: kept.settings } });
  assert.equal(saved.status, 200, saved.text);
};

test('an administrator names everything so; the settings and their history show it as text, in both languages', async () => {
  await settings((all) => {
    all.look.name = bad('County');
    for (const list of ['queues', 'subjects', 'dispositions']) for (const entry of all[list]) entry.name = bad(entry.id);
    all.canned.push({ word: 'evil', text: `${bad('Canned')} {name} {county} {__proto__}`, language: null });
    all.faq.push({ question: bad('Question'), answer: `${bad('Answer')} https://a.example/"onmouseover="alert(1)`, public: true, language: null });
    all.holidays.push({ date: '2031-05-05', name: bad('Holiday'), open: [] });
  });
  const person = await stage.person();
  ada = await watched(person, await person.signIn(stage.server, 'ada', '/admin'));
  for (const language of ['English', 'Español']) {
    const links = ada.getByRole('navigation').first().getByRole('link');
    for (let at = 0; at < (await links.count()); at++) {
      await links.nth(at).click();
      await ada.locator('.skeleton').first().waitFor({ state: 'detached' });
      await clean(ada, `/admin, ${language}, ${ada.url()}`);
    }
    if (language === 'English') await ada.getByRole('button', { name: 'Español' }).or(ada.getByRole('link', { name: 'Español' })).first().click();
  }
  await ada.goto(`${stage.server.url}/admin#faq`);
  const fields = () => ada.evaluate(() => [...document.querySelectorAll('input, textarea')].map(({ value }) => value));
  await until(async () => (await fields()).includes(bad('Question')), 'the question in its field');
  await shot(ada, 'injection-admin');
});

test('customers see it as text before they ask, in both languages', async () => {
  for (const lang of ['en', 'es']) {
    for (const path of ['', '/chat', '/call-me']) {
      const person = await stage.person();
      const page = await watched(person, await person.page(`${stage.server.url}/t/sacramento${path}?lang=${lang}&page=${encodeURIComponent(bad('page'))}`));
      await page.getByText(bad('County'), { exact: false }).first().waitFor();
      if (path !== '/call-me') {
        await page.getByText(bad('Question'), { exact: true }).click();
        await page.getByText(bad('Answer')).waitFor();
      }
      await clean(page, `${path} ${lang}`);
      await person.close();
    }
  }
});

test('the form, the messages and the call instead, in Spanish; the agent reads them before and after accepting', async () => {
  const person = await stage.person({ viewport: { width: 390, height: 760 } });
  customer = await watched(person, await person.page(`${stage.server.url}/t/sacramento/chat?lang=es&page=${encodeURIComponent(bad('page'))}`));
  await customer.getByLabel('Su nombre').fill(bad('Rosa'));
  await customer.getByLabel('Número de teléfono').fill(NUMBER);
  await customer.getByLabel('Su pregunta').fill(bad('Ask'));
  await customer.getByRole('button', { name: 'Iniciar chat' }).click();
  await customer.getByRole('log').getByText(bad('Ask'), { exact: true }).waitFor();
  await customer.getByRole('button', { name: 'Prefiero una llamada' }).click();
  person.expected.push(/status of 422 .*call-instead/);
  await customer.getByLabel('Número de teléfono').fill('<svg/onload=alert(1)>');
  await customer.getByRole('button', { name: 'Llámenme' }).click();
  await customer.locator('.wrong').first().waitFor();
  await clean(customer, 'the call instead');
  await customer.keyboard.press('Escape');
  maria = await stage.desk();
  await watched(maria.person, maria.page);
  await maria.goAvailable();
  await maria.offered();
  await maria.page.getByRole('dialog').getByText(bad('Ask')).waitFor();
  await maria.page.getByText(bad('page')).first().waitFor();
  await clean(maria.page, 'the offer');
  await maria.accept();
  await customer.getByRole('heading', { name: bad('Maria') }).waitFor();
  await customer.getByLabel('Su mensaje').fill(bad('Said'));
  await customer.getByLabel('Su mensaje').press('Enter');
  await maria.page.getByRole('log').getByText(bad('Said'), { exact: true }).waitFor();
  await clean(maria.page, 'the chat');
});

test('prepared answers, questions of many, the directory, the log and the note to a colleague', async () => {
  const page = maria.page;
  const box = page.getByLabel(/^Message to/);
  await box.fill('/evil');
  await page.getByRole('option', { name: /evil/ }).waitFor();
  await clean(page, 'the list of prepared answers');
  await box.press('Enter');
  await box.press('Enter');
  await customer.getByRole('log').getByText(bad('Canned')).waitFor();
  await page.getByRole('tab', { name: 'FAQ' }).click();
  await page.getByRole('listitem').filter({ hasText: bad('Question') }).getByRole('button', { name: /Insert/ }).click();
  await box.press('Enter');
  await customer.getByRole('log').getByText(bad('Answer')).waitFor();
  await clean(customer, 'what the agent inserted');
  await page.getByRole('tab', { name: 'Customer' }).click();
  const log = page.getByRole('region', { name: 'Chat log' });
  await log.getByLabel('Title').fill(bad('Title'));
  await log.getByLabel('What happened').fill(bad('Body'));
  await log.getByLabel('A new customer').check();
  await log.getByLabel('Name of the new customer').fill(bad('Kept'));
  await log.getByRole('button', { name: 'Save log' }).click();
  await log.getByText(bad('Body')).waitFor();
  const card = page.getByRole('region', { name: 'Directory' });
  await card.getByRole('button', { name: 'Edit' }).click();
  await card.getByLabel('Customer IDs of the portal').fill(bad('C'));
  await card.getByLabel('Notes').fill(bad('Notes'));
  await card.getByRole('button', { name: 'Save customer' }).click();
  await card.getByText(bad('Notes')).waitFor();
  await card.getByText(bad('Title')).first().waitFor();
  await clean(page, 'the directory');
  await shot(page, 'injection-desk');
  const out = await page.getByRole('region', { name: 'Contact', exact: true }).evaluate((centre) => centre.scrollWidth - centre.clientWidth);
  assert.equal(out, 0, 'long words push nothing out of the pane');
  jon = await stage.desk('jon');
  await watched(jon.person, jon.page);
  await jon.goAvailable();
  await maria.button('Transfer').click();
  const dialog = page.getByRole('dialog', { name: 'Transfer this chat' });
  await dialog.getByLabel('To queue').selectOption('housing');
  await dialog.getByLabel('Note').fill(bad('Note'));
  await dialog.getByRole('button', { name: 'Transfer' }).click();
  await jon.offered();
  await jon.page.getByText(bad('Note')).first().waitFor();
  await clean(jon.page, 'the note of a colleague');
  await jon.accept();
  await customer.getByRole('heading', { name: bad('Jon') }).waitFor();
  await page.getByLabel('Note', { exact: true }).fill(bad('Wrap'));
  await maria.button('Dispose').click();
  await clean(customer, 'the names of the agents');
});

test('the copy is plain text; afterwards history and search of customers show it as text', async () => {
  await customer.getByRole('button', { name: 'Terminar chat' }).click();
  await customer.getByRole('button', { name: 'Sí, terminar el chat' }).click();
  await customer.getByText('Usted terminó el chat.').waitFor();
  const [download] = await Promise.all([customer.waitForEvent('download'), customer.getByRole('link', { name: /copia/ }).click()]);
  assert.ok(readFileSync(await download.path(), 'utf8').includes(bad('Said')));
  await jon.button('Dispose').click();
  await stage.agentIs('jon', 'ready');
  const again = await stage.server.api('/api/v1/t/sacramento/chats', { method: 'POST', body: { name: bad('Again'), phone: NUMBER } });
  assert.equal(again.status, 201);
  await until(async () => (await maria.button('Accept').isVisible()) || (await jon.button('Accept').isVisible()), 'an offer');
  const desk = (await maria.button('Accept').isVisible()) ? maria : jon;
  await desk.page.getByRole('region', { name: 'Directory' }).getByText(bad('Notes')).waitFor();
  await desk.accept();
  await desk.page.getByRole('tab', { name: 'Chat History' }).click();
  await desk.page.getByText(bad('Wrap')).first().waitFor();
  await desk.button('Show transcript').first().click();
  await desk.page.getByText(bad('Said')).waitFor();
  await clean(desk.page, 'the history');
  await desk.button('End chat').click();
  await desk.button('Dispose').click();
  await stage.agentIs(desk.user, 'ready');
  await desk.page.getByRole('tab', { name: 'Customer' }).click();
  await desk.page.getByRole('searchbox', { name: 'Find a customer' }).fill(bad('C'));
  await desk.button('Search').click();
  await desk.page.getByText(bad('Kept')).first().waitFor();
  await clean(desk.page, 'the search');
});

test('the supervisor reads, closes with a message and holds; the administrator looks the person up', async () => {
  const person = await stage.person();
  sam = await watched(person, await person.signIn(stage.server, 'sam', '/supervisor'));
  const tabs = sam.getByRole('tablist').first().getByRole('tab');
  for (let at = 0; at < (await tabs.count()); at++) {
    await tabs.nth(at).click();
    await sam.locator('.skeleton').first().waitFor({ state: 'detached' });
    await clean(sam, `the supervisor's tab ${at}`);
  }
  await sam.getByRole('tab', { name: 'Chats' }).click();
  await sam.getByRole('region', { name: 'Chats found' }).getByRole('button', { name: bad('Rosa') }).click();
  await sam.getByRole('list', { name: 'Transcript' }).getByText(bad('Said')).waitFor();
  await clean(sam, 'the transcript');
  await shot(sam, 'injection-transcript');
  const cookie = await stage.server.signIn('sam');
  const { items } = (await stage.server.api('/api/v1/transcripts', { cookie })).json;
  const held = await stage.server.api(`/api/v1/contacts/${items[0].contact}/legal-hold`, { method: 'POST', cookie, body: { reason: bad('Hearing') } });
  assert.equal(held.status, 201);
  const closure = await stage.server.api('/api/v1/closure', { method: 'POST', cookie, body: { message: bad('Closed'), until: Date.now() + 3_600_000 } });
  assert.equal(closure.status, 204, closure.text);
  await sam.reload();
  await sam.getByRole('tab', { name: 'Chats' }).waitFor();
  await clean(sam, 'the closure');
  for (const lang of ['en', 'es']) {
    const reader = await stage.person();
    const page = await watched(reader, await reader.page(`${stage.server.url}/t/sacramento/chat?lang=${lang}`));
    await page.getByText(bad('Closed')).first().waitFor();
    await clean(page, `closed, ${lang}`);
  }
  await ada.goto(`${stage.server.url}/admin#retention`);
  await ada.reload();
  await ada.getByText(bad('Hearing')).first().waitFor();
  await clean(ada, 'the holds');
  await ada.goto(`${stage.server.url}/admin#privacy`);
  await ada.reload();
  await ada.getByLabel(/Phone number|Número de teléfono/).fill(NUMBER);
  await ada.getByRole('button', { name: /Look up|Buscar/ }).click();
  await ada.getByRole('heading', { name: bad('Rosa') }).waitFor();
  await clean(ada, 'the person');
});

test('nobody complained', async () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
