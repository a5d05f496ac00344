// A trunk whose sound is encrypted with keys in the session description: baresip, which takes nothing else, is called and calls; sipp,
// which has no keys, is refused both ways. Tones are measured at both ends and in the WAV.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Baresip } from './peers/baresip.mjs';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { pause, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { OUR_NUMBER } from './server.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, SILENT, Stage } from './stage.mjs';
import { amplitude, readWav, stretchOf } from './tone.mjs';

let stage, desk, phone;

before(async () => {
  stage = await Stage.set({ trunk: { srtp: 'required' }, callback: { max_attempts: 1 }, announcement: null, inbound: {} });
  desk = await stage.desk();
  await desk.goAvailable();
});
after(async () => {
  await phone?.stop();
  await stage?.strike();
});

const telephone = (encryption) => Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE, encryption });
const newest = async () => (await stage.recordings()).sort((a, b) => b.started_at - a.started_at)[0];

/** Both have heard each other for a while; ended by the agent, looked for in baresip's ear and in the recording. */
async function talkAndLookAtIt(known) {
  await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear baresip', { within: 20_000 });
  await pause(2500);
  assert.ok((await desk.hears(desk.tone)) < SILENT, 'the agent hears no echo');
  await desk.button('End call').click();
  await phone.program.says(/terminated|session closed/i);
  await desk.finish('Resolved');
  let item;
  await until(async () => ((item = await newest()), item && item.contact !== known && item.legs.every(({ chain }) => chain)), 'the recording to be closed');
  const { channels: [left, right] } = readWav(await stage.wav(item.contact));
  assert.ok(stretchOf(left, PHONE_TONE, { floor: 0.05 }).seconds > 1.5, 'the customer is recorded');
  assert.ok(stretchOf(right, desk.tone, { floor: 0.05 }).seconds > 1.5, 'the agent is recorded');
  assert.ok(amplitude(left, desk.tone) < SILENT && amplitude(right, PHONE_TONE) < SILENT, 'each on a track of their own');
  await phone.stop();
  const [{ rate, samples }] = phone.recordings().slice(-1);
  assert.ok(stretchOf(samples, desk.tone, { rate, floor: 0.08, bridgeGap: 0.1 }).seconds > 1, 'baresip heard the agent');
  return item.contact;
}

let first;

test('baresip, which talks encrypted or not at all, is called: both hear each other and are recorded', async () => {
  phone = await telephone('srtp-mand');
  await stage.trunkIs(true);
  const { status_token } = await stage.server.ask(CUSTOMER);
  await desk.accept();
  await stage.server.reaches(status_token, 'talking');
  first = await talkAndLookAtIt();
  const sip = (await stage.server.api(`/api/v1/contacts/${first}/sip`, { cookie: stage.supervisorCookie })).json;
  assert.doesNotMatch(JSON.stringify(sip), /inline:/, 'the keys are shown to nobody');
  await stage.agentIs('maria', 'ready');
});

test('baresip calls and is answered encrypted', async () => {
  phone = await telephone('srtp-mand');
  await phone.command('dial', `sip:${OUR_NUMBER}@127.0.0.1:${stage.server.sip}`);
  await desk.accept();
  await talkAndLookAtIt(first);
  await stage.agentIs('maria', 'ready');
});

test('who calls without a key is refused with 488', async () => {
  await stage.carrier((ear) => far.answers({ ear }));
  const ear = await Earpiece.open({ frequency: PHONE_TONE });
  const caller = await Caller.call(calls.isRefused(ear.port, 488), { server: stage.server, number: OUR_NUMBER, from: CUSTOMER_E164 });
  assert.equal(await caller.ends(), 0, caller.report());
  assert.equal(ear.packets, 0, 'nothing plain was sent');
  ear.close();
  await caller.stop();
  await stage.agentIs('maria', 'ready');
});

test('a carrier that answers our offer without a key is hung up on before anybody hears it', async () => {
  await stage.carrier((ear) => far.answers({ ear }));
  const { status_token } = await stage.server.ask(CUSTOMER);
  await desk.accept();
  const invite = await stage.callArrives();
  assert.match(invite.body, /^m=audio \d+ RTP\/SAVP /m);
  assert.match(invite.body, /^a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:/m);
  await stage.sipp.gets('BYE');
  const page = await stage.server.reaches(status_token, 'unsuccessful');
  assert.ok(!page.timeline.some(({ what }) => what === 'answered'), `it never counts as answered: ${JSON.stringify(page.timeline)}`);
  await stage.agentIs('maria', 'ready');
  assert.equal(stage.ear.packets, 0, 'nothing plain was sent');
  const [{ failures }] = (await stage.server.api('/api/v1/trunks', { cookie: stage.supervisorCookie })).json.trunks;
  assert.deepEqual(failures, [{ result: 'failed', sip_status: 488, count: 1 }]);
});

test('nothing was complained of in the consoles', () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
