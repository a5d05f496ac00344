// The path between an agent's page and the server fails alone, the sound's path does not: the call goes on, nobody is rung twice,
// and the page finds back by itself.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Line } from './peers/line.mjs';
import { pause, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { Stage, shot } from './stage.mjs';

/** After so many seconds of silence the server takes an agent's socket for dead. */
const DEAD = 6;

let stage, line, desk;
let number = 500;
const fresh = () => `(916) 555-0${(number += 1)}`;

before(async () => {
  line = await Line.open();
  stage = await Stage.set({ behind: line.port, limits: { silent_tab_seconds: 4, dead_tab_seconds: DEAD }, policy: { offer_seconds: 15, reconnect_grace_seconds: 2 } });
  line.to = stage.server.port;
  desk = await stage.desk();
  // What a page says to the console of a server that does not answer is not its fault.
  desk.person.expected.push(/WebSocket connection to|net::ERR_/);
  await countRings(desk.page);
  await desk.goAvailable();
});
after(async () => {
  if (desk) assert.deepEqual(desk.person.complaints, []);
  await stage?.strike();
  await line?.close();
});
afterEach(() => stage.clear(desk));

/** Counts how often the page begins to ring: each ring starts oscillators of the page's own. */
const countRings = (page) =>
  page.evaluate(() => {
    window.ringbackRings = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...given) {
      window.ringbackRings += 1;
      return start.apply(this, given);
    };
  });
const rings = (page) => page.evaluate(() => window.ringbackRings);

const lostNotice = () => desk.page.getByText('The connection to the server is lost');

async function talking() {
  await stage.carrier((ear) => far.answers({ ear }));
  const { status_token } = await stage.server.ask(fresh());
  await desk.accept();
  await stage.callArrives();
  await stage.server.reaches(status_token, 'talking');
  await stage.bothHear(desk);
  return status_token;
}

/** The page is in command again: what it asks for is done, and nobody was called twice. */
async function inCommand(token) {
  await desk.button('Hold').click();
  await desk.becomesSilent(1300);
  await desk.button('Resume').click();
  await stage.bothHear(desk);
  assert.equal(stage.sipp.received('INVITE').length, 1, 'nobody is called twice');
  await desk.button('End call').click();
  await stage.sipp.gets('BYE');
  await desk.finish();
  assert.equal((await stage.server.status(token)).stage, 'successful');
}

test('reset in a call: both go on hearing each other, and the page is back in command', async () => {
  const token = await talking();
  line.cut();
  await lostNotice().waitFor();
  await shot(desk.page, 'agent-line-lost');
  await stage.bothHear(desk);
  line.mend();
  await lostNotice().waitFor({ state: 'hidden', timeout: 20_000 });
  await inCommand(token);
});

test('nothing passes for longer than any patience of the server: the call goes on all the time', async () => {
  const token = await talking();
  line.fallSilent();
  await lostNotice().waitFor({ timeout: 15_000 });
  const until_ = Date.now() + (DEAD + 6) * 1000;
  while (Date.now() < until_) {
    stage.ear.forget();
    await pause(1000);
    assert.ok(stage.ear.hears(desk.tone) > 0.1, 'the customer hears the agent all the time');
  }
  assert.equal((await stage.server.status(token)).stage, 'talking');
  await stage.bothHear(desk);
  line.mend();
  await lostNotice().waitFor({ state: 'hidden', timeout: 20_000 });
  await inCommand(token);
});

test('cut while an offer stands, back at once: the same offer, not rung twice, and it can be accepted', async () => {
  await stage.carrier((ear) => far.answers({ ear }));
  const { status_token } = await stage.server.ask(fresh());
  await desk.offered();
  const rung = await rings(desk.page);
  assert.ok(rung > 0, 'it rings');
  line.cut();
  await pause(300);
  // The page shows the offer all the time; a click while there is no line is sent with the next one.
  assert.equal(await desk.button('Accept').isVisible(), true);
  line.mend();
  await desk.accept();
  await stage.callArrives();
  assert.equal(await rings(desk.page), rung, 'it did not begin to ring again');
  await stage.server.reaches(status_token, 'talking');
  await stage.bothHear(desk);
  assert.equal(stage.sipp.received('INVITE').length, 1);
  await desk.button('End call').click();
  await stage.sipp.gets('BYE');
  await desk.finish();
});

test('cut while an offer stands, and silent: another agent gets it, this one is not called RONA and is back by itself', async () => {
  await stage.carrier((ear) => far.answers({ ear }));
  const jon = await stage.desk('jon', { tone: 900 });
  jon.tone = 900;
  jon.person.expected.push(/WebSocket connection to|net::ERR_/);
  const { status_token } = await stage.server.ask(fresh());
  await desk.offered();
  await jon.goAvailable();
  line.fallSilent();
  // Both desks stand behind the same line: jon's comes back first.
  const gone = await until(async () => {
    const maria = await stage.agent('maria');
    return maria.presence !== 'offered' && maria;
  }, 'the offer to be taken back', { within: 12_000 });
  assert.notEqual(gone.reason, 'rona', JSON.stringify(gone));
  assert.ok(['waiting', 'agent_found'].includes((await stage.server.status(status_token)).stage), 'the customer keeps the place');
  line.mend();
  // A page that is not back yet may still show the old offer: then the click comes too late, and the next one counts.
  await until(async () => {
    for (const one of [desk, jon]) await one.button('Accept').click({ timeout: 300 }).catch(() => {});
    return stage.sipp.received('INVITE').length > 0;
  }, 'somebody to be offered it again and to accept', { within: 25_000 });
  const someone = (await desk.button('End call').isVisible()) ? desk : jon;
  await stage.callArrives();
  await stage.server.reaches(status_token, 'talking');
  await stage.bothHear(someone);
  assert.equal(stage.sipp.received('INVITE').length, 1);
  await someone.button('End call').click();
  await stage.sipp.gets('BYE');
  await someone.finish();
  await jon.person.close();
  stage.people.pop();
});
