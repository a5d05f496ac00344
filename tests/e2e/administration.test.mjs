// An administrator's settings by clicks and by keyboard: what is saved is what customers find at once, who changed what is told, and
// any earlier state comes back. The whole ledger as one file, there and back.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
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

test('from the board to the settings; every tab is accessible and fits a narrow window', async () => {
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('heading', { name: 'Opening hours' }).waitFor();
  for (const [tab, heading] of [['Opening hours', 'Opening hours'], ['Holidays', 'Holidays'], ['Entry points', 'Entry points'], ['Changes', 'Changes']]) {
    await page.getByRole('tab', { name: tab }).click();
    await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
    assert.deepEqual(await findings(page), [], tab);
    await shot(page, `admin-${tab.toLowerCase().replaceAll(' ', '-')}`);
    await page.setViewportSize({ width: 320, height: 640 });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320, `${tab}: nothing sticks out at 320 px`);
    await page.setViewportSize({ width: 1280, height: 800 });
  }
  await page.getByText('Nobody has changed anything yet').waitFor();
});

test('Call-Me is switched off and on again by an earlier version, and customers find it so at once', async () => {
  await page.getByRole('tab', { name: 'Entry points' }).click();
  await page.getByRole('checkbox', { name: 'Call-Me' }).uncheck();
  await page.getByText('There are changes that are not saved.').waitFor();
  assert.equal((await availability()).enabled, true, 'nothing before it is saved');
  await save().click();
  await saved();
  assert.equal((await availability()).enabled, false);
  const customer = await (await stage.person()).page(`${stage.server.url}/t/sacramento/call-me`);
  assert.equal(await customer.getByRole('button', { name: /call me/i }).count(), 0);
  await page.getByRole('tab', { name: 'Changes' }).click();
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
  await page.getByRole('tab', { name: 'Changes' }).focus();
  for (const name of ['Entry points', 'Holidays']) {
    await page.keyboard.press('ArrowLeft');
    await page.getByRole('tab', { name, selected: true }).waitFor();
  }
  await page.getByRole('button', { name: 'Add a holiday' }).focus();
  await page.keyboard.press('Enter');
  const today = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/Los_Angeles' }).format(new Date());
  await page.getByLabel('Date').fill(today);
  await save().focus();
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: `The holiday on ${today} cannot be kept` }).waitFor();
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

test('two administrators at once: the second is told and loses nothing by looking', async () => {
  const other = await (await stage.person()).signIn(stage.server, 'ada', '/admin');
  await page.getByRole('tab', { name: 'Opening hours' }).click();
  await page.getByRole('button', { name: 'Add times on Sunday' }).click();
  await other.getByRole('tab', { name: 'Holidays' }).click();
  await other.getByRole('button', { name: 'Add a holiday' }).click();
  await other.getByLabel('Date').fill('2031-01-01');
  await other.getByLabel('Name').fill('New Year');
  await other.getByRole('button', { name: 'Save', exact: true }).click();
  await other.getByText('Saved. It is in force now.').waitFor();
  await save().click();
  await page.getByRole('alert').filter({ hasText: /Somebody else changed|The opening hours of Sunday/ }).waitFor();
  await page.getByRole('button', { name: 'Discard' }).click();
  await page.getByRole('tab', { name: 'Holidays' }).click();
  assert.equal(await page.getByLabel('Name').inputValue(), 'New Year');
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
