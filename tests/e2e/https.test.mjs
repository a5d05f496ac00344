// Pages by https: a new certificate while a call and its socket go on, and a broken one that changes nothing.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { pause, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { PASSWORD, writeCertificate } from './server.mjs';
import { CUSTOMER, Desk, Stage } from './stage.mjs';

// The tests' own requests, not what is tested: who speaks with which certificate is checked by `serves`.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';

let stage, desk, sockets;

before(async () => {
  stage = await Stage.set({ tls: true, server: { trusted_proxies: ['127.0.0.1'] } });
  await stage.carrier((ear) => far.answers({ ear }));
});
after(() => stage?.strike());

/** Whether a new connection, strict in everything, is served with this certificate. */
const serves = (pem) =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: stage.server.https, servername: 'localhost', ca: pem, rejectUnauthorized: true }, () => {
      socket.end();
      resolve(socket.authorized);
    });
    socket.on('error', () => resolve(false));
  });

const certificate = () => readFileSync(`${stage.server.folder}/cert.pem`, 'utf8');
const hangUpSignal = () => stage.server.program.child.kill('SIGHUP');
const alarms = async () => (await stage.server.api('/api/v1/alarms', { cookie: stage.supervisorCookie })).json.alarms;

test('plain http leads to https, and the session cookie is for https only', async () => {
  // Loopback is served as it is; whoever comes from elsewhere is led.
  const plain = await fetch(`http://127.0.0.1:${stage.server.port}/login`, { redirect: 'manual', headers: { 'x-forwarded-for': '203.0.113.9' } });
  assert.equal(plain.status, 308);
  assert.equal(plain.headers.get('location'), `${stage.server.url}/login`);
  const answer = await stage.server.api('/api/v1/login', { method: 'POST', body: { user: 'sam', password: PASSWORD } });
  assert.match(answer.headers.getSetCookie()[0], /; ?Secure/i);
  assert.match(answer.headers.get('strict-transport-security') ?? '', /max-age=\d+/);
});

test('a call over a secure page', async () => {
  const person = await stage.person({ ignoreHTTPSErrors: true });
  sockets = [];
  person.context.on('page', (page) => page.on('websocket', (socket) => sockets.push(socket)));
  desk = new Desk(person, await person.signIn(stage.server, 'maria', '/agent'), 'maria');
  await desk.goAvailable();
  const { status_token } = await stage.server.ask(CUSTOMER);
  await desk.accept();
  await stage.callArrives();
  await stage.server.reaches(status_token, 'talking');
  await stage.bothHear(desk);
  assert.ok(sockets.at(-1).url().startsWith('wss://'));
});

test('SIGHUP: new connections get the new certificate, the call and its socket notice nothing', async () => {
  const old = certificate();
  assert.equal(await serves(old), true);
  const before = sockets.length;
  writeCertificate(stage.server.folder);
  hangUpSignal();
  await until(() => serves(certificate()), 'the new certificate');
  assert.equal(await serves(old), false, 'the old one is served no more');
  await stage.bothHear(desk);
  await desk.button('Hold').click();
  await desk.button('Resume').click();
  assert.equal(sockets.length, before, 'the socket from before is still the one in use');
  assert.equal(sockets.at(-1).isClosed(), false);
});

test('a broken certificate: the old one stays, the log and an alarm say so; mended, the alarm is gone', async () => {
  const good = certificate();
  writeFileSync(`${stage.server.folder}/cert.pem`, 'no certificate\n');
  hangUpSignal();
  const alarm = await until(async () => (await alarms()).find(({ alarm }) => alarm === 'certificate_refused'), 'the alarm');
  assert.match(alarm.why, /cert\.pem/, 'the file is named');
  assert.match(stage.server.program.output, /CertificateRefused.*cert\.pem/, 'the log says so');
  assert.equal(await serves(good), true);
  assert.equal((await stage.server.api('/readyz')).status, 200, 'no reason to take no requests');
  await stage.bothHear(desk);
  writeFileSync(`${stage.server.folder}/cert.pem`, good);
  hangUpSignal();
  await until(async () => !(await alarms()).some(({ alarm }) => alarm === 'certificate_refused'), 'the alarm to be over');
});

test('a changed file is seen without any signal', async () => {
  writeCertificate(stage.server.folder);
  await until(() => serves(certificate()), 'the new certificate', { within: 20_000 });
  await stage.bothHear(desk);
  await pause(300);
  assert.equal(sockets.at(-1).isClosed(), false);
  await desk.button('End call').click();
  await stage.sipp.gets('BYE');
  await desk.finish();
  assert.deepEqual(desk.person.complaints, []);
});
