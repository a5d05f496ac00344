// How long records are kept, set in the browser: sound, transcript and the customer's data leave on time with their files, what is on
// legal hold stays until it is lifted, and the audit says what went without saying whose it was.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { pause, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { Stage, shot } from './stage.mjs';

const PEOPLE = [['(916) 555-0119', 'Rosa Diaz'], ['(916) 555-0120', 'Hector Quiroz']];
let stage, desk, board, admin;

before(async () => {
  stage = await Stage.set({
    server: { second_factor_for: [] },
    limits: { retention_seconds: 1 },
    staff: [
      { id: 'maria', role: 'agent', name: 'Maria Vega' },
      { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
      { id: 'ada', role: 'admin', name: 'Ada Byron' },
    ],
  });
  await stage.carrier((ear) => far.answers({ ear }));
  desk = await stage.desk();
});
after(() => stage?.strike());

const ledger = (text) => {
  const done = spawnSync('sqlite3', [stage.server.ledger], { input: `.timeout 5000\n${text};\n`, encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  return done.stdout.trim();
};
/** As if so many days had gone by since the contacts were closed: nobody waits for days in a test. */
const daysPass = (days) => ledger(`UPDATE contacts SET closed_at = closed_at - ${days * 86_400_000}, recorded_at = recorded_at - ${days * 86_400_000}`);
const sounds = () => stage.server.recordingFiles().filter((path) => path.endsWith('.wav'));
const row = (name) => board.getByRole('row').filter({ hasText: name });

test('two calls are recorded', async () => {
  await desk.goAvailable();
  for (const [at, [phone, name]] of PEOPLE.entries()) {
    const { status_token } = await stage.server.ask(phone, { name });
    await desk.accept();
    await stage.callArrives(at + 1);
    await stage.server.reaches(status_token, 'talking');
    await stage.bothHear(desk);
    await desk.button('End call').click();
    await desk.finish('Resolved');
    await stage.server.reaches(status_token, 'successful');
  }
  await until(async () => (await stage.recordings()).every(({ legs }) => legs.every(({ state }) => state === 'finished')), 'the recordings to be filed');
  assert.equal(sounds().length, 4);
});

test('the supervisor puts one of them on hold, with a reason, by keyboard', async () => {
  const person = await stage.person();
  board = await person.signIn(stage.server, 'sam', '/supervisor');
  await board.getByRole('tab', { name: 'Recordings' }).click();
  await row('Hector Quiroz').getByRole('button').first().click();
  await board.getByRole('button', { name: 'Legal hold …' }).focus();
  await board.keyboard.press('Enter');
  const dialog = board.getByRole('dialog', { name: 'Put on legal hold' });
  await dialog.getByRole('button', { name: 'Put on hold' }).click();
  await dialog.getByRole('alert').filter({ hasText: 'Write why' }).waitFor();
  await dialog.getByLabel('Reason').focus();
  await board.keyboard.type('Hearing 12-7');
  assert.deepEqual(await findings(board), []);
  await shot(board, 'hold-dialog');
  await board.keyboard.press('Tab');
  await board.keyboard.press('Tab');
  await board.keyboard.press('Enter');
  await board.getByText('On legal hold').waitFor();
  await row('Hector Quiroz').getByText('On hold').waitFor();
  assert.deepEqual(await findings(board), []);
  await shot(board, 'hold-set');
});

test('the administrator sets the days; nothing that is younger leaves', async () => {
  const person = await stage.person();
  person.expected.push(/status of 422/);
  admin = await person.signIn(stage.server, 'ada', '/admin');
  await admin.getByRole('link', { name: 'Retention and legal hold' }).click();
  await admin.getByText('Hearing 12-7').waitFor();
  await admin.getByText('Set by Sam Ortiz').waitFor();
  await admin.getByLabel('Recordings, in days').fill('0');
  await admin.getByRole('button', { name: 'Save', exact: true }).click();
  await admin.getByRole('alert').filter({ hasText: 'Recordings, in days cannot be kept' }).waitFor();
  await admin.getByLabel('Recordings, in days').fill('30');
  await admin.getByLabel('What was written in chats, in days').fill('30');
  await admin.getByLabel('Customers’ data, in days').fill('60');
  assert.deepEqual(await findings(admin), []);
  await shot(admin, 'admin-retention');
  await admin.setViewportSize({ width: 320, height: 640 });
  assert.ok((await admin.evaluate(() => document.documentElement.scrollWidth)) <= 320);
  await admin.setViewportSize({ width: 1280, height: 800 });
  await admin.getByRole('button', { name: 'Save', exact: true }).click();
  await admin.getByRole('status').filter({ hasText: 'Saved. It is in force now.' }).waitFor();
  daysPass(29);
  await pause(2500);
  assert.equal(sounds().length, 4, 'not a day too soon');
});

test('after thirty days the sound is gone, its files too; the held one can still be heard', async () => {
  daysPass(2);
  await until(() => sounds().length === 2, 'the files to be removed');
  const left = await stage.recordings();
  assert.deepEqual(left.map(({ customer_name }) => customer_name), ['Hector Quiroz']);
  assert.ok((await stage.wav(left[0].contact)).length > 10_000);
  await board.reload();
  await board.getByRole('tab', { name: 'Recordings' }).click();
  await row('Hector Quiroz').waitFor();
  assert.equal(await row('Rosa Diaz').count(), 0);
});

test('after sixty days nothing in the ledger says who it was, and the chain of the audit is whole', async () => {
  daysPass(30);
  await until(() => ledger(`SELECT COUNT(*) FROM contacts WHERE personal_removed_at IS NOT NULL`) === '1', 'the customer to be forgotten');
  for (const table of ['contacts', 'attempts', 'recordings', 'contact_events', 'audit']) {
    const dump = ledger(`SELECT * FROM ${table}`);
    assert.ok(!dump.includes('Rosa Diaz') && !dump.includes('5550119'), table);
  }
  assert.ok(ledger('SELECT doc FROM contacts').includes('Hector Quiroz'), 'the held one is whole');
  const cookie = await stage.server.signIn('ada');
  const rows = (await stage.server.api('/api/v1/audit?what=records_removed', { cookie })).json.items;
  const gone = rows.flatMap(({ detail }) => detail.recordings);
  assert.equal(gone.length, 2);
  assert.ok(gone.every(({ chain }) => chain.length > 20), 'the audit keeps the hashes of the sound');
  const verified = stage.server.command(['verify-audit', '--config', stage.server.config]);
  assert.match(verified.stdout, /sacramento: whole/);
});

test('the hold is lifted in /admin: what was due long ago leaves', async () => {
  await admin.getByRole('button', { name: 'Lift the hold: Hearing 12-7' }).click();
  const dialog = admin.getByRole('dialog', { name: 'Lift this hold?' });
  assert.deepEqual(await findings(admin), []);
  await dialog.getByRole('button', { name: 'Lift the hold' }).click();
  await admin.getByRole('status').filter({ hasText: 'The hold is lifted.' }).waitFor();
  await until(() => sounds().length === 0, 'the last files to be removed');
  await until(() => ledger('SELECT COUNT(*) FROM contacts WHERE personal_removed_at IS NULL') === '0', 'both to be forgotten');
  assert.equal(stage.server.recordingFiles().length, 0, 'nothing stays beside the sound either');
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
