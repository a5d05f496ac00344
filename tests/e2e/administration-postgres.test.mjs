// What administrators set, on PostgreSQL: every scenario of bounds.test.mjs there, then a right that the operator enables, and all of it
// taken over into SQLite by backup and restore.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Postgres } from './peers/postgres.mjs';

const database = await Postgres.start();
process.env.RINGBACK_STORE = database.url;
const { theStage } = await import('./bounds.test.mjs');
// Named after those of the scenarios: the server goes before its database.
after(() => database.stop());

const send = (path, method, cookie, body) => theStage().server.api(path, { method, cookie, body });

/** The server with its configuration changed so. */
async function restarted(change, meanwhile = () => {}) {
  const { server } = theStage();
  const end = await server.program.stop('SIGTERM', 30_000);
  assert.equal(end.code, 0, server.program.output.slice(-2000));
  const before = readFileSync(server.config, 'utf8');
  const after = change(before);
  assert.notEqual(after, before);
  writeFileSync(server.config, after);
  await meanwhile();
  await server.run();
}

test('the operator enables SMS for the county, and an administrator grants it to one agent', async () => {
  await restarted((text) => text.replace('auth = "none"\n', 'auth = "none"\nsms = true\n'));
  const { server } = theStage();
  const person = await theStage().person();
  const page = await person.signIn(server, 'ada', '/admin');
  await page.getByRole('link', { name: 'People', exact: true }).click();
  await page.getByRole('button', { name: 'Change Maria Vega' }).click();
  await page.getByRole('group', { name: 'May also' }).getByLabel('Write first by SMS (Role_SMS)').check();
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await page.getByText('Maria Vega is saved.').waitFor();
  const people = (await send('/api/v1/users', 'GET', await server.signIn('ada'))).json.items;
  assert.ok(people.find(({ id }) => id === 'maria').permissions.includes('role_sms'));
  assert.deepEqual(person.complaints, []);
  await person.close();
});

/** All that administrators keep, as their pages are told it. */
async function kept() {
  const cookie = await theStage().server.signIn('ada');
  const paths = ['settings', 'settings/versions', 'users', 'users/maria/versions', 'users/sam/versions', 'do-not-call', 'webhooks'];
  const told = {};
  for (const path of paths) {
    const answer = await send(`/api/v1/${path}`, 'GET', cookie);
    assert.equal(answer.status, 200, `${path}: ${answer.text}`);
    told[path] = answer.json;
  }
  const { logo } = told.settings.settings.look;
  const picture = await fetch(`${theStage().server.url}/t/sacramento/logo/${logo}`);
  assert.equal(picture.status, 200);
  told.logo = Buffer.from(await picture.arrayBuffer()).toString('base64');
  // When a message is next tried is no matter of the ledger's content.
  for (const message of told.webhooks.messages ?? []) delete message.last_word;
  return told;
}

test('backed up from PostgreSQL and restored into SQLite, everything is as it was', async () => {
  const { server } = theStage();
  const cookie = await server.signIn('ada');
  assert.equal((await send('/api/v1/do-not-call', 'POST', cookie, { phone: '(916) 555-0188' })).status, 204);
  const hook = await send('/api/v1/webhooks', 'POST', cookie, { url: 'https://hooks.example.gov/ringback', events: ['closure.declared'], personal: false });
  assert.equal(hook.status, 201, hook.text);
  const before = await kept();
  assert.ok(before['do-not-call'].items.length > 0 && before.webhooks.items.length > 0 && before['users/maria/versions'].items.length > 1);
  const file = join(server.folder, 'backup');
  const done = server.command(['backup', '--config', server.config, '--to', file]);
  assert.equal(done.status, 0, done.stdout + done.stderr);
  await restarted(
    (text) => text.replace(database.url, `sqlite://${join(server.folder, 'restored.sqlite')}`),
    () => {
      const restored = server.command(['restore', '--config', server.config, '--from', file]);
      assert.equal(restored.status, 0, restored.stdout + restored.stderr);
    },
  );
  await database.stop();
  assert.deepEqual(await kept(), before);
  const refused = await send('/api/v1/t/sacramento/callbacks', 'POST', undefined, { name: 'Rosa Diaz', phone: '(916) 555-0188' });
  assert.equal(refused.json.code, 'opted_out', refused.text);
  const audit = server.command(['verify-audit', '--config', server.config]);
  assert.equal(audit.status, 0, audit.stdout + audit.stderr);
});
