// A county founded in Spanish with the keyboard alone: from the sign-in through the guided start to a callback that is taken, talked
// in and wrapped up. No mouse: Tab, Shift+Tab, arrows, Space, Enter and what is typed. Each step is whole to a reader (axe).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Baresip } from './peers/baresip.mjs';
import { freePort, pause, until } from './peers/process.mjs';
import { PASSWORD } from './server.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, SILENT, Stage, shot } from './stage.mjs';
import { amplitude, readWav, stretchOf } from './tone.mjs';

/** No page of ours has more stops than this. */
const MOST_STOPS = 150;
const TONE = 700;
const GIVEN = 'dada por olga';

let stage, phone, line, olga, nora, rosa;

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

/** Somebody whose browser speaks Spanish and whose mouse is broken. */
async function person(path, options) {
  const person = await stage.person({ locale: 'es-MX', ...options });
  const page = await person.page(`${stage.server.url}${path}`);
  for (const deed of ['click', 'dblclick', 'move', 'down', 'wheel']) page.mouse[deed] = () => assert.fail('no mouse');
  return { person, page };
}

const field = (page, name) => page.getByLabel(name, { exact: true });
const button = (page, name) => page.getByRole('button', { name, exact: true });

/** Tab until that has the focus, and can be seen to have it. */
async function to(page, what, key = 'Tab') {
  await what.waitFor();
  for (let stops = 0; stops < MOST_STOPS; stops++) {
    if (await what.evaluate((element) => element === document.activeElement)) {
      const seen = await what.evaluate((element) => {
        const { boxShadow, outlineStyle } = getComputedStyle(element);
        return element.matches(':focus-visible') && (boxShadow !== 'none' || outlineStyle !== 'none');
      });
      assert.ok(seen, `the focus shows on ${what}`);
      return;
    }
    await page.keyboard.press(key);
  }
  assert.fail(`Tab does not come to ${what}`);
}

async function type(page, name, text, within = page) {
  await to(page, within.getByLabel(name, { exact: true }));
  // What stands in the field is marked when Tab comes to it.
  await page.keyboard.type(text);
}

async function press(page, what, key = 'Enter') {
  await to(page, what);
  await page.keyboard.press(key);
}

async function good(page, name) {
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'es', name);
  assert.deepEqual(await findings(page), [], name);
  await shot(page, `keyboard-${name}`);
}

test('the operator signs in and founds a county; a fault leads back to its field', async () => {
  const found = await person('/admin');
  olga = found.page;
  found.person.expected.push(/status of 4(01|09|22)/);
  await good(olga, 'sign-in');
  await type(olga, 'Usuario', 'olga');
  await type(olga, 'Contraseña', PASSWORD);
  await olga.keyboard.press('Enter');
  await olga.getByRole('heading', { name: 'Condados', level: 1 }).waitFor();
  await good(olga, 'counties');
  await press(olga, button(olga, 'Condado nuevo'));
  await olga.getByRole('heading', { name: 'Un condado nuevo' }).waitFor();
  await type(olga, 'Nombre', 'Condado de Nevada');
  await type(olga, 'Nombre corto', 'nevada');
  // The hours: around the clock. What is offered: callbacks, as it stands ticked; chats are ticked too.
  await press(olga, olga.getByLabel('Abierto todo el día, todos los días'), 'Space');
  await type(olga, 'Cola y tema', 'Ayudas');
  const callback = olga.getByLabel('Llámeme: los clientes dejan un número y se les llama');
  if (!(await callback.isChecked())) await press(olga, callback, 'Space');
  assert.ok(await callback.isChecked());
  // A line of its own is the other of two radio buttons: one stop, and an arrow.
  await to(olga, olga.getByLabel('Usar una línea que ya existe'));
  await olga.keyboard.press('ArrowRight');
  await type(olga, 'Nombre de la línea', 'linea-nevada');
  await type(olga, 'Servidor del operador', '127.0.0.1');
  await type(olga, 'Puerto', String(line));
  await type(olga, 'Número que ven los clientes', '+15305550100');
  await good(olga, 'start');
  const [ada, first] = ['Administrador', 'Primer agente'].map((name) => olga.getByRole('group', { name }));
  await type(olga, 'Nombre completo', 'Ada Ríos', ada);
  await type(olga, 'Nombre de usuario', 'ada', ada);
  await type(olga, 'Contraseña temporal', 'corta', ada);
  await type(olga, 'Nombre completo', 'Nora Campos', first);
  await type(olga, 'Nombre de usuario', 'nora', first);
  await type(olga, 'Contraseña temporal', GIVEN, first);
  await press(olga, button(olga, 'Fundar el condado'));
  await olga.getByRole('alert').filter({ hasText: 'Administrador: Contraseña temporal no se puede guardar así. 8 letras al menos' }).waitFor();
  await good(olga, 'fault');
  assert.ok(await field(ada, 'Contraseña temporal').evaluate((element) => element === document.activeElement), 'the focus is where the fault is');
  await olga.keyboard.press('Control+A');
  await olga.keyboard.type(GIVEN);
  await olga.keyboard.press('Enter');
  await olga.getByRole('status').filter({ hasText: 'Condado de Nevada ya existe.' }).waitFor();
  const county = olga.getByRole('listitem').filter({ has: olga.getByRole('heading', { name: 'Condado de Nevada' }) });
  await county.getByText('Listo para la primera llamada').waitFor({ timeout: 45_000 });
  await good(olga, 'founded');
  assert.deepEqual(found.person.complaints, []);
});

