// Carriers as they come: TLS with certificates on both sides and a registration; and a second one when the first is not reached.
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { test } from 'node:test';
import { Baresip } from './peers/baresip.mjs';
import { Authority } from './peers/certificates.mjs';
import { Kamailio } from './peers/kamailio.mjs';
import { freePort, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, Stage } from './stage.mjs';

const CREDENTIALS = { username: 'ringback', password: 'open sesame' };

async function trunks(stage) {
  stage.supervisorCookie ??= await stage.server.signIn('sam');
  return (await stage.server.api('/api/v1/trunks', { cookie: stage.supervisorCookie })).json.trunks;
}

/** What was said to the carrier, for a supervisor: every message, and nothing personal. */
async function theLadderTellsNoNumbers(stage) {
  let call;
  await until(async () => ([call] = await stage.recordings(), call), 'the recording');
  const ladder = (await stage.server.api(`/api/v1/contacts/${call.contact}/sip`, { cookie: stage.supervisorCookie })).json;
  const lines = ladder.calls[0].messages.map((message) => `${message.out ? '>' : '<'} ${message.line.split(' ').slice(0, message.out ? 1 : 2).join(' ')}`);
  for (const line of ['> INVITE', '< SIP/2.0 407', '> ACK', '< SIP/2.0 200', '> BYE']) assert.ok(lines.some((found) => found.startsWith(line)), `${line} in ${lines}`);
  const text = JSON.stringify(ladder);
  for (const secret of ['5550119', '5550000', 'Rosa', CREDENTIALS.password]) assert.ok(!text.includes(secret), `${secret} is not shown`);
  const agent = await stage.server.signIn('maria');
  assert.equal((await stage.server.api(`/api/v1/contacts/${call.contact}/sip`, { cookie: agent })).status, 403);
}

test('a call over TLS through Kamailio, registered there; a wrong root before that is said and mended without a restart', async () => {
  const [carrier, ours, stranger] = ['Carrier', 'Ours', 'Stranger'].map((name) => new Authority(name));
  const [server, client] = [carrier.issue('127.0.0.1'), ours.issue('127.0.0.9')];
  const roots = stranger.path('trusted.pem');
  copyFileSync(stranger.root, roots);
  const stage = await Stage.set({
    trunk: { transport: 'tls', ca_file: roots, certificate: client.certificate, private_key: client.key, register_seconds: 60, from_domain: 'carrier.example', ...CREDENTIALS, realm: 'carrier.example' },
  });
  const phone = await Baresip.start(CUSTOMER_E164, { frequency: PHONE_TONE });
  const border = await Kamailio.start({ to: phone.port, port: stage.carrierPort, tls: { ...server, clients: ours.root }, ...CREDENTIALS });
  try {
    let trunk;
    await until(async () => ([trunk] = await trunks(stage), /none of the roots/.test(trunk.cause ?? '')), 'the cause to be told', { also: () => JSON.stringify(trunk) });
    assert.equal(trunk.up, false);
    const sam = await stage.person();
    const board = await sam.signIn(stage.server, 'sam', '/supervisor');
    await board.getByText(/signed by none of the roots/).waitFor();
    copyFileSync(carrier.root, roots);
    await stage.trunkIs(true, 60_000);
    [trunk] = await trunks(stage);
    assert.equal(trunk.registered, true);
    assert.match(border.program.output, /registers: <sip:ringback@127\.0\.0\.1:\d+;transport=tls>/);
    const desk = await stage.desk();
    await desk.goAvailable();
    const { status_token } = await stage.server.ask(CUSTOMER);
    await desk.accept();
    await stage.server.reaches(status_token, 'talking');
    await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer');
    assert.match(border.program.output, /let in: ringback over tls/);
    await desk.button('End call').click();
    await desk.finish();
    assert.equal((await stage.server.status(status_token)).stage, 'successful');
    assert.equal((await trunks(stage))[0].answered, 1);
    await theLadderTellsNoNumbers(stage);
  } finally {
    await stage.strike();
    assert.match(border.program.output, /registers: .*;expires=0/, 'the server has taken its registration back');
    await border.stop();
    await phone.stop();
  }
});

test('the first carrier does not say a word: the same attempt goes over the second one', async () => {
  const silent = await freePort();
  const stage = await Stage.set({
    trunk: { priority: 5 },
    trunks: [{ id: 'silent', port: silent, options_seconds: 0, silence_seconds: 2 }],
  });
  try {
    await stage.carrier((ear) => far.answers({ ear }));
    const desk = await stage.desk();
    await desk.goAvailable();
    const { status_token } = await stage.server.ask(CUSTOMER);
    await desk.accept();
    await stage.callArrives();
    await stage.server.reaches(status_token, 'talking');
    await stage.bothHear(desk);
    const [first, second] = (await trunks(stage)).sort((a, b) => (a.id < b.id ? 1 : -1));
    assert.deepEqual([first.id, first.placed, first.in_use], ['silent', 1, 0]);
    assert.deepEqual(first.failures, [{ result: 'unreachable', sip_status: null, count: 1 }]);
    assert.deepEqual([second.id, second.placed, second.answered, second.in_use], ['carrier', 1, 1, 1]);
    await desk.button('End call').click();
    await stage.sipp.gets('BYE');
    await desk.finish();
    assert.equal((await stage.server.status(status_token)).stage, 'successful');
  } finally {
    await stage.strike();
  }
});
