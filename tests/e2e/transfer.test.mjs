// A live call goes on to a queue, to a colleague who was asked first, and to a number outside; three talk together; and what
// fails on the way brings the customer back. The customer calls by sipp, the number outside is sipp too; every ear is measured.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { pause, until } from './peers/process.mjs';
import { Carrier, audioPort, far } from './peers/sipp.mjs';
import { OUR_NUMBER } from './server.mjs';
import { CUSTOMER_E164, LOUD, PHONE_TONE, SILENT, Stage, shot } from './stage.mjs';
import { amplitude, readWav, stretchOf } from './tone.mjs';

const JON_TONE = 900;
const OUTSIDE_TONE = 1700;
const OUTSIDE = '+19165550300';
let stage, maria, jon, ear, caller, office, officeEar;

before(async () => {
  stage = await Stage.set({ announcement: null, inbound: {}, chat: {}, policy: { offer_seconds: 8 } });
  maria = await stage.desk();
  await maria.goAvailable();
  jon = await stage.desk('jon', { tone: JON_TONE });
  jon.tone = JON_TONE;
});
afterEach(async () => {
  await hangUp();
  for (const desk of [maria, jon]) await free(desk);
});
after(() => stage?.strike());

async function hangUp() {
  for (const ended of [ear, officeEar]) ended?.close();
  for (const peer of [caller, office]) await peer?.stop();
  ear = caller = office = officeEar = undefined;
}

/** Whatever a scenario left on a desk is finished. */
async function free(desk) {
  await until(async () => {
    for (const name of ['End call', 'Leave', 'Back to customer', 'Keep the call', 'Finish']) {
      const button = desk.button(name);
      if ((await button.isVisible()) && (await button.isEnabled())) await button.click({ timeout: 1000 }).catch(() => {});
    }
    return !['offered', 'busy', 'wrap_up', 'draining'].includes((await stage.agent(desk.user)).presence);
  }, `${desk.user} to be free`, { within: 30_000, every: 300 });
}

/** A customer calls and talks with Maria; Jon is where `other` says. */
async function talking(other = 'ready') {
  if ((await stage.agent('maria')).presence !== 'ready') await maria.goAvailable();
  if ((await stage.agent('jon')).presence === 'ready') await away(jon);
  ear = await Earpiece.open({ frequency: PHONE_TONE });
  caller = await Caller.call(calls.stays(ear.port), { server: stage.server, number: OUR_NUMBER, from: CUSTOMER_E164 });
  await maria.accept();
  await stage.bothHear(maria, ear);
  if (other === 'ready') {
    await jon.goAvailable();
    await stage.agentIs('jon', 'ready');
  }
}

async function away(desk) {
  await desk.page.getByRole('button', { name: /^Status:/ }).click();
  await desk.page.getByRole('menu', { name: 'Status' }).getByText('Lunch').click();
  await stage.agentIs(desk.user, 'not_ready');
}

/** The carrier does this with calls to the number outside. */
async function outside(steps) {
  officeEar = await Earpiece.open({ frequency: OUTSIDE_TONE });
  office = await Carrier.start(steps(officeEar.port), { port: stage.carrierPort });
  await stage.trunkIs(true);
}

async function officeAnswers() {
  const invite = await office.gets('INVITE');
  officeEar.speakTo(audioPort(invite.body));
  return invite;
}

/** The page wide and light, then narrow and dark. */
async function shots(desk, name) {
  await shot(desk.page, name);
  if (!process.env.RINGBACK_SHOTS) return;
  const wide = desk.page.viewportSize();
  await desk.page.setViewportSize({ width: 360, height: 740 });
  await desk.page.emulateMedia({ colorScheme: 'dark' });
  await shot(desk.page, `${name}-narrow-dark`);
  await desk.page.emulateMedia({ colorScheme: 'light' });
  await desk.page.setViewportSize(wide);
}

const dialog = (desk) => desk.page.getByRole('dialog', { name: 'Transfer this call' });

async function transfer(desk, way, choose, button) {
  await desk.button('Transfer').click();
  await dialog(desk).getByRole('radio', { name: way }).check();
  await choose(dialog(desk));
  await dialog(desk).getByRole('button', { name: button, exact: true }).click();
}
const toJon = (box) => box.getByRole('radio', { name: /Jon Park/ }).check();
const toOffice = (number) => (box) => box.getByLabel('Number outside').fill(number);

const loud = (measure, what) => until(async () => (await measure()) > LOUD, what, { within: 20_000 });
const quiet = (measure, what) => until(async () => (await measure()) < SILENT, what, { within: 8000 });
/** The music is neither of the tones that people speak with; of less than half a second of it that cannot be told. */
const music = (listener) =>
  until(() => listener.packets >= 25 && listener.recent(0.5).some((sample) => Math.abs(sample) > 0.05), 'music', { within: 8000 });

async function last() {
  const [{ contact }] = await stage.recordings();
  return (await stage.server.api(`/api/v1/contacts/${contact}`, { cookie: stage.supervisorCookie })).json.contact;
}

