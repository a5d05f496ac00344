// Telephones that speak one codec alone, called and calling: the agent's browser comes to speak it too, and nothing is turned into
// another on the way. One that shares none with the browser is understood all the same, and counted. Tones are measured at both ends
// and in the WAV.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Baresip } from './peers/baresip.mjs';
import { pause, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { OUR_NUMBER } from './server.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, SILENT, Stage } from './stage.mjs';
import { amplitude, readWav, stretchOf } from './tone.mjs';

let stage, desk, narrow, phone, asked, last;

before(async () => {
  stage = await Stage.set({ callback: { max_attempts: 1 }, announcement: null, inbound: {} });
  desk = await stage.desk();
  await desk.goAvailable();
});
afterEach(() => phone?.stop());
after(() => stage?.strike());

const telephone = (codecs) => {
  asked = Date.now();
  return Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE, codecs });
};
const newest = async () => (await stage.recordings()).sort((a, b) => b.started_at - a.started_at)[0];
const counted = async (name) => Number((await stage.server.api('/metrics')).text.match(new RegExp(`^ringback_media_${name}_total (\\d+)$`, 'm'))[1]);

const spoken = (who) => who.page.evaluate(() => globalThis.ringbackSpeaks());

/** Both have heard each other for a while; ended by the agent, looked for in baresip's ear and in the recording. */
async function talkAndLookAtIt(who, known) {
  await until(async () => (await who.hears(PHONE_TONE)) > LOUD, 'the agent to hear baresip', { within: 20_000 });
  await pause(3000);
  assert.ok((await who.hears(who.tone)) < SILENT, 'the agent hears no echo');
  await who.button('End call').click();
  await phone.program.says(/terminated|session closed/i);
  await who.finish('Resolved');
  let item;
  await until(async () => ((item = await newest()), item && item.contact !== known && item.legs.every(({ chain }) => chain)), 'the recording to be closed');
  const { rate, channels: [left, right] } = readWav(await stage.wav(item.contact));
  assert.equal(rate, 8000);
  const talked = (Date.now() - asked) / 1000;
  assert.ok(left.length / rate < talked, `the recording is no longer than the call: ${left.length / rate} of ${talked} s`);
  const customer = stretchOf(left, PHONE_TONE, { floor: 0.05 });
  const agent = stretchOf(right, who.tone, { floor: 0.05 });
  assert.ok(customer.seconds > 2 && agent.seconds > 2, `both are recorded at their pitch: ${customer.seconds} ${agent.seconds}`);
  assert.ok(amplitude(left, who.tone) < SILENT && amplitude(right, PHONE_TONE) < SILENT, 'each on a track of their own');
  await phone.stop();
  const [{ rate: heard, samples }] = phone.recordings().slice(-1);
  assert.ok(stretchOf(samples, who.tone, { rate: heard, floor: 0.08, bridgeGap: 0.1 }).seconds > 1.5, 'baresip heard the agent');
  return item.contact;
}

for (const [codecs, name] of [['G722/16000/1', 'G722'], ['PCMA/8000/1', 'PCMA'], ['opus/48000/2', 'opus'], ['PCMU/8000/1', 'PCMU']]) {
  test(`a telephone that speaks ${name} alone is called: nothing is turned into another codec`, async () => {
    const before = await counted('transcoded_calls');
    phone = await telephone(codecs);
    await stage.trunkIs(true);
    const { status_token } = await stage.server.ask(CUSTOMER);
    await desk.accept();
    await stage.server.reaches(status_token, 'talking');
    await until(async () => (await spoken(desk)) === `audio/${name}`, `the browser to speak ${name}`, { also: async () => `: ${await spoken(desk)}` });
    const turned = await counted('transcoded');
    last = await talkAndLookAtIt(desk, last);
    assert.equal(await counted('transcoded'), turned, 'not one packet since the browser speaks it');
    assert.equal(await counted('transcoded_calls'), before);
    await stage.agentIs('maria', 'ready');
  });
}

test('a telephone that speaks Opus alone calls, hears music and prompts, and is understood', async () => {
  const before = await counted('transcoded_calls');
  phone = await telephone('opus/48000/2');
  await phone.command('dial', `sip:${OUR_NUMBER}@127.0.0.1:${stage.server.sip}`);
  await desk.accept();
  last = await talkAndLookAtIt(desk, last);
  assert.equal(await counted('transcoded_calls'), before);
  await stage.agentIs('maria', 'ready');
});

test('a telephone that speaks G.722 alone calls', async () => {
  const before = await counted('transcoded_calls');
  phone = await telephone('G722/16000/1');
  await phone.command('dial', `sip:${OUR_NUMBER}@127.0.0.1:${stage.server.sip}`);
  await desk.accept();
  last = await talkAndLookAtIt(desk, last);
  assert.equal(await counted('transcoded_calls'), before);
  await stage.agentIs('maria', 'ready');
});

test('a browser that knows only G.711 is understood by a telephone that speaks only G.722: one call is counted', async () => {
  await desk.person.close();
  stage.people = [];
  await until(async () => (await stage.agent('maria')).presence !== 'ready', 'the one who knows more to be gone');
  narrow = await stage.desk('jon', { narrow: true });
  await narrow.goAvailable();
  const [calls, packets] = [await counted('transcoded_calls'), await counted('transcoded')];
  phone = await telephone('G722/16000/1');
  await stage.trunkIs(true);
  const { status_token } = await stage.server.ask(CUSTOMER);
  await narrow.accept();
  await stage.server.reaches(status_token, 'talking');
  last = await talkAndLookAtIt(narrow, last);
  assert.equal((await counted('transcoded_calls')) - calls, 1);
  assert.ok((await counted('transcoded')) - packets > 200);
});

test('an answer in a codec that was never offered ends the call before anybody hears it, and says why', async () => {
  await stage.carrier((ear) => far.answers({ ear, codec: '18 G729' }));
  await stage.agentIs('jon', 'ready');
  const { status_token } = await stage.server.ask(CUSTOMER);
  await narrow.accept();
  await stage.sipp.gets('BYE');
  const page = await stage.server.reaches(status_token, 'unsuccessful');
  assert.ok(!page.timeline.some(({ what }) => what === 'answered'), `it never counts as answered: ${JSON.stringify(page.timeline)}`);
  await until(() => /offers no codec that is spoken here/.test(stage.server.program.output), 'the reason in the log');
  assert.equal(stage.ear.packets, 0, 'nothing was sent');
  const [{ failures }] = (await stage.server.api('/api/v1/trunks', { cookie: stage.supervisorCookie })).json.trunks;
  assert.deepEqual(failures, [{ result: 'failed', sip_status: 488, count: 1 }]);
});

test('nothing was complained of in the consoles', () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
