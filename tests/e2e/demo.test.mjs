// The README's first command: one person with one browser lives through it all, with the carrier in the box.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Browser, findings, hears } from './browser.mjs';
import { Program, freePort, until } from './peers/process.mjs';
import { BINARY } from './server.mjs';
import { shot } from './stage.mjs';

let folder, demo, browser, url;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringback-demo-'));
  const port = await freePort();
  url = `http://localhost:${port}`;
  demo = new Program(BINARY, ['demo', '--data-dir', folder, '--http', `127.0.0.1:${port}`]);
  await until(() => fetch(`${url}/readyz`).then((r) => r.ok, () => false), 'the demo to be ready', { within: 30_000, also: () => `\n${demo.output}` });
  browser = await Browser.launch();
});
after(async () => {
  await browser?.close();
  const end = await demo?.stop('SIGTERM', 30_000);
  rmSync(folder, { recursive: true, force: true });
  assert.equal(end?.code, 0, demo?.output);
});

test('it prints the addresses, users and numbers to try', async () => {
  await demo.says(/\/demo\/portal/);
  for (const word of [/maria/, /sam/, /555-?0100/, /555-?0101/]) assert.match(demo.output, word);
});

test('from the portal page to a call that is heard', async () => {
  const agent = await browser.person();
  const desk = await agent.page(`${url}/agent`);
  await desk.getByLabel('User', { exact: true }).fill('maria');
  await desk.getByLabel('Password', { exact: true }).fill('demo');
  await desk.getByRole('button', { name: 'Sign in' }).click();
  await desk.getByRole('button', { name: 'Go available' }).click();
  await desk.getByText('You are available').waitFor();

  const person = await browser.person();
  const portal = await person.page(`${url}/demo/portal`);
  // The launcher of the chat: from then on the page's own link opens Call-Me in a dialog.
  await portal.getByRole('button', { name: 'Chat' }).waitFor();
  await shot(portal, 'portal');
  assert.deepEqual(await findings(portal), []);
  await portal.getByRole('link', { name: 'Español' }).click();
  await portal.getByRole('heading', { name: 'Hola, Dana' }).waitFor();
  await portal.getByRole('heading', { name: 'Pruébelo todo' }).waitFor();
  assert.equal(await portal.evaluate(() => document.documentElement.lang), 'es');
  assert.deepEqual(await findings(portal), []);
  await shot(portal, 'portal-spanish');
  await portal.getByRole('link', { name: 'English' }).click();
  await portal.getByRole('heading', { name: 'Hello, Dana' }).waitFor();
  await portal.getByRole('button', { name: 'Chat' }).waitFor();
  await portal.getByRole('link', { name: 'Call me' }).click();
  const form = portal.frameLocator('iframe');
  await form.getByLabel('Phone number').fill('(916) 555-0123');
  await form.getByRole('button', { name: 'Call me' }).click();

  await desk.getByRole('button', { name: 'Accept' }).click();
  await until(async () => (await hears(desk, 700)) > 0.1, 'the agent to hear their own voice from the echo', { within: 30_000 });
  await form.getByText('You are on the phone with us').waitFor();
  await desk.getByRole('button', { name: 'End call' }).click();
  await desk.getByRole('button', { name: 'Finish' }).click();
  await form.getByText('Thank you for talking with us').waitFor();
  assert.deepEqual(agent.complaints, []);
  assert.deepEqual(person.complaints, []);
});

test('the supervisor plays the call back', async () => {
  const person = await browser.person();
  const page = await person.page(`${url}/supervisor`);
  await page.getByLabel('User', { exact: true }).fill('sam');
  await page.getByLabel('Password', { exact: true }).fill('demo');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('tab', { name: 'Recordings' }).click();
  await page.locator('button.pick').first().click();
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
  assert.deepEqual(person.complaints, []);
});
