// A customer whose browser asks for Spanish: the pages, the words on the telephone, and what is kept of them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Baresip } from './peers/baresip.mjs';
import { pause, until } from './peers/process.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, Stage, shot } from './stage.mjs';
import { likeness, readWav } from './tone.mjs';

const prompt = (language, name) => readWav(readFileSync(new URL(`../../web/prompts/${language}/${name}.wav`, import.meta.url))).channels[0];

let stage, phone, customer, person, desk, id;

before(async () => {
  stage = await Stage.set({ announcement: null, callback: { press_one: true, press_one_seconds: 20 } });
  phone = await Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE });
  await stage.trunkIs(true);
  desk = await stage.desk();
});
after(async () => {
  await phone?.stop();
  await stage?.strike();
});

test('the page speaks Spanish to a browser that asks for it, and to a reader', async () => {
  person = await stage.person({ locale: 'es-MX' });
  customer = await person.page(`${stage.server.url}/t/sacramento/call-me`);
  await customer.getByRole('heading', { name: 'Le llamamos' }).waitFor();
  assert.equal(await customer.evaluate(() => document.documentElement.lang), 'es');
  assert.deepEqual(await findings(customer), []);
  await shot(customer, 'spanish-call-me');
  await customer.getByRole('button', { name: 'Llámenme' }).click();
  await customer.getByText('Por favor, díganos su nombre').first().waitFor();
  await customer.getByLabel('Su nombre').fill('Rosa Diaz');
  await customer.getByLabel('Número de teléfono').fill('911');
  await customer.getByRole('button', { name: 'Llámenme' }).click();
  await customer.getByText(/No podemos llamar a est/).first().waitFor();
  await shot(customer, 'spanish-refused');
  await customer.getByLabel('Número de teléfono').fill(CUSTOMER);
  await customer.getByRole('button', { name: 'Llámenme' }).click();
  await customer.waitForURL(/\/status\//);
  await customer.getByText('en la fila', { exact: true }).waitFor();
  assert.deepEqual(await findings(customer), []);
  await shot(customer, 'spanish-status');
  [{ id }] = (await stage.board()).waiting;
});

const record = async () => (await stage.server.api(`/api/v1/contacts/${id}`, { cookie: stage.supervisorCookie })).json.contact;

test('the telephone speaks Spanish: the announcement, the question for a 1', async () => {
  await desk.goAvailable();
  await desk.accept();
  await until(async () => (await record()).attempts[0]?.announcement, 'the announcement to be over', { within: 30_000 });
  // The question is heard for a while first.
  await pause(3000);
  await phone.command('sndcode', '1');
  await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer');
  await customer.getByText('Está hablando con nosotros').first().waitFor();
  await desk.button('End call').click();
  await desk.finish();
  await customer.getByText('Gracias por hablar con nosotros').first().waitFor();
  await phone.stop();
  const [{ samples }] = phone.recordings();
  for (const name of ['announcement', 'press_one']) {
    const [spanish, english] = ['es', 'en'].map((language) => likeness(samples, prompt(language, name)));
    assert.ok(spanish > 0.9, `${name}: the Spanish words are heard: ${spanish}`);
    assert.ok(english < 0.5, `${name}: the English ones are not: ${english}`);
  }
});

test('which words in which version were heard is kept', async () => {
  const contact = await record();
  assert.equal(contact.customer.language, 'es');
  assert.match(contact.attempts[0].announcement[0], /^announcement es \d+$/);
  assert.deepEqual(person.complaints.filter((text) => !/422/.test(text)), []);
});
