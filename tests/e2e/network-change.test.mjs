// The agent's network changes in the middle of a call: the old path is dead for good, another one is found (ICE restart) and the
// connection with its keys stays; and one that is away for long gets a new connection on the same call.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Nat } from './peers/nat.mjs';
import { until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { CUSTOMER, PHONE_TONE, Stage } from './stage.mjs';
import { readWav, stretchOf } from './tone.mjs';

let stage, desk, path;

before(async () => {
  stage = await Stage.set({ policy: { reconnect_grace_seconds: 30 } });
  path = await Nat.open({ to: stage.server.webrtc });
  desk = await stage.desk('maria', { nat: { from: stage.server.webrtc, to: path.port } });
  await desk.goAvailable();
  await stage.carrier((ear) => far.answers({ ear }));
  await stage.server.ask(CUSTOMER);
  await desk.accept();
  await stage.callArrives();
  await stage.bothHear(desk);
});
after(async () => {
  path?.close();
  await stage?.strike();
});

const links = () => desk.page.evaluate(() => window.ringbackLinks());

test('the old path is dead: another one is found while the server waits, on the same connection', async () => {
  const before = await links();
  assert.equal(before.made, 1);
  path.moves();
  await until(async () => (await links()).names[1] !== before.names[1], 'the server to answer for another path', { within: 25_000 });
  await stage.bothHear(desk);
  const now = await links();
  assert.equal(now.made, 1, 'no second connection');
  assert.notEqual(now.names[0], before.names[0]);
});

test('the browser says that it is online again: another path is looked for at once', async () => {
  const before = await links();
  await desk.page.evaluate(() => dispatchEvent(new Event('online')));
  await until(async () => (await links()).names[1] !== before.names[1], 'another path', { within: 15_000 });
  await stage.bothHear(desk);
  assert.equal((await links()).made, 1);
});

test('away for longer than the server waits: a new connection takes over the same call', async () => {
  path.dark = true;
  await until(async () => (await links()).made > 1, 'a new connection to be tried', { within: 30_000 });
  path.dark = false;
  await stage.bothHear(desk, stage.ear, 30_000);
  assert.equal(stage.sipp.received('INVITE').length, 1, 'nobody is called twice');
});

test('the call is ended, and it is one contact with all that was said', async () => {
  await desk.button('End call').click();
  await stage.sipp.gets('BYE');
  await desk.finish('Resolved');
  let item;
  await until(async () => ((item = (await stage.recordings())[0]), item?.legs.every(({ chain }) => chain)), 'the recording to be closed');
  const { channels: [left] } = readWav(await stage.wav(item.contact));
  assert.ok(stretchOf(left, PHONE_TONE, { floor: 0.05 }).seconds > 3, 'the customer is recorded all the time');
});
