// What a customer can know and choose while the line is long: a range that was earned, times of one's own, the word
// before a long wait, and what an emergency closure says to those who are in line.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { pause, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { Stage, shot } from './stage.mjs';

let stage;
let number = 500;
const fresh = () => `(916) 555-0${(number += 1)}`;
const FORM = '/t/sacramento/call-me';

before(async () => {
  stage = await Stage.set({
    callback: { slots: { minutes: 15, capacity: 1, lead_minutes: 0, days_ahead: 2 }, longest_wait_minutes: 1, check_at: 'both', over_longest_wait: 'notify' },
  });
  await stage.carrier((ear) => far.answers({ ear }));
});
after(() => stage?.strike());

const visit = async (path, options) => (await stage.person(options)).page(`${stage.server.url}${path}`);
/** The values of the times that can be chosen on the page. */
const times = (page) => page.getByRole('combobox', { name: 'When should we call?' }).locator('optgroup option').evaluateAll((all) => all.map((one) => one.value && one.label));

async function fill(page) {
  await page.getByLabel('Your name').fill('Ana Lund');
  await page.getByLabel('Phone number').fill(fresh());
}

/** Looked at narrow and wide, light and dark; nothing for axe to find, nothing that scrolls sideways. */
async function look(name, path) {
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [[320, 640], [1280, 800]]) {
      const person = await stage.person({ viewport: { width, height }, colorScheme });
      const page = await person.page(`${stage.server.url}${path}`);
      await page.waitForLoadState('networkidle').catch(() => {});
      await page.getByRole('main').waitFor();
      await pause(400);
      await shot(page, `${name}-${width}-${colorScheme}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(overflow <= 0, `${name} at ${width} px scrolls sideways by ${overflow} px`);
      assert.deepEqual(await findings(page), [], `${name}, ${width} px, ${colorScheme}`);
      await person.close();
    }
  }
}

test('a time of one’s own: on the form, taken only once, changed and given back on the status page', async () => {
  const [first, second] = [await visit(FORM), await visit(FORM)];
  await until(async () => (await times(first)).length > 10 && (await times(second)).length > 10, 'times to choose from');
  // Not the very next one: it could begin while this scenario looks at pages.
  const wanted = (await times(first))[1];
  for (const page of [first, second]) {
    await fill(page);
    await page.getByRole('combobox', { name: 'When should we call?' }).selectOption({ label: wanted });
  }
  await first.getByRole('button', { name: 'Call me at this time' }).click();
  await first.waitForURL(/\/status\//);
  await first.getByText('We will call you at the time you chose').waitFor();
  await second.getByRole('button', { name: 'Call me at this time' }).click();
  await second.getByText('Someone else just took that time').waitFor();
  assert.ok(!(await times(second)).includes(wanted), 'what is taken is not shown any more');
  const token = first.url().match(/status\/([^?]+)/)[1];
  assert.equal((await stage.server.status(token)).why.why, 'chosen_time');
  await look('status-planned', `/t/sacramento/status/${token}`);

  await first.getByRole('button', { name: 'Choose a time' }).click();
  await until(async () => (await times(first)).length > 10, 'times to choose from');
  const other = (await times(first))[3];
  await first.getByRole('combobox', { name: 'When should we call?' }).selectOption({ label: other });
  await shot(first, 'status-choose-time');
  assert.deepEqual(await findings(first), []);
  await first.getByRole('button', { name: 'Save time' }).click();
  await first.getByText('Your time is saved.').waitFor();
  await first.getByRole('button', { name: 'Choose a time' }).click();
  await until(async () => (await times(first)).includes(wanted), 'the time that was given back to be free again');
  await first.getByRole('combobox', { name: 'When should we call?' }).selectOption({ label: 'As soon as possible' });
  await first.getByRole('button', { name: 'Save time' }).click();
  await first.getByText('in line').first().waitFor();
  await stage.server.reaches(token, 'waiting');
  await stage.emptyLine();
});

test('no number without data, a range once there is some, and the word before a long wait', async () => {
  const page = await visit(FORM);
  await page.getByText('No one is waiting right now').waitFor();
  const desk = await stage.desk();
  await desk.goAvailable();
  for (let call = 0; call < 3; call++) {
    const { status_token } = await stage.server.ask(fresh());
    await desk.accept();
    await stage.server.reaches(status_token, 'talking');
    await pause(6000);
    await desk.button('End call').click();
    await desk.finish();
    await stage.agentIs('maria', 'ready');
  }
  await stage.server.ask(fresh());
  await desk.accept();
  // Each takes the one agent some eight seconds: with twelve in line it is more than the minute the county allows.
  const waiting = [];
  for (let ahead = 0; ahead < 12; ahead++) waiting.push(await stage.server.ask(fresh(), { accept_wait: true }));
  const status = await stage.server.status(waiting.at(-1).status_token);
  assert.ok(status.ewt_ms > 60_000 && status.ewt_p90_ms > status.ewt_ms, JSON.stringify(status));
  const seen = await visit(`/t/sacramento/status/${waiting.at(-1).status_token}`);
  await seen.getByText(/about \d+ to \d+ minutes/).waitFor();
  const spanish = await visit(`/t/sacramento/status/${waiting.at(-1).status_token}?lang=es`);
  await spanish.getByText(/unos \d+ a \d+ minutos/).waitFor();

  const refused = await stage.server.api('/api/v1/t/sacramento/callbacks', { method: 'POST', body: { name: 'Ana Lund', phone: fresh() } });
  assert.equal(refused.status, 409);
  assert.equal(refused.json.code, 'wait_too_long');
  assert.ok(refused.json.expected > refused.json.limit && refused.json.limit === 60_000, refused.text);
  await look('call-me-long-wait', FORM);
  const asking = await visit(FORM);
  await asking.getByText(/The wait is about \d+ minutes? right now/).waitFor();
  await fill(asking);
  await asking.getByRole('button', { name: 'Call me', exact: true }).click();
  await asking.getByText('Please tick').waitFor();
  await asking.getByLabel('Call me all the same').check();
  await asking.getByRole('button', { name: 'Call me', exact: true }).click();
  await asking.waitForURL(/\/status\//);
  await asking.getByText('in line').first().waitFor();

  // What was learnt survives a restart: the range is there again as soon as the agent is.
  await stage.emptyLine();
  await stage.clear(desk);
  const known = (await stage.server.api('/api/v1/t/sacramento/availability')).json.availability;
  assert.notEqual(known.ewt, null);
  await desk.person.close();
  assert.equal((await stage.server.program.stop('SIGTERM', 30_000)).code, 0);
  await stage.server.run();
  await stage.trunkIs(true);
  const back = await stage.desk();
  await back.goAvailable();
  const after = (await stage.server.api('/api/v1/t/sacramento/availability')).json.availability;
  assert.equal(after.ewt, known.ewt);
  await back.person.close();
  // Until the server has noticed that she is gone, whoever asks next is still offered to her.
  await stage.agentIs('maria', 'offline', { within: 30_000 });
});

test('a closure says beforehand whom it finds, and tells them', async () => {
  await stage.emptyLine();
  const { status_token } = await stage.server.ask(fresh());
  const page = await visit(`/t/sacramento/status/${status_token}`);
  const supervisor = await (await stage.person()).signIn(stage.server, 'sam', '/supervisor');
  await supervisor.getByRole('button', { name: 'Close now …' }).click();
  await supervisor.getByLabel('Message to customers').fill('A pipe burst.');
  await supervisor.getByLabel('How long').selectOption({ label: '2 hours' });
  await supervisor.getByText(/1 person in line is told, with your message, and called from/).waitFor();
  // The dialog keeps up with the line while the message is still being written.
  const later = await stage.server.ask(fresh());
  await supervisor.getByText(/2 people in line are told, with your message, and called from/).waitFor();
  assert.equal((await stage.server.api(`/api/v1/status/${later.status_token}/cancel`, { method: 'POST', body: {} })).status, 200);
  await supervisor.getByText(/1 person in line is told, with your message, and called from/).waitFor();
  await shot(supervisor, 'closure-preview');
  assert.deepEqual(await findings(supervisor), []);
  await supervisor.getByRole('button', { name: 'Close now', exact: true }).click();
  await page.getByText('A pipe burst.').waitFor();
  await page.getByText('Your call is planned').first().waitFor();
  await look('status-closure', `/t/sacramento/status/${status_token}`);
  await supervisor.getByRole('button', { name: 'Lift closure …' }).click();
  await supervisor.getByRole('button', { name: 'Lift closure', exact: true }).click();
  await stage.server.reaches(status_token, 'waiting');
});
