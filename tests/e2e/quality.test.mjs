// How a call sounded is kept with it, leg by leg: packets are lost on purpose and counted on both sides. sipp carries the call,
// Chromium is the agent's telephone; the supervisor reads the figures in the page.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Relay } from './peers/relay.mjs';
import { pause, until } from './peers/process.mjs';
import { audioPort, far } from './peers/sipp.mjs';
import { Stage, shot } from './stage.mjs';

let stage, desk;
let number = 300;

before(async () => {
  stage = await Stage.set({ callback: { max_attempts: 1 } });
  desk = await stage.desk();
  await stage.carrier((ear) => far.answers({ ear }));
  await desk.goAvailable();
});
after(() => stage?.strike());

const ask = async () => (await stage.server.ask(`(916) 555-0${(number += 1)}`)).status_token;
const quality = async (contact) => (await stage.server.api(`/api/v1/contacts/${contact}/quality`, { cookie: stage.supervisorCookie })).json;

/** A call of `seconds` whose sound passes this weather; what the relay lost, and the figures kept. */
async function call(weather, seconds = 6) {
  const sound = await Relay.open({ weather });
  try {
    await stage.carrier((ear) => {
      sound.to = ear;
      return far.answers({ ear: sound.port });
    });
    const token = await ask();
    await desk.accept();
    const invite = await stage.sipp.gets('INVITE');
    sound.near = audioPort(invite.body);
    stage.ear.speakTo(sound.farPort);
    await stage.server.reaches(token, 'talking');
    await pause(seconds * 1000);
    const lost = sound.lostToNear;
    await desk.button('End call').click();
    await desk.finish();
    const [{ contact }] = await until(async () => {
      const items = (await stage.recordings()).sort((a, b) => b.started_at - a.started_at);
      return items[0]?.legs.every(({ chain }) => chain) && items;
    }, 'the recording');
    let answer;
    await until(async () => (answer = await quality(contact))?.legs?.length === 2, 'both legs to be kept', { also: () => `: ${JSON.stringify(answer)}` });
    const of = (party) => answer.legs.find((leg) => leg.party === party);
    return { contact, lost, customer: of('customer'), agent: of('agent') };
  } finally {
    sound.close();
  }
}

test('a clean call: nothing lost, and as good as a telephone gets', async () => {
  const { customer, agent } = await call({});
  console.log('clean', JSON.stringify({ customer, agent }));
  for (const leg of [customer, agent]) {
    assert.equal(leg.lost, 0);
    assert.ok(leg.packets_in > 250, `${leg.party}: ${leg.packets_in}`);
    assert.ok(leg.mos > 4.2, `${leg.party}: ${leg.mos}`);
  }
  assert.equal(agent.agent, 'maria');
  assert.ok(agent.round_trip_ms >= 0 && agent.far_mos > 4, 'the browser reports what it received');
});

test('10 % lost: the customer is charged with what the network tore, the agent with nothing', async () => {
  const { contact, lost, customer, agent } = await call({ loss: 0.1 }, 8);
  console.log(`lost on the way ${lost}`, JSON.stringify({ customer, agent }));
  assert.ok(lost > 15, `enough was lost: ${lost}`);
  // A packet or two after the last one that arrived cannot be missed, one or two more fell while the call ended.
  assert.ok(Math.abs(customer.lost - lost) <= 4, `${customer.lost} counted, ${lost} lost`);
  assert.ok(customer.mos < 3.9 && customer.mos > 2.5, `${customer.mos}`);
  assert.equal(agent.lost, 0);
  assert.ok(agent.mos > 4.2);
  const { page } = await supervisor();
  await page.getByRole('row').filter({ hasText: 'Rosa Diaz' }).first().getByRole('button').click();
  await page.getByText('Line quality').click();
  const row = page.getByRole('region', { name: 'Line quality' }).getByRole('row').filter({ hasText: 'Customer' });
  await row.getByText(/^(Fair|Poor|Bad) \d\.\d$/).waitFor();
  await row.getByText(`${customer.lost_percent.toFixed(1)} %`).waitFor();
  await page.getByRole('region', { name: 'Line quality' }).scrollIntoViewIfNeeded();
  await shot(page, 'line-quality');
  assert.ok(contact);
});

test('the next call on the same connection begins at nothing', async () => {
  const { customer, agent } = await call({}, 4);
  assert.deepEqual([customer.lost, agent.lost], [0, 0]);
  assert.ok(agent.packets_in < 600, `only its own packets: ${agent.packets_in}`);
});

test('a number that is busy leaves no figures', async () => {
  await stage.carrier(() => far.refuses('486 Busy Here'));
  const token = await ask();
  await desk.accept();
  await stage.server.reaches(token, 'unsuccessful');
  const history = (await stage.server.api('/api/v1/recordings', { cookie: stage.supervisorCookie })).json;
  assert.equal(history.items.length, 3, 'it was not recorded either');
});

test('agents do not read it, and of a contact that is not there nobody does', async () => {
  const maria = await stage.server.signIn('maria');
  const [{ contact }] = await stage.recordings();
  assert.equal((await stage.server.api(`/api/v1/contacts/${contact}/quality`, { cookie: maria })).status, 403);
  const unknown = await stage.server.api('/api/v1/contacts/ct_00000000000000000000000001/quality', { cookie: stage.supervisorCookie });
  assert.equal(unknown.status, 404);
});

async function supervisor() {
  const person = await stage.person();
  const page = await person.signIn(stage.server, 'sam', '/supervisor');
  await page.getByRole('tab', { name: 'Recordings' }).click();
  return { person, page };
}
