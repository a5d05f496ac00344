// Whom the county knows: the directory before the agent accepts, the log of a chat as a case (E12), opened by itself as
// configured, looked at for a customer who is known, written for one who is not, saved or left as a draft.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { until } from './peers/process.mjs';
import { Stage, shot } from './stage.mjs';

let stage, maria, admin;

const STAFF = [
  { id: 'maria', role: 'agent', name: 'Maria Vega' },
  { id: 'jon', role: 'agent', name: 'Jon Park' },
  { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
  { id: 'ada', role: 'admin', name: 'Ada Boss' },
];

before(async () => {
  stage = await Stage.set({ chat: { log_opens: 'end' }, staff: STAFF, server: { second_factor_for: [] } });
  maria = await stage.desk();
  await maria.goAvailable();
});
after(() => stage?.strike());

const WORDS = {
  en: ['Your name', 'Phone number', 'Your question', 'Start chat', 'End chat', 'Yes, end the chat'],
  es: ['Su nombre', 'Número de teléfono', 'Su pregunta', 'Iniciar chat', 'Terminar chat', 'Sí, terminar el chat'],
};

async function chat(name, number, question, lang = 'en') {
  const page = await (await stage.person({ viewport: { width: 390, height: 760 } })).page(`${stage.server.url}/t/sacramento/chat?lang=${lang}`);
  const words = WORDS[lang];
  await page.getByLabel(words[0]).fill(name);
  await page.getByLabel(words[1]).fill(number);
  await page.getByLabel(words[2]).fill(question);
  await page.getByRole('button', { name: words[3] }).click();
  await page.getByRole('log').getByText(question, { exact: true }).waitFor();
  page.leave = async () => {
    await page.getByRole('button', { name: words[4] }).click();
    await page.getByRole('button', { name: words[5] }).click();
    await page.close();
  };
  return page;
}

const log = () => maria.page.getByRole('region', { name: 'Chat log' });
const card = () => maria.page.getByRole('region', { name: 'Directory' });
const tab = (name) => maria.page.getByRole('tab', { name }).click();

async function dispose() {
  await maria.button('Dispose').click();
  await stage.agentIs('maria', 'ready');
}

test('nobody on the line: the agent finds nobody, adds a customer, finds her by name, number and id', async () => {
  await tab('Customer');
  await maria.page.getByRole('searchbox', { name: 'Find a customer' }).fill('delgado');
  await maria.button('Search').click();
  await maria.page.getByText('Nobody found.').waitFor();
  assert.deepEqual(await findings(maria.page), []);
  await maria.button('New customer').click();
  const form = maria.page.getByRole('form', { name: 'New customer' });
  await form.getByRole('button', { name: 'Save customer' }).click();
  await form.getByText('Please enter a name.').waitFor();
  await form.getByLabel('Name').fill('Rosa Delgado');
  await form.getByLabel('Phone numbers').fill('12');
  maria.person.expected.push(/status of 422 .*customers/);
  await form.getByRole('button', { name: 'Save customer' }).click();
  await form.getByText('Include the area code').waitFor();
  assert.deepEqual(await findings(maria.page), []);
  await form.getByLabel('Phone numbers').fill('(916) 555-0119');
  await form.getByLabel('Customer IDs of the portal').fill('C-4711');
  await form.getByLabel('Notes').fill('Hard of hearing: write rather than call.');
  await form.getByRole('button', { name: 'Save customer' }).click();
  await maria.page.getByText('Hard of hearing').waitFor();
  for (const text of ['ROSA', '0119', '916-555-0119', 'C-4711']) {
    await maria.button('Back to search').click();
    await maria.page.getByRole('searchbox', { name: 'Find a customer' }).fill(text);
    await maria.page.getByRole('searchbox', { name: 'Find a customer' }).press('Enter');
    await maria.button('Open Rosa Delgado').click();
    await maria.page.getByText('Hard of hearing').waitFor();
  }
  await shot(maria.page, 'ccp-directory');
});

test('a chat from her number: the agent sees who it is before accepting', async () => {
  const rosa = await chat('R. Delgado', '916 555 0119', 'Did you get my papers?');
  await maria.offered();
  await card().getByText('Known customer').waitFor();
  await card().getByText('Hard of hearing').waitFor();
  await card().getByText('No case yet.').waitFor();
  assert.deepEqual(await findings(maria.page), []);
  await shot(maria.page, 'ccp-known-customer');
  await maria.accept();
  await maria.page.getByRole('log').getByText('Did you get my papers?').waitFor();
  assert.equal(await log().count(), 0, 'it opens when the chat is over, not before');
  await rosa.leave();
  await log().getByText('Filed under Rosa Delgado').waitFor();
  assert.equal(await log().getByRole('textbox').count(), 0, 'a known customer: to look at');
  assert.deepEqual(await findings(maria.page), []);
  await shot(maria.page, 'ccp-log-view');
  await log().getByRole('button', { name: 'Edit log' }).click();
  await log().getByLabel('Title').fill('Papers have come');
  await log().getByLabel('What happened').fill('All papers are there. <b>Nothing</b> to do.');
  await log().getByRole('button', { name: 'Save log' }).click();
  await log().getByRole('heading', { name: 'Papers have come' }).waitFor();
  await log().getByText('All papers are there. <b>Nothing</b> to do.').waitFor();
  await dispose();
});

test('a new customer, in Spanish: edit mode, a draft, then whose case it is', async () => {
  const luis = await chat('Luis Peña', '916 555 0133', '¿Dónde están mis papeles?', 'es');
  await maria.offered();
  await card().getByText('Not in the directory').waitFor();
  await maria.accept();
  await luis.leave();
  await log().getByLabel('Title').waitFor();
  await log().getByLabel('What happened').fill('Asks for his papers.');
  await log().getByRole('button', { name: 'Save log' }).click();
  await log().getByText('Choose whose case this is').waitFor();
  assert.deepEqual(await findings(maria.page), []);
  await shot(maria.page, 'ccp-log-edit');
  await log().getByRole('button', { name: 'Save as draft' }).click();
  await log().getByText('Saved as a draft.').waitFor();
  await dispose();
  // Later, from the list of drafts.
  await tab('Customer');
  await maria.page.getByRole('list', { name: 'Drafts' }).getByRole('button', { name: /CalFresh · Luis Peña/ }).click();
  assert.equal(await log().getByLabel('What happened').inputValue(), 'Asks for his papers.');
  await log().getByLabel('A new customer').check();
  assert.equal(await log().getByLabel('Name of the new customer').inputValue(), 'Luis Peña');
  await log().getByRole('button', { name: 'Save log' }).click();
  await log().getByText('Filed under Luis Peña').waitFor();
  assert.deepEqual(await findings(maria.page), []);
  await log().getByRole('button', { name: 'Close chat log' }).click();
  await until(async () => (await maria.page.getByRole('list', { name: 'Drafts' }).count()) === 0, 'no draft is left');
});

test('he is known from now on; another number can be filed under somebody who is found', async () => {
  const luis = await chat('L. P.', '916 555 0133', 'Again me');
  await maria.offered();
  await card().getByRole('list', { name: 'Cases' }).getByText('CalFresh').waitFor();
  await maria.accept();
  await card().getByRole('list', { name: 'Cases' }).getByText('CalFresh').click();
  await card().getByText('Asks for his papers.').waitFor();
  await luis.leave();
  await log().getByText('Filed under Luis Peña').waitFor();
  await dispose();
  const other = await chat('Rosa', '916 555 0144', 'From my sister’s telephone');
  await maria.accept();
  await other.leave();
  await log().getByLabel('Somebody in the directory').check();
  await log().getByRole('searchbox', { name: 'Find a customer' }).fill('Rosa');
  await log().getByRole('button', { name: 'Search' }).click();
  await log().getByRole('button', { name: 'Choose Rosa Delgado' }).click();
  assert.deepEqual(await findings(maria.page), []);
  await log().getByLabel(/Know this customer by this number/).uncheck();
  await log().getByRole('button', { name: 'Save log' }).click();
  await log().getByText('Filed under Rosa Delgado').waitFor();
  await dispose();
});

test('the administrator sets when the log opens and when a call instead is offered', async () => {
  const person = await stage.person({ viewport: { width: 1280, height: 900 } });
  admin = await person.signIn(stage.server, 'ada', '/admin');
  await admin.getByRole('navigation', { name: 'Settings' }).getByRole('link', { name: 'Chats', exact: true }).click();
  await admin.getByLabel('The chat log opens by itself').selectOption('When the agent accepts the chat');
  await admin.getByLabel(/A call instead is offered/).fill('1');
  assert.deepEqual(await findings(admin), []);
  await shot(admin, 'admin-chats');
  await admin.getByRole('button', { name: 'Save' }).click();
  await admin.getByText(/Saved/).first().waitFor();
  await maria.page.reload();
  // The page has its phone back by itself, or asks for one click.
  const back = maria.page.getByRole('button', { name: /Go available|Take over|Reconnect/ });
  await back.or(maria.page.getByRole('button', { name: /Status: Available/ })).first().waitFor();
  if (await back.first().isVisible()) await back.first().click();
  await stage.agentIs('maria', 'ready');
  await maria.page.getByRole('button', { name: /Status: Available/ }).waitFor();
  const rosa = await chat('Rosa Delgado', '916 555 0119', 'One more thing');
  await maria.accept();
  await log().getByText('Filed under Rosa Delgado').waitFor();
  await log().getByRole('button', { name: 'Close chat log' }).click();
  assert.equal(await log().count(), 0);
  const waits = await chat('Wanda Waits', '916 555 0145', 'Anybody there?');
  await maria.offered();
  await waits.getByRole('region', { name: 'Get a call instead' }).waitFor();
  await waits.leave();
  await rosa.leave();
  await dispose();
});

test('nobody complained', async () => {
  for (const person of stage.people) assert.deepEqual(person.complaints, []);
});
