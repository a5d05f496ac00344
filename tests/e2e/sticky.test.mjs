// The agent who had a customer's chat is the customer's own from then on (O7, where it is switched on): free, she gets the next one
// although a colleague has been idle longer; busy, she is waited for so long, and then anybody takes it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from './peers/process.mjs';
import { Stage } from './stage.mjs';

const PATIENCE = 6;
let stage, maria, jon;

before(async () => {
  stage = await Stage.set({ chat: { reconnect_grace_seconds: 30 }, policy: { sticky: true, sticky_seconds: PATIENCE, wrap_up_seconds: 120, offer_seconds: 60 } });
  maria = await stage.desk();
  await maria.goAvailable();
});
after(() => stage?.strike());

const chat = (name, number, question) => stage.chat(name, number, question);

async function over(desk) {
  await desk.button('End chat').click();
  await desk.button('Dispose').click();
  await stage.agentIs(desk.user, 'ready');
}

test('who had the chat gets the next one, before a colleague who has been idle longer', async () => {
  await chat('Ana Alba', '916 555 0151', 'First of all');
  await maria.accept();
  jon = await stage.desk('jon');
  await jon.goAvailable();
  await over(maria);
  await chat('Ana Alba', '916-555-0151', 'And another thing');
  await maria.offered();
  await maria.page.getByText('You know this customer').first().waitFor();
  assert.equal(await jon.button('Accept').count(), 0, 'nobody else is asked');
  await maria.accept();
  await over(maria);
  await chat('Bob Brun', '916 555 0152', 'I am new here');
  await jon.offered();
  await jon.accept();
  await over(jon);
});

async function status(desk, name, presence) {
  await desk.page.getByRole('button', { name: /^Status:/ }).click();
  await desk.page.getByRole('menuitemradio', { name }).click();
  await stage.agentIs(desk.user, presence);
}

/** How long it takes, in milliseconds, until the colleague is asked. */
async function asked(desk) {
  const began = Date.now();
  await until(() => desk.button('Accept').isVisible(), 'the colleague to be asked', { within: (PATIENCE + 10) * 1000, every: 50 });
  return Date.now() - began;
}

test('while her hands are full she is waited for so long, and then anybody takes it', async () => {
  await status(jon, 'Lunch', 'not_ready');
  for (const [name, number] of [['Cleo Chan', '916 555 0153'], ['Dan Dole', '916 555 0154']]) {
    await chat(name, number, 'Hello');
    await maria.accept();
    await maria.page.getByRole('navigation', { name: 'My contacts' }).getByRole('button', { name: new RegExp(name) }).waitFor();
  }
  await jon.button('Go available').click();
  await stage.agentIs('jon', 'ready');
  await chat('Ana Alba', '916 555 0151', 'One more');
  const waited = await asked(jon);
  assert.ok(waited > (PATIENCE - 2) * 1000, `she is waited for: ${waited} ms`);
  await jon.accept();
  await jon.page.getByRole('log', { name: 'Chat with Ana Alba' }).getByText('One more').waitFor();
  await over(jon);
});

test('who has gone is not waited for', async () => {
  await status(maria, 'Lunch', 'draining');
  // Jon had her last chat: he is the one who goes.
  await status(jon, 'Lunch', 'not_ready');
  await chat('Ana Alba', '916 555 0151', 'And a last one');
  for (const name of ['Cleo Chan', 'Dan Dole']) {
    await maria.page.getByRole('navigation', { name: 'My contacts' }).getByRole('button', { name: new RegExp(name) }).first().click();
    await maria.button('End chat').click();
    await maria.button('Dispose').click();
    await maria.page.getByRole('navigation', { name: 'My contacts' }).getByRole('button', { name: new RegExp(name) }).waitFor({ state: 'hidden' });
  }
  await stage.agentIs('maria', 'not_ready', { reason: 'lunch' });
  await maria.button('Go available').click();
  const waited = await asked(maria);
  assert.ok(waited < 4000, `at once: ${waited} ms`);
  await maria.accept();
  await over(maria);
});

test('nobody complained', async () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
