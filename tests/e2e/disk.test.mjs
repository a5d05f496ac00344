// The disk fills up in the middle of a call: nothing is acknowledged that does not hold, the call goes on, and all is well again
// once there is space.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { far } from './peers/sipp.mjs';
import { pause, until } from './peers/process.mjs';
import { CUSTOMER, PHONE_TONE, Stage } from './stage.mjs';
import { amplitude, readWav } from './tone.mjs';

/** Writes until there is no room for another byte. */
function fill(path) {
  const file = openSync(path, 'w');
  for (let size = 1 << 20; size >= 1; size >>= 1) {
    const piece = Buffer.alloc(size);
    try {
      for (;;) writeSync(file, piece);
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error;
    }
  }
  closeSync(file);
}

test('a full disk: a clear alarm, no empty promises, the call goes on; space comes back and so does everything', async () => {
  const stage = await Stage.set({ disk: '160m', callback: { max_attempts: 1 } });
  try {
    await stage.carrier((ear) => far.answers({ ear }));
    const desk = await stage.desk();
    await desk.goAvailable();
    const { status_token } = await stage.server.ask(CUSTOMER);
    await desk.accept();
    await stage.callArrives();
    const answered = Date.now();
    await stage.server.reaches(status_token, 'talking');
    await stage.bothHear(desk);

    const ballast = join(stage.server.folder, 'ballast');
    fill(ballast);
    const refused = await until(async () => {
      const answer = await stage.server.api('/api/v1/t/sacramento/callbacks', { method: 'POST', body: { name: 'Lee Okafor', phone: '(916) 555-0133' } });
      return answer.status === 503 && answer;
    }, 'a request to be refused');
    assert.match(refused.headers.get('content-type'), /problem\+json/);
    assert.ok(refused.headers.get('retry-after'), 'says when to try again');
    const ready = await stage.server.api('/readyz');
    assert.equal(ready.status, 503);
    assert.match(ready.text, /ledger_refuses|disk/);
    const alarms = await stage.server.api('/api/v1/alarms', { cookie: stage.supervisorCookie });
    assert.match(alarms.text, /disk is full/);
    await pause(2000);
    assert.ok(stage.ear.hears(desk.tone) > 0.1, 'the customer still hears the agent');
    await stage.bothHear(desk);

    rmSync(ballast);
    await until(async () => (await stage.server.api('/readyz')).status === 200, 'the server to be ready again');
    await stage.server.ask('(916) 555-0133', { name: 'Lee Okafor' });
    await stage.bothHear(desk);
    await pause(1500);
    await desk.button('End call').click();
    const ended = Date.now();
    await stage.sipp.gets('BYE');
    const [item] = await until(async () => {
      const items = await stage.recordings();
      return items.some(({ legs }) => legs.length === 2 && legs.every(({ chain }) => chain)) && items;
    }, 'the recording to be finished', { within: 20_000 });
    const leg = item.legs.find(({ party }) => party === 'customer');
    const { channels: [samples] } = readWav(await stage.wav(item.contact, `?leg=${leg.recording}`));
    assert.ok(amplitude(samples.subarray(4000, 8000), PHONE_TONE) > 0.1, 'what came before is there');
    assert.ok(amplitude(samples.subarray(-4000), PHONE_TONE) > 0.1, 'and what came after, in its place');
    assert.ok(Math.abs(samples.length / 8000 - (ended - answered) / 1000) < 1.5, `as long as the call was: ${samples.length / 8000} s`);
  } finally {
    await stage.strike();
  }
});

test('a full disk while settings are changed: refused as a whole, and as a whole once there is space', async () => {
  const staff = [{ id: 'sam', role: 'supervisor', name: 'Sam Ortiz' }, { id: 'ada', role: 'admin', name: 'Ada Byron' }];
  const stage = await Stage.set({ disk: '160m', server: { second_factor_for: [] }, staff });
  try {
    const cookie = await stage.server.signIn('ada');
    const read = async () => (await stage.server.api('/api/v1/settings', { cookie })).json;
    const before = await read();
    const wanted = { ...before.settings, callback: false, look: { ...before.settings.look, name: 'Renamed County' } };
    const put = () => stage.server.api('/api/v1/settings', { method: 'PUT', body: { base: before.version, settings: wanted }, cookie });
    const ballast = join(stage.server.folder, 'ballast');
    fill(ballast);
    // What the ledger has room for within its file it still takes.
    const full = () => stage.server.api('/api/v1/t/sacramento/callbacks', { method: 'POST', body: { name: 'Lee Okafor', phone: '(916) 555-0133' } });
    await until(async () => (await full()).status === 503, 'a request to be refused', { within: 30_000 });
    const refused = await put();
    assert.equal(refused.status, 503, refused.text);
    const inForce = async () => {
      const { tenant, availability } = (await stage.server.api('/api/v1/t/sacramento/availability')).json;
      return [tenant.name, availability.enabled];
    };
    assert.deepEqual(await inForce(), ['Sacramento County', true], 'nothing of it holds');
    rmSync(ballast);
    await until(async () => (await stage.server.api('/readyz')).status === 200, 'the server to be ready again');
    const now = await read();
    assert.deepEqual(now.settings, before.settings, 'nothing of it is kept');
    // The file's own state may be a version by now; the change is made on top of what is in force.
    const taken = await stage.server.api('/api/v1/settings', { method: 'PUT', body: { base: now.version, settings: wanted }, cookie });
    assert.equal(taken.status, 200, taken.text);
    assert.deepEqual(await inForce(), ['Renamed County', false]);
    await stage.server.kill();
    await stage.server.run();
    assert.deepEqual(await inForce(), ['Renamed County', false], 'and after a power failure');
  } finally {
    await stage.strike();
  }
});
