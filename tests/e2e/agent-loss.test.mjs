// The agent's browser fails in the middle of a call.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pause, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { Stage } from './stage.mjs';

let stage;
let number = 200;
const fresh = () => `(916) 555-0${(number += 1)}`;

before(async () => {
  stage = await Stage.set({ media: { agent_silence_seconds: 2 } });
});
after(() => stage?.strike());

async function talking(desk) {
  await stage.carrier((ear) => far.answers({ ear }));
  const { status_token } = await stage.server.ask(fresh());
  await desk.accept();
  await stage.callArrives();
  await stage.server.reaches(status_token, 'talking');
  await stage.bothHear(desk);
  return status_token;
}

const loudness = (samples) => Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / Math.max(1, samples.length));

test('the page is reloaded: the call is still there', async () => {
  const desk = await stage.desk();
  await desk.goAvailable();
  await talking(desk);
  await desk.page.reload();
  const back = desk.page.getByRole('button', { name: /Go available|Take over|Reconnect/ });
  await back.or(desk.button('End call')).first().waitFor();
  if (await back.isVisible()) await back.click();
  await stage.bothHear(desk);
  assert.equal(stage.sipp.received('INVITE').length, 1, 'nobody is called twice');
  await desk.button('End call').click();
  await desk.finish();
  await desk.person.close();
});

test('a second tab shows where the phone is and takes it over', async () => {
  const desk = await stage.desk();
  await desk.goAvailable();
  await talking(desk);
  const second = await desk.person.page(`${stage.server.url}/agent`);
  await second.getByRole('button', { name: /Use (the phone )?here|Take over|Take the phone/i }).click();
  desk.page = second;
  await stage.bothHear(desk);
  await desk.button('End call').click();
  await desk.finish();
  await desk.person.close();
});

/** The customer hears something, and it is not the agent. */
async function hearsPrompt(desk) {
  stage.ear.forget();
  await until(() => stage.ear.recent(1).length > 4000 && loudness(stage.ear.recent(1)) > 0.01, 'the customer to hear a prompt', { within: 8000 });
  assert.ok(stage.ear.hears(desk.tone) < 0.05, 'the tone is gone');
}

test('the sound dies under a living tab: a prompt for the customer, back in line, Not Ready for a reason that is not RONA', async () => {
  const desk = await stage.desk();
  await desk.goAvailable();
  const token = await talking(desk);
  await desk.page.evaluate(() => window.ringbackBreaks());
  await hearsPrompt(desk);
  await until(async () => (await stage.agent('maria')).reason === 'media', 'the agent to be Not Ready for media', { within: 15_000 });
  const status = await stage.server.status(token);
  assert.equal(status.why.why, 'agent_lost', JSON.stringify(status));
  // The agent mends it and gets the same customer, who stayed on the line.
  await desk.page.reload();
  await desk.goAvailable();
  await desk.accept();
  await stage.bothHear(desk);
  assert.equal(stage.sipp.received('INVITE').length, 1, 'nobody is called twice');
  await desk.button('End call').click();
  await stage.sipp.gets('BYE');
  await desk.finish();
  await desk.person.close();
});

test('the tab is killed: a prompt for the customer, back in line, and another agent takes over', async () => {
  const desk = await stage.desk();
  await desk.goAvailable();
  const token = await talking(desk);
  await desk.page.close();
  await hearsPrompt(desk);
  const gone = await until(async () => {
    const maria = await stage.agent('maria');
    return ['offline', 'not_ready'].includes(maria.presence) && maria;
  }, 'maria to be off the call', { within: 15_000 });
  assert.notEqual(gone.reason, 'rona');
  assert.equal((await stage.server.status(token)).why.why, 'agent_lost');
  const jon = await stage.desk('jon', { tone: 900 });
  jon.tone = 900;
  await jon.goAvailable();
  await jon.accept();
  await stage.bothHear(jon);
  assert.equal(stage.sipp.received('INVITE').length, 1, 'the customer stayed on the line all the time');
  await jon.button('End call').click();
  await stage.sipp.gets('BYE');
  await jon.finish();
});
