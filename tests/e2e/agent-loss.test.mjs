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
  stage = await Stage.set();
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

test('the tab is killed: a prompt for the customer, back in line, and the reason is not RONA', async () => {
  const desk = await stage.desk();
  await desk.goAvailable();
  const token = await talking(desk);
  await desk.page.close();
  stage.ear.forget();
  await until(async () => (await stage.board()).agents.find(({ id }) => id === 'maria').reason === 'media', 'the agent to be Not Ready for media', { within: 20_000 });
  await until(() => stage.ear.recent(5).length > 0 && loudness(stage.ear.recent(5)) > 0.01, 'the customer to hear a prompt');
  assert.ok(stage.ear.hears(desk.tone) < 0.01, 'the tone is gone');
  const status = await stage.server.status(token);
  assert.ok(['waiting', 'retrying', 'agent_found', 'calling'].includes(status.stage), `back in line: ${status.stage}`);
  // Somebody else takes over.
  const jon = await stage.desk('jon', { tone: 900 });
  jon.tone = 900;
  await jon.goAvailable();
  await jon.accept();
  await until(() => stage.ear.hears(900) > 0.1 || stage.sipp.received('INVITE').length > 1, 'the customer to be with the other agent or called again', { within: 20_000 });
  await pause(500);
});
