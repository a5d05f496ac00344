// An administrator's settings by clicks and by keyboard: what is saved is what customers find at once, who changed what is told, and
// any earlier state comes back. The whole ledger as one file, there and back.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { PASSWORD } from './server.mjs';
import { Stage, shot } from './stage.mjs';

let stage;
let page;

before(async () => {
  stage = await Stage.set({
    server: { second_factor_for: [] },
    staff: [
      { id: 'maria', role: 'agent', name: 'Maria Vega' },
      { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
      { id: 'ada', role: 'admin', name: 'Ada Byron' },
    ],
  });
  const person = await stage.person();
  // Saves that the server refuses are part of what is shown.
  person.expected.push(/status of 4(09|22)/);
  page = await person.signIn(stage.server, 'ada', '/supervisor');
});
after(() => stage?.strike());

const saved = () => page.getByRole('status').filter({ hasText: 'Saved. It is in force now.' }).waitFor();
const availability = async () => (await stage.server.api('/api/v1/t/sacramento/availability')).json.availability;
const save = () => page.getByRole('button', { name: 'Save', exact: true });

const go = (name) => page.getByRole('navigation', { name: 'Settings' }).getByRole('link', { name, exact: true }).click();
const SECTIONS = [
  'Opening hours', 'Holidays', 'Callback hours', 'At closing time', 'Emergency closure',
  'Entry points', 'Branding', 'Forms', 'Customer sign-in', 'Portal keys', 'FAQ',
  'People', 'Not Ready reasons', 'Disposition codes', 'Canned answers',
  'Queues', 'Subjects and targets', 'Language skills', 'Offers and wrap-up', 'Queue policies', 'Chats',
  'Callbacks', 'Dialling limits', 'Do not call', 'Caller IDs', 'Inbound numbers (DNIS)', 'Inbound calls', 'Prompts',
  'Retention and legal hold', 'One person’s data', 'Webhooks', 'Export and import', 'Change history',
];

test('from the board to the settings; every section is accessible and fits a narrow window', async () => {
  await page.getByRole('link', { name: 'Settings' }).click();
  for (const name of SECTIONS) {
    await go(name);
    await page.getByRole('heading', { name, level: 1 }).waitFor();
    await page.locator('.skeleton').first().waitFor({ state: 'detached' });
    assert.deepEqual(await findings(page), [], name);
    await shot(page, `admin-${name.toLowerCase().replaceAll(' ', '-')}`);
    await page.setViewportSize({ width: 320, height: 640 });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320, `${name}: nothing sticks out at 320 px`);
    await page.setViewportSize({ width: 1280, height: 800 });
  }
  await page.getByText('Nobody has changed anything yet').waitFor();
  // A narrow window has one field in place of the list.
  await page.setViewportSize({ width: 400, height: 800 });
  await page.getByLabel('Section').selectOption({ label: 'Queues' });
  await page.getByRole('heading', { name: 'Queues', level: 1 }).waitFor();
  await page.emulateMedia({ colorScheme: 'dark' });
  await shot(page, 'admin-queues-narrow-dark');
  assert.deepEqual(await findings(page), []);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 800 });
});

test('in Spanish, every section has its words', async () => {
  await page.getByRole('button', { name: 'Español' }).click();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'es');
  for (const [link, heading] of [['Colas', 'Colas'], ['Llamadas pedidas', 'Llamadas pedidas'], ['Personas', 'Personas']]) {
    await page.getByRole('navigation', { name: 'Ajustes' }).getByRole('link', { name: link, exact: true }).click();
    await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
    assert.deepEqual(await findings(page), [], heading);
  }
  await shot(page, 'admin-spanish');
  await page.getByRole('button', { name: 'English' }).click();
});

