// Nobody takes the call at the last step of the ladder: the caller goes to a number outside, with the context in the INVITE.
// sipp calls and sipp is the office; tones are measured at both ends and in the WAV.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { pause, until } from './peers/process.mjs';
import { Carrier, audioPort, far } from './peers/sipp.mjs';
import { OUR_NUMBER } from './server.mjs';
import { CUSTOMER_E164, LOUD, PHONE_TONE, SILENT, Stage, shot } from './stage.mjs';
import { readWav, stretchOf } from './tone.mjs';

const OFFICE = '+19165550400';
const OFFICE_TONE = 1700;
let stage, ear, caller, office, officeEar;

before(async () => {
  stage = await Stage.set({
    announcement: null,
    inbound: {},
    server: { second_factor_for: [] },
    staff: [
      { id: 'maria', role: 'agent', name: 'Maria Vega' },
      { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
      { id: 'ada', role: 'admin', name: 'Ada Byron' },
    ],
  });
});
after(async () => {
  await hangUp();
  await stage?.strike();
});

async function hangUp() {
  for (const ended of [ear, officeEar]) ended?.close();
  for (const peer of [caller, office]) await peer?.stop();
}

async function call(steps) {
  await hangUp();
  officeEar = await Earpiece.open({ frequency: OFFICE_TONE });
  office = await Carrier.start(steps(officeEar.port), { port: stage.carrierPort });
  await stage.trunkIs(true);
  ear = await Earpiece.open({ frequency: PHONE_TONE });
  caller = await Caller.call(calls.stays(ear.port), { server: stage.server, number: OUR_NUMBER, from: CUSTOMER_E164 });
}

const last = async () => {
  await until(async () => (await stage.recordings()).length > 0, 'a recording');
  const [{ contact }] = await stage.recordings();
  return (await stage.server.api(`/api/v1/contacts/${contact}`, { cookie: stage.supervisorCookie })).json.contact;
};

test('an administrator sets the number; one that is none is shown where it stands', async () => {
  const person = await stage.person();
  person.expected.push(/status of 422/);
  const page = await person.signIn(stage.server, 'ada', '/admin');
  const go = (name) => page.getByRole('navigation', { name: 'Settings' }).getByRole('link', { name, exact: true }).click();
  await go('Subjects and targets');
  const subject = page.getByRole('listitem').filter({ has: page.getByLabel('Priority at first') }).last();
  await subject.getByLabel('Number outside').fill('911');
  await subject.getByLabel('Seconds before that').fill('3');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: 'Number outside cannot be kept' }).waitFor();
  await subject.getByLabel('Number outside').fill(OFFICE);
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-number-outside');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('status').filter({ hasText: 'Saved. It is in force now.' }).waitFor();
});

test('the office outside has the caller, knows the matter, and both are recorded', async () => {
  await call((port) => far.answers({ ear: port, ring: 1500, hangUpAfter: 6000 }));
  const invite = await office.gets('INVITE');
  officeEar.speakTo(audioPort(invite.body));
  assert.ok(invite.start.includes(OFFICE), invite.start);
  const context = Buffer.from(invite.text.match(/^User-to-User: *([0-9a-f]+);encoding=hex/im)[1], 'hex').toString();
  assert.match(context, /^ct_[0-9a-z]+;subject=calfresh/i);
  assert.ok(ear.recent(0.5).some((sample) => Math.abs(sample) > 0.05), 'music until somebody answers');
  await until(() => ear.hears(OFFICE_TONE) > LOUD, 'the caller to hear the office', { within: 15_000 });
  await until(() => officeEar.hears(PHONE_TONE) > LOUD, 'the office to hear the caller');
  ear.forget();
  officeEar.forget();
  await pause(1000);
  assert.ok(ear.hears(PHONE_TONE) < SILENT && officeEar.hears(OFFICE_TONE) < SILENT, 'nobody hears an echo');
  assert.equal(await caller.ends(), 0, `the office hangs up, and so do we: ${caller.report()}`);
  await until(async () => (await last()).state.outcome === 'successful', 'the contact to be successful');
  const { id, reason } = await last();
  assert.equal(reason.why, 'completed');
  const { channels: [left, right] } = readWav(await stage.wav(id));
  assert.ok(stretchOf(left, PHONE_TONE, { floor: 0.05 }).seconds > 6, 'the caller is recorded all along');
  assert.ok(stretchOf(right, OFFICE_TONE, { floor: 0.05 }).seconds > 2, 'the office is recorded');
});

test('the office is busy: the caller waits on, hears music, and is sent there again', async () => {
  await call(() => far.refuses('486 Busy Here'));
  await office.gets('INVITE');
  const waits = await until(async () => (await stage.board()).waiting.find(({ channel }) => channel === 'call'), 'the caller to be in line again');
  assert.equal(waits.position, 1);
  ear.forget();
  await until(() => ear.recent(0.5).some((sample) => Math.abs(sample) > 0.05), 'music');
  await office.gets('INVITE', { count: 2 });
});
