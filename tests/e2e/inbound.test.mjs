// Customers call: greeted, in line with music, offered, bridged; and everything that may come in between. baresip and sipp call,
// tones are measured at both ends and in the WAV.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Baresip } from './peers/baresip.mjs';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { pause, until } from './peers/process.mjs';
import { CLOSED_TONE, GREETING_TONE, OUR_NUMBER } from './server.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, SILENT, Stage, shot } from './stage.mjs';
import { amplitude, readWav, stretchOf } from './tone.mjs';

let stage, desk, phone, ear, caller;

before(async () => {
  stage = await Stage.set({ announcement: null, inbound: { short_abandon_seconds: 3 }, policy: { offer_seconds: 8 } });
  desk = await stage.desk();
});
after(async () => {
  await phone?.stop();
  await hangUp();
  await stage?.strike();
});

async function call(steps, options = {}) {
  await hangUp();
  ear = await Earpiece.open({ frequency: PHONE_TONE });
  caller = await Caller.call(steps(ear.port), { server: stage.server, number: OUR_NUMBER, from: CUSTOMER_E164, ...options });
}

async function hangUp() {
  ear?.close();
  await caller?.stop();
  ear = caller = undefined;
}

/** Someone is in line on the telephone. */
const waits = () => until(async () => (await stage.board()).waiting.find(({ channel }) => channel === 'call'), 'the caller to be in line');
const nobodyWaits = () => until(async () => (await stage.board()).waiting.length === 0, 'nobody to be in line');

/** The ledger's word on the contact whose call was recorded last. */
async function last() {
  await until(async () => (await stage.recordings()).length > 0, 'a recording');
  const [{ contact }] = await stage.recordings();
  return (await stage.server.api(`/api/v1/contacts/${contact}`, { cookie: stage.supervisorCookie })).json.contact;
}
const closes = async (outcome) => {
  let found;
  await until(async () => ((found = await last()), found.state.outcome === outcome), `the contact to be ${outcome}`, { also: () => JSON.stringify(found) });
  return found;
};

test('a caller waits with music, is offered with number and subject, and is bridged on accept', async () => {
  phone = await Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE });
  await phone.command('dial', `sip:${OUR_NUMBER}@127.0.0.1:${stage.server.sip}`);
  await phone.program.says(/Call established/);
  const waiting = await waits();
  assert.equal(waiting.subject, 'calfresh');
  await pause(2500);
  await desk.goAvailable();
  await desk.offered();
  await desk.page.getByText('Incoming call', { exact: true }).waitFor();
  await desk.page.getByText(CUSTOMER).first().waitFor();
  await desk.page.getByText('CalFresh').first().waitFor();
  await shot(desk.page, 'inbound-offer');
  await desk.button('Accept').click();
  await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the caller', { within: 20_000 });
  await pause(1500);
  assert.ok((await desk.hears(desk.tone)) < SILENT, 'the agent hears no echo');
  await shot(desk.page, 'inbound-call');
});

test('hold, and digits both ways', async () => {
  await desk.button('Hold').click();
  await desk.becomesSilent(PHONE_TONE);
  await desk.button('Resume').click();
  await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the caller again');
  await desk.button('Keypad').click();
  await desk.page.getByRole('button', { name: '5', exact: true }).click();
  await phone.program.says(/received event: '5'/);
});