/** The first sign-in: with the password somebody gave, to one of the own. */
async function firstSignIn(user, own) {
  const found = await person('/login');
  const { page } = found;
  found.person.expected.push(/status of 401/);
  await type(page, 'Usuario', user);
  await type(page, 'Contraseña', GIVEN);
  await page.keyboard.press('Enter');
  await field(page, 'Contraseña que tiene ahora').waitFor();
  await good(page, 'own-password');
  await type(page, 'Contraseña que tiene ahora', GIVEN);
  await type(page, 'Contraseña nueva', own);
  await press(page, button(page, 'Cambiar la contraseña'));
  await press(page, page.getByRole('link', { name: 'Volver a mi página' }));
  return found;
}

test('its administrator adds a result code and sees who did what', async () => {
  const { person: ada, page } = await firstSignIn('ada', 'solo ada lo sabe');
  await press(page, page.getByRole('link', { name: 'Ajustes' }));
  await page.getByRole('heading', { name: 'Horario', level: 1 }).waitFor();
  // The list of sections is found by typing, and the first that is found opens with Enter.
  await type(page, 'Buscar un ajuste', 'codigos de resultado');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Códigos de resultado', level: 1 }).waitFor();
  await good(page, 'codes-empty');
  await press(page, button(page, 'Añadir un código'));
  await page.keyboard.type('Resuelto');
  await press(page, button(page, 'Guardar'));
  await page.getByRole('status').filter({ hasText: 'Guardado. Ya está en vigor.' }).waitFor();
  await good(page, 'codes');
  assert.ok(await page.evaluate(() => document.activeElement !== document.body), 'the focus is not lost with the button');
  await to(page, field(page, 'Buscar un ajuste'), 'Shift+Tab');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('historial');
  await page.keyboard.press('Enter');
  await page.getByText('Códigos de resultado: Resuelto: añadido').waitFor();
  await good(page, 'versions');
  assert.deepEqual(ada.complaints, []);
});

test('a customer asks and its agent takes the callback: both ends hear each other', async () => {
  nora = await firstSignIn('nora', 'solo nora lo sabe');
  await press(nora.page, button(nora.page, 'Ponerme disponible'));
  await nora.page.getByText('Está disponible').waitFor({ timeout: 20_000 });
  await good(nora.page, 'desk');
  rosa = await person('/t/nevada/call-me', { viewport: { width: 390, height: 760 } });
  await type(rosa.page, 'Su nombre', 'Rosa Díaz');
  await type(rosa.page, 'Número de teléfono', CUSTOMER);
  await good(rosa.page, 'call-me');
  await press(rosa.page, button(rosa.page, 'Llámenme'));
  await rosa.page.waitForURL(/\/t\/nevada\/status\//);
  await button(nora.page, 'Aceptar').waitFor({ timeout: 15_000 });
  await good(nora.page, 'offer');
  await press(nora.page, button(nora.page, 'Aceptar'));
  await phone.program.says(/Call established/);
  const hears = (tone) => nora.page.evaluate((wanted) => window.ringbackHears(wanted), tone);
  await until(async () => (await hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer', { within: 20_000 });
  await pause(2500);
  assert.ok((await hears(TONE)) < SILENT, 'the agent hears no echo');
  await good(nora.page, 'talking');
  await press(nora.page, button(nora.page, 'Terminar'));
  await phone.program.says(/terminated|session closed/i);
  await button(nora.page, 'Listo').waitFor();
  await good(nora.page, 'wrap-up');
  await press(nora.page, nora.page.getByLabel('Resuelto'), 'Space');
  await press(nora.page, button(nora.page, 'Listo'));
  await nora.page.getByText('Está disponible').waitFor();
  await rosa.page.getByText(/Gracias por hablar con nosotros/).waitFor();
  await good(rosa.page, 'over');
});

test('the telephone heard the agent and no echo', async () => {
  await phone.stop();
  const [{ rate, samples }] = phone.recordings();
  assert.ok(stretchOf(samples, TONE, { rate, floor: 0.08, bridgeGap: 0.1 }).seconds > 1, 'the customer heard the agent');
  assert.ok(amplitude(samples, PHONE_TONE, rate) < SILENT, 'the customer hears no echo');
  for (const one of stage.people) assert.deepEqual(one.complaints, []);
});
