// An agent passes a caller to a number outside and leaves; the carrier is asked to connect the two itself and refuses, fails or says
// nothing more. The agent reads so while wrapping up, the two go on hearing each other, and it is recorded. sipp is asked.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { until } from './peers/process.mjs';
import { Carrier, audioPort, far } from './peers/sipp.mjs';
import { OUR_NUMBER } from './server.mjs';
import { CUSTOMER_E164, LOUD, PHONE_TONE, Stage, shot } from './stage.mjs';

const OFFICE_TONE = 1700;
let stage, maria, ear, caller, office, officeEar;

before(async () => {
  stage = await Stage.set({ announcement: null, inbound: {}, trunk: { refer: true } });
  maria = await stage.desk();
});
afterEach(hangUp);
after(() => stage?.strike());

async function hangUp() {
  for (const ended of [ear, officeEar]) ended?.close();
  for (const peer of [caller, office]) await peer?.stop();
}

/** A caller is passed to the office by Maria, who asks there first and then leaves. */
async function passedOn(how) {
  officeEar = await Earpiece.open({ frequency: OFFICE_TONE });
  office = await Carrier.start(far.answers({ ear: officeEar.port, hangUpAfter: 15_000 }), { port: stage.carrierPort });
  await stage.trunkIs(true);
  ear = await Earpiece.open({ frequency: PHONE_TONE });
  caller = await Caller.call(calls.isReferred(ear.port, how), { server: stage.server, number: OUR_NUMBER, from: CUSTOMER_E164 });
  if ((await stage.agent('maria')).presence !== 'ready') await maria.goAvailable();
  await maria.accept();
  await stage.bothHear(maria, ear);
  await maria.button('Transfer').click();
  const dialog = maria.page.getByRole('dialog', { name: 'Transfer this call' });
  await dialog.getByRole('radio', { name: 'Number' }).check();
  await dialog.getByLabel('Number outside').fill('+19165550400');
  await dialog.getByRole('button', { name: 'Ask first' }).click();
  officeEar.speakTo(audioPort((await office.gets('INVITE')).body));
  await until(async () => (await maria.hears(OFFICE_TONE)) > LOUD, 'Maria to hear the office', { within: 20_000 });
  await maria.button('Complete transfer').click();
  await caller.gets('REFER');
}

for (const [what, how, word] of [
  ['does not know REFER', { status: '405 Method Not Allowed' }, '405'],
  ['has not built it', { status: '501 Not Implemented' }, '501'],
  ['declines', { status: '603 Decline' }, '603'],
  ['takes it and finds the office busy', { words: ['SIP/2.0 100 Trying', 'SIP/2.0 486 Busy Here'] }, '486'],
]) {
  test(`a carrier that ${what}: the agent is told, and the two go on through the server`, async () => {
    await passedOn(how);
    await maria.page.getByRole('status').getByText(`The carrier did not take the call over (${word})`).waitFor();
    await shot(maria.page, 'refer-refused');
    ear.forget();
    officeEar.forget();
    await until(() => ear.hears(OFFICE_TONE) > LOUD, 'the caller to hear the office');
    await until(() => officeEar.hears(PHONE_TONE) > LOUD, 'the office to hear the caller');
    if (word === '486') {
      await maria.page.goto(`${stage.server.url}/agent?lang=es`);
      await maria.page.getByRole('status').getByText('El operador no se hizo cargo de la llamada (486)').waitFor();
      await shot(maria.page, 'refer-refused-es');
    } else {
      await maria.finish('Resolved');
    }
    assert.equal(await caller.ends(), 0, `the office hangs up, and so do we: ${caller.report()}`);
    let item;
    await until(async () => ([item] = (await stage.recordings()).sort((a, b) => b.started_at - a.started_at), item?.legs.length === 3 && item.legs.every(({ chain }) => chain)), 'all three to be recorded');
    const told = (await stage.server.api(`/api/v1/transcripts/${item.contact}`, { cookie: stage.supervisorCookie })).json;
    assert.ok(JSON.stringify(told).includes('carrier_declined'), JSON.stringify(told));
  });
}
