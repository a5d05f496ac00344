// A county's telephone numbers by clicks: one more that customers call, with a key for another line; the one that customers see; a queue of
// its own kind; what is in use stays, what somebody else has is refused, and every step can be undone. Calls come by sipp.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { GREETING_TONE, MENU_TONE, OUR_NUMBER, TENANT } from './server.mjs';
import { CUSTOMER_E164, LOUD, PHONE_TONE, Stage, shot } from './stage.mjs';

const NEW = '+19165550007';
const POOL = '+19165550008';
const SHOWN = '+19165550199';
/** Another county's. */
const YOLO = '+15305550144';

let stage, page, desk, ear, caller;

before(async () => {
  stage = await Stage.set({
    server: { second_factor_for: [] },
    inbound: { menu_seconds: 3 },
    policy: { offer_seconds: 60, wrap_up_seconds: 600 },
    staff: [
      { id: 'maria', role: 'agent', name: 'Maria Vega' },
      { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
      { id: 'ada', role: 'admin', name: 'Ada Byron' },
    ],
    more: `[[tenant]]\nid = "yolo"\nname = "Yolo County"\ntimezone = "America/Los_Angeles"\n[[tenant.number]]\nnumber = "${YOLO}"\n[[tenant.hours]]\ndays = ["mon"]\nfrom = "08:00"\nto = "17:00"\n`,
  });
  const person = await stage.person();
  person.expected.push(/status of 4(09|22)/);
  page = await person.signIn(stage.server, 'ada', '/admin');
});
after(async () => {
  await hangUp();
  await stage?.strike();
});

const go = (name) => page.getByRole('navigation', { name: 'Settings' }).getByRole('link', { name, exact: true }).click();
const save = async () => {
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('status').filter({ hasText: 'Saved. It is in force now.' }).waitFor();
};
const refused = async (words) => {
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: words }).waitFor();
  assert.deepEqual(await findings(page), []);
};
const discard = async () => {
  await page.getByRole('button', { name: 'Discard' }).click();
  await page.getByRole('button', { name: 'Discard' }).waitFor({ state: 'hidden' });
};
const entry = (label, which) => page.getByRole('listitem').filter({ has: page.getByLabel(label, { exact: true }) }).nth(which);

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
const inLine = () => until(async () => (await stage.board()).waiting[0], 'a caller in line', { also: () => caller.report() });
const notAnswered = async (number) => {
  await call(number, (port) => calls.isRefused(port, 404));
  assert.equal(await caller.ends(), 0, `${number}: ${caller.report()}`);
};

test('a number is added with a key for another line: the next call to it is greeted, and the key leads there', async () => {
  await stage.board();
  await notAnswered(NEW);
  await go('Inbound numbers (DNIS)');
  assert.equal(await entry('Number', 0).getByLabel('Number', { exact: true }).inputValue(), OUR_NUMBER);
  await page.getByRole('button', { name: 'Add a number' }).click();
  const added = entry('Number', 1);
  await added.getByLabel('Number', { exact: true }).fill('916 555 0007');
  await added.getByLabel('Subject', { exact: true }).selectOption({ label: 'CalFresh' });
  await added.getByRole('button', { name: 'Add a key' }).click();
  await added.getByLabel('Leads to').selectOption({ label: 'Medi-Cal' });
  await refused('Inbound numbers (DNIS), entry 2: Number cannot be kept');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'numbers-1-number');
  await added.getByLabel('Number', { exact: true }).fill(NEW);
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-numbers');
  await save();
  await call(NEW, (port) => calls.pressesByInfo(port, '1', { after: 3500 }));
  await until(() => ear.hears(GREETING_TONE) > LOUD / 2, 'the greeting', { within: 10_000 });
  await until(() => ear.hears(MENU_TONE) > LOUD / 2, 'the menu', { within: 10_000 });
  assert.equal((await inLine()).subject, 'medi-cal');
  await stage.emptyLine();
  await hangUp();
});

test('another county’s number is refused without a word of whose it is; one that was lent just now stays', async () => {
  await page.getByRole('button', { name: 'Add a number' }).click();
  await entry('Number', 2).getByLabel('Number', { exact: true }).fill(YOLO);
  await refused('Inbound numbers (DNIS), entry 3: Number cannot be used: calls to it are answered elsewhere');
  assert.equal(await page.getByText('Yolo').count(), 0);
  await entry('Number', 2).getByLabel('Number', { exact: true }).fill(POOL);
  await entry('Number', 2).getByLabel('Lent to visitors of your pages').check();
  await save();
  const lent = await stage.server.api(`/api/v1/t/${TENANT}/numbers`, { method: 'POST', body: { name: 'Rosa Diaz' } });
  assert.deepEqual([lent.status, lent.json?.number], [201, POOL], lent.text);
  await page.getByRole('button', { name: `Remove ${POOL}` }).click();
  await refused(`${POOL} cannot be taken away now: a visitor was just given it`);
  await discard();
});

test('a number is taken away and calls to it are no longer answered; undone, they are', async () => {
  await page.getByRole('button', { name: `Remove ${NEW}` }).click();
  await save();
  await notAnswered(NEW);
  await go('Change history');
  await page.getByText(`Inbound numbers (DNIS): ${NEW}: removed`).waitFor();
  await page.getByText(`Inbound numbers (DNIS): ${NEW}: added`).waitFor();
  // Version 1 is what the file said; 2 added the first number, 3 the second, 4 took the first away.
  await page.getByRole('button', { name: 'Bring back version 3' }).click();
  await page.getByRole('button', { name: 'Bring back', exact: true }).click();
  await page.getByRole('status').filter({ hasText: 'What version 3 said is in force again.' }).waitFor();
  await call(NEW, (port) => calls.hangsUpAfter(port, 2500));
  await until(() => ear.hears(GREETING_TONE) > LOUD / 2, 'the greeting', { within: 10_000 });
  assert.equal(await caller.ends(), 0, caller.report());
  await hangUp();
});

