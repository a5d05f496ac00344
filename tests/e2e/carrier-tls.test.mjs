// A carrier's edge that calls us over TLS: Kamailio passes baresip's call on with Record-Route, both show certificates. Tones are
// measured at both ends. The connection is cut in the middle of a call: its end still arrives. And when nothing of the carrier is
// left, the call is over when the agent says so, or within `media.silence_seconds` by itself.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Baresip } from './peers/baresip.mjs';
import { Authority } from './peers/certificates.mjs';
import { Kamailio } from './peers/kamailio.mjs';
import { Program, freePort, pause, until } from './peers/process.mjs';
import { OUR_NUMBER } from './server.mjs';
import { CUSTOMER_E164, LOUD, PHONE_TONE, SILENT, Stage } from './stage.mjs';
import { stretchOf } from './tone.mjs';

const CREDENTIALS = { username: 'ringback', password: 'open sesame' };
const SILENCE_SECONDS = 4;
let stage, desk, border, phone, way, port, carriers;

before(async () => {
  const [carrier, ours] = ['Carrier', 'Ours'].map((name) => new Authority(name));
  const [server, client] = [carrier.issue('127.0.0.1'), ours.issue('127.0.0.1')];
  port = await freePort();
  carriers = { right: server, wrong: new Authority('Somebody else').issue('127.0.0.1') };
  stage = await Stage.set({
    announcement: null,
    inbound: {},
    media: { silence_seconds: SILENCE_SECONDS },
    sip: { tls: `127.0.0.1:${port}`, certificate: client.certificate, private_key: client.key, client_ca_file: carrier.root },
    trunk: { transport: 'tls', ca_file: carrier.root, certificate: client.certificate, private_key: client.key, from_domain: 'carrier.example', ...CREDENTIALS, realm: 'carrier.example' },
  });
  way = { port: stage.carrierPort, tls: { ...server, clients: ours.root }, inward: { number: OUR_NUMBER, port }, ...CREDENTIALS };
  desk = await stage.desk();
  await desk.goAvailable();
});
afterEach(async () => {
  await phone?.stop();
  await border?.stop();
  await stage.clear(desk);
});
after(() => stage?.strike());

/** The customer calls through the carrier's edge and talks with the agent. */
async function talking() {
  phone = await Baresip.start(CUSTOMER_E164, { frequency: PHONE_TONE });
  border = await Kamailio.start({ to: phone.port, ...way });
  await stage.trunkIs(true, 60_000);
  await phone.command('dial', `sip:${OUR_NUMBER}@127.0.0.1:${border.port}`);
  await desk.accept();
  await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer', { within: 20_000, also: () => border.program.output.slice(-2000) });
  assert.match(border.program.output, /passes in: over tls/);
  assert.ok((await desk.hears(desk.tone)) < SILENT, 'the agent hears no echo');
}

async function heardByThePhone() {
  await phone.stop();
  const [{ rate, samples }] = phone.recordings().slice(-1);
  return stretchOf(samples, desk.tone, { rate, floor: 0.08, bridgeGap: 0.1 }).seconds;
}

const free = () =>
  until(async () => (await stage.server.api('/api/v1/trunks', { cookie: stage.supervisorCookie })).json.trunks[0].in_use === 0, 'the channel to be free', { within: 10_000 });

test('a call comes in over TLS through a proxy that stays in the route; the customer hangs up', async () => {
  await talking();
  await pause(2000);
  await phone.command('hangup');
  await desk.finish('Resolved');
  await free();
  assert.ok((await heardByThePhone()) > 1.5, 'the customer heard the agent');
});

test('who shows no certificate, or one of another authority, is not spoken to', async () => {
  const request = `OPTIONS sip:127.0.0.1:${port} SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKno\r\nMax-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=a\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: certificates\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`;
  for (const [shown, answer] of [[carriers.right, /SIP\/2.0 200/], [carriers.wrong, /alert unknown ca|alert decrypt error/], [undefined, /alert certificate required/]]) {
    const peer = new Program('openssl', ['s_client', '-quiet', '-connect', `127.0.0.1:${port}`, ...(shown ? ['-cert', shown.certificate, '-key', shown.key] : [])]);
    peer.child.stdin.on('error', () => {});
    peer.child.stdin.write(request);
    await peer.says(answer);
    await peer.stop();
    if (shown !== carriers.right) assert.doesNotMatch(peer.output, /SIP\/2.0/);
  }
});

test('the agent hangs up, and the BYE goes back the way the call came', async () => {
  await talking();
  await desk.button('End call').click();
  await phone.program.says(/terminated|session closed/i);
  await desk.finish('Resolved');
});

test('the connection is cut between answer and BYE: the BYE goes over a new one', async () => {
  await talking();
  await border.dies();
  border = await Kamailio.start({ to: phone.port, ...way });
  await pause(500);
  assert.ok((await desk.hears(PHONE_TONE)) > LOUD, 'the two talk on');
  await desk.button('End call').click();
  await phone.program.says(/terminated|session closed/i);
  await desk.finish('Resolved');
  await free();
});

test('the carrier is gone when the agent hangs up: the call is over at once for the agent, and its channel is given back', async () => {
  await talking();
  await border.dies();
  await desk.button('End call').click();
  await desk.finish('Resolved');
  await free();
});

test('carrier and telephone are gone without a word: the call ends within the seconds of silence that are configured', async () => {
  await talking();
  await border.dies();
  await phone.program.stop('SIGKILL');
  const gone = Date.now();
  await desk.finish('Resolved');
  const seconds = (Date.now() - gone) / 1000;
  assert.ok(seconds > SILENCE_SECONDS - 2 && seconds < SILENCE_SECONDS + 5, `${seconds} s`);
  await free();
});

test('nothing was complained of in the consoles', () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
