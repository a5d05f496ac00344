// The whole server on PostgreSQL: the main path, the power cut, and the database itself gone in the middle of a call.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Postgres } from './peers/postgres.mjs';
import { pause, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { CUSTOMER, PHONE_TONE, Stage } from './stage.mjs';
import { readWav, stretchOf } from './tone.mjs';

let stage, database, desk;
let number = 600;
const fresh = () => `(916) 555-0${(number += 1)}`;

before(async () => {
  database = await Postgres.start();
  stage = await Stage.set({ store: database.url });
  await stage.carrier((ear) => far.answers({ ear }));
  desk = await stage.desk();
  desk.person.expected.push(/WebSocket connection to|net::ERR_|503/);
  await desk.goAvailable();
});
after(async () => {
  await stage?.strike();
  await database?.stop();
});

async function talking(phone = fresh()) {
  await stage.carrier((ear) => far.answers({ ear }));
  const { status_token } = await stage.server.ask(phone);
  await desk.accept();
  await stage.callArrives();
  await stage.server.reaches(status_token, 'talking');
  await stage.bothHear(desk);
  return status_token;
}

async function endsWell(token) {
  await desk.button('End call').click();
  await stage.sipp.gets('BYE');
  await desk.finish('Resolved');
  await stage.server.reaches(token, 'successful');
  await stage.agentIs('maria', 'ready');
}

test('asked for, accepted, bridged, recorded, found and played', async () => {
  const token = await talking(CUSTOMER);
  await pause(1500);
  await endsWell(token);
  const person = await stage.person();
  const page = await person.signIn(stage.server, 'sam', '/supervisor');
  await page.getByRole('tab', { name: 'Recordings' }).click();
  await page.getByText('Rosa Diaz').first().click();
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await until(() => page.evaluate(() => [...document.querySelectorAll('audio')].some((audio) => audio.currentTime > 0.3)), 'the recording to play');
  const [{ contact }] = await stage.recordings();
  const { channels: [left] } = readWav(await stage.wav(contact));
  const said = stretchOf(left, PHONE_TONE, { floor: 0.05 });
  assert.ok(said.seconds > 2, `the customer is heard ${said.seconds} s`);
  assert.deepEqual(said.weak, []);
  const audit = (await stage.server.api('/api/v1/audit', { cookie: stage.supervisorCookie })).json.items;
  assert.ok(audit.some((row) => JSON.stringify(row).includes(contact)), 'the listen is written down');
  await person.close();
});

test('PostgreSQL goes in the middle of a call: the call goes on, requests are refused with a reason, and all is well when it is back', async () => {
  const token = await talking();
  await database.down();
  const refused = await until(async () => {
    const answer = await stage.server.api('/api/v1/t/sacramento/callbacks', { method: 'POST', body: { name: 'Lee Okafor', phone: fresh() } });
    return answer.status === 503 && answer;
  }, 'a request to be refused');
  assert.match(refused.headers.get('content-type'), /problem\+json/);
  assert.ok(refused.headers.get('retry-after'), 'says when to try again');
  assert.equal(refused.json.code, 'unavailable');
  await until(async () => (await stage.server.api('/readyz')).status === 503, 'the server to say that it is not ready');
  const until_ = Date.now() + 12_000;
  while (Date.now() < until_) {
    stage.ear.forget();
    await pause(1000);
    assert.ok(stage.ear.hears(desk.tone) > 0.1, 'the customer hears the agent all the time');
    assert.equal(await desk.page.getByText('The connection to the server is lost').isVisible(), false, 'the desk keeps its socket');
  }
  await stage.bothHear(desk);
  assert.equal(await desk.button('End call').isVisible(), true, 'the desk still shows the call');
  await database.up();
  await until(async () => (await stage.server.api('/readyz')).status === 200, 'the server to be ready again, without a restart', { within: 20_000 });
  await stage.server.ask(fresh(), { name: 'Lee Okafor' });
  await stage.bothHear(desk);
  await stage.emptyLine();
  await endsWell(token);
});

test('kill -9 in a call: called again, both calls recorded, nobody in two dialogs', async () => {
  const token = await talking();
  await pause(1500);
  await stage.server.kill();
  await stage.server.run();
  stage.supervisorCookie = undefined;
  await stage.sipp.gets('BYE');
  const go = desk.button('Go available');
  await go.or(desk.page.getByText('You are available')).first().waitFor({ timeout: 30_000 });
  if (await go.isVisible()) await go.click();
  await desk.offered(40_000);
  await desk.button('Accept').click();
  await stage.callArrives(2);
  await stage.server.reaches(token, 'talking', 30_000);
  await stage.bothHear(desk);
  await endsWell(token);
  assert.ok(stage.sipp.calls().every((call) => call.together === 0), 'never two dialogs at a time');
  const [item] = await stage.recordings();
  assert.equal(item.legs.filter(({ party }) => party === 'customer').length, 2, JSON.stringify(item.legs));
});
