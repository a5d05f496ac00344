// From a web page to the call: a number of the pool, or an access code, lent to a visit; the call that comes there is that visitor's.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { pause, until } from './peers/process.mjs';
import { GREETING_TONE, TENANT } from './server.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, Stage, shot } from './stage.mjs';

const POOL = '+19165550002';
const SHARED = '+19165550003';

let stage, ear, caller;

before(async () => {
  const numbers = [{ number: POOL, pool: true }, { number: SHARED, code_digits: 4 }];
  stage = await Stage.set({ announcement: null, inbound: { numbers, code_seconds: 2, code_tries: 2 } });
  await stage.board();
});
after(async () => {
  await hangUp();
  await stage?.strike();
});

async function call(number, steps = (port) => calls.stays(port)) {
  await hangUp();
  ear = await Earpiece.open({ frequency: PHONE_TONE });
  caller = await Caller.call(steps(ear.port), { server: stage.server, number, from: CUSTOMER_E164 });
}

async function hangUp() {
  ear?.close();
  await caller?.stop();
  ear = caller = undefined;
}

async function lend(name) {
  const body = { name, subject: 'medi-cal', language: 'es', page: '/renewal', context: { case: '8812' } };
  const answer = await stage.server.api(`/api/v1/t/${TENANT}/numbers`, { method: 'POST', body });
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}

const waiting = () => until(async () => (await stage.board()).waiting[0], 'a caller in line', { also: () => caller.report() });
const cancel = ({ id }) => stage.server.api(`/api/v1/callbacks/${id}/cancel`, { method: 'POST', body: {}, cookie: stage.supervisorCookie });
const ended = async () => assert.equal(await caller.ends(), 0, caller.report());

test('who calls the number lent for a visit is that visitor on the agent’s screen', async () => {
  const lent = await lend('Ana Lund');
  assert.deepEqual([lent.number, lent.code, lent.tel], [POOL, null, `tel:${POOL}`]);
  await call(POOL);
  const one = await waiting();
  assert.deepEqual([one.name, one.subject, one.channel], ['Ana Lund', 'medi-cal', 'call']);
  const desk = await stage.desk();
  await desk.goAvailable();
  await desk.offered();
  for (const text of ['Ana Lund', 'Medi-Cal', CUSTOMER]) await desk.page.getByText(text).first().waitFor();
  await desk.button('Accept').click();
  await stage.bothHear(desk, ear);
  await desk.page.getByText('8812').first().waitFor();
  await shot(desk.page, 'inbound-visit');
  await desk.button('End call').click();
  await ended();
  await desk.finish();
  await desk.person.close();
});

test('with the pool lent out, a code; the telephone sends it behind the number', async () => {
  await lend('Somebody Else');
  const { number, code, tel } = await lend('Rosa Diaz');
  assert.equal(number, SHARED);
  assert.match(code, /^\d{4}$/);
  assert.equal(tel, `tel:${SHARED},,${code}`);
  await call(SHARED);
  await until(() => ear.hears(GREETING_TONE) > LOUD / 2, 'the greeting');
  for (const digit of code) {
    ear.press(digit);
    await pause(250);
  }
  const one = await waiting();
  assert.deepEqual([one.name, one.subject], ['Rosa Diaz', 'medi-cal']);
  await cancel(one);
  await ended();
});

test('after wrong codes the caller is told and the call ends; a code is good for one call', async () => {
  const { code } = await lend('Rosa Diaz');
  const wrong = code === '0000' ? '1111' : '0000';
  await call(SHARED, (port) => calls.pressesByInfo(port, wrong, { after: 2500, every: 100 }));
  await ended();
  const [{ contact: id }] = await stage.recordings();
  const { contact } = (await stage.server.api(`/api/v1/contacts/${id}`, { cookie: stage.supervisorCookie })).json;
  assert.deepEqual([contact.state.outcome, contact.reason.why], ['unsuccessful', 'code_unknown']);
  assert.equal((await stage.board()).waiting.length, 0);
});
