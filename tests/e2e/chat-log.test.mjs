// The log of a chat (E12) is kept while it is written: whatever takes the contact or the page away (the time for wrap-up, a reload,
// another chat in front), nothing typed is lost; and a chat that became a call has its log in the one wrap-up of the contact.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Baresip } from './peers/baresip.mjs';
import { until } from './peers/process.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, Stage, endChat, shot } from './stage.mjs';

let stage, phone, maria;

before(async () => {
  stage = await Stage.set({ announcement: null, chat: { log_opens: 'end', reconnect_grace_seconds: 30 }, policy: { wrap_up_seconds: 12 } });
  phone = await Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE });
  await stage.trunkIs(true);
  maria = await stage.desk();
  await maria.goAvailable();
});
after(async () => {
  await phone?.stop();
  await stage?.strike();
});

const chat = (name, number, question) => stage.chat(name, number, question);

const log = () => maria.page.getByRole('region', { name: 'Chat log' });
const body = () => log().getByLabel('What happened');
const timer = () => maria.page.getByRole('timer', { name: 'Time left for wrap-up' });
const drafts = () => maria.page.getByRole('list', { name: 'Drafts' });

test('the time for wrap-up ends in the middle of a word: what was typed is a draft, to its last letter', async () => {
  const luis = await chat('Luis Peña', '916 555 0133', 'Where are my papers?');
  await maria.accept();
  await endChat(luis);
  await body().pressSequentially('He asks for his papers.');
  await log().getByText('Kept as a draft.').waitFor();
  await log().getByText('Draft', { exact: true }).waitFor();
  assert.deepEqual(await findings(maria.page), []);
  await shot(maria.page, 'ccp-log-kept');
  await until(async () => (await timer().textContent()) === '0:01', 'the last second', { within: 15_000, every: 20 });
  await body().pressSequentially(' He will c');
  await stage.agentIs('maria', 'ready');
  await maria.page.getByText('The log of Luis Peña is kept as a draft. You find it under Customer.').waitFor();
  await maria.page.getByRole('tab', { name: 'Customer' }).click();
  await drafts().getByRole('button', { name: /Luis Peña/ }).click();
  assert.equal(await body().inputValue(), 'He asks for his papers. He will c');
  await body().press('End');
  await body().pressSequentially('ome on Monday.');
  await log().getByLabel('A new customer').check();
  await log().getByRole('button', { name: 'Save log' }).click();
  await log().getByText('Filed under Luis Peña').waitFor();
  await log().getByText('He asks for his papers. He will come on Monday.').waitFor();
  await log().getByRole('button', { name: 'Close chat log' }).click();
  await drafts().waitFor({ state: 'hidden' });
});

test('what is filed is changed: a reload keeps the change as a draft, Cancel puts back what was there', async () => {
  const luis = await chat('Luis Peña', '916 555 0133', 'Me again');
  await maria.accept();
  await endChat(luis);
  await log().getByText('Filed under Luis Peña').waitFor();
  await maria.button('More time').click();
  await log().getByRole('button', { name: 'Edit log' }).click();
  await body().fill('Not this.');
  await log().getByText('Draft', { exact: true }).waitFor();
  await log().getByRole('button', { name: 'Cancel' }).click();
  await log().getByText('Nothing was added to what was written in the chat.').waitFor();
  await log().getByText('Filed under Luis Peña').waitFor();
  await log().getByRole('button', { name: 'Edit log' }).click();
  await body().fill('He came a day early.');
  await maria.page.reload();
  await body().waitFor();
  assert.equal(await body().inputValue(), 'He came a day early.');
  await log().getByRole('button', { name: 'Save log' }).click();
  await log().getByText('Filed under Luis Peña').waitFor();
  await maria.button('Dispose').click();
  const back = maria.page.getByRole('button', { name: /Go available|Take over|Turn it on/ });
  await back.or(maria.page.getByRole('button', { name: /Status: Available/ })).first().waitFor();
  if (await back.first().isVisible()) await back.first().click();
  await stage.agentIs('maria', 'ready');
});

test('a second chat comes in front: the log of the first is where it was left', async () => {
  const chosen = (name) => maria.page.getByRole('navigation', { name: 'My contacts' }).getByRole('button', { name });
  const ana = await chat('Ana Alba', '916 555 0151', 'One');
  await maria.accept();
  const bob = await chat('Bob Brun', '916 555 0152', 'Two');
  await maria.accept();
  await chosen(/Ana Alba/).click();
  await maria.button('Log').click();
  await body().fill('Ana asks the one thing');
  await chosen(/Bob Brun/).click();
  await maria.page.getByRole('log', { name: 'Chat with Bob Brun' }).waitFor();
  await chosen(/Ana Alba/).click();
  await maria.button('Log').click();
  assert.equal(await body().inputValue(), 'Ana asks the one thing');
  for (const page of [ana, bob]) await endChat(page);
  for (const name of [/Ana Alba/, /Bob Brun/]) {
    await chosen(name).first().click();
    await maria.button('Dispose').first().click();
    await chosen(name).waitFor({ state: 'hidden' });
  }
  await stage.agentIs('maria', 'ready');
});

test('a chat that became a call has one wrap-up, and its log there', async () => {
  const tom = await chat('Tom Third', CUSTOMER, 'May I ask something?');
  await maria.accept();
  await maria.page.getByRole('log', { name: 'Chat with Tom Third' }).waitFor();
  await maria.button('Call').click();
  await maria.page.getByRole('dialog', { name: 'Call Tom Third' }).getByRole('button', { name: 'Call now' }).click();
  await until(async () => (await maria.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer', { within: 20_000 });
  await tom.close();
  await maria.button('End call').click();
  await maria.button('More time').click();
  await body().fill('Began in writing, ended by telephone.');
  await log().getByLabel('A new customer').check();
  await log().getByRole('button', { name: 'Save log' }).click();
  await log().getByText('Filed under Tom Third').waitFor();
  assert.deepEqual(await findings(maria.page), []);
  await shot(maria.page, 'ccp-log-after-call');
  assert.equal(await timer().count(), 1, 'one wrap-up for both parts');
  await maria.finish('Resolved');
  await stage.agentIs('maria', 'ready');
});

test('nobody complained', async () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