test('signing in and the own account speak Spanish once it is chosen, and so do the pages after them', async () => {
  const nora = await stage.person();
  const own = await nora.page(`${stage.server.url}/login?next=/admin`);
  await own.getByRole('button', { name: 'Español' }).click();
  await own.getByRole('heading', { name: 'Iniciar sesión' }).waitFor();
  assert.equal(await own.evaluate(() => document.documentElement.lang), 'es');
  assert.deepEqual(await findings(own), []);
  await shot(own, 'login-spanish');
  await own.getByRole('button', { name: 'Iniciar sesión' }).click();
  await own.getByRole('alert').filter({ hasText: 'Escriba su usuario' }).waitFor();
  await own.getByLabel('Usuario').fill('ada');
  await own.getByLabel('Contraseña', { exact: true }).fill(PASSWORD);
  await own.keyboard.press('Enter');
  await own.getByRole('heading', { name: 'Horario', level: 1 }).waitFor();
  await own.goto(`${stage.server.url}/account`);
  await own.getByRole('heading', { name: 'Mi cuenta' }).waitFor();
  await own.getByText('Ada Byron · ada · Administrador').waitFor();
  assert.deepEqual(await findings(own), []);
  await shot(own, 'account-spanish');
  await own.getByRole('button', { name: 'English' }).click();
  await own.getByRole('heading', { name: 'My account' }).waitFor();
  await own.reload();
  await own.getByRole('heading', { name: 'My account' }).waitFor();
  const lang = () => own.evaluate(() => document.documentElement.lang);
  await own.goto(`${stage.server.url}/supervisor?lang=es`);
  await own.getByRole('tab', { name: 'Grabaciones' }).waitFor();
  assert.equal(await lang(), 'es', 'so is the board, where it is asked for');
  assert.ok(!own.url().includes('lang='), 'what was chosen leaves the address');
  await own.goto(`${stage.server.url}/account`);
  await own.getByRole('heading', { name: 'Mi cuenta' }).waitFor();
  assert.equal(await lang(), 'es', 'it holds on the next page, whose address says nothing');
  const bookmark = `${stage.server.url}/admin?lang=es&x=1#queues`;
  await own.goto(bookmark);
  await own.getByRole('heading', { name: 'Colas', level: 1 }).waitFor();
  assert.deepEqual([new URL(own.url()).search, new URL(own.url()).hash], ['?x=1', '#queues'], 'the rest of the address stays');
  await own.getByRole('button', { name: 'English' }).click();
  await own.getByRole('heading', { name: 'Queues', level: 1 }).waitFor();
  assert.ok(!own.url().includes('lang='), 'what would be kept as a bookmark now names no language');
  await own.reload();
  await own.getByRole('heading', { name: 'Queues', level: 1 }).waitFor();
  assert.equal(await lang(), 'en', 'the last choice holds');
  await nora.close();
});

test('Call-Me is switched off and on again by an earlier version, and customers find it so at once', async () => {
  await go('Entry points');
  await page.getByRole('checkbox', { name: 'Call-Me' }).uncheck();
  await page.getByText('There are changes that are not saved.').waitFor();
  assert.equal((await availability()).enabled, true, 'nothing before it is saved');
  await save().click();
  await saved();
  assert.equal((await availability()).enabled, false);
  const customer = await (await stage.person()).page(`${stage.server.url}/t/sacramento/call-me`);
  assert.equal(await customer.getByRole('button', { name: /call me/i }).count(), 0);
  await go('Change history');
  await page.getByText('Call-Me: on → off').waitFor();
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-versions');
  await page.getByRole('button', { name: 'Bring back version 1' }).click();
  assert.deepEqual(await findings(page), []);
  await page.getByRole('button', { name: 'Bring back', exact: true }).click();
  await page.getByText('Call-Me: off → on').waitFor();
  assert.equal((await availability()).enabled, true);
});

