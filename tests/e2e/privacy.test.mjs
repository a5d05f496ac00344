// One person's data, looked up, taken along and erased by an administrator, down to the files: after it nothing on the disk
// has the name, the number or a word of hers, and the server after a new start knows nobody.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Baresip } from './peers/baresip.mjs';
import { until } from './peers/process.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, Stage, endChat, shot } from './stage.mjs';

let stage, phone, maria, admin;

/** What must not be found anywhere afterwards. */
const WORDS = ['Rosalinda Quetzal', 'rosalinda quetzal', CUSTOMER_E164, 'C-990017', 'xylophone papers', 'her case is about xylophones', 'a private note of hers', 'wrap-up about Rosalinda'];
const STAFF = [
  { id: 'maria', role: 'agent', name: 'Maria Vega' },
  { id: 'jon', role: 'agent', name: 'Jon Park' },
  { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
  { id: 'ada', role: 'admin', name: 'Ada Boss' },
];

before(async () => {
  stage = await Stage.set({ announcement: null, chat: { log_opens: 'end' }, staff: STAFF, server: { second_factor_for: [] } });
  phone = await Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE });
  await stage.trunkIs(true);
  maria = await stage.desk();
  await maria.goAvailable();
});
after(async () => {
  await phone?.stop();
  await stage?.strike();
});

/** Every file that the server keeps. */
function files(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}
const kept = () => [...new Set([...files(stage.server.folder), ...['', '-wal', '-shm'].map((end) => stage.server.ledger + end)])];

/** Which words stand in which files. */
function traces() {
  return kept().flatMap((path) => {
    let bytes;
    try {
      bytes = readFileSync(path);
    } catch {
      return [];
    }
    return WORDS.filter((word) => bytes.includes(word)).map((word) => `${word} in ${path}`);
  });
}

const chat = (question) => stage.chat('Rosalinda Quetzal', CUSTOMER, question);

async function look() {
  await admin.getByLabel('Phone number').fill('916 555 0119');
  await admin.getByRole('button', { name: 'Look up' }).click();
}

test('she chats, is filed, and is called and recorded', async () => {
  const page = await chat('Where are my xylophone papers?');
  await maria.accept();
  await endChat(page);
  const log = maria.page.getByRole('region', { name: 'Chat log' });
  await log.getByLabel('What happened').fill('her case is about xylophones');
  await log.getByLabel('A new customer').check();
  await log.getByRole('button', { name: 'Save log' }).click();
  await log.getByText('Filed under Rosalinda Quetzal').waitFor();
  await maria.page.getByLabel('Note', { exact: true }).fill('wrap-up about Rosalinda');
  await maria.button('Dispose').click();
  await stage.agentIs('maria', 'ready');
  await maria.page.getByRole('tab', { name: 'Customer' }).click();
  await maria.page.getByRole('searchbox', { name: 'Find a customer' }).fill('quetzal');
  await maria.button('Search').click();
  await maria.button('Open Rosalinda Quetzal').click();
  await maria.button('Edit').click();
  await maria.page.getByLabel('Customer IDs of the portal').fill('C-990017');
  await maria.page.getByLabel('Notes').fill('a private note of hers');
  await maria.button('Save customer').click();
  await maria.page.getByText('a private note of hers').waitFor();
  const asked = await stage.server.api('/api/v1/t/sacramento/callbacks', { method: 'POST', body: { name: 'Rosalinda Quetzal', phone: CUSTOMER } });
  assert.equal(asked.status, 201);
  await maria.accept();
  await until(async () => (await maria.hears(PHONE_TONE)) > LOUD, 'the agent to hear her', { within: 20_000 });
  await maria.button('End call').click();
  await maria.page.getByLabel('Note', { exact: true }).fill('wrap-up about Rosalinda, again');
  await maria.finish('Resolved');
  await stage.agentIs('maria', 'ready');
  await until(async () => (await stage.recordings()).some(({ legs }) => legs.length === 2 && legs.every(({ state }) => state === 'finished')), 'the recordings');
  assert.ok(traces().length > 5, 'what is looked for afterwards is there now');
});

