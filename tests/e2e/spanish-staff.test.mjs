// Agent and supervisor who chose Spanish: a call and a chat are taken and wrapped up, the board and a recording read,
// and nothing of ours on their pages is English.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Baresip } from './peers/baresip.mjs';
import { until } from './peers/process.mjs';
import { PASSWORD } from './server.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, Stage, shot } from './stage.mjs';

/** Words that stand on the English pages and in no Spanish text. */
const ENGLISH =
  /\b(the|and|your|you|with|call|calls|agent|agents|customer|queue|queues|waiting|waited|available|ready|busy|status|search|recordings?|settings|sign out|accept|reject|hold|mute|transfer|wrap-up|note|more time|finish|phone|history|details|board|loading|close|back|from|today)\b/i;

let stage, phone, person, page;

before(async () => {
  stage = await Stage.set({ announcement: null, chat: {} });
  phone = await Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE });
  await stage.trunkIs(true);
});
after(async () => {
  await phone?.stop();
  await stage?.strike();
});

const button = (name) => page.getByRole('button', { name, exact: true });

/** What is read, heard and hovered on the page, but for what tenants and customers wrote. */
async function english(page, own = []) {
  const texts = await page.evaluate(() => [
    ...document.body.innerText.split('\n'),
    ...['aria-label', 'title', 'alt', 'label'].flatMap((name) => [...document.querySelectorAll(`[${name}]`)].map((element) => element.getAttribute(name))),
    document.title,
  ]);
  return [...new Set(texts.map((text) => own.reduce((left, word) => left.replaceAll(word, ''), text)).filter((text) => ENGLISH.test(text)))];
}

const OWN = ['Resolved', 'Follow-up needed', 'Benefits', 'CalFresh', 'County', 'Lunch', 'Break', 'Where is the office?', 'At 2007 Scenario Street.'];

