// One agent's day in one piece: a call, a chat, lunch asked for in the middle of it, a network that goes and comes back, a
// chat passed on, and an office that closes at noon. The supervisor looks on.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Baresip } from './peers/baresip.mjs';
import { Line } from './peers/line.mjs';
import { until } from './peers/process.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, Stage, shot } from './stage.mjs';

let stage, line, phone, maria, jon, sam, ana, bob, cleo;

/** What a page says to the console of a server that does not answer is not its fault. */
const AWAY = /WebSocket connection to|net::ERR_/;

before(async () => {
  line = await Line.open();
  stage = await Stage.set({ behind: line.port, announcement: null, chat: { reconnect_grace_seconds: 30 }, policy: { reconnect_grace_seconds: 20, wrap_up_seconds: 120 } });
  line.to = stage.server.port;
  phone = await Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE });
  await stage.trunkIs(true);
  maria = await stage.desk();
  maria.person.expected.push(AWAY);
});
after(async () => {
  await phone?.stop();
  await stage?.strike();
  await line?.close();
});

async function chat(name, number, question) {
  const person = await stage.person({ viewport: { width: 390, height: 760 } });
  person.expected.push(AWAY);
  const page = await person.page(`${stage.server.url}/t/sacramento/chat`);
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('Phone number').fill(number);
  await page.getByLabel('Your question').fill(question);
  await page.getByRole('button', { name: 'Start chat' }).click();
  await page.getByRole('log').getByText(question, { exact: true }).waitFor();
  return page;
}

const log = (desk, name) => desk.page.getByRole('log', { name: `Chat with ${name}` });
async function say(desk, name, text) {
  const box = desk.page.getByLabel(`Message to ${name}`);
  await box.fill(text);
  await box.press('Enter');
}
async function write(page, text) {
  await page.getByLabel('Your message').fill(text);
  await page.getByLabel('Your message').press('Enter');
}
const reads = (page, text) => page.getByRole('log').getByText(text, { exact: true }).waitFor({ timeout: 30_000 });
async function status(desk, name) {
  await desk.page.getByRole('button', { name: /^Status:/ }).click();
  await desk.page.getByRole('menuitemradio', { name }).click();
}

