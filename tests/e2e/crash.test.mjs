// The power goes at five points of a call's life: nothing that was acknowledged is lost, no number is in two dialogs, the
// contact goes on, and the recording is there up to a second before. And the polite end: draining on SIGTERM.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause, until } from './peers/process.mjs';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { far } from './peers/sipp.mjs';
import { OUR_NUMBER } from './server.mjs';
import { CUSTOMER, CUSTOMER_E164, PHONE_TONE, Stage } from './stage.mjs';
import { readWav, stretchOf } from './tone.mjs';

async function on(options, play) {
  const stage = await Stage.set(options);
  try {
    await play(stage);
  } finally {
    await stage.strike();
  }
}

async function powerCut(stage) {
  await stage.server.kill();
  await stage.server.run();
  stage.supervisorCookie = undefined;
}

/** After the restart: offered again, accepted, bridged, ended. `nth`: which INVITE at the carrier it is. */
async function goesOn(stage, desk, token, nth) {
  await desk.offered(40_000);
  await desk.button('Accept').click();
  await stage.callArrives(nth);
  await stage.server.reaches(token, 'talking', 30_000);
  await stage.bothHear(desk);
  await desk.button('End call').click();
  await desk.finish();
  await stage.server.reaches(token, 'successful');
  assert.ok(stage.sipp.calls().every((call) => call.together === 0), `never two dialogs at a time: ${JSON.stringify(stage.sipp.calls())}`);
}

test('waiting in line', () =>
  on({}, async (stage) => {
    await stage.carrier((ear) => far.answers({ ear }));
    const before = await stage.server.ask(CUSTOMER);
    await powerCut(stage);
    assert.equal((await stage.server.status(before.status_token)).position, 1);
    const desk = await stage.desk();
    await desk.goAvailable();
    await goesOn(stage, desk, before.status_token, 1);
  }));

test('offered to an agent', () =>
  on({}, async (stage) => {
    await stage.carrier((ear) => far.answers({ ear }));
    const desk = await stage.desk();
    await desk.goAvailable();
    const { status_token } = await stage.server.ask(CUSTOMER);
    await desk.offered();
    await powerCut(stage);
    await backAtTheDesk(desk);
    await goesOn(stage, desk, status_token, 1);
  }));

test('dialling: the old call is cancelled before a new one is placed', () =>
  on({}, async (stage) => {
    await stage.carrier((ear) => far.rings({ ear, milliseconds: 8000 }));
    const desk = await stage.desk();
    await desk.goAvailable();
    const { status_token } = await stage.server.ask(CUSTOMER);
    await desk.accept();
    await stage.server.reaches(status_token, 'ringing');
    await powerCut(stage);
    await stage.sipp.gets('CANCEL');
    await backAtTheDesk(desk);
    await goesOn(stage, desk, status_token, 2);
  }));

test('in the announcement: the old call is hung up before a new one is placed', () =>
  on({ announcement: 5 }, async (stage) => {
    await stage.carrier((ear) => far.answers({ ear }));
    const desk = await stage.desk();
    await desk.goAvailable();
    const { status_token } = await stage.server.ask(CUSTOMER);
    await desk.accept();
    await stage.sipp.gets('ACK');
    await pause(700);
    assert.ok(!(await stage.server.status(status_token)).timeline.some(({ what }) => what === 'bridged'), 'the announcement is still on');
    await powerCut(stage);
    await stage.sipp.gets('BYE');
    await backAtTheDesk(desk);
    await goesOn(stage, desk, status_token, 2);
  }));

test('bridged: hung up, called again, and the recording of the first call is there', () =>
  on({}, async (stage) => {
    await stage.carrier((ear) => far.answers({ ear }));
    const desk = await stage.desk();
    await desk.goAvailable();
    const { status_token } = await stage.server.ask(CUSTOMER);
    await desk.accept();
    await stage.callArrives();
    await stage.server.reaches(status_token, 'talking');
    await stage.bothHear(desk);
    const talked = Date.now();
    await pause(3000);
    const seconds = (Date.now() - talked) / 1000;
    await powerCut(stage);
    await stage.sipp.gets('BYE');
    await backAtTheDesk(desk);
    await goesOn(stage, desk, status_token, 2);
    const [item] = await until(async () => {
      const items = await stage.recordings();
      return items.length > 0 && items;
    }, 'the recording to be listed');
    const heard = [];
    for (const leg of item.legs.filter(({ party }) => party === 'customer')) {
      const { channels: [samples] } = readWav(await stage.wav(item.contact, `?leg=${leg.recording}`));
      heard.push(stretchOf(samples, PHONE_TONE, { floor: 0.05 }));
    }
    assert.equal(heard.length, 2, `both calls are recorded: ${JSON.stringify(item.legs)}`);
    assert.ok(heard[0].seconds >= seconds - 1, `all but the last second: ${heard[0].seconds} s of more than ${seconds} s`);
    assert.deepEqual(heard[0].weak, []);
    assert.ok(stage.server.recordingFiles().every((file) => !file.endsWith('.part')), 'nothing is left half-written');
  }));

