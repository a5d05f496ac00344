// Chat under bad conditions: text that wants to be more than text, the power going in the middle, a portal page with a
// strict policy, and how much the pages weigh.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { findings } from './browser.mjs';
import { freePort, until } from './peers/process.mjs';
import { Stage, shot } from './stage.mjs';

let stage, desk, host, hostPort;

/** A portal's page as strict as its policy can be; every report of a violation is a failure. */
function portal(port, server) {
  const html = `<!doctype html><html lang="en"><title>Portal</title><main><h1>My benefits</h1><p><a href="#" data-ringback-open="chat">Write to us</a></p></main>
<script src="${server}/embed.js" data-tenant="sacramento" data-lang="en" async></script></html>`;
  const policy = `default-src 'none'; script-src ${server}; connect-src ${server}; frame-src ${server}; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'`;
  const self = createServer((request, response) => {
    if (request.url !== '/') return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy }).end(html);
  });
  return new Promise((done) => self.listen(port, '127.0.0.1', () => done(self)));
}

before(async () => {
  hostPort = await freePort();
  stage = await Stage.set({ chat: { reconnect_grace_seconds: 30 }, origins: [`http://127.0.0.1:${hostPort}`] });
  host = await portal(hostPort, stage.server.url);
  desk = await stage.desk();
  await desk.goAvailable();
});
after(async () => {
  host?.close();
  await stage?.strike();
});

const pane = () => desk.page.getByRole('log', { name: /^Chat with/ });
const box = () => desk.page.getByLabel(/^Message to/);
async function say(text) {
  await box().fill(text);
  await box().press('Enter');
}

async function customer(page, name, question) {
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('Phone number').fill('(916) 555-0188');
  if (question) await page.getByLabel('Your question').fill(question);
  await page.getByRole('button', { name: 'Start chat' }).click();
  await page.getByRole('log').waitFor();
}

async function done(page) {
  await desk.button('End chat').click();
  if (page) await page.getByText('The agent ended the chat.').waitFor();
  await desk.button('Dispose').click();
  await stage.agentIs('maria', 'ready');
}

const CORPUS = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '"><svg onload=alert(1)>',
  "'); alert(1); ('",
  '{{constructor.constructor("alert(1)")()}}',
  '${alert(1)}',
  '</textarea><iframe src="javascript:alert(1)">',
  'javascript:alert(1)//https://a.example',
  'https://a.example/"onmouseover="alert(1)',
  'data:text/html,<script>alert(1)</script>',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
  '\u202Etxt.exe <b>bold</b>',
  "Robert'); DROP TABLE chat_messages;--",
  '{name} {agent} {county} {__proto__}',
];

test('text is text: a corpus of injections through every field, both ways', async () => {
  const person = await stage.person();
  const page = await person.page(`${stage.server.url}/t/sacramento/chat`);
  for (const [who, watched] of [['customer', page], ['agent', desk.page]]) {
    watched.on('dialog', (dialog) => assert.fail(`a dialog at the ${who}: ${dialog.message()}`));
  }
  const name = `<img src=x onerror=alert(1)>`;
  await customer(page, name, CORPUS[2]);
  await desk.accept();
  await pane().getByText(CORPUS[2], { exact: true }).waitFor();
  for (const text of CORPUS) {
    await page.getByLabel('Your message').fill(text);
    await page.getByRole('button', { name: 'Send' }).click();
    await pane().getByText(text, { exact: true }).last().waitFor();
    await say(text);
    await page.getByRole('log').getByText(text, { exact: true }).last().waitFor();
  }
  await desk.page.getByRole('tab', { name: 'Customer' }).click();
  await desk.page.getByRole('heading', { name }).first().waitFor();
  for (const where of [page, desk.page]) {
    const strange = await where.evaluate(() => document.querySelectorAll('main script, [onerror], [onload], [onmouseover], img[src="x"], iframe').length);
    assert.equal(strange, 0, 'nothing typed became an element');
    const links = await where.getByRole('log').getByRole('link').evaluateAll((all) => all.map((link) => [link.protocol, link.rel]));
    for (const [protocol, rel] of links) {
      assert.equal(protocol, 'https:');
      assert.match(rel, /noopener/);
    }
  }
  await done(page);
  await desk.page.getByLabel('Note').waitFor({ state: 'hidden' });
  assert.deepEqual(person.complaints, []);
  assert.deepEqual(desk.person.complaints, []);
});

