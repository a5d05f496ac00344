// Ill will from the network while a call goes on: garbage at every port, a foreign voice pushed into the call, connections that
// only sit there, requests that never end. The call is not disturbed, and whoever comes next is served.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { chance } from '../peers/relay.mjs';
import { pause, until } from '../peers/process.mjs';
import { audioPort, far } from '../peers/sipp.mjs';
import { LOUD, PHONE_TONE, SILENT, Stage } from '../stage.mjs';
import { readWav, sine, stretchOf, ulawEncode } from '../tone.mjs';

/** A tone that nobody in the call speaks. */
const FOREIGN_TONE = 2100;

let stage, desk, invite, token, dice;

before(async () => {
  dice = chance(20261127);
  stage = await Stage.set({ limits: { header_seconds: 3, connections: 3000 } });
  await stage.carrier((ear) => far.answers({ ear }));
  desk = await stage.desk();
  await desk.goAvailable();
  token = (await stage.server.ask('(916) 555-0161')).status_token;
  await desk.accept();
  invite = await stage.callArrives();
  await stage.server.reaches(token, 'talking');
  await stage.bothHear(desk);
});
after(() => stage?.strike());

const garbage = (size) => Buffer.from(Array.from({ length: size }, () => Math.floor(dice() * 256)));

/** Sends so many datagrams made by `make` to a port, from a socket of their own, in bounded bursts. */
async function shower(port, count, make) {
  const socket = createSocket('udp4');
  socket.on('error', () => {});
  for (let i = 0; i < count; i += 1) {
    socket.send(make(i), port, '127.0.0.1');
    if (i % 50 === 49) await pause(5);
  }
  await pause(100);
  socket.close();
}

const number32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

/** RTP of the right shape with a tone, as somebody else would send it. */
function foreignVoice(i, ssrc) {
  const head = Buffer.alloc(12);
  head[0] = 0x80;
  head.writeUInt16BE((30000 + i) & 0xffff, 2);
  head.writeUInt32BE((i * 160) >>> 0, 4);
  head.writeUInt32BE(ssrc >>> 0, 8);
  return Buffer.concat([head, Buffer.from(Uint8Array.from(sine(FOREIGN_TONE, 160, { level: 0.5, start: (i * 160) % 8000 }), ulawEncode))]);
}

async function undisturbed() {
  await stage.bothHear(desk);
  assert.ok((await desk.hears(FOREIGN_TONE)) < SILENT, 'no foreign voice at the agent');
  assert.ok(stage.ear.hears(FOREIGN_TONE) < SILENT, 'none at the customer');
  assert.equal((await stage.server.api('/readyz')).status, 200);
}

test('garbage at the SIP port, by UDP and by TCP', async () => {
  const lines = ['INVITE', 'sip:x@127.0.0.1', 'SIP/2.0', '\r\n', 'Via: ', 'Content-Length: 99999999\r\n', '\r\n\r\n', 'From: <sip:', '\0\0', 'ACK sip:a SIP/2.0\r\n', ';branch=z9hG4bK', '"', '<<<<'];
  const salad = () => Buffer.from(Array.from({ length: 1 + Math.floor(dice() * 30) }, () => lines[Math.floor(dice() * lines.length)]).join(''));
  await shower(stage.server.sip, 3000, (i) => (i % 2 ? garbage(1 + Math.floor(dice() * 1400)) : salad()));
  const sockets = await Promise.all(Array.from({ length: 50 }, () => dial(stage.server.sip)));
  for (const socket of sockets) socket.write(dice() < 0.5 ? garbage(4000) : salad());
  await until(() => sockets.filter((socket) => socket.destroyed).length > 20, 'streams without sense to be closed', { also: () => `: ${sockets.filter((socket) => socket.destroyed).length}` });
  sockets.forEach((socket) => socket.destroy());
  await undisturbed();
});

test('garbage at the WebRTC port: noise, STUN without its key, DTLS from nowhere, RTP and RTCP out of the blue', async () => {
  const stun = () => Buffer.concat([Buffer.from([0, 1, 0, 24]), number32(0x2112a442), garbage(12), Buffer.from([0, 6, 0, 9]), Buffer.from('aaaa:bbbb\0\0\0'), garbage(8)]);
  const dtls = () => Buffer.concat([Buffer.from([22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200]), garbage(200)]);
  const rtcp = () => Buffer.concat([Buffer.from([0x81, 200, 0, 12]), garbage(48)]);
  const kinds = [() => garbage(1 + Math.floor(dice() * 1400)), stun, dtls, rtcp, (i) => foreignVoice(i, dice() * 2 ** 32)];
  await shower(stage.server.webrtc, 5000, (i) => kinds[i % kinds.length](i));
  await undisturbed();
});