test('nobody is erased in the middle of a conversation', async () => {
  const page = await chat('One more question');
  await maria.accept();
  const person = await stage.person({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
  admin = await person.signIn(stage.server, 'ada', '/admin');
  await admin.getByRole('link', { name: 'One person’s data' }).click();
  person.expected.push(/status of 422 .*privacy/, /status of 409 .*privacy/);
  await admin.getByRole('button', { name: 'Look up' }).click();
  await admin.getByText('Enter a number or an ID.').waitFor();
  assert.deepEqual(await findings(admin), []);
  await look();
  await admin.getByRole('heading', { name: 'Rosalinda Quetzal' }).waitFor();
  await admin.getByText('1 contact is not over').waitFor();
  assert.ok(await admin.getByRole('button', { name: 'Erase …' }).isDisabled());
  const cookie = await stage.server.signIn('ada');
  const seen = (await stage.server.api('/api/v1/privacy/find', { method: 'POST', cookie, body: { phone: CUSTOMER } })).json;
  const refused = await stage.server.api('/api/v1/privacy/erase', { method: 'POST', cookie, body: { phone: CUSTOMER, found: seen.found } });
  assert.equal(refused.json.code, 'person_live');
  for (const role of ['maria', 'sam']) {
    const other = await stage.server.signIn(role);
    assert.equal((await stage.server.api('/api/v1/privacy/find', { method: 'POST', cookie: other, body: { phone: CUSTOMER } })).status, 403, role);
  }
  await endChat(page);
  await maria.button('Dispose').click();
  await stage.agentIs('maria', 'ready');
});

test('everything as one archive, the sound with it', async () => {
  await look();
  await admin.getByText('1 contact is not over').waitFor({ state: 'hidden' });
  const [download] = await Promise.all([admin.waitForEvent('download'), admin.getByRole('button', { name: 'Take along' }).click()]);
  const path = join(stage.server.folder, '..', `person-${process.pid}.zip`);
  writeFileSync(path, readFileSync(await download.path()));
  const python = 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; sys.stdout.buffer.write(z.read("person.json")); sys.stderr.write(" ".join(z.namelist()) + " " + str(sum(len(z.read(n)) for n in z.namelist() if n.endswith(".wav"))))';
  const read = spawnSync('python3', ['-c', python, path], { encoding: 'utf8' });
  spawnSync('rm', [path]);
  assert.equal(read.status, 0, read.stderr);
  const told = JSON.parse(read.stdout);
  assert.equal(told.customers[0].notes, 'a private note of hers');
  assert.equal(told.contacts.length, 3);
  assert.ok(told.contacts.some(({ transcript }) => transcript.some(({ body }) => body === 'Where are my xylophone papers?')));
  assert.ok(told.contacts.some((contact) => contact.case?.body === 'her case is about xylophones'));
  assert.equal(told.contacts.flatMap(({ recordings }) => recordings).length, 2);
  assert.equal((read.stderr.match(/recordings\/\w+\.wav/g) ?? []).length, 2, read.stderr);
  assert.ok(Number(read.stderr.split(' ').at(-1)) > 16_000, 'with sound in them');
});

test('erased: nothing on the disk tells of her, and the chain of the audit is whole', async () => {
  await look();
  await admin.getByRole('button', { name: 'Erase …' }).click();
  const dialog = admin.getByRole('dialog');
  assert.ok(await dialog.getByRole('button', { name: 'Erase now' }).isDisabled());
  assert.deepEqual(await findings(admin), []);
  await shot(admin, 'admin-privacy-erase');
  await dialog.getByRole('checkbox').check();
  await dialog.getByRole('button', { name: 'Erase now' }).click();
  await admin.getByRole('heading', { name: 'Everything is erased' }).waitFor();
  assert.deepEqual(await findings(admin), []);
  await shot(admin, 'admin-privacy-erased');
  await look();
  await admin.getByText('Nobody is known by that.').waitFor();
  assert.deepEqual(traces(), []);
  assert.equal(files(stage.server.recordings).filter((path) => path.endsWith('.wav')).length, 0, 'no sound of hers');
  const cookie = await stage.server.signIn('maria');
  assert.deepEqual((await stage.server.api('/api/v1/customers?q=quetzal', { cookie })).json.items, []);
});

test('and after a new start neither', async () => {
  await maria.page.close();
  await admin.close();
  const ended = await stage.server.program.stop('SIGTERM', 30_000);
  assert.equal(ended.code, 0);
  const checked = stage.server.command(['verify-audit', '--config', stage.server.config]);
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  await stage.server.run();
  assert.deepEqual(traces(), []);
  const page = await chat('Do you still know me?');
  maria = await stage.desk();
  await maria.goAvailable();
  await maria.offered();
  await maria.page.getByText('Not in the directory').waitFor();
  await maria.page.getByRole('tab', { name: 'Chat History' }).click();
  await maria.page.getByText('This is the first contact with').waitFor();
  await maria.accept();
  await endChat(page);
  await maria.button('Dispose').click();
});

test('nobody complained', async () => {
  for (const person of stage.people) assert.deepEqual(person.complaints.filter((text) => !/WebSocket|ERR_/.test(text)), []);
});
