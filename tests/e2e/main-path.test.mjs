// The whole main job by clicks, with baresip as the customer's telephone: asked for, offered, dialled, bridged, heard on
// both sides, recorded, found and played back by the supervisor.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Baresip } from './peers/baresip.mjs';
import { pause, until } from './peers/process.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, SILENT, Stage, shot } from './stage.mjs';
import { amplitude, readWav, stretchOf } from './tone.mjs';

let stage, phone, desk, customer, contact;

before(async () => {
  stage = await Stage.set({ announcement: null });
  phone = await Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE });
  await stage.trunkIs(true);
});
after(async () => {
  await phone?.stop();
  await stage?.strike();
});

test('the agent goes available', async () => {
  desk = await stage.desk();
  await desk.goAvailable();
  await stage.agentIs('maria', 'ready');
});

test('the customer asks to be called, and the agent is offered the contact', async () => {
  const person = await stage.person();
  customer = await person.page(`${stage.server.url}/t/sacramento/call-me`);
  await customer.getByLabel('Your name').fill('Rosa Diaz');
  await customer.getByLabel('Phone number').fill(CUSTOMER);
  await customer.getByRole('button', { name: 'Call me' }).click();
  await customer.waitForURL(/\/t\/sacramento\/status\//);
  await desk.offered();
  await desk.page.getByText('Rosa Diaz').first().waitFor();
  await shot(desk.page, 'agent-offer');
});

test('accepted, dialled, answered: both hear each other and not themselves', async () => {
  await desk.accept();
  await phone.program.says(/Call established/);
  await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer', { within: 20_000 });
  await pause(1500);
  assert.ok((await desk.hears(desk.tone)) < SILENT, 'the agent hears no echo');
  await customer.getByText('You are on the phone with us').waitFor();
  await shot(desk.page, 'agent-call');
});

test('mute takes the agent off the line, and back', async () => {
  await desk.button('Mute').click();
  await pause(2500);
  await desk.page.getByRole('button', { name: /^(Unmute|Mute)$/ }).click();
  await pause(1500);
});

test('hold takes the agent away from both ears, and back', async () => {
  await desk.button('Hold').click();
  await desk.becomesSilent(PHONE_TONE);
  await pause(2500);
  await desk.button('Resume').click();
  await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer again');
});

test('digits go both ways', async () => {
  await desk.button('Keypad').click();
  await desk.page.getByRole('button', { name: '5', exact: true }).click();
  await phone.program.says(/received event: '5'/);
  await phone.command('sndcode', '7');
  await pause(800);
});

test('end, wrap-up, done', async () => {
  await desk.button('End call').click();
  await phone.program.says(/terminated|session closed/i);
  await shot(desk.page, 'agent-wrap-up');
  await desk.finish('Resolved');
  await stage.agentIs('maria', 'ready');
  await customer.getByText('Thank you for talking with us').waitFor();
});

test('what the telephone heard: announcement, the agent, silence when muted, music on hold', async () => {
  await phone.stop();
  const [{ rate, samples }] = phone.recordings();
  const agent = stretchOf(samples, desk.tone, { rate, floor: 0.08, bridgeGap: 0.1 });
  assert.ok(agent.from > 2, `the announcement comes first; the agent was heard from ${agent.from} s`);
  assert.ok(amplitude(samples, PHONE_TONE, rate) < SILENT, 'the customer hears no echo');
  // Mute and hold each cut the tone: three stretches of it at least.
  const size = rate / 10;
  let stretches = 0;
  let on = false;
  for (let at = 0; at + size <= samples.length; at += size) {
    const now = amplitude(samples.subarray(at, at + size), desk.tone, rate) > 0.08;
    if (now && !on) stretches += 1;
    on = now;
  }
  assert.ok(stretches >= 3, `mute and hold cut the agent's tone; it was heard in ${stretches} stretches`);
});

test('the supervisor finds the recording, plays and downloads it', async () => {
  const person = await stage.person();
  const page = await person.signIn(stage.server, 'sam', '/supervisor');
  await shot(page, 'supervisor-now');
  await page.getByRole('tab', { name: 'Recordings' }).click();
  await page.getByText('Rosa Diaz').first().click();
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await until(() => page.evaluate(() => [...document.querySelectorAll('audio')].some((audio) => audio.currentTime > 0.3)), 'the recording to play');
  await shot(page, 'supervisor-recording');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: /Download/ }).or(page.getByRole('button', { name: /Download/ })).first().click()]);
  assert.match(download.suggestedFilename(), /^[a-z0-9_.-]+\.wav$/, 'named by our ids');
  const { channels, rate } = readWav(readFileSync(await download.path()));
  assert.equal(rate, 8000);
  assert.equal(channels.length, 2);
  assert.deepEqual(person.complaints, []);
});

test('in the WAV: the right tone per leg, no window under half level', async () => {
  [{ contact }] = await stage.recordings();
  const { channels: [left, right] } = readWav(await stage.wav(contact));
  const customerSpeaks = stretchOf(left, PHONE_TONE, { floor: 0.05 });
  assert.ok(customerSpeaks.seconds > 8, `the customer is heard ${customerSpeaks.seconds} s`);
  assert.deepEqual(customerSpeaks.weak, [], 'customer: no 10 ms window under half level');
  const agentSpeaks = stretchOf(right, desk.tone, { floor: 0.05 });
  assert.ok(agentSpeaks.seconds > 1, `the agent is heard ${agentSpeaks.seconds} s`);
  assert.ok(amplitude(left, desk.tone) < SILENT, 'the customer channel has no agent in it');
  assert.ok(amplitude(right, PHONE_TONE) < SILENT, 'the agent channel has no customer in it');
});

test('each listen and download left an audit row', async () => {
  const audit = (await stage.server.api('/api/v1/audit', { cookie: stage.supervisorCookie })).json.items;
  const about = audit.filter((row) => JSON.stringify(row).includes(contact));
  assert.ok(about.length >= 2, JSON.stringify(audit));
  assert.ok(about.every((row) => row.who === 'sam'));
});

test('nobody else gets a recording, nor guesses its address', async () => {
  const path = `/api/v1/recordings/${contact}/audio`;
  assert.equal((await stage.server.api(path)).status, 401);
  assert.ok([403, 404].includes((await stage.server.api(path, { cookie: await stage.server.signIn('maria') })).status));
  assert.equal((await stage.server.api('/api/v1/recordings/ct_0/audio', { cookie: stage.supervisorCookie })).status, 404);
});

test('no complaints in any console', () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
