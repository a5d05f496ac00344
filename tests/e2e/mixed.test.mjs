// A call and two chats in one agent's hands at once, each with a sound of its own; a window that is closed ends its chat at once where
// no time is given to come back (C15); agents without chat, and agents who may not reject.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Baresip } from './peers/baresip.mjs';
import { until } from './peers/process.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, Stage, shot } from './stage.mjs';

let stage, phone, maria, jon, ana, bob;

const STAFF = [
  { id: 'maria', role: 'agent', name: 'Maria Vega' },
  { id: 'jon', role: 'agent', name: 'Jon Park' },
  { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
  { id: 'ada', role: 'admin', name: 'Ada Boss' },
];

/** On the way to the server it becomes one letter too long. */
const LENGTHENED = 'one letter too many';

before(async () => {
  stage = await Stage.set({
    announcement: null,
    staff: STAFF,
    server: { second_factor_for: [] },
    chat: { reconnect_grace_seconds: 0 },
    policy: { voice_exclusive: false, wrap_up_seconds: 120 },
  });
  phone = await Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE });
  await stage.trunkIs(true);
});
after(async () => {
  await phone?.stop();
  await stage?.strike();
});

/** Keeps what a page plays by itself: the pitches of its tones since the last look. */
function pitches() {
  const made = [];
  const create = AudioContext.prototype.createOscillator;
  AudioContext.prototype.createOscillator = function () {
    const tone = create.call(this);
    made.push(tone);
    return tone;
  };
  window.ringbackPlayed = () => [...new Set(made.splice(0).map(({ frequency }) => Math.round(frequency.value)))];
}
const played = (desk) => desk.page.evaluate(() => window.ringbackPlayed());
async function rang(desk) {
  let tones = [];
  await until(async () => (tones = await played(desk)).length > 0, 'the offer to be heard');
  return tones;
}

const chat = (name, number, question) => stage.chat(name, number, question);

const pane = (name) => maria.page.getByRole('log', { name: `Chat with ${name}` });
const choose = (name) => maria.page.getByRole('navigation', { name: 'My contacts' }).getByRole('button', { name }).first().click();
async function say(name, text) {
  const box = maria.page.getByLabel(`Message to ${name}`);
  await box.fill(text);
  await box.press('Enter');
}

