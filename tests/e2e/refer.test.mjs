// A caller who is passed to a number outside is left to the carrier by REFER, where the trunk says so: sipp is asked, and tells by
// NOTIFY how it goes. Where it does not do so the two go on through the server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { pause, until } from './peers/process.mjs';
import { Carrier, audioPort, far } from './peers/sipp.mjs';
import { OUR_NUMBER } from './server.mjs';
import { CUSTOMER_E164, LOUD, PHONE_TONE, Stage } from './stage.mjs';

const OFFICE = '+19165550400';
const OFFICE_TONE = 1700;
let stage, ear, caller, office, officeEar;

before(async () => {
  stage = await Stage.set({ announcement: null, inbound: {}, trunk: { refer: true }, overflow: { number: OFFICE, seconds: 3 } });
});
after(async () => {
  await hangUp();
  await stage?.strike();
});

async function hangUp() {
  for (const ended of [ear, officeEar]) ended?.close();
  for (const peer of [caller, office]) await peer?.stop();
}

/** Somebody calls, nobody is there, and the office answers. */
async function passedOn(steps, { hangUpAfter = 0 } = {}) {
  await hangUp();
  officeEar = await Earpiece.open({ frequency: OFFICE_TONE });
  office = await Carrier.start(far.answers({ ear: officeEar.port, hangUpAfter }), { port: stage.carrierPort });
  await stage.trunkIs(true);
  ear = await Earpiece.open({ frequency: PHONE_TONE });
  caller = await Caller.call(steps(ear.port), { server: stage.server, number: OUR_NUMBER, from: CUSTOMER_E164 });
  const invite = await office.gets('INVITE');
  officeEar.speakTo(audioPort(invite.body));
  return invite;
}

const contacts = async () => (await stage.recordings()).sort((a, b) => b.started_at - a.started_at);

test('the carrier connects the two itself: it is told which call to replace, and ours end', async () => {
  await passedOn((port) => calls.isReferred(port, { words: ['SIP/2.0 100 Trying', 'SIP/2.0 180 Ringing', 'SIP/2.0 200 OK'] }));
  const refer = await caller.gets('REFER');
  const [invite] = office.received('INVITE');
  const to = decodeURIComponent(refer.headers['refer-to']);
  assert.match(to, /^<sip:/);
  assert.ok(to.includes(`Replaces=${invite.headers['call-id']};`), to);
  assert.match(refer.headers['referred-by'] ?? '', /^<sip:/);
  assert.equal(await caller.ends(), 0, caller.report());
  assert.equal(caller.received('BYE').length, 1);
  await office.gets('BYE');
  await until(async () => {
    const [item] = await contacts();
    return item?.outcome === 'successful' && item.legs.every(({ chain }) => chain);
  }, 'the contact to be successful, its recording closed');
  await until(async () => (await stage.server.api('/api/v1/trunks', { cookie: stage.supervisorCookie })).json.trunks[0].in_use === 0, 'the channels to be free');
});

for (const [what, how] of [
  ['refuses', { status: '603 Decline' }],
  ['takes it and fails', { words: ['SIP/2.0 100 Trying', 'SIP/2.0 503 Service Unavailable'] }],
]) {
  test(`the carrier ${what}: the two go on through the server, and both are recorded`, async () => {
    const [before] = await contacts();
    await passedOn((port) => calls.isReferred(port, how), { hangUpAfter: 6000 });
    await caller.gets('REFER');
    await pause(1500);
    ear.forget();
    officeEar.forget();
    await until(() => ear.hears(OFFICE_TONE) > LOUD, 'the caller to hear the office', { within: 10_000 });
    await until(() => officeEar.hears(PHONE_TONE) > LOUD, 'the office to hear the caller');
    assert.equal(await caller.ends(), 0, `the office hangs up, and so do we: ${caller.report()}`);
    await until(async () => {
      const [item] = await contacts();
      return item?.contact !== before.contact && item.outcome === 'successful' && item.legs.length === 2;
    }, 'the contact to be successful, with both recorded');
  });
}
