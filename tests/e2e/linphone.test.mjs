// linphone as the customer's telephone: is called and calls, puts the agent on hold, declines, thinks better of it, vanishes. Tones are
// measured at both ends and in the WAV.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { pause, until } from './peers/process.mjs';
import { Linphone } from './peers/linphone.mjs';
import { OUR_NUMBER } from './server.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, SILENT, Stage } from './stage.mjs';
import { amplitude, readWav, stretchOf } from './tone.mjs';

const SILENCE_SECONDS = 4;
let stage, desk, phone;

before(async () => {
  stage = await Stage.set({ announcement: null, inbound: {}, callback: { max_attempts: 1 }, media: { silence_seconds: SILENCE_SECONDS } });
  desk = await stage.desk();
  await desk.goAvailable();
});
afterEach(async () => {
  await phone?.stop();
  await stage.clear(desk);
});
after(() => stage?.strike());

async function telephone() {
  phone = await Linphone.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE });
  await stage.trunkIs(true);
}

const calls = () => phone.command(`call sip:${OUR_NUMBER}@127.0.0.1:${stage.server.sip}`, /Media streams established/);
const heard = (what = 'the agent to hear linphone') => until(async () => (await desk.hears(PHONE_TONE)) > LOUD, what, { within: 20_000 });
const newest = async () => (await stage.recordings()).sort((a, b) => b.started_at - a.started_at)[0];

/** Both are recorded, each on a track of their own, and linphone heard the agent. */
async function bothWereHeard() {
  await until(async () => (await newest())?.legs.every(({ chain }) => chain), 'the recording to be closed');
  const { channels: [left, right] } = readWav(await stage.wav((await newest()).contact));
  assert.ok(stretchOf(left, PHONE_TONE, { floor: 0.05 }).seconds > 1.5, 'linphone is recorded');
  assert.ok(stretchOf(right, desk.tone, { floor: 0.05 }).seconds > 1.5, 'the agent is recorded');
  assert.ok(amplitude(left, desk.tone) < SILENT && amplitude(right, PHONE_TONE) < SILENT, 'each on a track of their own');
  const { rate, samples } = phone.recording();
  assert.ok(stretchOf(samples, desk.tone, { rate, floor: 0.08, bridgeGap: 0.1 }).seconds > 1, 'linphone heard the agent');
}

test('linphone is called back, both hear each other, and it hangs up', async () => {
  await telephone();
  const { status_token } = await stage.server.ask(CUSTOMER);
  await desk.accept();
  await phone.answers();
  await stage.server.reaches(status_token, 'talking');
  await heard();
  await pause(2500);
  await phone.command('terminate', /ended/);
  await desk.finish('Resolved');
  assert.equal((await stage.server.status(status_token)).stage, 'successful');
  await phone.stop();
  await bothWereHeard();
});

test('linphone calls; it puts the agent on hold, with its own music, and comes back; the agent hangs up', async () => {
  await telephone();
  await calls();
  await desk.accept();
  await heard();
  await pause(1500);
  await phone.command('pause', /paused/i);
  await pause(1500);
  await phone.command('resume', /resumed|Media streams established/i);
  await heard('the agent to hear linphone again');
  await pause(2500);
  await desk.button('End call').click();
  await phone.program.says(/ended/);
  await desk.finish('Resolved');
  await phone.stop();
  await bothWereHeard();
  const { contact } = await newest();
  const { calls: [{ messages }] } = (await stage.server.api(`/api/v1/contacts/${contact}/sip`, { cookie: stage.supervisorCookie })).json;
  assert.equal(messages.filter(({ out, line }) => !out && line.startsWith('INVITE')).length, 3, 'the call, its hold and its end of hold');
});

test('linphone declines: the agent is free again without wrap-up, and the customer’s page says that it did not work out', async () => {
  await telephone();
  const { status_token } = await stage.server.ask(CUSTOMER);
  await desk.accept();
  await phone.rings();
  await phone.command('terminate');
  await stage.server.reaches(status_token, 'unsuccessful');
  await stage.agentIs('maria', 'ready');
  const [{ failures }] = (await stage.server.api('/api/v1/trunks', { cookie: stage.supervisorCookie })).json.trunks;
  assert.deepEqual(failures, [{ result: 'rejected', sip_status: 603, count: 1 }]);
});

test('linphone calls and hangs up before an agent has answered: nobody is offered it any more', async () => {
  await telephone();
  await calls();
  await desk.offered();
  await phone.command('terminate', /ended/);
  await desk.button('Accept').waitFor({ state: 'hidden' });
  await until(async () => (await stage.board()).waiting.length === 0, 'nobody to wait');
  await stage.agentIs('maria', 'ready');
});

test('linphone vanishes in the middle of the call: it ends within the seconds of silence that are configured', async () => {
  await telephone();
  await calls();
  await desk.accept();
  await heard();
  await phone.stop('SIGKILL');
  const gone = Date.now();
  await desk.finish('Resolved');
  const seconds = (Date.now() - gone) / 1000;
  assert.ok(seconds > SILENCE_SECONDS - 2 && seconds < SILENCE_SECONDS + 5, `${seconds} s`);
});

test('nothing was complained of in the consoles', () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