test('to another queue: music, the next agent with the note, both legs recorded', async () => {
  await talking();
  await transfer(maria, 'Queue or subject', (box) => box.getByRole('combobox').selectOption({ label: 'Housing' }), 'Keep the call');
  assert.equal(await dialog(maria).isVisible(), false, 'kept');
  await maria.button('Transfer').click();
  await dialog(maria).getByRole('radio', { name: 'Queue or subject' }).check();
  await dialog(maria).getByRole('combobox').selectOption({ label: 'Housing' });
  await dialog(maria).getByLabel('Note for whoever is next').fill('Asks about the lease');
  await dialog(maria).getByRole('button', { name: 'Transfer now' }).click();
  await jon.offered();
  await quiet(() => ear.hears(maria.tone), 'the customer to hear Maria no more');
  ear.forget();
  await music(ear);
  await jon.page.getByText('Asks about the lease').first().waitFor();
  await shot(jon.page, 'transfer-offer');
  await jon.accept();
  await stage.bothHear(jon, ear);
  assert.ok((await maria.hears(PHONE_TONE)) < SILENT, 'Maria is out of it');
  assert.equal((await stage.agent('maria')).presence, 'wrap_up');
  await maria.finish('Resolved');
  await jon.button('End call').click();
  assert.equal(await caller.ends(), 0, caller.report());
  await jon.finish('Resolved');
  const contact = await last();
  assert.equal(contact.queue, 'housing');
  assert.equal(contact.attempts.length, 1, 'one call all along');
  const { channels: [left, right] } = readWav(await stage.wav(contact.id));
  const said = stretchOf(left, PHONE_TONE, { floor: 0.05 });
  assert.deepEqual(said.weak, [], 'the customer is recorded through the transfer');
  for (const tone of [maria.tone, JON_TONE]) assert.ok(stretchOf(right, tone, { floor: 0.05 }).seconds > 0.5, `${tone} Hz is recorded`);
});

test('a colleague is asked alone, then takes the call', async () => {
  await talking();
  await maria.button('Transfer').click();
  await toJon(dialog(maria));
  await shots(maria, 'transfer-colleagues');
  await dialog(maria).getByRole('button', { name: 'Ask first' }).click();
  await jon.offered();
  await jon.page.getByText('asks about a call').first().waitFor();
  ear.forget();
  await music(ear);
  await shot(maria.page, 'consult-asked');
  await jon.accept();
  await loud(() => jon.hears(maria.tone), 'Jon to hear Maria');
  await loud(() => maria.hears(JON_TONE), 'Maria to hear Jon');
  assert.ok((await maria.hears(PHONE_TONE)) < SILENT && (await jon.hears(PHONE_TONE)) < SILENT, 'the customer is not in it');
  ear.forget();
  await music(ear);
  assert.ok(ear.hears(maria.tone) < SILENT && ear.hears(JON_TONE) < SILENT, 'nor hears it');
  await shots(maria, 'consult-private');
  await shots(jon, 'consult-helping');
  await maria.button('Complete transfer').click();
  await stage.bothHear(jon, ear);
  await stage.agentIs('maria', 'wrap_up');
  await quiet(() => maria.hears(JON_TONE), 'Maria to be out of it');
});

test('all three hear each other and nobody himself; the customer stays when an agent leaves', async () => {
  await talking();
  await transfer(maria, 'Colleague', toJon, 'Ask first');
  await jon.accept();
  await loud(() => jon.hears(maria.tone), 'Jon to hear Maria');
  await maria.button('Join all').click();
  await loud(() => jon.hears(PHONE_TONE), 'Jon to hear the customer');
  await loud(() => maria.hears(PHONE_TONE), 'Maria to hear the customer');
  await loud(() => ear.hears(JON_TONE), 'the customer to hear Jon');
  ear.forget();
  await pause(1500);
  assert.ok(ear.hears(maria.tone) > LOUD / 2 && ear.hears(JON_TONE) > LOUD / 2, 'the customer hears both');
  assert.ok(ear.hears(PHONE_TONE) < SILENT, `and not himself: ${ear.hears(PHONE_TONE)}`);
  for (const [desk, others] of [[maria, [PHONE_TONE, JON_TONE]], [jon, [PHONE_TONE, maria.tone]]]) {
    for (const tone of others) assert.ok((await desk.hears(tone)) > LOUD / 2, `${desk.user} hears ${tone} Hz`);
    assert.ok((await desk.hears(desk.tone)) < SILENT, `${desk.user} does not hear an echo`);
  }
  await shot(maria.page, 'conference');
  await maria.button('Leave').click();
  await stage.bothHear(jon, ear);
  await stage.agentIs('maria', 'wrap_up');
  await maria.finish();
  await jon.button('End call').click();
  assert.equal(await caller.ends(), 0, caller.report());
  await jon.finish();
  const contact = await last();
  const legs = (await stage.recordings())[0].legs;
  assert.equal(legs.length, 3, 'each leg on its own');
  for (const { recording, party, agent } of legs) {
    const { channels: [sound] } = readWav(await stage.wav(contact.id, `?leg=${recording}`));
    const own = party === 'customer' ? PHONE_TONE : agent === 'jon' ? JON_TONE : maria.tone;
    assert.ok(stretchOf(sound, own, { floor: 0.05 }).seconds > 1.5, `${party} ${agent} is recorded`);
    for (const other of [PHONE_TONE, JON_TONE, maria.tone].filter((tone) => tone !== own)) {
      assert.ok(amplitude(sound, other) < SILENT, `${other} Hz is not in the file of ${party} ${agent}`);
    }
  }
});