test('a foreign voice at the port of the call: neither heard, nor recorded, nor followed', async () => {
  const port = audioPort(invite.body);
  const shouting = shower(port, 400, (i) => foreignVoice(i, 0xbadbad));
  const noise = shower(port, 1000, () => garbage(1 + Math.floor(dice() * 300)));
  const rtcp = shower(port + 1, 1000, () => garbage(1 + Math.floor(dice() * 300)));
  await pause(1000);
  assert.ok((await desk.hears(FOREIGN_TONE)) < SILENT, 'not heard while it shouts');
  await Promise.all([shouting, noise, rtcp]);
  await undisturbed();
});

const dial = (port) =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.on('error', () => {}).on('data', () => {})));
    socket.once('error', reject);
  });

test('a thousand connections that only sit there, and fifty that never finish a request', async () => {
  // What the server itself holds: a connection that never got through its queue looks open from here too.
  const held = async () => Number((await stage.server.api('/metrics')).text.match(/^ringback_http_connections (\d+)$/m)[1]);
  const began = Date.now();
  const idle = [];
  while (idle.length < 1000) idle.push(...(await Promise.all(Array.from({ length: 50 }, () => dial(stage.server.port)))));
  const slow = await Promise.all(Array.from({ length: 50 }, () => dial(stage.server.port)));
  const drip = setInterval(() => slow.forEach((socket) => socket.destroyed || socket.write(dice() < 0.05 ? '\r\nX-Slow: ' : 'x')), 300);
  for (const socket of slow) socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
  try {
    assert.ok((await held()) > 1000, `they are held: ${await held()}`);
    const asked = Date.now();
    assert.equal((await stage.server.api('/api/v1/t/sacramento/availability')).status, 200);
    assert.ok(Date.now() - asked < 1000, 'others are served as before');
    await undisturbed();
    await until(async () => (await held()) < 50, 'them all to be closed by the server', { within: 15_000, every: 500 });
    assert.ok(slow.every((socket) => socket.destroyed), 'the slow ones too');
    assert.ok(Date.now() - began >= 2500, 'and not before their time');
  } finally {
    clearInterval(drip);
    [...idle, ...slow].forEach((socket) => socket.destroy());
  }
});

test('requests that are none, and far too large ones, are refused as problems', async () => {
  for (const body of ['{', '[]', '"x"', '{"name":1}', JSON.stringify({ name: 'x'.repeat(70_000), phone: '1' }), `{"name":${'['.repeat(10_000)}`]) {
    const answer = await fetch(`${stage.server.direct}/api/v1/t/sacramento/callbacks`, { method: 'POST', body, headers: { 'content-type': 'application/json', origin: stage.server.url } });
    assert.ok([400, 413, 422].includes(answer.status), `${body.slice(0, 20)}: ${answer.status}`);
    assert.match(answer.headers.get('content-type'), /problem\+json/);
  }
  await undisturbed();
});

test('after all that: the call ends as calls end, its recording is whole, and the next one works', async () => {
  await desk.button('End call').click();
  await stage.sipp.gets('BYE');
  await desk.finish();
  const [item] = await until(async () => {
    const items = await stage.recordings();
    return items[0]?.legs.length === 2 && items[0].legs.every(({ chain }) => chain) && items;
  }, 'the recording');
  const { channels: [left, right] } = readWav(await stage.wav(item.contact));
  for (const [samples, tone] of [[left, PHONE_TONE], [right, desk.tone]]) {
    const said = stretchOf(samples, tone, { floor: 0.05 });
    assert.deepEqual(said.weak, [], `${tone} Hz without a hole in ${said.seconds} s`);
    assert.ok(stretchOf(samples, FOREIGN_TONE, { floor: LOUD }).seconds < 0.05, 'nothing foreign in it');
  }
  await stage.carrier((ear) => far.answers({ ear }));
  const { status_token } = await stage.server.ask('(916) 555-0162');
  await desk.accept();
  await stage.callArrives();
  await stage.server.reaches(status_token, 'talking');
  await stage.bothHear(desk);
  await desk.button('End call').click();
  await desk.finish();
});