test('a holiday today, by keyboard alone: the customer reads its name; faults are said and nothing is half kept', async () => {
  await page.getByRole('link', { name: 'Holidays' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Add a holiday' }).focus();
  await page.keyboard.press('Enter');
  const today = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/Los_Angeles' }).format(new Date());
  await page.getByLabel('Date').fill(today);
  await save().focus();
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: `Holidays: ${today} cannot be kept` }).waitFor();
  assert.deepEqual(await findings(page), []);
  assert.equal((await availability()).open, true);
  await page.getByLabel('Name').focus();
  await page.keyboard.type('Founders Day');
  await save().focus();
  await page.keyboard.press('Enter');
  await saved();
  const closed = (await availability()).closed;
  assert.deepEqual(closed, { closed: 'holiday', name: 'Founders Day' });
  const customer = await (await stage.person()).page(`${stage.server.url}/t/sacramento/call-me`);
  await customer.getByText('Founders Day').first().waitFor();
  await page.getByRole('button', { name: 'Remove Founders Day' }).focus();
  await page.keyboard.press('Enter');
  await save().focus();
  await page.keyboard.press('Enter');
  await saved();
  assert.equal((await availability()).open, true);
});

test('a county may let the name be left empty: the form says so, and the request is taken', async () => {
  await go('Forms');
  await page.getByLabel('A name is needed').uncheck();
  await page.getByLabel('A question is needed for a chat').check();
  await save().click();
  await saved();
  const customer = await (await stage.person()).page(`${stage.server.url}/t/sacramento/call-me`);
  await customer.getByLabel('Your name (optional)').waitFor();
  assert.deepEqual(await findings(customer), []);
  await customer.getByLabel('Phone number').fill('916 555 0142');
  await customer.getByRole('button', { name: 'Call me' }).click();
  await customer.waitForURL(/\/status\//);
  assert.equal((await stage.board()).waiting[0].name, 'Customer');
  await stage.emptyLine();
  await page.getByLabel('A name is needed').check();
  await save().click();
  await saved();
  assert.equal((await stage.server.api('/api/v1/t/sacramento/callbacks', { method: 'POST', body: { name: '', phone: '916 555 0142' } })).json.code, 'name_required');
});

test('two administrators at once: the second is told and loses nothing by looking', async () => {
  const other = await (await stage.person()).signIn(stage.server, 'ada', '/admin');
  await go('Opening hours');
  await page.getByRole('button', { name: 'Add times on Sunday' }).click();
  await other.getByRole('link', { name: 'Holidays' }).click();
  await other.getByRole('button', { name: 'Add a holiday' }).click();
  await other.getByLabel('Date').fill('2031-01-01');
  await other.getByLabel('Name').fill('New Year');
  await other.getByRole('button', { name: 'Save', exact: true }).click();
  await other.getByText('Saved. It is in force now.').waitFor();
  await save().click();
  await page.getByRole('alert').filter({ hasText: /Somebody else changed|Opening hours: Sunday/ }).waitFor();
  await page.getByRole('button', { name: 'Discard' }).click();
  await go('Holidays');
  assert.equal(await page.getByLabel('Name').inputValue(), 'New Year');
});

test('what cannot be kept says what to do, an empty number too; Monday is copied to the week', async () => {
  await go('Callbacks');
  await page.getByLabel('Tries', { exact: true }).fill('');
  await save().click();
  await page.getByRole('alert').filter({ hasText: 'Callbacks: Tries cannot be kept like that. It takes a whole number from 1 to 50.' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'calls-max_attempts');
  assert.deepEqual(await findings(page), []);
  await page.getByRole('button', { name: 'Discard' }).click();
  await go('Branding');
  for (const language of ['English', 'Español']) await page.getByRole('group', { name: 'Languages of the pages' }).getByLabel(language).uncheck();
  await save().click();
  await page.getByRole('alert').filter({ hasText: 'Languages of the pages cannot be kept like that. Tick at least one.' }).waitFor();
  await page.getByRole('button', { name: 'Discard' }).click();
  await go('Opening hours');
  const opens = (day) => page.getByRole('region', { name: day }).getByLabel('Opens').first();
  const [saturday, days] = [await opens('Saturday').inputValue(), ['Tuesday', 'Wednesday', 'Thursday', 'Friday']];
  await opens('Monday').fill('07:15');
  await page.getByRole('button', { name: 'Monday’s times for Tuesday to Friday' }).click();
  for (const day of days) assert.equal(await opens(day).inputValue(), '07:15', day);
  assert.equal(await opens('Saturday').inputValue(), saturday);
  const remove = page.getByRole('button', { name: /^Remove .* on / });
  while ((await remove.count()) > 0) await remove.first().click();
  await page.getByText('No day has times: customers find you closed, always.').waitFor();
  assert.deepEqual(await findings(page), []);
  await page.getByRole('button', { name: 'Discard' }).click();
});

test('the office is closed and opened while somebody changes a setting: it is kept all the same', async () => {
  await go('Forms');
  await page.getByLabel('A question is needed for a chat').uncheck();
  const cookie = await stage.server.signIn('sam');
  assert.equal((await stage.server.api('/api/v1/closure', { method: 'POST', body: { message: 'Fire drill' }, cookie })).status, 204);
  await save().click();
  await saved();
  assert.equal((await availability()).closed.closed, 'closure', 'it stands all the same');
  const lifted = await fetch(`${stage.server.direct}/api/v1/closure`, { method: 'DELETE', headers: { cookie, origin: stage.server.url } });
  assert.equal(lifted.status, 204);
  await page.getByLabel('A question is needed for a chat').check();
  await save().click();
  await saved();
});

test('a queue, a subject with steps, a reason and a result by clicks; agents and customers have them at once', async () => {
  await go('Queues');
  await page.getByRole('button', { name: 'Add a queue' }).click();
  await page.getByLabel('Name').last().fill('Food help');
  await go('Subjects and targets');
  await page.getByRole('button', { name: 'Add a subject' }).click();
  const subject = page.getByRole('listitem').filter({ has: page.getByLabel('Priority at first') }).last();
  await subject.getByLabel('Name', { exact: true }).fill('Food for schools');
  await subject.getByLabel('Queue', { exact: true }).selectOption({ label: 'Food help' });
  await subject.getByRole('button', { name: 'Add a step' }).click();
  await subject.getByRole('button', { name: 'Add a skill' }).click();
  await subject.getByLabel('Skill', { exact: true }).fill('food');
  await subject.getByLabel('Level', { exact: true }).fill('7');
  await subject.getByRole('button', { name: 'Add a step' }).click();
  await subject.getByLabel('Then the next step').fill('20');
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-subject-with-steps');
  await go('Not Ready reasons');
  await page.getByRole('button', { name: 'Add a reason' }).click();
  await page.getByLabel('Reason').last().fill('Fire drill');
  await go('Disposition codes');
  await page.getByRole('button', { name: 'Add a code' }).click();
  await page.getByLabel('Name').last().fill('Papers sent');
  await save().click();
  await saved();
  await go('Change history');
  for (const told of ['Queues: Food help: added', 'Subjects and targets: Food for schools: added', 'Disposition codes: Papers sent: added']) await page.getByText(told).waitFor();
  await shot(page, 'admin-changes');
  const cookie = await stage.server.signIn('maria');
  const { tenant } = (await stage.server.api('/api/v1/me', { cookie })).json;
  assert.ok(tenant.reason_codes.includes('fire_drill'));
  assert.deepEqual(tenant.dispositions.at(-1), { id: 'papers-sent', name: 'Papers sent' });
  const subjects = (await availability()).subjects;
  assert.ok(subjects.some(({ name }) => name === 'Food for schools'), JSON.stringify(subjects));
});

test('what cannot be kept is shown where it stands; what is in use is not taken away', async () => {
  await go('Callbacks');
  await page.getByLabel('Tries', { exact: true }).fill('0');
  await go('Chats');
  await save().click();
  await page.getByRole('alert').filter({ hasText: 'Callbacks: Tries cannot be kept' }).waitFor();
  await page.getByRole('heading', { name: 'Callbacks', level: 1 }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'calls-max_attempts', 'the field has the focus');
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-fault');
  await page.getByRole('button', { name: 'Discard' }).click();
  await go('Subjects and targets');
  await page.getByLabel('Queue').first().selectOption({ label: 'Food help' });
  await go('Queues');
  await page.getByRole('button', { name: 'Remove Benefits' }).click();
  await save().click();
  await page.getByRole('alert').filter({ hasText: 'Maria Vega still uses it' }).waitFor();
  await page.getByRole('button', { name: 'Discard' }).click();
});

test('an agent is added with a temporary password, chooses an own one, and is out within seconds when switched off', async () => {
  await go('People');
  await page.getByRole('button', { name: 'Add a person' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Full name').fill('Nora Fields');
  await dialog.getByLabel('User name').fill('Nora!');
  await dialog.getByLabel('Temporary password').fill('given by ada');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByRole('alert').filter({ hasText: 'User name cannot be kept' }).waitFor();
  await dialog.getByLabel('User name').fill('nora');
  await dialog.getByRole('button', { name: 'Add a skill' }).click();
  await dialog.getByLabel('Skill', { exact: true }).fill('food');
  await dialog.getByLabel('Level', { exact: true }).fill('9');
  await dialog.getByLabel('Chats at one time').fill('0');
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-person');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('status').filter({ hasText: 'Nora Fields is saved.' }).waitFor();
  await shot(page, 'admin-people-with-nora');
  const nora = await stage.person();
  nora.expected.push(/status of 4(01|22)/);
  const desk = await nora.page(`${stage.server.url}/login`);
  await desk.getByLabel('User', { exact: true }).fill('nora');
  await desk.getByLabel('Password', { exact: true }).fill('given by ada');
  await desk.getByRole('button', { name: 'Sign in' }).click();
  await desk.getByRole('heading', { name: 'Choose your own password' }).waitFor();
  assert.deepEqual(await findings(desk), []);
  await shot(desk, 'account-own-password');
  await desk.goto(`${stage.server.url}/agent`);
  await desk.waitForURL(/\/account$/);
  await desk.getByLabel('Password you have now').fill('given by ada');
  await desk.getByLabel('New password').fill('only nora knows');
  await desk.keyboard.press('Enter');
  await desk.getByText('Your new password holds').waitFor();
  assert.deepEqual(await findings(desk), []);
  await desk.getByRole('link', { name: 'Back to my page' }).click();
  await desk.getByRole('button', { name: 'Go available' }).waitFor();
  const agents = (await stage.board()).agents;
  assert.ok(agents.some(({ id }) => id === 'nora'), JSON.stringify(agents));
  await page.getByRole('button', { name: 'Switch off Nora Fields' }).click();
  await page.getByRole('status').filter({ hasText: 'switched off and signed out' }).waitFor();
  await desk.waitForURL(/\/login/, { timeout: 5000 });
  assert.ok(!(await stage.board()).agents.some(({ id }) => id === 'nora'));
});

test('what became of a person is told by whom, and any earlier state comes back', async () => {
  await page.getByText('Changes of Nora Fields').click();
  await page.getByText('Switched off: no → yes').waitFor();
  await page.getByText(/Skills: .*→ food 9/).waitFor();
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-person-past');
  const first = page.getByRole('button', { name: 'Bring back version 2 of Nora Fields' });
  await first.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('status').filter({ hasText: 'Nora Fields is again as in version 2.' }).waitFor();
  assert.ok((await stage.board()).agents.some(({ id }) => id === 'nora'), 'at the desk again');
  await page.getByText('Switched off: yes → no').waitFor();
});

test('holidays of a calendar come in; the settings leave as a file and come back from it', async () => {
  await go('Holidays');
  const year = new Date().getUTCFullYear() + 1;
  const event = (...lines) => ['BEGIN:VEVENT', ...lines, 'END:VEVENT'];
  const calendar = ['BEGIN:VCALENDAR', ...event(`DTSTART;VALUE=DATE:${year}1126`, 'SUMMARY:Thanksgiving'), ...event(`DTSTART:${year}0105T090000`, 'SUMMARY:Meeting'), 'END:VCALENDAR'];
  await page.getByLabel('Add those of a calendar').setInputFiles({ name: 'holidays.ics', mimeType: 'text/calendar', buffer: Buffer.from(calendar.join('\r\n')) });
  await page.getByRole('status').filter({ hasText: '1 day was added. 1 entry is no whole day' }).waitFor();
  await shot(page, 'admin-calendar');
  await save().click();
  await saved();
  await go('Export and import');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download the settings' }).click()]);
  const text = readFileSync(await download.path(), 'utf8');
  assert.ok(JSON.parse(text).settings.holidays.some(({ name }) => name === 'Thanksgiving'));
  await page.getByLabel('Settings file').setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{"settings":{}}') });
  await page.getByRole('alert').filter({ hasText: 'holds no settings' }).waitFor();
  const other = text.replace('"Thanksgiving"', '"Harvest day"');
  await page.getByLabel('Settings file').setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from(other) });
  await page.getByText('There are changes that are not saved.').waitFor();
  assert.deepEqual(await findings(page), []);
  await save().click();
  await saved();
  await go('Change history');
  await page.getByText(`Holidays: ${year}-11-26: Thanksgiving, closed → Harvest day, closed`).waitFor();
});

test('power lost in the middle of changes: each is there as a whole or not at all', async () => {
  const cookie = await stage.server.signIn('ada');
  const { version, settings } = (await stage.server.api('/api/v1/settings', { cookie })).json;
  const wanted = { ...settings, calls: { ...settings.calls, max_attempts: 9 }, look: { ...settings.look, name: 'Renamed County' } };
  const answer = stage.server.api('/api/v1/settings', { method: 'PUT', body: { base: version, settings: wanted }, cookie }).catch(() => undefined);
  await stage.server.kill();
  const answered = (await answer)?.status === 200;
  await stage.server.run();
  const again = await stage.server.signIn('ada');
  const after = (await stage.server.api('/api/v1/settings', { cookie: again })).json;
  const both = [after.settings.calls.max_attempts === 9, after.settings.look.name === 'Renamed County'];
  assert.equal(both[0], both[1], 'both or neither');
  if (answered) assert.ok(both[0], 'what was answered holds');
  assert.equal((await stage.server.api('/api/v1/t/sacramento/availability')).json.tenant.name === 'Renamed County', both[1], 'in force as it is kept');
});

test('an emergency closure is a version too, outlives a restart, and the backup holds it all', async () => {
  const cookie = await stage.server.signIn('sam');
  const declared = await stage.server.api('/api/v1/closure', { method: 'POST', body: { message: 'Power cut' }, cookie });
  assert.equal(declared.status, 204);
  const file = `${stage.server.folder}/ledger.backup`;
  const backup = stage.server.command(['backup', '--config', stage.server.config, '--to', file]);
  assert.equal(backup.status, 0, backup.stderr);
  assert.match(backup.stdout, /tenant_configs/);
  // Into a ledger of its own: the same accounts and the same chains.
  const copy = `${stage.server.folder}/copy.toml`;
  writeFileSync(copy, readFileSync(stage.server.config, 'utf8').replace(/^url = .*$/m, `url = "sqlite://${stage.server.folder}/copy.sqlite"`));
  const restored = stage.server.command(['restore', '--config', copy, '--from', file]);
  assert.equal(restored.status, 0, restored.stderr);
  const verified = stage.server.command(['verify-audit', '--config', copy]);
  assert.equal(verified.status, 0, verified.stdout + verified.stderr);
  assert.match(verified.stdout, /sacramento: whole/);
  const again = stage.server.command(['restore', '--config', copy, '--from', file]);
  assert.notEqual(again.status, 0, 'an empty ledger only');
  assert.match(again.stderr, /not empty/);
  await stage.server.program.stop('SIGTERM', 30_000);
  await stage.server.run();
  const { closed } = await availability();
  assert.deepEqual(closed, { closed: 'closure', message: 'Power cut' });
});