test('a colleague who declines brings the customer back, and so does "Back to customer"', async () => {
  await talking();
  await transfer(maria, 'Colleague', toJon, 'Ask first');
  await jon.offered();
  await jon.button('Reject').click();
  await maria.page.getByText('Jon Park has declined').waitFor();
  await stage.bothHear(maria, ear);
  await transfer(maria, 'Colleague', toJon, 'Ask first');
  await jon.accept();
  await loud(() => jon.hears(maria.tone), 'Jon to hear Maria');
  await maria.button('Back to customer').click();
  await stage.bothHear(maria, ear);
  await quiet(() => jon.hears(maria.tone), 'Jon to be out of it');
  await stage.agentIs('jon', 'ready');
});

test('a number outside: through the gate, with the context in the INVITE, then handed the customer', async () => {
  await outside((port) => far.answers({ ear: port, hangUpAfter: 12_000 }));
  await talking('away');
  await transfer(maria, 'Number', toOffice(OUTSIDE), 'Ask first');
  const invite = await officeAnswers();
  assert.ok(invite.start.includes(OUTSIDE), invite.start);
  const header = invite.text.match(/^User-to-User: *([0-9a-f]+);encoding=hex/im);
  const context = Buffer.from(header[1], 'hex').toString();
  assert.match(context, /^ct_[0-9a-z]+;subject=calfresh/i);
  assert.ok(!invite.text.includes('Rosa') && !context.includes('5550119'), 'no name and no number');
  await loud(() => maria.hears(OUTSIDE_TONE), 'Maria to hear the office');
  await loud(() => officeEar.hears(maria.tone), 'the office to hear Maria');
  ear.forget();
  await music(ear);
  await maria.button('Complete transfer').click();
  await loud(() => officeEar.hears(PHONE_TONE), 'the office to hear the customer');
  await loud(() => ear.hears(OUTSIDE_TONE), 'the customer to hear the office');
  ear.forget();
  officeEar.forget();
  await pause(1000);
  assert.ok(ear.hears(maria.tone) < SILENT && officeEar.hears(maria.tone) < SILENT, 'Maria is out of it');
  assert.ok(ear.hears(PHONE_TONE) < SILENT && officeEar.hears(OUTSIDE_TONE) < SILENT, 'nobody hears an echo');
  await maria.finish();
  await stage.agentIs('maria', 'ready');
  assert.equal(await caller.ends(), 0, `the office hangs up, and so do we: ${caller.report()}`);
  const parties = (await stage.recordings())[0].legs.map(({ party }) => party).sort();
  assert.deepEqual(parties, ['agent', 'customer', 'outside']);
});

for (const [what, steps, words] of [
  ['busy', () => far.refuses('486 Busy Here'), 'was not reached (busy)'],
  ['a carrier that fails', () => far.refuses('500 Server Internal Error'), 'was not reached (call failed)'],
]) {
  test(`a number outside that is ${what}: the customer is back`, async () => {
    await outside(steps);
    await talking('away');
    await transfer(maria, 'Number', toOffice(OUTSIDE), 'Ask first');
    await office.gets('INVITE');
    await maria.page.getByText(words).waitFor();
    await stage.bothHear(maria, ear);
  });
}

test('a number outside that hangs up in the consultation: the customer is back', async () => {
  await outside((port) => far.answers({ ear: port, hangUpAfter: 2500 }));
  await talking('away');
  await transfer(maria, 'Number', toOffice(OUTSIDE), 'Ask first');
  await officeAnswers();
  await loud(() => maria.hears(OUTSIDE_TONE), 'Maria to hear the office');
  await maria.page.getByText('has hung up').waitFor();
  await stage.bothHear(maria, ear);
});

test('transferred at once to a number that is busy: the customer waits in line, and Maria is asked first', async () => {
  await outside(() => far.refuses('486 Busy Here', { ring: 1500 }));
  await talking('away');
  await transfer(maria, 'Number', toOffice(OUTSIDE), 'Transfer now');
  await maria.finish();
  await maria.accept();
  await stage.bothHear(maria, ear);
});

test('emergency numbers and nonsense are refused with what to do', async () => {
  await talking('away');
  for (const [number, words] of [['911', 'dial the emergency number from another telephone'], ['12', 'emergency'], ['', 'Enter the number'], ['+999 12345', 'not a telephone number']]) {
    await transfer(maria, 'Number', toOffice(number), 'Ask first');
    await dialog(maria).getByRole('alert').getByText(words).waitFor();
    if (number === '911') await shots(maria, 'transfer-emergency');
    await dialog(maria).getByRole('button', { name: 'Keep the call' }).click();
  }
  await stage.bothHear(maria, ear);
});

test('nothing was complained of in the consoles', () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
