// What happens between dialling and the bridge: the carrier's own words before the answer, and the digit that tells a person
// from a machine.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Baresip } from './peers/baresip.mjs';
import { pause, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { ANNOUNCEMENT_TONE, PRESS_ONE_TONE } from './server.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, SILENT, Stage } from './stage.mjs';
import { amplitude, stretchOf } from './tone.mjs';

async function on(options, play) {
  const stage = await Stage.set(options);
  try {
    await play(stage);
  } finally {
    await stage.strike();
  }
}

/** The agent hears the far side before the answer, and is not heard there. */
async function hearsAhead(stage, desk) {
  await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear what the carrier says before the answer');
  stage.ear.forget();
  await pause(600);
  assert.ok((await desk.hears(PHONE_TONE)) > LOUD, 'still heard');
  assert.ok(stage.ear.hears(desk.tone) < SILENT, `the agent is not heard before the answer: ${stage.ear.hears(desk.tone)}`);
}

test('sipp speaks before it answers: heard by the agent, who is not; then the announcement, then both', () =>
  on({ announcement: 3 }, async (stage) => {
    await stage.carrier((ear) => far.answers({ ear, ring: 4000, earlyMedia: true }));
    const desk = await stage.desk();
    await desk.goAvailable();
    const { status_token } = await stage.server.ask(CUSTOMER);
    await desk.accept();
    await stage.callArrives();
    await stage.server.reaches(status_token, 'ringing');
    await hearsAhead(stage, desk);
    assert.equal(stage.sipp.received('ACK').length, 0, 'not answered yet');
    await stage.sipp.gets('ACK');
    await until(() => stage.ear.hears(ANNOUNCEMENT_TONE) > LOUD, 'the customer to hear the announcement');
    await desk.becomesSilent(PHONE_TONE);
    await stage.bothHear(desk);
    await desk.button('End call').click();
    await stage.sipp.gets('BYE');
    await desk.finish();
    // The recording begins with the answer: what was said before is the carrier's, not the customer's.
    const [item] = await until(async () => {
      const items = await stage.recordings();
      return items.some(({ legs }) => legs.length === 2 && legs.every(({ chain }) => chain)) && items;
    }, 'the recording');
    const page = await stage.server.status(status_token);
    const at = (name) => page.timeline.find(({ what }) => what === name).at;
    const customer = item.legs.find(({ party }) => party === 'customer');
    const seconds = (at('ended') - at('answered')) / 1000;
    assert.ok(Math.abs(customer.duration_ms / 1000 - seconds) < 1, `${customer.duration_ms} ms of a call of ${seconds} s`);
  }));

test('a carrier that says why it cannot connect: heard, tried no further, and the next call has sound both ways', () =>
  on({ callback: { max_attempts: 1 } }, async (stage) => {
    await stage.carrier((ear) => far.saysWhyNot('404 Not Found', { ear, after: 3000 }));
    const desk = await stage.desk();
    await desk.goAvailable();
    const first = await stage.server.ask('(916) 555-0141');
    await desk.accept();
    await stage.callArrives();
    await hearsAhead(stage, desk);
    await stage.server.reaches(first.status_token, 'unsuccessful');
    await stage.agentIs('maria', 'ready');
    await desk.becomesSilent(PHONE_TONE);
    await stage.carrier((ear) => far.answers({ ear }));
    const second = await stage.server.ask('(916) 555-0142');
    await desk.accept();
    await stage.callArrives();
    await stage.server.reaches(second.status_token, 'talking');
    await stage.bothHear(desk);
    await desk.button('End call').click();
    await desk.finish();
  }));

/** A telephone that is asked to press 1. Gives the contact's page for staff. */
async function askedToPress(stage, phone, play) {
  try {
    await stage.trunkIs(true);
    const { status_token } = await stage.server.ask(CUSTOMER);
    const [{ id }] = (await stage.board()).waiting;
    const record = async () => (await stage.server.api(`/api/v1/contacts/${id}`, { cookie: stage.supervisorCookie })).json;
    const desk = await stage.desk();
    await desk.goAvailable();
    await desk.accept();
    await until(async () => (await record()).contact.attempts[0]?.announcement, 'the announcement to be over', { within: 20_000 });
    await play({ desk, status_token, record });
  } finally {
    await phone.stop();
  }
}

const pressing = { callback: { press_one: true, press_one_seconds: 4, max_attempts: 1 }, announcement: 1, pressOne: 2 };

test('the customer presses 1 on baresip, and only then is put through; no other digit does it', () =>
  on(pressing, async (stage) => {
    const phone = await Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE });
    await askedToPress(stage, phone, async ({ desk, status_token, record }) => {
      await phone.command('sndcode', '7');
      await pause(1000);
      assert.ok((await desk.hears(PHONE_TONE)) < SILENT, 'the agent does not hear the customer before the 1');
      assert.equal((await record()).contact.attempts[0].bridged_at, null);
      await phone.command('sndcode', '1');
      await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer');
      await stage.server.reaches(status_token, 'talking');
      await pause(1500);
      await desk.button('End call').click();
      await desk.finish();
      assert.equal((await stage.server.status(status_token)).stage, 'successful');
    });
    const [{ rate, samples }] = phone.recordings();
    const [announced, asked, agent] = [ANNOUNCEMENT_TONE, PRESS_ONE_TONE, 700].map((tone) => stretchOf(samples, tone, { rate, floor: 0.08 }));
    assert.ok(announced.seconds > 0.8, `the announcement: ${announced.seconds} s`);
    assert.ok(asked.from >= announced.to - 0.1 && asked.seconds > 0.5, `then the question: ${JSON.stringify([announced, asked])}`);
    assert.ok(agent.from >= asked.to - 0.1 && agent.seconds > 1, `then the agent: ${JSON.stringify([asked, agent])}`);
  }));

test('a voicemail that presses nothing is never put through, and the attempt says so', () =>
  on(pressing, async (stage) => {
    const phone = await Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE });
    await askedToPress(stage, phone, async ({ desk, status_token, record }) => {
      const page = await stage.server.reaches(status_token, 'unsuccessful');
      assert.ok(page.timeline.some(({ what }) => what === 'attempt_no_answer'), JSON.stringify(page.timeline));
      const { contact, facts } = await record();
      assert.deepEqual(contact.attempts[0].state, { state: 'ended', result: 'not_confirmed' });
      assert.equal(contact.attempts[0].bridged_at, null);
      assert.ok(!JSON.stringify(facts).includes('"bridged"'), 'nobody was bridged');
      await stage.agentIs('maria', 'ready');
      assert.equal(await desk.button('Finish').isVisible(), false, 'no wrap-up for a machine');
      assert.ok((await desk.hears(PHONE_TONE)) < SILENT, 'the agent heard nothing of it');
      await phone.program.says(/terminated|session closed/i);
    });
    const [{ rate, samples }] = phone.recordings();
    assert.ok(stretchOf(samples, PRESS_ONE_TONE, { rate, floor: 0.08 }).seconds > 1.5, 'it was asked');
    assert.ok(amplitude(samples, 700, rate) < SILENT, 'it never heard the agent');
  }));
