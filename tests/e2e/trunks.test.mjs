// Trunks: digest by both algorithms and both challenges, TCP, a carrier that is gone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Baresip } from './peers/baresip.mjs';
import { Kamailio } from './peers/kamailio.mjs';
import { pause, until } from './peers/process.mjs';
import { digestIsRight, far } from './peers/sipp.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, Stage } from './stage.mjs';

const CREDENTIALS = { username: 'ringback', password: 'open sesame' };

async function on(options, play) {
  const stage = await Stage.set(options);
  try {
    await play(stage);
  } finally {
    await stage.strike();
  }
}

async function bridgedByClicks(stage) {
  const desk = await stage.desk();
  await desk.goAvailable();
  const { status_token } = await stage.server.ask(CUSTOMER);
  await desk.accept();
  await stage.callArrives();
  await stage.server.reaches(status_token, 'talking');
  await stage.bothHear(desk);
  await desk.button('End call').click();
  await stage.sipp.gets('BYE');
  await desk.finish();
}

for (const proxy of [false, true]) {
  test(`sipp asks for an MD5 digest with ${proxy ? 407 : 401}`, () =>
    on({ trunk: { ...CREDENTIALS, realm: 'carrier' } }, async (stage) => {
      await stage.carrier((ear) => far.answers({ ear }), { auth: { ...CREDENTIALS, proxy } });
      await bridgedByClicks(stage);
      const [first, second] = stage.sipp.received('INVITE');
      const name = proxy ? 'proxy-authorization' : 'authorization';
      assert.equal(first.headers[name], undefined);
      assert.match(second.headers[name], /^Digest .*username="ringback"/);
      assert.ok(digestIsRight(second.headers[name], 'INVITE', CREDENTIALS.password), second.headers[name]);
      assert.ok(!second.text.includes(CREDENTIALS.password));
    }));
}

test('of several challenges the strongest that is meant for us is answered, and no other', () =>
  on({ trunk: { ...CREDENTIALS, realm: 'carrier' } }, async (stage) => {
    const challenges = [
      'realm="carrier", algorithm=SHA-512-256, qop="auth", nonce="too-new"',
      'realm="elsewhere", algorithm=SHA-256, qop="auth", nonce="of-others"',
      'realm="carrier", algorithm=MD5, qop="auth", nonce="old"',
      'realm="carrier", algorithm=SHA-256, qop="auth", nonce="right"',
    ];
    await stage.carrier((ear) => far.answers({ ear }), { auth: { ...CREDENTIALS, proxy: true, challenges } });
    await bridgedByClicks(stage);
    const [, second] = stage.sipp.received('INVITE');
    const answer = second.headers['proxy-authorization'];
    assert.match(answer, /nonce="right"/);
    assert.match(answer, /algorithm=SHA-256/);
    assert.equal(second.text.match(/^Proxy-Authorization:/gim).length, 1);
    assert.ok(digestIsRight(answer, 'INVITE', CREDENTIALS.password), answer);
  }));

test('a wrong password is refused once and not tried again and again', () =>
  on({ trunk: { ...CREDENTIALS, password: 'wrong', realm: 'carrier' }, callback: { max_attempts: 1 } }, async (stage) => {
    await stage.carrier((ear) => far.answers({ ear }), { auth: CREDENTIALS });
    const desk = await stage.desk();
    await desk.goAvailable();
    const { status_token } = await stage.server.ask(CUSTOMER);
    await desk.accept();
    await stage.server.reaches(status_token, 'unsuccessful');
    assert.equal(stage.sipp.received('INVITE').length, 2, 'one without, one with credentials');
  }));

test('Kamailio asks for a SHA-256 digest and stays in the route; baresip answers behind it', () =>
  on({ trunk: { ...CREDENTIALS, realm: 'carrier.example' } }, async (stage) => {
    const phone = await Baresip.start(CUSTOMER_E164, { frequency: PHONE_TONE });
    const border = await Kamailio.start({ to: phone.port, port: stage.carrierPort, ...CREDENTIALS });
    try {
      await stage.trunkIs(true);
      const desk = await stage.desk();
      await desk.goAvailable();
      const { status_token } = await stage.server.ask(CUSTOMER);
      await desk.accept();
      await stage.server.reaches(status_token, 'talking');
      await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer');
      assert.match(border.program.output, /let in: ringback/);
      // The BYE of the far side comes through the proxy too.
      await phone.command('hangup');
      await desk.finish();
      assert.equal((await stage.server.status(status_token)).stage, 'successful');
    } finally {
      await border.stop();
      await phone.stop();
    }
  }));

test('a trunk over TCP', () =>
  on({ trunk: { transport: 'tcp' } }, async (stage) => {
    await stage.carrier((ear) => far.answers({ ear }), { transport: 'tcp' });
    await bridgedByClicks(stage);
    assert.match(stage.sipp.received('INVITE')[0].headers.via, /SIP\/2\.0\/TCP/);
  }));

test('a trunk that is down: no offer is made, the customer stays in line, and is called when it is back', () =>
  on({}, async (stage) => {
    await stage.trunkIs(false);
    const desk = await stage.desk();
    await desk.goAvailable();
    const { status_token } = await stage.server.ask(CUSTOMER);
    await pause(3000);
    assert.equal(await desk.button('Accept').count(), 0, 'no offer for a call that cannot be placed');
    assert.equal((await stage.server.status(status_token)).stage, 'waiting');
    await stage.carrier((ear) => far.answers({ ear }));
    await desk.offered(40_000);
    await desk.button('Accept').click();
    await stage.callArrives();
    await stage.server.reaches(status_token, 'talking');
    await stage.bothHear(desk);
  }));