test('a customer who called: hung up, not called back, closed as interrupted, the recording is there', () =>
  on({ inbound: {} }, async (stage) => {
    const desk = await stage.desk();
    await desk.goAvailable();
    const ear = await Earpiece.open({ frequency: PHONE_TONE });
    const caller = await Caller.call(calls.stays(ear.port), { server: stage.server, number: OUR_NUMBER, from: CUSTOMER_E164 });
    await desk.accept();
    await stage.bothHear(desk, ear);
    const talked = Date.now();
    await pause(3000);
    const seconds = (Date.now() - talked) / 1000;
    await powerCut(stage);
    assert.equal(await caller.ends(), 0, `hung up after the restart: ${caller.report()}`);
    ear.close();
    const [{ contact: id, outcome, legs }] = await until(async () => {
      const items = await stage.recordings();
      return items.length > 0 && items;
    }, 'the recording to be listed');
    const { contact } = (await stage.server.api(`/api/v1/contacts/${id}`, { cookie: stage.supervisorCookie })).json;
    assert.deepEqual([outcome, contact.reason.why, contact.attempts.length], ['unsuccessful', 'interrupted', 1]);
    const leg = legs.find(({ party }) => party === 'customer');
    const { channels: [samples] } = readWav(await stage.wav(id, `?leg=${leg.recording}`));
    assert.ok(stretchOf(samples, PHONE_TONE, { floor: 0.05 }).seconds >= seconds - 1, 'all but the last second');
    assert.equal((await stage.board()).waiting.length, 0);
  }));

test('SIGTERM with a customer who called: the call goes on, a new one is turned away', () =>
  on({ inbound: {} }, async (stage) => {
    const desk = await stage.desk();
    await desk.goAvailable();
    const ear = await Earpiece.open({ frequency: PHONE_TONE });
    const caller = await Caller.call(calls.stays(ear.port), { server: stage.server, number: OUR_NUMBER, from: CUSTOMER_E164 });
    await desk.accept();
    await stage.bothHear(desk, ear);
    stage.server.program.child.kill('SIGTERM');
    const ready = () => fetch(`${stage.server.direct}/readyz`).then((answer) => answer.ok, () => false);
    await until(async () => !(await ready()), 'the server to drain', { within: 5000 });
    const late = await Caller.call(calls.isRefused(1, 503), { server: stage.server, number: OUR_NUMBER, from: '+19165550118' });
    assert.equal(await late.ends(), 0, late.report());
    assert.ok(stage.server.program.running && ear.hears(desk.tone) > 0.1, 'the call goes on');
    await desk.button('End call').click();
    assert.equal(await caller.ends(), 0, caller.report());
    ear.close();
    await until(() => !stage.server.program.running, 'the server to end', { within: 25_000 });
    assert.ok(stage.server.recordingFiles().every((file) => !file.endsWith('.part')), 'all files are closed');
  }));

test('SIGTERM: no new dialling, the live call goes on to its end, files are closed, the server ends', () =>
  on({ callback: { max_attempts: 1 } }, async (stage) => {
    await stage.carrier((ear) => far.answers({ ear }));
    const desk = await stage.desk();
    await desk.goAvailable();
    const { status_token } = await stage.server.ask(CUSTOMER);
    await desk.accept();
    await stage.callArrives();
    await stage.server.reaches(status_token, 'talking');
    await stage.bothHear(desk);
    stage.server.program.child.kill('SIGTERM');
    await pause(2000);
    assert.ok(stage.server.program.running, 'the call keeps the server up');
    assert.ok(stage.ear.hears(desk.tone) > 0.1, 'the call goes on');
    await desk.button('End call').click();
    await stage.sipp.gets('BYE');
    await until(() => !stage.server.program.running, 'the server to end', { within: 25_000 });
    assert.equal(stage.sipp.received('INVITE').length, 1);
    assert.ok(stage.server.recordingFiles().some((file) => file.endsWith('.wav')));
    assert.ok(stage.server.recordingFiles().every((file) => !file.endsWith('.part')), 'all files are closed');
  }));

/** The page finds the restarted server by itself; the agent says once more that they are there. */
async function backAtTheDesk(desk) {
  const go = desk.button('Go available');
  await go.or(desk.page.getByText('You are available')).first().waitFor({ timeout: 30_000 });
  if (await go.isVisible()) await go.click();
}
