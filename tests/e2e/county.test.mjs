// A new county from /admin alone: an operator founds it by the guided start with hours, a queue, people and a line of its own;
// its agent takes a callback in it, with the tones measured at both ends and in the recording; nothing is lost by kill -9.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Baresip } from './peers/baresip.mjs';
import { freePort, pause, until } from './peers/process.mjs';
import { CUSTOMER, CUSTOMER_E164, Desk, LOUD, PHONE_TONE, SILENT, Stage, shot } from './stage.mjs';
import { amplitude, readWav, stretchOf } from './tone.mjs';

let stage, phone, line, operator, admin, desk, customer, contact;

before(async () => {
  stage = await Stage.set({
    server: { second_factor_for: [] },
    staff: [
      { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
      { id: 'olga', role: 'operator', name: 'Olga Reyes', tenant: null },
    ],
  });
  line = await freePort();
  phone = await Baresip.start(CUSTOMER_E164, { port: line, frequency: PHONE_TONE });
});
after(async () => {
  await phone?.stop();
  await stage?.strike();
});

/** Signs in with a password somebody else set, and chooses an own one. */
async function firstSignIn(user, own) {
  const person = await stage.person();
  person.expected.push(/status of 401/);
  const page = await person.page(`${stage.server.url}/login`);
  await page.getByLabel('User', { exact: true }).fill(user);
  await page.getByLabel('Password', { exact: true }).fill('given by olga');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByLabel('Password you have now').fill('given by olga');
  await page.getByLabel('New password').fill(own);
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByRole('link', { name: 'Back to my page' }).click();
  return { person, page };
}

async function cookieOf(user, password) {
  const answer = await stage.server.api('/api/v1/login', { method: 'POST', body: { user, password } });
  return answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ');
}

test('the operator founds a county by the guided start; what is wrong is said where it stands', async () => {
  const person = await stage.person();
  // What it refuses, and what the page asks while the power is gone.
  person.expected.push(/status of 4(09|22)/, /ERR_(CONNECTION|EMPTY)/);
  operator = await person.signIn(stage.server, 'olga', '/admin');
  await operator.getByRole('heading', { name: 'Counties', level: 1 }).waitFor();
  await operator.getByRole('heading', { name: 'Sacramento County' }).waitFor();
  assert.deepEqual(await findings(operator), []);
  await shot(operator, 'operator-counties');
  await operator.getByRole('button', { name: 'New county' }).click();
  await operator.getByLabel('Name', { exact: true }).fill('Nevada County');
  assert.equal(await operator.getByLabel('Short name').inputValue(), 'nevada-county');
  await operator.getByLabel('Short name').fill('nevada');
  await operator.getByLabel('Open around the clock').check();
  await operator.getByLabel('Queue and subject').fill('Benefits');
  await operator.getByLabel('Connect a line of its own').check();
  await operator.getByLabel('Name of the line').fill('nevada-line');
  await operator.getByLabel('Carrier’s host').fill('127.0.0.1');
  await operator.getByLabel('Port', { exact: true }).fill(String(line));
  await operator.getByLabel('Number shown to customers').fill('+15305550100');
  const people = operator.getByRole('group', { name: 'Administrator' });
  await people.getByLabel('Full name').fill('Ada Lane');
  await people.getByLabel('User name').fill('ada');
  await people.getByLabel('Temporary password').fill('short');
  const agent = operator.getByRole('group', { name: 'First agent' });
  await agent.getByLabel('Full name').fill('Nora Fields');
  await agent.getByLabel('User name').fill('sam');
  await agent.getByLabel('Temporary password').fill('given by olga');
  assert.deepEqual(await findings(operator), []);
  await shot(operator, 'operator-start');
  await operator.setViewportSize({ width: 320, height: 640 });
  assert.ok((await operator.evaluate(() => document.documentElement.scrollWidth)) <= 320, 'nothing sticks out at 320 px');
  await operator.emulateMedia({ colorScheme: 'dark' });
  await shot(operator, 'operator-start-narrow-dark');
  assert.deepEqual(await findings(operator), []);
  await operator.emulateMedia({ colorScheme: 'light' });
  await operator.setViewportSize({ width: 1280, height: 800 });
  await operator.getByRole('button', { name: 'Found the county' }).click();
  await operator.getByRole('alert').filter({ hasText: 'Administrator: Temporary password cannot be kept' }).waitFor();
  assert.equal(await operator.evaluate(() => document.activeElement.id), 'person-0-password');
  await people.getByLabel('Temporary password').fill('given by olga');
  await operator.keyboard.press('Enter');
  await operator.getByRole('alert').filter({ hasText: 'One of the user names is taken already' }).waitFor();
  await agent.getByLabel('User name').fill('nora');
  await operator.getByRole('button', { name: 'Found the county' }).click();
  await operator.getByRole('status').filter({ hasText: 'Nevada County is there.' }).waitFor();
  const county = operator.getByRole('listitem').filter({ has: operator.getByRole('heading', { name: 'Nevada County' }) });
  await county.getByText('Ready for the first call').waitFor({ timeout: 45_000 });
  assert.deepEqual(await findings(operator), []);
  await shot(operator, 'operator-founded');
});

test('its administrator finds everything under /admin, and a change is a second version', async () => {
  admin = (await firstSignIn('ada', 'only ada knows')).page;
  await admin.goto(`${stage.server.url}/admin#dispositions`);
  await admin.getByRole('button', { name: 'Add a code' }).click();
  await admin.getByLabel('Name').fill('Resolved');
  await admin.getByRole('button', { name: 'Save', exact: true }).click();
  await admin.getByRole('status').filter({ hasText: 'Saved. It is in force now.' }).waitFor();
  await admin.goto(`${stage.server.url}/admin#versions`);
  await admin.getByText('Disposition codes: Resolved: added').waitFor();
  await admin.getByText('olga').waitFor();
});

test('power lost: the county, its line and its people are there after the next start', async () => {
  await stage.server.kill();
  await stage.server.run();
  const { json } = await stage.server.api('/api/v1/t/nevada/availability');
  assert.deepEqual([json.availability.open, json.tenant.name], [true, 'Nevada County']);
  const cookie = await cookieOf('ada', 'only ada knows');
  await until(
    async () => (await stage.server.api('/api/v1/trunks', { cookie })).json.trunks.find(({ id }) => id === 'nevada-line')?.up,
    'the county’s line to answer',
    { within: 45_000 },
  );
});

test('a callback in it: offered, dialled over its own line, both ends hear each other', async () => {
  const { person, page } = await firstSignIn('nora', 'only nora knows');
  desk = new Desk(person, page, 'nora');
  await desk.goAvailable();
  customer = await (await stage.person()).page(`${stage.server.url}/t/nevada/call-me`);
  await customer.getByLabel('Your name').fill('Rosa Diaz');
  await customer.getByLabel('Phone number').fill(CUSTOMER);
  await customer.getByRole('button', { name: 'Call me' }).click();
  await customer.waitForURL(/\/t\/nevada\/status\//);
  await desk.accept();
  await phone.program.says(/Call established/);
  await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer', { within: 20_000 });
  await pause(2500);
  assert.ok((await desk.hears(desk.tone)) < SILENT, 'the agent hears no echo');
  await desk.button('End call').click();
  await phone.program.says(/terminated|session closed/i);
  await desk.finish('Resolved');
  await customer.getByText('Thank you for talking with us').waitFor();
});

test('the telephone heard the agent and no echo; the WAV has each tone on its own side', async () => {
  await phone.stop();
  const [{ rate, samples }] = phone.recordings();
  assert.ok(stretchOf(samples, desk.tone, { rate, floor: 0.08, bridgeGap: 0.1 }).seconds > 1, 'the customer heard the agent');
  assert.ok(amplitude(samples, PHONE_TONE, rate) < SILENT, 'the customer hears no echo');
  const cookie = await cookieOf('ada', 'only ada knows');
  const items = await until(async () => {
    const found = (await stage.server.api('/api/v1/recordings', { cookie })).json.items;
    return found.length > 0 && found;
  }, 'the recording to be filed');
  contact = items[0].contact;
  const response = await fetch(`${stage.server.direct}/api/v1/recordings/${contact}/audio`, { headers: { cookie } });
  const { channels: [left, right] } = readWav(new Uint8Array(await response.arrayBuffer()));
  assert.ok(stretchOf(left, PHONE_TONE, { floor: 0.05 }).seconds > 2, 'the customer is on the left');
  assert.ok(stretchOf(right, desk.tone, { floor: 0.05 }).seconds > 1, 'the agent is on the right');
  assert.ok(amplitude(left, desk.tone) < SILENT && amplitude(right, PHONE_TONE) < SILENT);
});

test('the operator changes its line and brings it back; one that a county calls over is not retired', async () => {
  await operator.reload();
  await operator.getByRole('button', { name: 'Change nevada-line' }).click();
  const dialog = operator.getByRole('dialog', { name: 'Change nevada-line' });
  assert.equal(await dialog.getByLabel('Password at the carrier').inputValue(), '', 'a password is never shown');
  await dialog.getByLabel('Retired: no calls over it any more').check();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByRole('alert').filter({ hasText: 'Nevada County still calls over it' }).waitFor();
  await dialog.getByLabel('Retired: no calls over it any more').uncheck();
  await dialog.getByLabel('Calls at one time').fill('0');
  await operator.keyboard.press('Enter');
  await dialog.getByRole('alert').filter({ hasText: 'Calls at one time cannot be kept' }).waitFor();
  await dialog.getByLabel('Calls at one time').fill('3');
  const note = dialog.getByText('By UDP the keys travel in the clear');
  assert.equal(await note.count(), 0);
  await dialog.getByLabel('Encrypted sound (SRTP)').selectOption({ label: 'Always: no call without' });
  await note.waitFor();
  await dialog.getByLabel('Transport').selectOption('tls');
  await note.waitFor({ state: 'hidden' });
  await dialog.getByLabel('Transport').selectOption('udp');
  await dialog.getByLabel('Encrypted sound (SRTP)').selectOption({ label: 'Where the carrier can' });
  await note.waitFor();
  await dialog.getByLabel('Number shown to customers').fill('+15305550177');
  await dialog.getByLabel('Password at the carrier').fill('known to few');
  assert.deepEqual(await findings(operator), []);
  await shot(operator, 'operator-line');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await operator.getByRole('status').filter({ hasText: 'nevada-line is changed' }).waitFor();
  await operator.getByText('Changes of nevada-line').click();
  await operator.getByText('Number shown to customers: +15305550100 → +15305550177').waitFor();
  await operator.getByText('Encrypted sound (SRTP):').waitFor();
  assert.deepEqual(await findings(operator), []);
  await shot(operator, 'operator-lines');
  const cookie = await cookieOf('ada', 'only ada knows');
  const channels = async () => (await stage.server.api('/api/v1/trunks', { cookie })).json.trunks.find(({ id }) => id === 'nevada-line').channels;
  assert.equal(await channels(), 3);
  assert.ok(!readFileSync(stage.server.ledger).includes('known to few'), 'sealed in the ledger');
  await operator.getByRole('button', { name: 'Bring back version 1 of nevada-line' }).click();
  await operator.getByRole('status').filter({ hasText: 'nevada-line is again as in version 1' }).waitFor();
  assert.equal(await channels(), 10);
});

test('what the gate refused of any county is told on the operator’s page', async () => {
  const refused = await stage.server.api('/api/v1/t/nevada/callbacks', { method: 'POST', body: { name: 'Rosa Diaz', phone: '+1 900 555 0100' } });
  assert.equal(refused.json.code, 'phone_not_allowed', refused.text);
  const row = operator.getByRole('row').filter({ hasText: 'Nevada County' }).filter({ hasText: 'when it was asked for' });
  await row.first().waitFor();
  assert.deepEqual(await findings(operator), []);
  await shot(operator, 'operator-refusals');
});

test('the other county sees nothing of it', async () => {
  const cookie = await stage.server.signIn('sam');
  assert.equal((await stage.server.api(`/api/v1/recordings/${contact}/audio`, { cookie })).status, 404);
  assert.ok(!(await stage.server.api('/api/v1/board', { cookie })).text.includes('nora'));
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
