// From the chat to the telephone in one contact: who waits long is called at the old place, an agent calls who writes, and
// a chat is passed on to a named colleague. baresip is the customer's telephone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Baresip } from './peers/baresip.mjs';
import { pause, until } from './peers/process.mjs';
import { CUSTOMER, CUSTOMER_E164, LOUD, PHONE_TONE, Stage, shot } from './stage.mjs';
import { readWav, stretchOf } from './tone.mjs';

let stage, phone, maria, jon, rosa, tom;

before(async () => {
  stage = await Stage.set({ announcement: null, chat: { offer_callback_seconds: 2, reconnect_grace_seconds: 30 } });
  phone = await Baresip.start(CUSTOMER_E164, { port: stage.carrierPort, frequency: PHONE_TONE });
  await stage.trunkIs(true);
});
after(async () => {
  await phone?.stop();
  await stage?.strike();
});

const WORDS = {
  en: { name: 'Your name', phone: 'Phone number', question: 'Your question', start: 'Start chat' },
  es: { name: 'Su nombre', phone: 'Número de teléfono', question: 'Su pregunta', start: 'Iniciar chat' },
};

async function chat(name, number, question, { lang = 'en', ...options } = {}) {
  const person = await stage.person({ viewport: { width: 390, height: 760 }, ...options });
  // What the server refuses is told to the page's console too.
  person.expected.push(/status of 4(09|22) .*call-instead/);
  const page = await person.page(`${stage.server.url}/t/sacramento/chat?lang=${lang}`);
  const words = WORDS[lang];
  await page.getByLabel(words.name).fill(name);
  await page.getByLabel(words.phone).fill(number);
  await page.getByLabel(words.question).fill(question);
  await page.getByRole('button', { name: words.start }).click();
  await page.getByRole('log').getByText(question, { exact: true }).waitFor();
  return page;
}

const heard = (desk) => until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer', { within: 20_000 });

test('who has waited long is offered a call at the same place, by words and keyboard', async () => {
  rosa = await chat('Rosa Diaz', CUSTOMER, 'Is my card on its way?');
  tom = await chat('Tom Third', CUSTOMER, 'May I ask something?');
  const offer = rosa.getByRole('region', { name: 'Get a call instead' });
  await offer.getByText('The wait is long today.').waitFor();
  assert.deepEqual(await findings(rosa), []);
  await shot(rosa, 'chat-call-offered');
  await offer.getByRole('button', { name: 'Get a call instead' }).press('Enter');
  const dialog = rosa.getByRole('dialog', { name: 'Get a call instead' });
  await dialog.getByText('we call (•••) •••-0119').waitFor();
  await dialog.getByLabel('Phone number').fill('12');
  await dialog.getByRole('button', { name: 'Call me' }).click();
  await dialog.locator('.wrong').waitFor();
  assert.deepEqual(await findings(rosa), []);
  await shot(rosa, 'chat-call-dialog');
  await dialog.getByLabel('Phone number').fill('');
  await dialog.getByRole('button', { name: 'Call me' }).click();
  await rosa.getByText('We will call you. You keep your place in line.').waitFor();
  assert.equal(await rosa.evaluate(() => document.activeElement?.tagName), 'H1', 'the focus is where the news is');
  assert.deepEqual(await findings(rosa), []);
  await shot(rosa, 'chat-called-back');
  const waiting = (await stage.board()).waiting;
  assert.deepEqual(waiting.map(({ channel, position }) => [channel, position]), [['callback', 1], ['chat', 2]], 'the old place');
});

test('in Spanish, without a number that can be dialled', async () => {
  const page = await chat('Luis Peña', 'la de siempre', '¿Hablan español?', { lang: 'es', colorScheme: 'dark', viewport: { width: 320, height: 640 } });
  await page.getByText('Hoy la espera es larga.').waitFor();
  await page.getByRole('button', { name: 'Prefiero una llamada' }).click();
  const dialog = page.getByRole('dialog', { name: 'Prefiero una llamada' });
  await dialog.getByRole('button', { name: 'Llámenme' }).click();
  await dialog.locator('.wrong').waitFor();
  assert.deepEqual(await findings(page), []);
  await shot(page, 'chat-call-dialog-es');
  await dialog.getByLabel('Número de teléfono').fill('916 555 0119');
  await dialog.getByRole('button', { name: 'Llámenme' }).click();
  await dialog.getByText('Este número ya espera una llamada').or(dialog.getByText('La llamaremos una vez')).first().waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Terminar chat' }).click();
  await page.getByRole('button', { name: 'Sí, terminar el chat' }).click();
  await page.getByText('Usted terminó el chat.').waitFor();
});

