// The description of the interfaces against the server: schemathesis makes requests of it, fitting and unfitting ones, as each role, as a
// program with a key and as nobody; the server answers none of them with an error of its own, and nothing panics.
// RINGBACK_SCHEMATHESIS: the program; RINGBACK_SCHEMA_SECONDS: for each role (60).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '../peers/process.mjs';
import { Server, TENANT } from '../server.mjs';

const PROGRAM = process.env.RINGBACK_SCHEMATHESIS ?? 'schemathesis';
const SECONDS = Number(process.env.RINGBACK_SCHEMA_SECONDS ?? 60);
const ROLES = ['agent', 'supervisor', 'admin', 'auditor', 'operator'];
/** Makes the bodies that are no JSON: pictures and sound, whole and spoilt. */
const BODIES = new URL('bodies.py', import.meta.url).pathname;
/** Signing out and ending one's own sessions would make the rest of the run one of nobody; streams and sockets do not end. */
const LEFT_OUT = '(/logout|/password|/sign-out|/second-factor|/events|/ws|/socket|/poll)';
let server;

before(async () => {
  const staff = ROLES.map((role) => ({ id: `the-${role}`, role, name: `The ${role}`, tenant: role === 'operator' ? null : TENANT }));
  server = await Server.start({ carrierPort: await freePort(), server: { second_factor_for: [] }, chat: {}, inbound: {}, limits: { staff_api_per_minute: 10_000_000, public_api_per_minute: 10_000_000, pages_per_minute: 10_000_000 }, staff });
});
after(async () => {
  const end = await server?.stop();
  assert.equal(end?.code, 0);
  assert.doesNotMatch(server.program.output, /panicked at/, 'nothing panicked');
});

/** Ends with what the program said: { code, text }. */
function run(headers) {
  const described = join(server.folder, 'openapi.json');
  writeFileSync(described, server.command(['openapi']).stdout);
  const words = ['run', described, '--url', server.direct, '--checks', 'not_a_server_error', '--exclude-path-regex', LEFT_OUT, '--continue-on-failure', '--phases', 'coverage,fuzzing', '--max-time', String(SECONDS), '--seed', '7', '--generation-database', 'none', '--request-timeout', '10', '--suppress-health-check', 'all', '--warnings', 'off', '--no-color'];
  const child = spawn(PROGRAM, [...words, ...headers.flatMap((header) => ['-H', header])], { cwd: server.folder, env: { ...process.env, SCHEMATHESIS_HOOKS: BODIES } });
  let text = '';
  child.stdout.on('data', (piece) => (text += piece));
  child.stderr.on('data', (piece) => (text += piece));
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (code) => done({ code, text }));
  });
}

for (const role of [...ROLES, 'nobody']) {
  test(`as ${role}: no answer is an error of the server's own`, { timeout: (SECONDS + 120) * 1000 }, async () => {
    const headers = [`Origin: ${server.url}`];
    if (role !== 'nobody') headers.push(`Cookie: ${await server.signIn(`the-${role}`)}`);
    const { code, text } = await run(headers);
    const counted = /(\d+) generated/.exec(text);
    assert.equal(code, 0, text.slice(-6000));
    assert.ok(Number(counted?.[1]) >= 70, `it asked: ${text.slice(-1500)}`);
    assert.ok((await fetch(`${server.direct}/readyz`)).ok, 'it is well afterwards');
  });
}
