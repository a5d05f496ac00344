// What a carrier and a customer can do to a call, with sipp doing it.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { pause, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { CUSTOMER, Stage } from './stage.mjs';

let stage, desk;
let number = 100;
/** A number of its own for each scenario, so that no scenario waits for another's guard time. */
const fresh = () => `(916) 555-0${(number += 1)}`;

before(async () => {
  stage = await Stage.set({ callback: { max_attempts: 2, ring_seconds: 4 }, policy: { offer_seconds: 4 } });
  desk = await stage.desk();
  await desk.goAvailable();
});
after(() => stage?.strike());
// Back to work after whatever the scenario did to the agent.
afterEach(() => stage.clear(desk));

const bridged = async (token) => {
  await stage.callArrives();
  await stage.server.reaches(token, 'talking');
  await stage.bothHear(desk);
};

test('the customer hangs up', async () => {
  await stage.carrier((ear) => far.answers({ ear, hangUpAfter: 6000 }));
  const { status_token } = await stage.server.ask(fresh());
  await desk.accept();
  await bridged(status_token);
  await desk.button('Finish').waitFor({ timeout: 15_000 });
  await desk.finish();
  assert.equal((await stage.server.status(status_token)).stage, 'successful');
});

for (const [what, status, expected] of [
  ['busy', '486 Busy Here', 'attempt_busy'],
  ['rejected', '603 Decline', 'attempt_failed'],
  ['unreachable', '404 Not Found', 'attempt_failed'],
  ['a carrier that names another address, which is not followed', '302 Moved Temporarily', 'attempt_failed'],
  ['a failing carrier', '500 Server Internal Error', 'attempt_failed'],
]) {
  test(`${what}: tried as often as configured, the agent free at once`, async () => {
    await stage.carrier(() => far.refuses(status));
    const { status_token } = await stage.server.ask(fresh());
    await desk.accept();
    await stage.sipp.gets('INVITE');
    await stage.agentIs('maria', 'ready');
    assert.equal(await desk.button('Finish').isVisible(), false, 'no wrap-up after a failed attempt');
    await desk.accept();
    await stage.sipp.gets('INVITE', { count: 2 });
    const page = await stage.server.reaches(status_token, 'unsuccessful');
    assert.equal(page.attempts, 2);
    assert.equal(page.timeline.filter(({ what }) => what === expected).length, 2, JSON.stringify(page.timeline));
  });
}

test('no answer: given up by CANCEL after the ring time', async () => {
  await stage.carrier(() => far.ringsForEver());
  const { status_token } = await stage.server.ask(fresh());
  await desk.accept();
  await stage.server.reaches(status_token, 'ringing');
  await stage.sipp.gets('CANCEL');
  await stage.server.reaches(status_token, 'retrying');
  const page = await stage.server.status(status_token);
  assert.ok(page.timeline.some(({ what }) => what === 'attempt_no_answer'), JSON.stringify(page.timeline));
  await stage.server.api(`/api/v1/status/${status_token}/cancel`, { method: 'POST', body: {} });
  await stage.server.reaches(status_token, 'cancelled');
});

test('busy first, answered the second time', async () => {
  await stage.carrier(() => far.refuses('486 Busy Here'));
  const { status_token } = await stage.server.ask(fresh());
  await desk.accept();
  await stage.server.reaches(status_token, 'retrying');
  await stage.carrier((ear) => far.answers({ ear }));
  await desk.accept();
  await bridged(status_token);
  await desk.button('End call').click();
  await stage.sipp.gets('BYE');
  await desk.finish();
  assert.equal((await stage.server.status(status_token)).stage, 'successful');
});