/** Neither too wide nor in English, and whole to a reader. */
async function good(page, name, own = []) {
  assert.deepEqual(await english(page, [...OWN, ...own]), [], name);
  assert.deepEqual(await findings(page), [], name);
  await shot(page, `spanish-${name}`);
}
async function narrow(page, name) {
  const whole = page.viewportSize();
  await page.setViewportSize({ width: 400, height: 800 });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${name}: ${over} px too wide`);
  await shot(page, `spanish-${name}-400`);
  await page.setViewportSize(whole);
}

test('the language is chosen in the status menu, holds at once, and at the next visit too', async () => {
  person = await stage.person();
  page = await person.signIn(stage.server, 'maria', '/agent');
  await page.getByRole('button', { name: /^Status:/ }).click();
  await page.getByRole('menuitem', { name: 'Español' }).click();
  await button('Ponerme disponible').waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'es');
  assert.match(await page.title(), /^Mi puesto/);
  await page.goto(`${stage.server.url}/agent`);
  await button('Ponerme disponible').waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'es');
  await page.getByRole('button', { name: /^Estado:/ }).click();
  await good(page, 'agent-menu', ['English']);
  await page.keyboard.press('Escape');
  await narrow(page, 'agent-menu');
});

test('a call is offered, taken, held, ended and wrapped up in Spanish', async () => {
  await button('Ponerme disponible').click();
  await page.getByText('Está disponible').waitFor({ timeout: 20_000 });
  const customer = await stage.person({ locale: 'es-MX' });
  const form = await customer.page(`${stage.server.url}/t/sacramento/call-me`);
  await form.getByLabel('Su nombre').fill('Rosa Diaz');
  await form.getByLabel('Número de teléfono').fill(CUSTOMER);
  await form.getByRole('button', { name: 'Llámenme' }).click();
  await button('Aceptar').waitFor({ timeout: 15_000 });
  await page.getByText('Devolución de llamada', { exact: true }).first().waitFor();
  await good(page, 'agent-offer');
  await narrow(page, 'agent-offer');
  await button('Aceptar').click();
  await phone.program.says(/Call established/);
  await until(async () => page.evaluate((tone) => window.ringbackHears(tone), PHONE_TONE).then((heard) => heard > LOUD), 'the agent to hear the customer', { within: 20_000 });
  await button('En espera').click();
  await page.getByText('En espera: el cliente oye música').waitFor();
  await good(page, 'agent-call');
  await narrow(page, 'agent-call');
  await button('Reanudar').click();
  await button('Transferir').click();
  await page.getByRole('dialog', { name: 'Transferir esta llamada' }).waitFor();
  await good(page, 'agent-transfer');
  await button('Seguir con la llamada').click();
  await button('Terminar').click();
  await button('Listo').waitFor();
  await page.getByLabel('Nota').fill('Llamar mañana');
  await good(page, 'agent-wrap-up');
  await narrow(page, 'agent-wrap-up');
  await button('Listo').click();
  await page.getByText('Está disponible').waitFor();
  await customer.close();
});

test('a chat is taken, answered and wrapped up in Spanish', async () => {
  const chat = await stage.chat('Luis Vega', '(916) 555-0133', '¿Dónde está la oficina?');
  await button('Aceptar').click({ timeout: 15_000 });
  await page.getByRole('log', { name: 'Chat con Luis Vega' }).waitFor();
  const box = page.getByLabel('Mensaje a Luis Vega');
  await box.fill('Buenos días, Luis.');
  await box.press('Enter');
  await chat.getByRole('log').getByText('Buenos días, Luis.', { exact: true }).waitFor();
  await page.getByText(/Entregado|Leído/).first().waitFor();
  for (const tab of ['Teléfono', 'Chat', 'Cliente', 'Historial', 'Ayuda']) {
    await page.getByRole('tab', { name: tab, exact: true }).click();
    await good(page, `agent-chat-${tab.toLowerCase()}`);
  }
  await narrow(page, 'agent-chat');
  await button('Terminar chat').click();
  await button('Guardar resultado').waitFor();
  await good(page, 'agent-chat-wrap-up');
  await page.getByLabel('Resolved').check();
  await button('Guardar resultado').click();
  await page.getByText('Está disponible').waitFor();
  await chat.close();
});

test('the map of keys is in Spanish', async () => {
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Teclado' }).waitFor();
  await good(page, 'agent-keys');
  await page.getByRole('button', { name: 'Cerrar', exact: true }).click();
  assert.deepEqual(person.complaints, []);
});

test('the supervisor reads board, recording, chats and audit in Spanish', async () => {
  const sam = await stage.person();
  const desk = await sam.signIn(stage.server, 'sam', '/supervisor');
  await desk.getByRole('button', { name: 'Español' }).click();
  await desk.getByRole('heading', { name: 'Agentes' }).waitFor();
  assert.equal(await desk.evaluate(() => document.documentElement.lang), 'es');
  await good(desk, 'supervisor-board', ['English', 'Maria Ruiz']);
  await narrow(desk, 'supervisor-board');
  await desk.getByRole('tab', { name: 'Grabaciones' }).click();
  await desk.getByText('Rosa Diaz').first().click();
  await desk.getByRole('button', { name: 'Reproducir', exact: true }).click();
  await until(() => desk.evaluate(() => [...document.querySelectorAll('audio')].some((audio) => audio.currentTime > 0.3)), 'the recording to play');
  await desk.getByText('Calidad de la línea').click();
  await desk.getByRole('columnheader', { name: 'Oído aquí' }).waitFor();
  await good(desk, 'supervisor-recording', ['English']);
  await narrow(desk, 'supervisor-recording');
  await desk.getByRole('tab', { name: 'Chats' }).click();
  await desk.getByText('Luis Vega').first().click();
  await desk.getByText('El chat terminó').waitFor();
  await good(desk, 'supervisor-chat', ['English']);
  await desk.getByRole('tab', { name: 'Auditoría' }).click();
  await desk.getByRole('columnheader', { name: 'Cuándo' }).waitFor();
  await shot(desk, 'spanish-supervisor-audit');
  await desk.reload();
  await desk.getByRole('heading', { name: 'Auditoría' }).waitFor();
  assert.deepEqual(sam.complaints, []);
});

test('somebody waits: the board says in Spanish why, and the closing says whom it meets', async () => {
  await page.getByRole('button', { name: /^Estado:/ }).click();
  await page.getByRole('menuitemradio', { name: 'Desconectado' }).click();
  await stage.agentIs('maria', 'offline');
  await stage.server.ask('(916) 555-0144', { name: 'Ana Paz' });
  const sam = await stage.person({ locale: 'es-US' });
  const board = await sam.page(`${stage.server.url}/supervisor`);
  await board.getByLabel('Usuario', { exact: true }).fill('sam');
  await board.getByLabel('Contraseña', { exact: true }).fill(PASSWORD);
  await board.getByRole('button', { name: 'Iniciar sesión' }).click();
  await board.getByText('no hay ningún agente conectado').waitFor();
  await good(board, 'supervisor-waiting', ['English']);
  await narrow(board, 'supervisor-waiting');
  await board.getByRole('button', { name: '¿Por qué? Ana Paz' }).click();
  await board.getByText('Lugar en la cola').waitFor();
  await good(board, 'supervisor-why', ['English']);
  await board.getByRole('button', { name: 'Cerrar', exact: true }).click();
  await board.getByRole('button', { name: 'Cerrar ahora …' }).click();
  await board.getByText(/A 1 persona de la cola/).waitFor();
  await good(board, 'supervisor-closing', ['English']);
  await board.getByRole('button', { name: 'Volver' }).click();
  assert.deepEqual(sam.complaints, []);
});
