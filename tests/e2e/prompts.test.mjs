// A county's own words: a WAV at 44.1 kHz in stereo is brought in by clicks, listened to, saved, and heard by the next caller and the next
// customer who is called back; undone, the words that come with the server are back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { ANNOUNCEMENT_TONE, GREETING_TONE, OUR_NUMBER } from './server.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, Stage, shot } from './stage.mjs';

const OWN = 1010;
let stage, page;

/** A WAV of one tone in stereo at 44.1 kHz, 16 bits. */
function stereo(hertz, seconds, rate = 44_100) {
  const frames = Math.round(rate * seconds);
  const file = Buffer.alloc(44 + frames * 4);
  file.write('RIFF', 0);
  file.writeUInt32LE(file.length - 8, 4);
  file.write('WAVEfmt ', 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(2, 22);
  file.writeUInt32LE(rate, 24);
  file.writeUInt32LE(rate * 4, 28);
  file.writeUInt16LE(4, 32);
  file.writeUInt16LE(16, 34);
  file.write('data', 36);
  file.writeUInt32LE(frames * 4, 40);
  for (let at = 0; at < frames; at++) {
    const x = Math.round(0.4 * 32767 * Math.sin((2 * Math.PI * hertz * at) / rate));
    file.writeInt16LE(x, 44 + at * 4);
    file.writeInt16LE(x, 46 + at * 4);
  }
  return file;
}

before(async () => {
  stage = await Stage.set({
    server: { second_factor_for: [] },
    inbound: {},
    staff: [
      { id: 'maria', role: 'agent', name: 'Maria Vega' },
      { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
      { id: 'ada', role: 'admin', name: 'Ada Byron' },
    ],
  });
  await stage.carrier((ear) => far.answers({ ear }));
  const person = await stage.person();
  person.expected.push(/status of 422/);
  page = await person.signIn(stage.server, 'ada', '/admin');
});
after(() => stage?.strike());

/** Somebody calls and says which of the tones comes first. */
async function greeted() {
  const ear = await Earpiece.open({ frequency: PHONE_TONE });
  const caller = await Caller.call(calls.hangsUpAfter(ear.port, 2500), { server: stage.server, number: OUR_NUMBER, from: CUSTOMER_E164 });
  try {
    const heard = await until(() => [OWN, GREETING_TONE].find((tone) => ear.hears(tone) > LOUD), 'a greeting to be heard', { within: 10_000 });
    // Hung up properly, nobody is in line any more when an agent comes.
    await caller.ends();
    return heard;
  } finally {
    await caller.stop();
    ear.close();
  }
}

async function bring(text, file) {
  await page.getByLabel('Text').selectOption({ label: text });
  await page.getByLabel('WAV file').setInputFiles(file);
}
const save = async () => {
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('status').filter({ hasText: 'Saved. It is in force now.' }).waitFor();
};

test('what is no sound, or too long, is refused with the reason', async () => {
  await page.getByRole('link', { name: 'Prompts' }).click();
  await bring('Greeting of callers', { name: 'x.wav', mimeType: 'audio/wav', buffer: Buffer.from('this is no sound') });
  await page.getByRole('alert').filter({ hasText: 'not a WAV file' }).waitFor();
  await bring('Greeting of callers', { name: 'x.wav', mimeType: 'audio/wav', buffer: stereo(OWN, 121, 8000) });
  await page.getByRole('alert').filter({ hasText: 'longer than allowed' }).waitFor();
  assert.deepEqual(await findings(page), []);
});

test('a WAV in stereo at 44.1 kHz is brought in, listened to in the page, and saved', async () => {
  assert.equal(await greeted(), GREETING_TONE);
  await bring('Greeting of callers', { name: 'our greeting.wav', mimeType: 'audio/wav', buffer: stereo(OWN, 3) });
  await page.getByRole('status').filter({ hasText: 'Greeting of callers (English) is ready' }).waitFor();
  await bring('Announcement of a callback', { name: 'our announcement.wav', mimeType: 'audio/wav', buffer: stereo(OWN, 2) });
  await page.getByRole('status').filter({ hasText: 'Announcement of a callback (English) is ready' }).waitFor();
  const player = page.getByLabel('Listen: Greeting of callers (English)');
  await player.evaluate((audio) => audio.play());
  await until(() => player.evaluate((audio) => audio.currentTime > 0.3 && audio.duration > 2.9), 'the page to play it');
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-prompts');
  await page.setViewportSize({ width: 320, height: 640 });
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320, 'nothing sticks out at 320 px');
  await page.setViewportSize({ width: 1280, height: 800 });
  assert.equal(await greeted(), GREETING_TONE, 'nothing before it is saved');
  await save();
});

test('the next caller hears it, and so does the next customer who is called back', async () => {
  assert.equal(await greeted(), OWN);
  const desk = await stage.desk();
  await desk.goAvailable();
  await stage.server.ask(CUSTOMER);
  await desk.accept();
  await stage.callArrives();
  await until(() => stage.ear.hears(OWN) > LOUD, 'the announcement to be heard');
  assert.ok(stage.ear.hears(ANNOUNCEMENT_TONE) < LOUD);
  await stage.bothHear(desk);
  await desk.button('End call').click();
  await desk.finish('Resolved');
});

test('it outlives a restart; an earlier version brings the former words back at once', async () => {
  await stage.server.kill();
  await stage.server.run();
  stage.supervisorCookie = undefined;
  await stage.trunkIs(true);
  assert.equal(await greeted(), OWN);
  await page.reload();
  await page.getByRole('link', { name: 'Change history', exact: true }).click();
  await page.getByText('Prompts: greeting-en: added').waitFor();
  await page.getByRole('button', { name: 'Bring back version 1' }).click();
  await page.getByRole('button', { name: 'Bring back', exact: true }).click();
  await page.getByText('Prompts: greeting-en: removed').waitFor();
  assert.equal(await greeted(), GREETING_TONE);
  const cookie = await stage.server.signIn('ada');
  const other = (await stage.server.api('/api/v1/sounds/00000000000000000000000000000000', { cookie })).status;
  assert.equal(other, 404);
});