test('the customer cancels while the telephone rings', async () => {
  await stage.carrier(() => far.ringsForEver());
  const { status_token } = await stage.server.ask(fresh());
  await desk.accept();
  await stage.server.reaches(status_token, 'ringing');
  const customer = await (await stage.person()).page(`${stage.server.url}/t/sacramento/status/${status_token}`);
  await customer.getByRole('button', { name: 'Cancel', exact: true }).click();
  await customer.getByRole('button', { name: 'Yes, cancel my call' }).click();
  await stage.sipp.gets('CANCEL');
  await stage.server.reaches(status_token, 'cancelled');
  await until(() => stage.sipp.messages().some((m) => m.sent && /^SIP\/2.0 487/.test(m.start)), 'the carrier to end the call');
});

test('the customer cancels and the telephone is answered in the same moment: ACK and BYE', async () => {
  await stage.carrier((ear) => far.answersIntoCancel({ ear }));
  const { status_token } = await stage.server.ask(fresh());
  await desk.accept();
  await stage.server.reaches(status_token, 'ringing');
  await stage.server.api(`/api/v1/status/${status_token}/cancel`, { method: 'POST', body: {} });
  await stage.sipp.gets('CANCEL');
  await stage.sipp.gets('ACK');
  await stage.sipp.gets('BYE');
  await stage.server.reaches(status_token, 'cancelled');
});

test('the customer cancels while an agent is offered the contact', async () => {
  await stage.carrier((ear) => far.answers({ ear }));
  const { status_token } = await stage.server.ask(fresh());
  await desk.offered();
  await stage.server.api(`/api/v1/status/${status_token}/cancel`, { method: 'POST', body: {} });
  await desk.button('Accept').waitFor({ state: 'hidden' });
  await stage.agentIs('maria', 'ready');
  await pause(1500);
  assert.equal(stage.sipp.received('INVITE').length, 0, 'nobody is dialled');
});

test('a forking carrier answers twice: the second dialog is acknowledged and ended, the first lives', async () => {
  await stage.carrier((ear) => far.answersTwice({ ear }));
  const { status_token } = await stage.server.ask(fresh());
  await desk.accept();
  await bridged(status_token);
  const fork = await stage.sipp.gets('BYE');
  assert.match(fork.headers.to, /tag=fork/);
  await stage.bothHear(desk);
  await desk.button('End call').click();
  await stage.sipp.gets('BYE', { count: 2 });
  await desk.finish();
});

test('rejected by the agent: on break, back by itself, the contact keeps its place', async () => {
  await stage.carrier((ear) => far.answers({ ear }));
  const { status_token } = await stage.server.ask(fresh());
  await desk.offered();
  await desk.button('Reject').click();
  await stage.agentIs('maria', 'not_ready', { reason: 'on_break' });
  assert.equal((await stage.server.status(status_token)).position, 1);
  await desk.button('Accept').waitFor({ state: 'hidden' });
  // Free again by itself, and offered the same contact.
  await desk.accept();
  await bridged(status_token);
  await desk.button('End call').click();
  await desk.finish();
});

test('an offer lapses: RONA, and the contact goes to the other agent at its old place', async () => {
  await stage.carrier((ear) => far.answers({ ear }));
  const first = await stage.server.ask(fresh());
  await desk.offered();
  const jon = await stage.desk('jon', { tone: 900 });
  jon.tone = 900;
  await jon.goAvailable();
  await stage.agentIs('maria', 'not_ready', { reason: 'rona', within: 8000 });
  await jon.accept();
  await stage.callArrives();
  await stage.server.reaches(first.status_token, 'talking');
  await stage.bothHear(jon);
  await jon.button('End call').click();
  await jon.finish();
  await jon.person.close();
  stage.people.pop();
});

test('the same number again is the same callback', async () => {
  await stage.carrier((ear) => far.answers({ ear }));
  const first = await stage.server.ask(CUSTOMER);
  await desk.offered();
  const again = await stage.server.ask(CUSTOMER);
  assert.equal(again.contact_state, 'existing');
  await stage.server.api(`/api/v1/status/${first.status_token}/cancel`, { method: 'POST', body: {} });
  await stage.server.reaches(first.status_token, 'cancelled');
});
