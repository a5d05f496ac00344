// What a session needs of both sides over time and by size: a carrier's edge (Kamailio) that wants longer sessions than we ask for, the
// refresh when half of the interval is over, sound that moves elsewhere, and a request that no datagram may carry.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Baresip } from './peers/baresip.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { Kamailio } from './peers/kamailio.mjs';
import { pause, until } from './peers/process.mjs';
import { Carrier, audioPort, far } from './peers/sipp.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, Stage } from './stage.mjs';
import { readWav, stretchOf } from './tone.mjs';

const CREDENTIALS = { username: 'ringback', password: 'open sesame' };
/** The least that RFC 4028 allows, which the carrier finds too little. */
const [ASKED, LEAST] = [90, 100];
const MOVED_TONE = 1560;

async function called(stage) {
  await stage.trunkIs(true);
  const desk = await stage.desk();
  await desk.goAvailable();
  const { status_token } = await stage.server.ask(CUSTOMER);
  await desk.accept();
  return { desk, status_token };
}

test('Kamailio refuses a session timer with 422; the one it wants is refreshed in time, and both go on hearing each other', async () => {
  const stage = await Stage.set({ announcement: null, trunk: { ...CREDENTIALS, realm: 'carrier.example', session_seconds: ASKED } });
  const ear = await Earpiece.open({ frequency: PHONE_TONE });
  const phone = await Carrier.start(far.isAskedAgain({ ear: ear.port, extra: `Require: timer\n    Session-Expires: ${LEAST};refresher=uac` }));
  const border = await Kamailio.start({ to: phone.port, port: stage.carrierPort, least: LEAST, ...CREDENTIALS });
  try {
    const { desk, status_token } = await called(stage);
    const invite = await phone.gets('INVITE');
    assert.match(border.program.output, new RegExp(`too short: ${ASKED}`));
    assert.deepEqual([invite.headers['session-expires'], invite.headers['min-se']], [String(LEAST), String(LEAST)]);
    ear.speakTo(audioPort(invite.body));
    await stage.server.reaches(status_token, 'talking');
    await stage.bothHear(desk, ear);
    const answered = Date.now();
    const refresh = await phone.gets('INVITE', { count: 2, within: 70_000 });
    const after = (Date.now() - answered) / 1000;
    assert.ok(after > LEAST / 2 - 15 && after < LEAST / 2 + 5, `refreshed when half of the interval was over: after ${after} s`);
    assert.match(refresh.headers['session-expires'], new RegExp(`^${LEAST};refresher=uac`));
    assert.equal(refresh.body.replace(/\s+$/, ''), invite.body.replace(/\s+$/, ''), 'the same sound as before');
    await stage.bothHear(desk, ear);
    await desk.button('End call').click();
    await phone.gets('BYE');
    await desk.finish('Resolved');
    assert.equal((await stage.server.status(status_token)).stage, 'successful');
  } finally {
    await stage.strike();
    ear.close();
    for (const peer of [border, phone]) await peer.stop();
  }
});

test('the far side moves its sound to another port and codec within the call: both go on hearing each other, and it is recorded', async () => {
  const stage = await Stage.set({ announcement: null });
  const [before, after] = [await Earpiece.open({ frequency: PHONE_TONE }), await Earpiece.open({ frequency: MOVED_TONE, codec: 'PCMA' })];
  const phone = await Carrier.start(far.moves({ ear: before.port, to: after.port, codec: '8 PCMA', after: 15_000 }), { port: stage.carrierPort });
  try {
    const { desk, status_token } = await called(stage);
    const invite = await phone.gets('INVITE');
    before.speakTo(audioPort(invite.body));
    await stage.server.reaches(status_token, 'talking');
    await stage.bothHear(desk, before);
    const [answer] = await until(() => {
      const found = phone.messages().filter(({ sent, start, headers, body }) => !sent && start.startsWith('SIP/2.0 200') && /INVITE/.test(headers.cseq) && body);
      return found.length > 0 && found;
    }, 'our answer to the move', { within: 25_000 });
    assert.match(answer.body, /^m=audio \d+ RTP\/AVP 8 /m);
    before.speaking = false;
    after.speakTo(audioPort(answer.body));
    await until(() => after.hears(desk.tone) > LOUD, 'the agent to be heard at the new place');
    await until(async () => (await desk.hears(MOVED_TONE)) > LOUD, 'the agent to hear the new place');
    before.forget();
    await pause(800);
    assert.equal(before.packets, 0, 'nothing goes to the old place any more');
    await desk.button('End call').click();
    await phone.gets('BYE');
    await desk.finish('Resolved');
    const [{ contact }] = await stage.recordings();
    const { channels: [left] } = readWav(await stage.wav(contact));
    for (const tone of [PHONE_TONE, MOVED_TONE]) assert.ok(stretchOf(left, tone, { floor: 0.05 }).seconds > 0.5, `${tone} Hz is recorded`);
  } finally {
    await stage.strike();
    for (const ear of [before, after]) ear.close();
    await phone.stop();
  }
});

for (const tcp of [true, false]) {
  test(`an INVITE too large for a datagram reaches Kamailio by ${tcp ? 'TCP' : 'UDP after all, where TCP is refused'}`, async () => {
    // What an operator may write there, and long enough for our answer to the challenge to grow beyond 1,300 bytes.
    const from_domain = `${'a-long-name-of-a-county.'.repeat(9)}example.gov`;
    const stage = await Stage.set({ announcement: null, trunk: { ...CREDENTIALS, realm: 'carrier.example', from_domain } });
    const phone = await Baresip.start(CUSTOMER_E164, { frequency: PHONE_TONE });
    const border = await Kamailio.start({ to: phone.port, port: stage.carrierPort, tcp, ...CREDENTIALS });
    try {
      const { desk, status_token } = await called(stage);
      await stage.server.reaches(status_token, 'talking');
      await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer');
      assert.match(border.program.output, new RegExp(`let in: ringback over ${tcp ? 'tcp' : 'udp'}`));
      await phone.command('hangup');
      await desk.finish('Resolved');
      assert.equal((await stage.server.status(status_token)).stage, 'successful');
    } finally {
      await stage.strike();
      await border.stop();
      await phone.stop();
    }
  });
}
