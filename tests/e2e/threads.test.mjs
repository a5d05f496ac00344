// Sound on two threads: the agents of one county share one, another county has the other, and the telephones' legs begin where there is
// room and move to whomever they are to hear. Two calls of one county and one of another at the same time, then three together, a
// colleague once and a number outside once: tones at every ear and in every recording.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { pause, until } from './peers/process.mjs';
import { Carrier, audioPort, far } from './peers/sipp.mjs';
import { OUR_NUMBER, portalToken } from './server.mjs';
import { LOUD, SILENT, Stage } from './stage.mjs';
import { amplitude, readWav, stretchOf } from './tone.mjs';

const [JON, PETRA] = [900, 1120];
const [ROSA, BEN, ANA, OFFICE] = [1300, 1500, 1700, 1960];
const ALL = [700, JON, PETRA, ROSA, BEN, ANA, OFFICE];
let stage, maria, jon, petra, carrier;
const ears = {};
const callers = {};

const STAFF = [
  { id: 'maria', role: 'agent', name: 'Maria Vega' },
  { id: 'jon', role: 'agent', name: 'Jon Park' },
  { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
  { id: 'petra', role: 'agent', name: 'Petra Lind', tenant: 'placer' },
];

before(async () => {
  stage = await Stage.set({ announcement: null, inbound: {}, media: { threads: 2 }, staff: STAFF });
  for (const [name, frequency] of Object.entries({ rosa: ROSA, ben: BEN, ana: ANA, office: OFFICE })) ears[name] = await Earpiece.open({ frequency });
  [maria, jon, petra] = [await stage.desk('maria'), await stage.desk('jon', { tone: JON }), await stage.desk('petra', { tone: PETRA })];
  [jon.tone, petra.tone] = [JON, PETRA];
});
after(async () => {
  await stage?.strike();
  for (const ear of Object.values(ears)) ear.close();
  for (const peer of [...Object.values(callers), carrier]) await peer?.stop();
});

/** The carrier answers with this one's telephone from now on. */
async function answeredBy(name) {
  await carrier?.stop();
  carrier = await Carrier.start(far.answers({ ear: ears[name].port }), { port: stage.carrierPort });
  await stage.trunkIs(true);
}

async function calledBy(name, from, desk) {
  await desk.goAvailable();
  callers[name] = await Caller.call(calls.stays(ears[name].port), { server: stage.server, number: OUR_NUMBER, from });
  await desk.accept();
}

const listens = (who) => (who.page ? (tone) => who.hears(tone) : async (tone) => who.hears(tone));
const own = (who) => who.tone ?? who.frequency;

/** All of them hear each other, and nobody else and nobody himself. */
async function together(...group) {
  for (const who of group) {
    for (const other of group.filter((one) => one !== who)) {
      await until(async () => (await listens(who)(own(other))) > LOUD / 2, `${own(other)} Hz at the ear of ${own(who)} Hz`, { within: 20_000 });
    }
  }
  for (const who of group) who.forget?.();
  await pause(1000);
  const wanted = group.map(own);
  for (const who of group) {
    for (const tone of ALL) {
      const level = await listens(who)(tone);
      if (wanted.includes(tone) && tone !== own(who)) assert.ok(level > LOUD / 2, `${own(who)} Hz hears ${tone} Hz: ${level}`);
      else assert.ok(level < SILENT, `${own(who)} Hz does not hear ${tone} Hz: ${level}`);
    }
  }
}

/** The server's port that the sound of this page takes: each thread has its own. */
const threadOf = async (desk) => (await desk.page.evaluate(() => window.ringbackPath())).port - stage.server.webrtc;

test('three calls at once, two counties, two threads: each pair hears each other and nobody else', async () => {
  await calledBy('rosa', '+19165550119', maria);
  await calledBy('ben', '+19165550120', jon);
  await answeredBy('ana');
  await petra.goAvailable();
  await stage.server.ask('(530) 555-0121', { name: 'Ana Lund', tenant: 'placer', token: portalToken() });
  await petra.accept();
  ears.ana.speakTo(audioPort((await carrier.gets('INVITE')).body));
  await together(maria, ears.rosa);
  await together(jon, ears.ben);
  await together(petra, ears.ana);
  await together(maria, ears.rosa);
  const threads = [await threadOf(maria), await threadOf(jon), await threadOf(petra)];
  assert.equal(threads[0], threads[1], 'the agents of one county are on one thread');
  assert.deepEqual([threads[0], threads[2]].sort(), [0, 1], `and those of two on both: ${threads}`);
});

test('a colleague is asked and all are joined, while the call of the other thread goes on', async () => {
  await jon.button('End call').click();
  assert.equal(await callers.ben.ends(), 0, callers.ben.report());
  await jon.finish('Resolved');
  await maria.button('Transfer').click();
  const dialog = maria.page.getByRole('dialog', { name: 'Transfer this call' });
  await dialog.getByRole('radio', { name: 'Colleague' }).check();
  await dialog.getByRole('radio', { name: /Jon Park/ }).check();
  await dialog.getByRole('button', { name: 'Ask first' }).click();
  await jon.accept();
  await together(maria, jon);
  await maria.button('Join all').click();
  await together(maria, jon, ears.rosa);
  await together(petra, ears.ana);
  await jon.button('Leave').click();
  await together(maria, ears.rosa);
  await petra.button('End call').click();
  await carrier.gets('BYE');
  await petra.finish();
});

test('a number outside is asked and all are joined', async () => {
  await answeredBy('office');
  await maria.button('Transfer').click();
  const dialog = maria.page.getByRole('dialog', { name: 'Transfer this call' });
  await dialog.getByRole('radio', { name: 'Number' }).check();
  await dialog.getByLabel('Number outside').fill('+19165550300');
  await dialog.getByRole('button', { name: 'Ask first' }).click();
  ears.office.speakTo(audioPort((await carrier.gets('INVITE')).body));
  await together(maria, ears.office);
  await maria.button('Join all').click();
  await together(maria, ears.office, ears.rosa);
  await maria.button(/^Without /).click();
  await together(maria, ears.rosa);
  await maria.button('End call').click();
  assert.equal(await callers.rosa.ends(), 0, callers.rosa.report());
  await maria.finish('Resolved');
});

test('in the recordings each leg has its own sound and no other', async () => {
  await until(async () => (await stage.recordings()).length === 2, 'the calls of the county to be filed');
  const tones = { maria: maria.tone, jon: JON };
  let heard = 0;
  for (const { contact, legs } of await stage.recordings()) {
    const customer = legs.some(({ party }) => party === 'outside') ? ROSA : BEN;
    for (const { recording, party, agent } of legs) {
      const { channels: [sound] } = readWav(await stage.wav(contact, `?leg=${recording}`));
      const tone = party === 'customer' ? customer : party === 'outside' ? OFFICE : tones[agent];
      assert.ok(stretchOf(sound, tone, { floor: 0.05 }).seconds > 1.5, `${party} ${agent} is recorded`);
      for (const other of ALL.filter((one) => one !== tone)) assert.ok(amplitude(sound, other) < SILENT, `${other} Hz is not in the file of ${party} ${agent}`);
      heard += 1;
    }
  }
  assert.equal(heard, 6, 'customer, Jon; customer, Maria, Jon, the office');
});
