// One click in /admin closes the office, with a preview of who is affected and an end: the Call-Me page flips, the form refuses, who
// waits for a callback reads it, who waits on the telephone and who calls now hears it, also whoever was called and lost the agent; and
// when the end comes everything flips back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { CLOSED_TONE, OUR_NUMBER } from './server.mjs';
import { LOUD, PHONE_TONE, Stage, shot } from './stage.mjs';

/** Longer than an open Call-Me page takes to ask again whether it is open, in milliseconds. */
const PAGE_ASKS = 45_000;
const MESSAGE = 'A burst pipe has flooded the office.';

let stage, ada, callMe, waiting;
const held = [];

before(async () => {
  stage = await Stage.set({
    announcement: null,
    server: { second_factor_for: [] },
    inbound: { short_abandon_seconds: 3 },
    closing: { closure: 'reschedule' },
    staff: [
      { id: 'maria', role: 'agent', name: 'Maria Vega' },
      { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
      { id: 'ada', role: 'admin', name: 'Ada Byron' },
    ],
  });
});
after(async () => {
  for (const { ear, caller } of held) {
    ear.close();
    await caller.stop();
  }
  await stage?.strike();
});

/** Somebody who calls and stays until we hang up. */
async function calling(from) {
  const ear = await Earpiece.open({ frequency: PHONE_TONE });
  const caller = await Caller.call(calls.stays(ear.port), { server: stage.server, number: OUR_NUMBER, from });
  held.push({ ear, caller });
  return { ear, caller };
}
const open = async () => (await stage.server.api('/api/v1/t/sacramento/availability')).json.availability.open;
const ask = (phone) => stage.server.api('/api/v1/t/sacramento/callbacks', { method: 'POST', body: { name: 'Ben Brun', phone } });

test('before: one waits for a callback, one waits on the telephone, one looks at the form', async () => {
  const { status_token } = await stage.server.ask('(916) 555-0161');
  waiting = await (await stage.person()).page(`${stage.server.url}/t/sacramento/status/${status_token}`);
  await waiting.getByRole('heading', { name: 'You are next' }).waitFor();
  await calling('+19165550162');
  await until(async () => (await stage.board()).waiting.some(({ channel }) => channel === 'call'), 'the caller to be in line', { within: 20_000 });
  callMe = await (await stage.person()).page(`${stage.server.url}/t/sacramento/call-me`);
  await callMe.getByRole('button', { name: /call me/i }).waitFor();
});

test('the administrator reads who is affected before the click', async () => {
  ada = await (await stage.person()).signIn(stage.server, 'ada', '/admin');
  await ada.getByRole('link', { name: 'Emergency closure' }).click();
  await ada.getByRole('button', { name: 'Close now …' }).click();
  await ada.getByLabel('Message to customers').fill(MESSAGE);
  await ada.getByLabel('How long').selectOption({ label: 'Until a time …' });
  const end = new Date(Date.now() + 120_000);
  // The field has whole minutes in the browser's own zone.
  const local = new Date(end.getTime() - end.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  await ada.getByLabel('Open again at').fill(local);
  await ada.getByText('1 person in line is told, with your message').waitFor();
  await ada.getByText(/1 caller in line on the telephone hears that you are closed, and the call ends/).waitFor();
  assert.deepEqual(await findings(ada), []);
  await shot(ada, 'emergency-preview');
  assert.equal(await open(), true, 'nothing before the click');
});

test('one click: everybody is told, by page and by telephone, and nobody can ask', async () => {
  await ada.getByRole('button', { name: 'Close now', exact: true }).click();
  await ada.getByText(/Emergency closure · /).waitFor();
  await ada.getByText(MESSAGE).first().waitFor();
  assert.equal(await open(), false);
  await shot(ada, 'emergency-declared');
  await waiting.getByText(MESSAGE).first().waitFor();
  assert.deepEqual(await findings(waiting), []);
  await shot(waiting, 'emergency-status');
  const [{ ear, caller }] = held;
  await until(() => ear.hears(CLOSED_TONE, 1) > LOUD / 2, 'the caller in line to hear that it is closed', { within: 20_000 });
  assert.equal(await caller.ends(), 0, caller.report());
  const refused = await ask('(916) 555-0163');
  assert.equal(refused.json.code, 'closed', refused.text);
  await callMe.getByRole('heading', { name: 'We’re closed right now' }).waitFor({ timeout: PAGE_ASKS });
  await callMe.getByText(MESSAGE).waitFor();
  assert.deepEqual(await findings(callMe), []);
  await shot(callMe, 'emergency-call-me');
});

test('who calls during the closure hears so, and the call ends', async () => {
  const { ear, caller } = await calling('+19165550164');
  assert.equal(await caller.ends(), 0, caller.report());
  assert.ok(ear.hears(CLOSED_TONE, 2) > LOUD / 2, 'the message was heard');
});

test('when its end has come it is open again for everybody, with nobody’s doing', async () => {
  await until(open, 'the closure to end by itself', { within: 130_000, every: 1000 });
  await ada.getByRole('button', { name: 'Close now …' }).waitFor({ timeout: 10_000 });
  await callMe.getByRole('button', { name: /call me/i }).waitFor({ timeout: PAGE_ASKS });
  await waiting.getByRole('heading', { name: 'You are next' }).waitFor();
  await shot(waiting, 'emergency-over-status');
  const asked = await ask('(916) 555-0163');
  assert.equal(asked.json.contact_state, 'queued', asked.text);
  assert.equal((await stage.board()).waiting.length, 2, 'the one who waited before, and the new one');
});

test('who was called, lost the agent and waits on the line hears it as well, and keeps the place', async () => {
  await stage.emptyLine();
  await stage.carrier((ear) => far.answers({ ear }));
  const maria = await stage.desk();
  await maria.goAvailable();
  const { status_token } = await stage.server.ask('(916) 555-0166');
  await maria.accept();
  await stage.callArrives();
  await stage.bothHear(maria);
  const page = await (await stage.person()).page(`${stage.server.url}/t/sacramento/status/${status_token}`);
  await maria.person.close();
  await until(async () => (await stage.board()).waiting.some(({ channel }) => channel === 'callback'), 'the customer to be back in line, on the telephone', { within: 30_000 });
  stage.ear.forget();
  const declared = await stage.server.api('/api/v1/closure', { method: 'POST', body: { message: MESSAGE }, cookie: stage.supervisorCookie });
  assert.equal(declared.status, 204, declared.text);
  await until(() => stage.ear.hears(CLOSED_TONE, 1) > LOUD / 2, 'the customer to hear that it is closed', { within: 20_000 });
  await stage.sipp.gets('BYE', { within: 20_000 });
  await page.getByText(MESSAGE).first().waitFor();
  assert.deepEqual(await findings(page), []);
  await shot(page, 'emergency-lost-agent');
  await stage.server.reaches(status_token, 'retrying');
  const lifted = await fetch(`${stage.server.direct}/api/v1/closure`, { method: 'DELETE', headers: { cookie: stage.supervisorCookie, origin: stage.server.url } });
  assert.equal(lifted.status, 204);
  await stage.server.reaches(status_token, 'waiting');
  await page.getByRole('heading', { name: 'You are next' }).waitFor();
  await shot(page, 'emergency-lost-agent-over');
});