test('end, wrap-up; what the caller heard and what was recorded', async () => {
  await desk.button('End call').click();
  await phone.program.says(/terminated|session closed/i);
  await desk.finish('Resolved');
  const contact = await closes('successful');
  assert.equal(contact.channel, 'call');
  assert.equal(contact.customer.customer_id, null);
  await phone.stop();
  const [{ rate, samples }] = phone.recordings();
  phone = undefined;
  const greeting = stretchOf(samples, GREETING_TONE, { rate, floor: 0.08, bridgeGap: 0.1 });
  const agent = stretchOf(samples, desk.tone, { rate, floor: 0.08, bridgeGap: 0.1 });
  assert.ok(greeting.seconds > 1.2 && greeting.from < 2, `the greeting comes first: ${JSON.stringify(greeting)}`);
  assert.ok(agent.from > greeting.to + 2, 'then music, then the agent');
  const between = samples.subarray(Math.round((greeting.to + 0.5) * rate), Math.round((greeting.to + 2) * rate));
  assert.ok(between.some((sample) => Math.abs(sample) > 0.05), 'music while waiting');
  assert.ok(amplitude(samples, PHONE_TONE, rate) < SILENT, 'the caller hears no echo');
  const { channels: [left, right] } = readWav(await stage.wav(contact.id));
  const said = stretchOf(left, PHONE_TONE, { floor: 0.05 });
  assert.ok(said.seconds > 6 && said.from < 1, `the caller is recorded from the answer on: ${JSON.stringify(said)}`);
  assert.deepEqual(said.weak, [], 'no 10 ms window under half level');
  assert.ok(stretchOf(right, desk.tone, { floor: 0.05 }).seconds > 1, 'the agent is recorded');
  assert.ok(amplitude(left, desk.tone) < SILENT && amplitude(right, PHONE_TONE) < SILENT, 'each on a side of their own');
});

test('a caller whom no agent takes stays in line with music, and is taken later', async () => {
  await stage.agentIs('maria', 'ready');
  await call((port) => calls.stays(port));
  await desk.offered();
  await stage.agentIs('maria', 'not_ready', { reason: 'rona', within: 20_000 });
  const { position } = await waits();
  assert.equal(position, 1);
  ear.forget();
  await until(() => ear.recent(1).some((sample) => Math.abs(sample) > 0.05), 'music to go on');
  await pause(5000); // The agent's cool-off for this caller.
  await desk.goAvailable();
  await desk.accept();
  await stage.bothHear(desk, ear);
});

test('the agent who vanishes is told of, and the caller comes back into line on the telephone', async () => {
  await desk.page.goto('about:blank');
  await waits();
  assert.equal((await last()).state.state, 'queued');
  desk = await stage.desk();
  await desk.goAvailable();
  await desk.accept();
  await stage.bothHear(desk, ear);
  await desk.button('End call').click();
  await desk.finish();
  assert.equal(await caller.ends(), 0, caller.report());
  await closes('successful');
});

test('hung up while waiting is abandoned; hung up at once counts apart', async () => {
  await desk.page.goto('about:blank');
  await until(async () => (await stage.agent('maria')).presence !== 'ready', 'the agent to be away', { within: 30_000 });
  for (const [ms, why] of [[4500, 'customer_hung_up'], [700, 'customer_hung_up_soon']]) {
    await call((port) => calls.hangsUpAfter(port, ms));
    assert.equal(await caller.ends(), 0, caller.report());
    await nobodyWaits();
    const contact = await closes('abandoned');
    assert.equal(contact.reason.why, why);
  }
});

test('in an emergency closure the caller hears so, and the call ends', async () => {
  const cookie = stage.supervisorCookie;
  const declared = await stage.server.api('/api/v1/closure', { method: 'POST', body: { message: 'Fire', until: Date.now() + 3_600_000 }, cookie });
  assert.ok(declared.status < 300, declared.text);
  await call((port) => calls.stays(port));
  assert.equal(await caller.ends(), 0, caller.report());
  assert.ok(ear.hears(CLOSED_TONE, 2) > LOUD / 2, 'the message was heard');
  const contact = await closes('unsuccessful');
  assert.equal(contact.reason.why, 'closed');
  const lifted = await fetch(`${stage.server.url}/api/v1/closure`, { method: 'DELETE', headers: { cookie, origin: stage.server.url } });
  assert.ok(lifted.ok);
});

test('numbers that are nobody’s get the answer everybody gets', async () => {
  for (const number of ['+19165550009', 'admin', '911']) {
    await call((port) => calls.isRefused(port, 404), { number });
    assert.equal(await caller.ends(), 0, `${number}: ${caller.report()}`);
  }
});