test('the customer sees the number that was chosen, from the next call on', async () => {
  await go('Caller IDs');
  await page.getByRole('button', { name: 'Add a number' }).click();
  await page.getByLabel('Number', { exact: true }).fill('911');
  await page.getByLabel('Name', { exact: true }).fill('Benefits office');
  await refused('Caller IDs, entry 1: Number cannot be kept');
  await page.getByLabel('Number', { exact: true }).fill(SHOWN);
  await shot(page, 'admin-caller-ids');
  await go('Callbacks');
  await page.getByLabel('Number the customer sees').selectOption({ label: `Benefits office (${SHOWN})` });
  await save();
  // The one in use stays.
  await go('Caller IDs');
  await page.getByRole('button', { name: `Remove ${SHOWN}` }).click();
  await refused('Callbacks: Number the customer sees cannot be kept');
  await discard();
  const sipp = await stage.carrier((port) => far.answers({ ear: port }));
  desk = await stage.desk();
  await desk.goAvailable();
  await stage.server.ask('916 555 0119');
  await desk.accept();
  const invite = await sipp.gets('INVITE');
  assert.ok(invite.headers.from.includes(`sip:${encodeURIComponent(SHOWN)}@`) || invite.headers.from.includes(`sip:${SHOWN}@`), invite.headers.from);
  await stage.callArrives();
  await stage.bothHear(desk);
  await desk.button('End call').click();
});

test('a result that was recorded is not removed but no longer offered', async () => {
  await desk.finish('Resolved');
  await go('Disposition codes');
  await page.getByRole('button', { name: 'Remove Resolved' }).click();
  await refused('Resolved cannot be taken away: contacts are recorded with it');
  await discard();
  await entry('Name', 0).getByLabel('No longer offered').check();
  await save();
  await stage.server.ask('916 555 0119');
  await desk.accept();
  await stage.callArrives(2);
  await stage.bothHear(desk);
  await desk.button('End call').click();
  await desk.button('Finish').waitFor();
  await desk.page.getByLabel('Follow-up needed').waitFor();
  // The page was opened before: it asks anew for what may be chosen.
  await desk.page.getByLabel('Resolved').waitFor({ state: 'detached' });
  await desk.finish();
  // One that nobody ever chose goes.
  await page.getByRole('button', { name: 'Remove Follow-up needed' }).click();
  await save();
});

test('a queue with rules of its own: its offers lapse in their time, with their reason', async () => {
  await go('Queue policies');
  await page.getByRole('button', { name: 'Add a queue' }).click();
  assert.equal(await page.getByLabel('An offer stands so many seconds').inputValue(), '60', 'begins with what holds for all');
  await refused('Queue policies, entry 1: Queue cannot be kept');
  await page.getByLabel('Queue', { exact: true }).selectOption({ label: 'Benefits' });
  await page.getByLabel('An offer stands so many seconds').fill('2');
  await page.getByLabel('After a missed offer the agent is not ready for the reason').selectOption({ label: 'Training' });
  await page.getByLabel('… and the contact has the priority').first().fill('1');
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-queue-rules');
  await save();
  await stage.server.ask('916 555 0119');
  await desk.offered();
  await stage.agentIs('maria', 'not_ready', { reason: 'training', within: 8000 });
  const { id } = (await stage.board()).waiting[0];
  assert.equal((await stage.server.api(`/api/v1/contacts/${id}`, { cookie: stage.supervisorCookie })).json.contact.priority, 1);
  await stage.emptyLine();
  await page.getByRole('button', { name: 'Remove Benefits' }).click();
  await save();
});

test('what becomes of those in line at closing time, and what callers hear meanwhile, are set too', async () => {
  await go('At closing time');
  await page.getByRole('group', { name: 'In an emergency closure' }).getByLabel('They are told that nobody will call').check();
  await go('Inbound calls');
  await page.getByLabel('Callers may press 1 and are called back').check();
  await page.getByLabel('The menu is told so often').fill('0');
  await refused('Inbound calls: The menu is told so often cannot be kept');
  await page.getByLabel('The menu is told so often').fill('2');
  await save();
  await go('Change history');
  await page.getByText('At closing time: In an emergency closure: They keep their place and are called from the next opening on → They are told that nobody will call').waitFor();
  const cookie = await stage.server.signIn('ada');
  const { settings } = (await stage.server.api('/api/v1/settings', { cookie })).json;
  assert.deepEqual([settings.closing.closure, settings.inbound.offer_callback, settings.inbound.menu_tries], ['tell', true, 2]);
  await stage.server.kill();
  await stage.server.run();
  const again = (await stage.server.api('/api/v1/settings', { cookie: await stage.server.signIn('ada') })).json;
  assert.deepEqual(again.settings, settings, 'the next start finds the same');
});

test('in Spanish the new sections have their words', async () => {
  await page.reload();
  await page.getByRole('button', { name: 'Español' }).click();
  for (const name of ['Números de entrada (DNIS)', 'Números que se muestran', 'Llamadas de entrada', 'Reglas de algunas colas', 'A la hora de cerrar']) {
    await page.getByRole('navigation', { name: 'Ajustes' }).getByRole('link', { name, exact: true }).click();
    await page.getByRole('heading', { name, level: 1 }).waitFor();
    assert.deepEqual(await findings(page), [], name);
  }
  await page.getByRole('navigation', { name: 'Ajustes' }).getByRole('link', { name: 'Números de entrada (DNIS)', exact: true }).click();
  await shot(page, 'admin-numbers-spanish');
});