test('two chats and a call are offered one after the other, each with its own sound', async () => {
  maria = await stage.desk();
  await maria.person.context.addInitScript(pitches);
  await maria.person.context.routeWebSocket(/\/ws(\?|$)/, (here) => {
    const there = here.connectToServer();
    here.onMessage((message) => there.send(String(message).replace(LENGTHENED, 'é'.repeat(5001))));
  });
  await maria.page.reload();
  await maria.goAvailable();
  await played(maria);
  ana = await chat('Ana Alba', '916 555 0151', 'May I send my papers by mail?');
  await maria.offered();
  const tab = maria.page.getByRole('tab', { name: /1 chat is offered/ });
  await tab.waitFor();
  const mark = await tab.locator('.mark').evaluate((dot) => {
    const { animationIterationCount, animationDuration } = getComputedStyle(dot);
    return parseFloat(animationDuration) * Number(animationIterationCount);
  });
  assert.ok(mark > 0 && mark <= 5, `it blinks for ${mark} s, then stands`);
  const first = await rang(maria);
  await maria.accept();
  await pane('Ana Alba').getByText('May I send my papers by mail?').waitFor();
  bob = await chat('Bob Brun', '916 555 0152', 'Is anybody there?');
  await maria.offered();
  const second = await rang(maria);
  await maria.accept();
  await stage.server.ask(CUSTOMER, { name: 'Rosa Diaz' });
  await maria.offered();
  const call = await rang(maria);
  for (const [one, other] of [[first, second], [first, call], [second, call]]) {
    assert.notDeepEqual(one, other, 'and sounds like no other');
  }
  await maria.accept();
  await until(async () => (await maria.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer', { within: 20_000 });
});

test('while she talks she writes in both chats; the page holds it all, wide and narrow, light and dark', async () => {
  await choose(/Ana Alba/);
  await say('Ana Alba', 'Yes, by mail is fine.');
  await ana.getByRole('log').getByText('Yes, by mail is fine.', { exact: true }).waitFor();
  await choose(/Bob Brun/);
  await say('Bob Brun', 'One moment, please.');
  await bob.getByRole('log').getByText('One moment, please.', { exact: true }).waitFor();
  await ana.getByLabel('Your message').fill('Thank you!');
  await ana.getByLabel('Your message').press('Enter');
  await maria.page.getByRole('navigation', { name: 'My contacts' }).getByText('1 unread').waitFor();
  await maria.page.getByText('Ana Alba wrote.').waitFor();
  assert.ok((await maria.hears(PHONE_TONE)) > LOUD, 'the call goes on');
  for (const [size, viewport] of [['wide', { width: 1280, height: 800 }], ['narrow', { width: 390, height: 760 }]]) {
    await maria.page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark']) {
      await maria.page.emulateMedia({ colorScheme });
      for (const [name, who] of [['chat', /Bob Brun/], ['call', /Rosa Diaz/]]) {
        await choose(who);
        assert.deepEqual(await findings(maria.page), [], `${size} ${colorScheme} ${name}`);
        assert.ok((await maria.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, `${size}: nothing sticks out`);
        await shot(maria.page, `ccp-call-and-two-chats-${name}-${size}-${colorScheme}`);
      }
    }
  }
  await maria.page.emulateMedia({ colorScheme: 'light' });
  await maria.page.setViewportSize({ width: 1280, height: 800 });
});

test('an agent writes up to 5,000 letters and no more, whatever her page does', async () => {
  await choose(/Bob Brun/);
  const box = maria.page.getByLabel('Message to Bob Brun');
  await box.fill('é'.repeat(5001));
  await maria.page.getByText('1 character too many').waitFor();
  await box.press('Enter');
  assert.equal((await box.inputValue()).length, 5001, 'it is not sent');
  await box.fill('😀'.repeat(5000));
  await maria.page.getByText('0 characters left').waitFor();
  await box.press('Enter');
  await bob.getByRole('log').getByText('😀'.repeat(5000), { exact: true }).waitFor();
  // What the page would not send, something on the wire sends: the server refuses it, and she is told.
  await say('Bob Brun', LENGTHENED);
  await maria.page.getByText('Not sent:').waitFor();
  await maria.button('Change').click();
  await say('Bob Brun', 'short again');
  await bob.getByRole('log').getByText('short again', { exact: true }).waitFor();
  assert.equal(await bob.getByRole('log').getByText(LENGTHENED).count(), 0);
});

test('a window that is closed ends its chat at once; the other chat and the call go on', async () => {
  const began = Date.now();
  await ana.close();
  await choose(/Ana Alba/);
  await maria.page.getByText('Ana Alba closed the page and did not come back').first().waitFor({ timeout: 4000 });
  assert.ok(Date.now() - began < 4000);
  await maria.button('Dispose').click();
  await choose(/Rosa Diaz/);
  assert.ok((await maria.hears(PHONE_TONE)) > LOUD, 'the call goes on');
  await maria.button('End call').click();
  await choose(/Rosa Diaz/);
  await maria.finish('Resolved');
  await choose(/Bob Brun/);
  await maria.button('End chat').click();
  await bob.getByText('The agent ended the chat.').waitFor();
  await maria.button('Dispose').click();
  await stage.agentIs('maria', 'ready');
});

test('an agent whose routing profile has no chat has no Chat tab, is offered none, and may reject only if permitted', async () => {
  const cookie = await stage.server.signIn('ada');
  const changed = await stage.server.api('/api/v1/users/jon', { method: 'PATCH', cookie, body: { chat_slots: 0, can_reject: false } });
  assert.equal(changed.status, 200, changed.text);
  await maria.page.getByRole('button', { name: /^Status:/ }).click();
  await maria.page.getByRole('menuitemradio', { name: 'Lunch' }).click();
  await stage.agentIs('maria', 'not_ready', { reason: 'lunch' });
  jon = await stage.desk('jon');
  await jon.goAvailable();
  await jon.page.getByRole('tab', { name: 'Customer' }).waitFor();
  assert.equal(await jon.page.getByRole('tab', { name: 'Chat', exact: true }).count(), 0);
  const cleo = await chat('Cleo Chan', '916 555 0153', 'One thing only.');
  await cleo.getByText('You are next in line.').waitFor();
  const { status_token } = await stage.server.ask('916 555 0154', { name: 'Dan Dole' });
  await jon.offered();
  await jon.page.getByRole('dialog').getByRole('heading', { name: 'Dan Dole' }).waitFor();
  assert.equal(await jon.button('Reject').count(), 0, 'there is nothing to reject with');
  assert.equal(await jon.page.getByText('Cleo Chan').count(), 0, 'the chat waits for somebody who has chats');
  await stage.server.api(`/api/v1/status/${status_token}/cancel`, { method: 'POST', body: {} });
  await cleo.getByRole('button', { name: 'End chat' }).click();
  await cleo.getByRole('button', { name: 'Yes, end the chat' }).click();
});

test('nobody complained', async () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
