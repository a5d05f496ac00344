// An agent whose network lets no UDP out: the browser reaches the server through coturn only, with a password that is good for a
// while. Tones are measured at both ends.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Coturn } from './peers/coturn.mjs';
import { far } from './peers/sipp.mjs';
import { CUSTOMER, Stage } from './stage.mjs';

const SECRET = 'north by northwest';
let stage, relay;

before(async () => {
  relay = await Coturn.start({ secret: SECRET });
});
after(() => relay?.stop());

const through = (turn) => `[media.turn]\nurls = ["turn:127.0.0.1:${relay.port}?transport=tcp"]\nsecret = "${SECRET}"\nonly = true\n${turn}`;

async function on(more, play) {
  stage = await Stage.set({ more });
  try {
    await play(await stage.desk());
  } finally {
    await stage.strike();
  }
}

test('the sound takes the relay by TCP, both hear each other, and it is recorded', () =>
  on(through(''), async (desk) => {
    const answer = await stage.server.api('/api/v1/phone/ice', { cookie: await stage.server.signIn('maria') });
    const [{ username, credential }] = answer.json.servers;
    const [until, who] = username.split(':');
    const left = Number(until) - Date.now() / 1000;
    assert.ok(left > 43_000 && left < 43_300, `${left} s`);
    assert.equal(who, 'sacramento.maria');
    assert.ok(!answer.text.includes(SECRET) && credential.length === 28);
    await desk.goAvailable();
    const path = await desk.page.evaluate(() => window.ringbackPath());
    assert.deepEqual([path.type, path.relayProtocol], ['relay', 'tcp'], JSON.stringify(path));
    await stage.carrier((ear) => far.answers({ ear }));
    const { status_token } = await stage.server.ask(CUSTOMER);
    await desk.accept();
    await stage.callArrives();
    await stage.server.reaches(status_token, 'talking');
    await stage.bothHear(desk);
    await desk.button('End call').click();
    await stage.sipp.gets('BYE');
    await desk.finish('Resolved');
    assert.match(relay.program.output, /sacramento\.maria/, 'the relay has let her in');
  }));

test('with a password that the relay does not take there is no path, and the agent reads so', async () => {
  const wrong = `[media.turn]\nurls = ["turn:127.0.0.1:${relay.port}?transport=tcp"]\nsecret = "another one"\nonly = true\n`;
  await on(wrong, async (desk) => {
    await desk.button('Go available').click();
    await desk.page.getByText('Your network may block it', { exact: false }).first().waitFor({ timeout: 30_000 });
    assert.notEqual((await stage.agent('maria'))?.presence, 'ready');
  });
});
