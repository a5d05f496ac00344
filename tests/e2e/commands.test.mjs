// The program's other commands, and what it tells those who run it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { freePort } from './peers/process.mjs';
import { PASSWORD, PORTAL_SECRET, Server } from './server.mjs';

const TRUNK_SECRET = 'open sesame';
let server;

before(async () => {
  server = await Server.start({ carrierPort: await freePort(), trunk: { username: 'ringback', password: TRUNK_SECRET } });
});
after(async () => assert.equal((await server?.stop())?.code, 0));

test('check-config prints what is in force without any secret, and that is a configuration again', () => {
  const shown = server.command(['check-config', '--config', server.config]);
  assert.equal(shown.status, 0, shown.stderr);
  for (const secret of [TRUNK_SECRET, PORTAL_SECRET]) assert.ok(!shown.stdout.includes(secret), 'no secret in the print-out');
  assert.match(shown.stdout, /password = "•••"/);
  for (const said of [/id = "sacramento"/, /max_attempts = 3/, /offer_seconds = 15/, /ping_seconds = 2/]) assert.match(shown.stdout, said);
  const copy = `${server.folder}/copy.toml`;
  writeFileSync(copy, shown.stdout.replace('secret = "•••"', `secret = "${PORTAL_SECRET}"`));
  const again = server.command(['check-config', '--config', copy]);
  assert.equal(again.status, 0, again.stderr);
  assert.equal(again.stdout, shown.stdout);
});

test('check-config says what is wrong by line and key, and the server does not start with it', () => {
  const good = readFileSync(server.config, 'utf8');
  const line = (text, words) => text.split('\n').findIndex((one) => one.includes(words)) + 1;
  for (const [from, to, key] of [
    ['ring_seconds = 20', 'ring_secs = 20', 'ring_secs'],
    ['timezone = "America/Los_Angeles"', 'timezone = "America/Los_Angles"', 'timezone'],
    ['queue = "benefits"', 'queue = "benifits"', 'queue'],
  ]) {
    const file = `${server.folder}/wrong.toml`;
    const text = good.replace(from, to);
    writeFileSync(file, text);
    for (const command of ['check-config', 'serve']) {
      const answer = server.command([command, '--config', file]);
      assert.notEqual(answer.status, 0);
      assert.match(answer.stderr, new RegExp(`\\b${line(text, to)}\\b`), `${command} names line ${line(text, to)}: ${answer.stderr}`);
      assert.match(answer.stderr, new RegExp(key), answer.stderr);
    }
  }
});

test('user add: the new user signs in without a restart; the same name again and an empty password are refused', async () => {
  server.addUser({ id: 'lee', role: 'supervisor', name: 'Lee Okafor' });
  const cookie = await server.signIn('lee');
  assert.equal((await server.api('/api/v1/board', { cookie })).status, 200);
  const add = (id, input) => server.command(['user', 'add', '--config', server.config, '--tenant', 'sacramento', '--role', 'agent', id], input);
  const twice = add('lee', `${PASSWORD}\n`);
  assert.notEqual(twice.status, 0);
  assert.match(twice.stderr, /lee|exists/);
  assert.notEqual(add('max', '\n').status, 0);
  assert.equal((await server.api('/api/v1/login', { method: 'POST', body: { user: 'max', password: '' } })).status, 401);
  const nowhere = server.command(['user', 'add', '--config', server.config, '--tenant', 'nowhere', '--role', 'agent', 'ann'], `${PASSWORD}\n`);
  assert.match(nowhere.stderr, /nowhere/);
});

test('openapi prints the description that the server serves and the repository keeps', async () => {
  const printed = server.command(['openapi']);
  assert.equal(printed.status, 0);
  assert.deepEqual(JSON.parse(printed.stdout), (await server.api('/api/v1/openapi.json')).json);
  assert.deepEqual(JSON.parse(printed.stdout), JSON.parse(readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8')));
});

test('healthz, readyz and metrics answer; metrics are text Prometheus can read', async () => {
  assert.equal((await server.api('/healthz')).status, 200);
  assert.equal((await server.api('/readyz')).json.ready, true);
  const metrics = await server.api('/metrics');
  assert.match(metrics.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
  for (const line of metrics.text.trimEnd().split('\n')) {
    assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+)$/, line);
  }
  assert.match(metrics.text, /^ringback_trunk_channels\{trunk="carrier"\} 30$/m);
});
