// An agent calls numbers of their own accord: sipp and baresip are called, every ear and the WAV are measured; what stands against a
// call is read on the screen. The desk has no queue of requests here: whatever is dialled, the agent dialled.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Baresip } from './peers/baresip.mjs';
import { pause, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { LOUD, PHONE_TONE, SILENT, Stage, shot } from './stage.mjs';
import { amplitude, readWav, stretchOf } from './tone.mjs';

const NUMBER = '(916) 555-0440';
const E164 = '+19165550440';
let stage, desk;

before(async () => {
  stage = await Stage.set({
    staff: [
      { id: 'maria', role: 'agent', name: 'Maria Vega' },
      { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
      { id: 'ada', role: 'admin', name: 'Ada Obi' },
    ],
    dialling: { agents_call_out: true, calls_per_day: 9 }, callback: { ring_seconds: 5, press_one: true }, server: { second_factor_for: [] },
  });
  desk = await stage.desk();
  await desk.goAvailable();
});
after(() => stage?.strike());

const dialog = () => desk.page.getByRole('dialog', { name: 'Call a number' });

async function call(number, name) {
  await desk.button('Call a number').click();
  await dialog().getByLabel('Number to call').fill(number);
  if (name) await dialog().getByLabel('Name, if you know it').fill(name);
  await dialog().getByRole('button', { name: 'Call now' }).click();
}

async function notReady() {
  await desk.page.getByRole('button', { name: /^Status:/ }).click();
  await desk.page.getByRole('menu', { name: 'Status' }).getByText('Lunch').click();
  await stage.agentIs('maria', 'not_ready');
}

const recorded = () =>
  until(async () => {
    const [item] = (await stage.recordings()).sort((a, b) => b.started_at - a.started_at);
    return item?.legs.length === 2 && item.legs.every(({ chain }) => chain) && item;
  }, 'the recording', { within: 20_000 });
const contactOf = async (id) => (await stage.server.api(`/api/v1/contacts/${id}`, { cookie: stage.supervisorCookie })).json;

test('the number is dialled at once, hears the announcement, then both hear each other; wrapped up and recorded', async () => {
  await stage.carrier((ear) => far.answers({ ear }));
  await desk.button('Call a number').click();
  await shot(desk.page, 'call-out');
  await dialog().getByRole('button', { name: 'Cancel' }).click();
  await call(NUMBER, 'Rosa Diaz');
  const invite = await stage.callArrives();
  assert.ok(invite.start.includes(E164), invite.start);
  await stage.agentIs('maria', 'busy');
  await desk.page.getByRole('heading', { name: 'Rosa Diaz', level: 1 }).waitFor();
  await stage.bothHear(desk);
  await desk.page.getByText('Your call', { exact: false }).first().waitFor();
  await shot(desk.page, 'call-out-talking');
  await desk.button('Hold').click();
  await desk.becomesSilent(PHONE_TONE);
  await desk.button('Resume').click();
  await stage.bothHear(desk);
  await desk.button('End call').click();
  await stage.sipp.gets('BYE');
  await desk.finish('Resolved');
  await stage.agentIs('maria', 'ready');
  const item = await recorded();
  assert.deepEqual([item.outcome, item.dispositions, item.customer_name], ['successful', ['resolved'], 'Rosa Diaz']);
  const { contact, facts } = await contactOf(item.contact);
  assert.equal(contact.channel, 'outbound');
  assert.deepEqual([contact.segments.length, contact.segments[0].why], [1, { why: 'called_out', by: 'maria' }]);
  const names = facts.map(({ fact }) => fact.fact);
  for (const name of ['called_out', 'dialled', 'answered', 'announced', 'bridged', 'wrap_up_ended', 'closed']) assert.ok(names.includes(name), `${name} in ${names}`);
  assert.ok(!names.includes('offered'), 'nobody was asked');
  const why = (await stage.server.api(`/api/v1/contacts/${item.contact}/why`, { cookie: stage.supervisorCookie })).json;
  assert.deepEqual(why.chosen.map(({ agent, why: { why: word } }) => [agent, word]), [['maria', 'called_out']]);
  const { channels: [left, right] } = readWav(await stage.wav(item.contact));
  assert.ok(stretchOf(left, PHONE_TONE, { floor: 0.05 }).seconds > 2, 'whom she called is recorded');
  assert.ok(stretchOf(right, desk.tone, { floor: 0.05 }).seconds > 1, 'so is she');
  assert.ok(amplitude(left, desk.tone) < SILENT && amplitude(right, PHONE_TONE) < SILENT, 'each on a track of their own');
});

test('busy: she reads so and is free without wrap-up', async () => {
  await stage.carrier(() => far.refuses('486 Busy Here', { ring: 600 }));
  await call(NUMBER);
  await stage.sipp.gets('INVITE');
  await desk.page.getByText('Your call was not answered: busy.').waitFor();
  await stage.agentIs('maria', 'ready');
  await pause(3000);
  assert.equal(stage.sipp.calls().length, 1, 'it is not tried again');
  await shot(desk.page, 'call-out-busy');
});

test('no answer: given up after the ringing time', async () => {
  await stage.carrier(() => far.ringsForEver());
  await call(NUMBER);
  await stage.sipp.gets('CANCEL', { within: 20_000 });
  await stage.sipp.gets('ACK');
  await desk.page.getByText('Your call was not answered: no answer.').waitFor();
  await stage.agentIs('maria', 'ready');
});

test('she breaks it off while it rings', async () => {
  await stage.carrier(() => far.ringsForEver());
  await call(NUMBER);
  await stage.sipp.gets('INVITE');
  await desk.button('End call').click();
  await stage.sipp.gets('CANCEL');
  await stage.sipp.gets('ACK');
  await stage.agentIs('maria', 'ready');
});

test('emergency numbers and nonsense are refused with what to do, and nothing leaves', async () => {
  await stage.carrier((ear) => far.answers({ ear }));
  for (const [number, words] of [['911', 'dial the emergency number from another telephone'], ['9 1 1', 'emergency'], ['', 'Enter the number'], ['+999 12345', 'not a telephone number'], ['+44 20 7946 0958', 'not called from here']]) {
    await call(number);
    await dialog().getByRole('alert').getByText(words).waitFor();
    if (number === '911') await shot(desk.page, 'call-out-emergency');
    await dialog().getByRole('button', { name: 'Cancel' }).click();
  }
  assert.equal(stage.sipp.received('INVITE').length, 0);
  await stage.agentIs('maria', 'ready');
});

test('a number that wants no calls is not called', async () => {
  const cookie = await stage.server.signIn('ada');
  const put = await stage.server.api('/api/v1/do-not-call', { method: 'POST', body: { phone: '(916) 555-0441' }, cookie });
  assert.ok(put.status < 300, put.text);
  await call('(916) 555-0441');
  await dialog().getByRole('alert').getByText('wants no calls').waitFor();
  await dialog().getByRole('button', { name: 'Cancel' }).click();
  assert.equal(stage.sipp.received('INVITE').length, 0);
});

test('baresip is called while she is not ready, and she stays so', async () => {
  await stage.hangUpCarrier();
  const phone = await Baresip.start(E164, { port: stage.carrierPort, frequency: PHONE_TONE });
  try {
    await stage.trunkIs(true);
    await notReady();
    await call(NUMBER);
    await phone.program.says(/Call established/);
    await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear baresip', { within: 20_000 });
    await pause(1500);
    await phone.command('hangup');
    await desk.finish('Resolved');
    await stage.agentIs('maria', 'not_ready', { reason: 'lunch' });
  } finally {
    await phone.stop();
  }
  const [{ rate, samples }] = phone.recordings();
  assert.ok(stretchOf(samples, desk.tone, { rate, floor: 0.08, bridgeGap: 0.1 }).seconds > 0.5, 'baresip heard her');
});

test('a call and the number brought into it use up the day together: then nobody is called', async () => {
  await desk.goAvailable();
  await stage.carrier((ear) => far.answers({ ear }));
  const usedUp = dialog().getByRole('alert').getByText('calls of the day are used up');
  let placed = 0;
  for (; placed < 10; placed += 1) {
    await call(NUMBER);
    await until(async () => (await usedUp.isVisible()) || !(await dialog().isVisible()), 'an answer');
    if (await usedUp.isVisible()) break;
    await until(() => desk.button('Hold').isEnabled(), 'the conversation', { within: 20_000 });
    if (placed === 0) {
      await desk.button('Transfer').click();
      const transfer = desk.page.getByRole('dialog', { name: 'Transfer this call' });
      await transfer.getByRole('radio', { name: 'Number' }).check();
      await transfer.getByLabel('Number outside').fill('+19165550442');
      await transfer.getByRole('button', { name: 'Ask first' }).click();
      await until(() => stage.sipp.received('INVITE').some(({ start }) => start.includes('+19165550442')), 'the number outside to be dialled');
      await desk.button('Back to customer').click();
    }
    await until(() => desk.button('End call').isEnabled(), 'the customer to be back');
    await desk.button('End call').click();
    await desk.finish();
  }
  // Nine a day: five were dialled before, so three more and the number brought into the first of them.
  assert.equal(placed, 3);
  await dialog().getByRole('button', { name: 'Cancel' }).click();
});

test('nothing was complained of in the consoles', () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