test('the power goes in the middle: nothing acknowledged is lost or doubled, and both ends go on by themselves', async () => {
  const person = await stage.person();
  const page = await person.page(`${stage.server.url}/t/sacramento/chat`);
  for (const someone of [person, desk.person]) someone.expected.push(/WebSocket connection|ERR_CONNECTION_REFUSED|Failed to load resource/);
  await customer(page, 'Kai Kill');
  await desk.accept();
  await say('before the cut');
  await page.getByRole('log').getByText('before the cut', { exact: true }).waitFor();
  await stage.server.kill();
  await page.getByLabel('Your message').fill('written in the dark');
  await page.getByRole('button', { name: 'Send' }).click();
  await say('me too');
  await stage.server.run();
  stage.supervisorCookie = undefined;
  await pane().getByText('written in the dark', { exact: true }).waitFor({ timeout: 30_000 });
  await page.getByRole('log').getByText('me too', { exact: true }).waitFor({ timeout: 30_000 });
  await say('after the cut');
  await page.getByRole('log').getByText('after the cut', { exact: true }).waitFor();
  for (const log of [page.getByRole('log'), pane()]) {
    for (const text of ['before the cut', 'written in the dark', 'me too', 'after the cut']) {
      await until(async () => (await log.getByText(text, { exact: true }).count()) === 1, `“${text}” once`);
    }
  }
  await desk.button('End chat').click();
  await page.getByText('The agent ended the chat.').waitFor();
  await desk.button('Dispose').click();
});

test('on a portal page with a strict policy: launcher, chat in a frame, and only our frame is heard', async () => {
  await until(async () => ['ready', 'not_ready', 'unreachable', 'offline'].includes((await stage.agent('maria'))?.presence), 'the desk to be empty');
  if (await desk.button('Go available').isVisible()) await desk.button('Go available').click();
  await stage.agentIs('maria', 'ready', { within: 20_000 });
  const person = await stage.person();
  const page = await person.page(`http://127.0.0.1:${hostPort}/`);
  await page.getByRole('button', { name: 'Chat' }).click();
  const frame = page.frameLocator('iframe[title="Chat"]');
  await frame.getByLabel('Your name').fill('Wim Widget');
  await frame.getByLabel('Phone number').fill('916 555 0140');
  await frame.getByRole('button', { name: 'Start chat' }).click();
  await desk.accept();
  await say('Hello in the frame');
  await frame.getByRole('log').getByText('Hello in the frame').waitFor();
  await shot(page, 'chat-widget');
  assert.deepEqual(await findings(page), []);
  // The host's own words reach nobody: it may not speak for us, nor close what it did not open.
  await page.evaluate(() => window.postMessage({ ringback: 'close' }, '*'));
  await frame.getByRole('log').waitFor();
  await frame.getByLabel('Your message').press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await page.getByText('Write to us').click();
  await frame.getByRole('log').getByText('Hello in the frame').waitFor();
  await done();
  assert.deepEqual(person.complaints, []);
});

test('what the customer downloads: the launcher and the chat page stay light', async () => {
  const text = async (path) => (await fetch(`${stage.server.url}${path}`)).text();
  const embed = gzipSync(await text('/embed.js')).length;
  assert.ok(embed <= 5 * 1024, `embed.js has ${embed} bytes compressed`);
  const html = await text('/t/sacramento/chat');
  const waiting = [...html.matchAll(/<script type="module" src="([^"]+)"/g)].map((match) => match[1]);
  const seen = new Map();
  while (waiting.length > 0) {
    const path = waiting.pop();
    if (seen.has(path)) continue;
    const script = await text(path);
    seen.set(path, gzipSync(script).length);
    for (const [, name] of script.matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)["']/g)) waiting.push(`/assets/${name}`);
  }
  const sum = [...seen.values()].reduce((a, b) => a + b, 0);
  assert.ok(seen.size > 1 && sum > 20_000, `the scripts were found: ${[...seen.keys()]}`);
  assert.ok(sum <= 45 * 1024, `the chat page has ${sum} bytes of script compressed`);
  process.stdout.write(`embed.js ${embed} bytes, chat page ${sum} bytes of script, compressed\n`);
});