test('the same contact is called, and the agent sees what was written', async () => {
  await rosa.getByRole('link', { name: 'See your place in line' }).click();
  await rosa.waitForURL(/\/status\//);
  await rosa.getByText('in line').first().waitFor();
  maria = await stage.desk();
  await maria.goAvailable();
  await maria.accept();
  await phone.program.says(/Call established/);
  await heard(maria);
  await rosa.getByText('You are on the phone with us').waitFor();
  await maria.page.getByRole('tab', { name: 'Chat History' }).click();
  await maria.button('Show what was written').click();
  await maria.page.getByText('Is my card on its way?').waitFor();
  assert.deepEqual(await findings(maria.page), []);
  await shot(maria.page, 'ccp-call-from-chat');
  const cookie = await stage.server.signIn('sam');
  const read = (await stage.server.api('/api/v1/audit?what=transcript_read', { cookie })).json.items;
  assert.deepEqual(read.map(({ who }) => who), ['maria'], 'who read it is written down');
  await maria.button('End call').click();
  await maria.finish('Resolved');
});

test('an agent calls the customer who writes: dialled at once, the same contact', async () => {
  await maria.offered();
  await maria.accept();
  await maria.page.getByRole('log', { name: 'Chat with Tom Third' }).waitFor();
  const before = (await stage.agent('maria')).contacts;
  await maria.button('Call').click();
  const dialog = maria.page.getByRole('dialog', { name: 'Call Tom Third' });
  assert.deepEqual(await findings(maria.page), []);
  await shot(maria.page, 'ccp-chat-call-dialog');
  await dialog.getByRole('button', { name: 'Call now' }).click();
  await heard(maria);
  assert.deepEqual((await stage.agent('maria')).contacts, before, 'the same contact');
  await tom.getByText('The agent is calling you now.').waitFor();
  assert.deepEqual(await findings(tom), []);
  await shot(maria.page, 'ccp-chat-became-call');
  await shot(tom, 'chat-called');
  await pause(2000);
  await maria.button('End call').click();
  await maria.finish('Resolved');
  const calls = (await stage.recordings()).filter(({ customer_name }) => customer_name === 'Tom Third');
  assert.equal(calls.length, 1, 'recorded like every call');
});

test('the supervisor has chat and call on one timeline, and listens from an event in it', async () => {
  const person = await stage.person({ viewport: { width: 1280, height: 900 } });
  const page = await person.signIn(stage.server, 'sam', '/supervisor');
  await page.getByRole('tab', { name: 'Chats' }).click();
  await page.getByRole('region', { name: 'Chats found' }).getByRole('row', { name: /Tom Third.*went on as a call/ }).getByRole('button').click();
  const timeline = page.getByRole('list', { name: 'Transcript' });
  const heard = timeline.getByRole('listitem').filter({ hasText: 'The customer and Maria Vega hear each other' });
  await heard.waitFor();
  const told = await timeline.getByRole('listitem').allInnerTexts();
  const places = ['May I ask something?', 'from here on by telephone', 'Dialled', 'The customer answered', 'hear each other', 'The call ended', 'Wrap-up ended'].map((text) => told.findIndex((line) => line.includes(text)));
  assert.ok(places.every((at, index) => at >= 0 && (index === 0 || at > places[index - 1])), `in order: ${JSON.stringify(told)}`);
  assert.deepEqual(await findings(page), []);
  await shot(page, 'supervisor-timeline');
  const listen = heard.getByRole('button', { name: /Listen from/ });
  const [minutes, seconds] = (await listen.innerText()).split(':').map(Number);
  await listen.click();
  const at = () => page.locator('audio').evaluate((audio) => audio.currentTime);
  await until(async () => (await at()) > minutes * 60 + seconds + 0.3, 'the recording to play from there', { within: 10_000 });
  const { contact } = (await stage.recordings()).find(({ customer_name }) => customer_name === 'Tom Third');
  const wav = await stage.wav(contact);
  const { rate, channels } = readWav(wav);
  const voice = channels.map((samples) => stretchOf(samples, PHONE_TONE, { rate })).sort((a, b) => b.seconds - a.seconds)[0];
  const events = (await stage.server.api(`/api/v1/transcripts/${contact}`, { cookie: stage.supervisorCookie })).json.events;
  const place = (what) => events.find((event) => event.what === what).sound_ms;
  assert.equal(place('answered'), 0, 'the recording begins with the answer');
  const ended = place('call_ended') / 1000;
  assert.ok(ended > 2 && Math.abs(voice.to - ended) < 1, `her voice ends where the timeline says: ${voice.to} s, ${ended} s`);
});

test('passed on to a colleague by name; who does not take it leaves it at its old place', async () => {
  const ana = await chat('Ana Alba', '916 555 0144', 'Who can help me?');
  await maria.accept();
  await maria.page.getByRole('log', { name: 'Chat with Ana Alba' }).getByText('Who can help me?').waitFor();
  jon = await stage.desk('jon');
  await jon.goAvailable();
  await maria.button('Transfer').click();
  const dialog = maria.page.getByRole('dialog', { name: 'Transfer this chat' });
  await dialog.getByLabel('A colleague').check();
  await dialog.getByLabel('To colleague').selectOption('jon');
  await dialog.getByText(/Jon .*\(Available\)/).first().waitFor({ state: 'attached' });
  await dialog.getByLabel('Note').fill('She asks for you.');
  assert.deepEqual(await findings(maria.page), []);
  await shot(maria.page, 'ccp-transfer-colleague');
  await dialog.getByRole('button', { name: 'Transfer' }).click();
  await jon.offered();
  await jon.page.getByText('She asks for you.').first().waitFor();
  await maria.button('Dispose').click();
  await jon.button('Reject').click();
  await ana.getByText('You are being passed on to a colleague.').first().waitFor();
  const [waiting] = (await stage.board()).waiting;
  assert.equal(waiting?.position ?? 1, 1, 'in line at its place');
  await until(async () => (await maria.button('Accept').isVisible()) || (await jon.button('Accept').isVisible()), 'anybody to be offered it', { within: 20_000 });
  const desk = (await maria.button('Accept').isVisible()) ? maria : jon;
  await desk.accept();
  const log = desk.page.getByRole('log', { name: 'Chat with Ana Alba' });
  await log.getByText('Who can help me?').waitFor();
  await log.getByText(desk === maria ? 'Note of You:' : 'Note of Maria').first().waitFor();
  await desk.button('End chat').click();
  await ana.getByText('The agent ended the chat.').waitFor();
  await desk.button('Dispose').click();
});

test('nobody complained', async () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
