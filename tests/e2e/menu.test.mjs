// What callers press, by telephone events and by SIP INFO: subject and language before the line, and in line the key that makes a
// callback of the call without losing the place.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { KEPT_TONE, MENU_TONE, OFFER_TONE, OUR_NUMBER } from './server.mjs';
import { CUSTOMER_E164, LOUD, PHONE_TONE, Stage, shot } from './stage.mjs';

let stage, ear, caller;

before(async () => {
  const choices = [{ digit: '1', subject: 'calfresh' }, { digit: '2', subject: 'medi-cal' }, { digit: '9', language: 'es' }];
  stage = await Stage.set({ announcement: null, inbound: { choices, announce_seconds: 2, offer_callback: true, menu_seconds: 2, menu_tries: 2 } });
  await stage.board();
});
after(async () => {
  await hangUp();
  await stage?.strike();
});

async function call(steps) {
  await hangUp();
  ear = await Earpiece.open({ frequency: PHONE_TONE });
  caller = await Caller.call(steps(ear.port), { server: stage.server, number: OUR_NUMBER, from: CUSTOMER_E164 });
}

async function hangUp() {
  ear?.close();
  await caller?.stop();
  ear = caller = undefined;
}

const hears = (tone, what) => until(() => ear.hears(tone) > LOUD / 2, what, { also: () => caller.report() });
const waiting = (subject) => until(async () => (await stage.board()).waiting.find((one) => one.subject === subject), `a caller for ${subject}`);
const cancel = ({ id }) => stage.server.api(`/api/v1/callbacks/${id}/cancel`, { method: 'POST', body: {}, cookie: stage.supervisorCookie });
const ended = async () => assert.equal(await caller.ends(), 0, caller.report());

test('a key pressed as a telephone event leads into its subject’s line', async () => {
  await call((port) => calls.stays(port));
  await hears(MENU_TONE, 'the menu');
  ear.press('2');
  const one = await waiting('medi-cal');
  assert.equal(one.channel, 'call');
  await cancel(one);
  await ended();
});

test('keys by SIP INFO: another language first, then the subject', async () => {
  await call((port) => calls.pressesByInfo(port, '92', { after: 2500, every: 1500 }));
  await hears(MENU_TONE + 80, 'the menu in Spanish');
  const one = await waiting('medi-cal');
  const { contact } = (await stage.server.api(`/api/v1/contacts/${one.id}`, { cookie: stage.supervisorCookie })).json;
  assert.equal(contact.customer.language, 'es');
  await cancel(one);
  await ended();
});

test('a key told of by telephone event and by SIP INFO counts once', async () => {
  await call((port) => calls.pressesByInfo(port, '1', { after: 2600 }));
  await hears(MENU_TONE, 'the menu');
  ear.press('1');
  const { id } = await waiting('calfresh');
  // Counted twice, the second would have made a callback of the call.
  await hears(OFFER_TONE, 'the offer of a callback');
  const one = await waiting('calfresh');
  assert.deepEqual([one.id, one.channel], [id, 'call']);
  await cancel(one);
  await ended();
});

test('who presses nothing comes into the number’s own line', async () => {
  await call((port) => calls.stays(port));
  await cancel(await waiting('calfresh'));
  await ended();
});

test('in line, 1 makes a callback of the call: same contact, same place; the customer is called and bridged', async () => {
  await call((port) => calls.stays(port));
  await hears(MENU_TONE, 'the menu');
  ear.press('1');
  const before = await waiting('calfresh');
  await hears(OFFER_TONE, 'the offer of a callback');
  ear.press('1');
  await hears(KEPT_TONE, 'the promise');
  await ended();
  const after = await waiting('calfresh');
  assert.deepEqual([after.id, after.channel, after.requested_at, after.position], [before.id, 'callback', before.requested_at, 1]);
  ear.close();
  await stage.carrier((port) => far.answers({ ear: port }));
  const desk = await stage.desk();
  await desk.goAvailable();
  await desk.offered();
  await desk.page.getByText('Incoming callback', { exact: true }).waitFor();
  await shot(desk.page, 'inbound-became-callback');
  await desk.button('Accept').click();
  const invite = await stage.callArrives();
  assert.match(invite.start, new RegExp(CUSTOMER_E164.slice(1)));
  await stage.bothHear(desk);
  await desk.button('End call').click();
  await desk.finish();
});
