// Nobody takes the caller, who goes to a number outside: whoever answers there first hears a code, in the caller's language, by which
// staff find the matter. sipp calls and sipp is the office; the spoken digits are read back from its RTP, sample by sample.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { until } from './peers/process.mjs';
import { Carrier, audioPort, far } from './peers/sipp.mjs';
import { MENU_TONE, OUR_NUMBER } from './server.mjs';
import { digitsAfter } from './spoken.mjs';
import { CUSTOMER_E164, LOUD, PHONE_TONE, SILENT, Stage, shot } from './stage.mjs';

const OFFICE = '+19165550400';
const OFFICE_TONE = 1700;
let stage, ear, caller, office, officeEar;

before(async () => {
  stage = await Stage.set({
    announcement: null,
    inbound: { choices: [{ digit: '1', subject: 'calfresh' }, { digit: '9', language: 'es' }] },
    overflow: { number: OFFICE, seconds: 2 },
    dialling: { tell_code: true },
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

/** Somebody calls, presses these keys and is passed to the office, which does this. */
async function passedOn(keys, steps) {
  await hangUp();
  officeEar = await Earpiece.open({ frequency: OFFICE_TONE });
  office = await Carrier.start(steps(officeEar.port), { port: stage.carrierPort });
  await stage.trunkIs(true);
  ear = await Earpiece.open({ frequency: PHONE_TONE });
  caller = await Caller.call(calls.stays(ear.port), { server: stage.server, number: OUR_NUMBER, from: CUSTOMER_E164 });
  await until(() => ear.hears(MENU_TONE) > LOUD / 2, 'the menu', { also: () => caller.report() });
  for (const key of keys) {
    ear.press(key);
    if (key === '9') await until(() => ear.hears(MENU_TONE + 80) > LOUD / 2, 'the menu in Spanish');
  }
  const invite = await office.gets('INVITE');
  officeEar.speakTo(audioPort(invite.body));
  return Buffer.from(invite.text.match(/^User-to-User: *([0-9a-f]+);encoding=hex/im)[1], 'hex').toString();
}

/** The code as it is said, while the caller hears music and nobody of the office. */
async function codeHeard(language) {
  let said;
  await until(() => (said = digitsAfter(officeEar.recent(60), language, 'short_code', 12)), 'the code to be told', { within: 25_000, every: 1000 });
  return said;
}

async function lookedUp(page, code) {
  await page.getByLabel('Code of a call that was passed on').fill(code);
  await page.getByRole('button', { name: 'Look up' }).click();
}

let code;

test('the office hears the code twice, in English, then the caller; the code in the INVITE is the same', async () => {
  const context = await passedOn('1', (port) => far.answers({ ear: port }));
  await until(() => officeEar.packets > 100, 'the office to hear something');
  assert.ok(officeEar.hears(PHONE_TONE) < SILENT, 'not the caller yet');
  assert.ok(ear.hears(OFFICE_TONE) < SILENT && ear.recent(0.5).some((sample) => Math.abs(sample) > 0.05), 'the caller hears music meanwhile');
  const said = await codeHeard('en');
  code = said.slice(0, 6);
  assert.equal(said, code + code, 'the same both times');
  assert.match(context, new RegExp(`;code=${code}`));
  await until(() => ear.hears(OFFICE_TONE) > LOUD, 'the caller to hear the office', { within: 10_000 });
  await until(() => officeEar.hears(PHONE_TONE) > LOUD, 'the office to hear the caller');
});

test('an agent and a supervisor look the code up; a wrong one is told', async () => {
  const desk = await stage.desk();
  await desk.page.getByRole('tab', { name: 'Customer' }).click();
  await lookedUp(desk.page, '12345');
  await desk.page.getByRole('alert').filter({ hasText: 'A code has six digits.' }).waitFor();
  await lookedUp(desk.page, code === '000000' ? '111111' : '000000');
  await desk.page.getByText('No call went outside under this code in the last three days.').waitFor();
  await lookedUp(desk.page, `${code.slice(0, 3)} ${code.slice(3)}`);
  const found = desk.page.getByRole('list', { name: 'Found by its code' });
  await found.getByText('CalFresh', { exact: false }).waitFor();
  await found.getByText('0119', { exact: false }).first().waitFor();
  assert.deepEqual(await findings(desk.page), []);
  await shot(desk.page, 'short-code-agent');
  const sam = await stage.person();
  const board = await sam.signIn(stage.server, 'sam', '/supervisor');
  await lookedUp(board, code);
  await board.getByRole('list', { name: 'Found by its code' }).getByText('CalFresh', { exact: false }).waitFor();
  assert.deepEqual(await findings(board), []);
  await shot(board, 'short-code-supervisor');
  assert.equal((await stage.server.api(`/api/v1/short-codes/${code}`)).status, 401, 'nobody else');
});

test('in Spanish; a key pressed at the office cuts the code short', async () => {
  const context = await passedOn('91', (port) => far.answers({ ear: port }));
  const mine = context.match(/;code=(\d{6})/)[1];
  let said;
  await until(() => (said = digitsAfter(officeEar.recent(60), 'es', 'short_code', 6)), 'the code to be told', { within: 25_000, every: 300 });
  assert.equal(said, mine);
  assert.ok(ear.hears(OFFICE_TONE) < SILENT, 'it is being told still');
  officeEar.press('5');
  await until(() => ear.hears(OFFICE_TONE) > LOUD, 'the caller to hear the office', { within: 2500 });
});

test('an office that hangs up while the code is told has not taken the call: the caller is in line again', async () => {
  await passedOn('1', (port) => far.answers({ ear: port, hangUpAfter: 2000 }));
  await until(async () => (await stage.board()).waiting.find(({ channel }) => channel === 'call'), 'the caller to be in line again', { within: 12_000 });
  assert.ok(ear.hears(OFFICE_TONE) < SILENT);
});

test('nothing was complained of in the consoles', () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
