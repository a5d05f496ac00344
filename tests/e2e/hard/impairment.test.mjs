// Calls through a bad network between the server and the carrier, sound and signalling apart: every call is made, heard on both
// sides, and recorded in its right length, with no more holes in it than the network tore.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Relay } from '../peers/relay.mjs';
import { pause, until } from '../peers/process.mjs';
import { audioPort, far } from '../peers/sipp.mjs';
import { LOUD, PHONE_TONE, SILENT, Stage } from '../stage.mjs';
import { readWav, stretchOf } from '../tone.mjs';

let stage, desk, signalling;
let number = 700;

before(async () => {
  signalling = await Relay.open();
  stage = await Stage.set({ carrierPort: signalling.port, callback: { max_attempts: 1 } });
  signalling.to = stage.carrierPort;
  desk = await stage.desk();
  await stage.carrier((ear) => far.answers({ ear }), { contact: signalling.port });
  await desk.goAvailable();
});
after(async () => {
  await stage?.strike();
  signalling?.close();
});

const SOUND = [
  ['nothing wrong', {}],
  ['1 % lost', { loss: 0.01 }],
  ['5 % lost', { loss: 0.05 }],
  ['10 % lost', { loss: 0.1 }],
  ['5 % lost, five in a row', { loss: 0.05, burst: 5 }],
  ['up to 40 ms later', { jitter: 40 }],
  ['5 % two places late', { reorder: 0.05 }],
  ['5 % twice', { duplicate: 0.05 }],
  ['all of it', { loss: 0.05, jitter: 20, reorder: 0.02, duplicate: 0.02 }],
];

for (const [name, weather] of SOUND) {
  test(`sound: ${name}`, async () => {
    const sound = await Relay.open({ weather });
    try {
      const { left, right, seconds } = await call(sound);
      const holes = left.weak.length / (left.seconds * 100);
      const torn = sound.lost / Math.max(1, sound.passed);
      console.log(`${name}: lost ${(torn * 100).toFixed(1)} % of ${sound.passed}; holes in the customer's WAV ${(holes * 100).toFixed(1)} %, in the agent's ${right.weak.length}`);
      assert.ok(Math.abs(left.seconds - seconds) < 1, `the customer's track is as long as the talk: ${left.seconds} s of ${seconds} s`);
      // A packet is two windows; with loss of one direction in a run of 8 s the share varies around the mean.
      assert.ok(holes <= (weather.loss ?? 0) * 2 + 0.01, `holes: ${holes}`);
      if (!weather.loss) assert.deepEqual(left.weak, [], 'nothing was lost, nothing is missing');
      assert.deepEqual(right.weak, [], 'the agent is not concerned');
    } finally {
      sound.close();
    }
  });
}

for (const loss of [0.05, 0.1, 0.25]) {
  test(`signalling: ${loss * 100} % lost each way`, async () => {
    const sound = await Relay.open();
    signalling.weather = { loss };
    try {
      await call(sound);
      assert.equal(stage.sipp.calls().length, 1, 'one dialog, however often it was said');
    } finally {
      signalling.weather = {};
      sound.close();
    }
  });
}

test('signalling: late, doubled and out of order', async () => {
  const sound = await Relay.open();
  signalling.weather = { jitter: 80, duplicate: 0.3, reorder: 0.3 };
  try {
    await call(sound);
    assert.equal(stage.sipp.calls().length, 1);
  } finally {
    signalling.weather = {};
    sound.close();
  }
});

/** A whole call with its sound through `sound`; what its recording holds of each side, and how long they talked. */
async function call(sound) {
  const steps = (ear) => {
    sound.to = ear;
    return far.answers({ ear: sound.port });
  };
  await stage.carrier(steps, { contact: signalling.port });
  const { status_token } = await stage.server.ask(`(916) 555-0${(number += 1)}`);
  await desk.offered(40_000);
  await desk.button('Accept').click();
  const invite = await stage.sipp.gets('INVITE');
  sound.near = audioPort(invite.body);
  stage.ear.speakTo(sound.farPort);
  await stage.server.reaches(status_token, 'talking', 40_000);
  const began = Date.now();
  await until(() => stage.ear.hears(desk.tone) > LOUD, 'the customer to hear the agent');
  await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer');
  await pause(5000);
  assert.ok(stage.ear.hears(desk.tone, 2) > LOUD, `the customer hears the agent: ${stage.ear.hears(desk.tone, 2)}`);
  assert.ok(stage.ear.hears(PHONE_TONE, 2) < SILENT, 'and not themselves');
  assert.ok((await desk.hears(PHONE_TONE)) > LOUD, 'the agent hears the customer');
  await desk.button('End call').click();
  await desk.finish();
  assert.equal((await stage.server.status(status_token)).stage, 'successful');
  const started = (item) => item.started_at;
  const item = await until(async () => {
    const latest = (await stage.recordings()).sort((a, b) => started(b) - started(a))[0];
    return latest?.legs.length === 2 && latest.legs.every(({ chain }) => chain) && started(latest) > began - 60_000 && latest;
  }, 'the recording', { within: 20_000 });
  const leg = async (party) => {
    const { recording } = item.legs.find((one) => one.party === party);
    return readWav(await stage.wav(item.contact, `?leg=${recording}`)).channels[0];
  };
  const [customer, agent] = [await leg('customer'), await leg('agent')];
  // From the answer on the customer speaks; the agent is recorded from the bridge on.
  const page = await stage.server.status(status_token);
  const at = (name) => page.timeline.find(({ what }) => what === name).at;
  const [answered, bridged, ended] = ['answered', 'bridged', 'ended'].map(at);
  const right = stretchOf(agent, desk.tone, { floor: 0.05 });
  assert.ok(Math.abs(right.seconds - (ended - bridged) / 1000) < 1, `the agent's track: ${right.seconds} s of ${ended - bridged} ms`);
  const left = stretchOf(customer, PHONE_TONE, { floor: 0.05 });
  // What was still on its way when the call ended came too late.
  left.weak = left.weak.filter((second) => second < left.to - 0.1);
  return { left, right, seconds: (ended - answered) / 1000 };
}