test('in the morning a callback is served', async () => {
  await maria.goAvailable();
  const { status_token } = await stage.server.ask(CUSTOMER);
  await maria.accept();
  await phone.program.says(/Call established/);
  await until(async () => (await maria.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer', { within: 20_000 });
  await maria.button('End call').click();
  await maria.finish('Resolved');
  assert.equal((await stage.server.status(status_token)).stage, 'successful');
  await stage.agentIs('maria', 'ready');
});

test('lunch asked for during a chat: it goes on, and nothing new comes', async () => {
  ana = await chat('Ana Alba', '916 555 0151', 'May I send my papers by mail?');
  await maria.accept();
  await log(maria, 'Ana Alba').getByText('May I send my papers by mail?').waitFor();
  await status(maria, 'Lunch');
  await stage.agentIs('maria', 'draining');
  await maria.page.getByText('Last contact').first().waitFor();
  bob = await chat('Bob Brun', '916 555 0152', 'Is anybody there?');
  await bob.getByText('You are next in line.').waitFor();
  await say(maria, 'Ana Alba', 'Yes, by mail is fine.');
  await reads(ana, 'Yes, by mail is fine.');
  assert.equal(await maria.button('Accept').count(), 0, 'nobody is offered during the last contact');
  assert.deepEqual(await findings(maria.page), []);
  await shot(maria.page, 'day-draining');
  await ana.getByRole('button', { name: 'End chat' }).click();
  await ana.getByRole('button', { name: 'Yes, end the chat' }).click();
  await maria.page.getByText('Ana Alba ended the chat').first().waitFor();
  await maria.button('Dispose').click();
  await stage.agentIs('maria', 'not_ready', { reason: 'lunch' });
  await bob.getByText('You are next in line.').waitFor();
});

test('after lunch who waited is served; the network goes and comes back, and nothing is lost', async () => {
  await maria.button('Go available').click();
  await maria.accept();
  await log(maria, 'Bob Brun').getByText('Is anybody there?').waitFor();
  line.cut();
  await maria.page.getByText('The connection to the server is lost').waitFor();
  await bob.getByText('Connection lost').waitFor();
  await write(bob, 'written without a network');
  await say(maria, 'Bob Brun', 'so was this');
  line.mend();
  await log(maria, 'Bob Brun').getByText('written without a network', { exact: true }).waitFor({ timeout: 30_000 });
  await reads(bob, 'so was this');
  assert.equal(await bob.getByRole('log').getByText('so was this', { exact: true }).count(), 1, 'once');
});

test('passed on to a colleague, who goes on where she stopped', async () => {
  jon = await stage.desk('jon');
  jon.person.expected.push(AWAY);
  await jon.goAvailable();
  await maria.button('Transfer').click();
  const dialog = maria.page.getByRole('dialog', { name: 'Transfer this chat' });
  await dialog.getByLabel('A colleague').check();
  await dialog.getByLabel('To colleague').selectOption('jon');
  await dialog.getByLabel('Note').fill('He asks about his card.');
  await dialog.getByRole('button', { name: 'Transfer' }).click();
  await jon.accept();
  await log(jon, 'Bob Brun').getByText('He asks about his card.').waitFor();
  await log(jon, 'Bob Brun').getByText('so was this').waitFor();
  await bob.getByRole('heading', { name: 'You are chatting with Jon' }).waitFor();
  await maria.button('Dispose').click();
  await stage.agentIs('maria', 'ready');
});

test('at noon the office closes: who is in hand goes on, who waits is told, nobody new comes in', async () => {
  cleo = await chat('Cleo Chan', '916 555 0153', 'One thing only.');
  await until(async () => (await maria.button('Accept').isVisible()) || (await jon.button('Accept').isVisible()), 'an offer');
  const desk = (await maria.button('Accept').isVisible()) ? maria : jon;
  await desk.accept();
  if (desk === jon) await status(maria, 'Meeting');
  const { status_token } = await stage.server.ask('916 555 0154');
  sam = await (await stage.person()).signIn(stage.server, 'sam', '/supervisor');
  await sam.getByRole('button', { name: 'Close now …' }).click();
  await sam.getByLabel('Message to customers').fill('A pipe burst.');
  await sam.getByLabel('How long').selectOption({ label: '2 hours' });
  await sam.getByText(/1 person in line is told/).waitFor();
  await sam.getByRole('button', { name: 'Close now', exact: true }).click();
  await stage.server.reaches(status_token, 'scheduled');
  await desk.page.getByRole('navigation', { name: 'My contacts' }).getByRole('button', { name: /Cleo Chan/ }).first().click();
  await say(desk, 'Cleo Chan', 'Of course.');
  await reads(cleo, 'Of course.');
  const late = await stage.server.api('/api/v1/t/sacramento/chats', { method: 'POST', body: { name: 'Late', phone: '916 555 0155' } });
  assert.equal(late.json.code, 'closed');
  await shot(sam, 'day-closed');
  await desk.button('End chat').click();
  await cleo.getByText('The agent ended the chat.').waitFor();
  await desk.button('Dispose').first().click();
});

test('the day ends: the last chat is wrapped up, and everybody goes home', async () => {
  await bob.getByRole('button', { name: 'End chat' }).click();
  await bob.getByRole('button', { name: 'Yes, end the chat' }).click();
  await jon.page.getByRole('navigation', { name: 'My contacts' }).getByRole('button', { name: /Bob Brun/ }).first().click();
  await jon.button('Dispose').first().click();
  for (const desk of [maria, jon]) {
    await status(desk, 'Offline');
    await stage.agentIs(desk.user, 'offline');
  }
  const { agents, waiting } = await stage.board();
  assert.ok(agents.every(({ contacts }) => contacts.length === 0), 'nothing is left in a hand');
  assert.ok(waiting.every(({ state }) => state.state === 'scheduled'), 'who is left is planned');
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
