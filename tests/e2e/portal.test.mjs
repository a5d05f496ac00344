// The popup on a portal's page of another origin, by the one line; a number changed on the status page; and what the supervisor
// finds of it, by every field of the search.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { freePort, until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { portalToken } from './server.mjs';
import { Stage, shot } from './stage.mjs';

let stage, portal, origin, desk;

before(async () => {
  const port = await freePort();
  origin = `http://localhost:${port}`;
  stage = await Stage.set({ portal: origin });
  // A county's page: its own markup, its own style, and the line from the documentation.
  portal = createServer((request, response) => {
    const tenant = new URL(request.url, origin).searchParams.get('tenant') ?? 'placer';
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(`<!doctype html><html lang="en"><title>My benefits</title><style>button { all: unset; color: red }</style><main><h1>My benefits</h1><p>Welcome back.</p></main>
<script src="${stage.server.url}/embed.js" data-tenant="${tenant}" data-token="${portalToken({ name: 'Rosa Diaz', sub: 'case-4711' })}" async></script></html>`);
  });
  await new Promise((resolve) => portal.listen(port, '127.0.0.1', resolve));
  await stage.carrier((ear) => far.answers({ ear }));
});
after(async () => {
  portal?.close();
  portal?.closeAllConnections();
  await stage?.strike();
});

test('one script line brings the popup; the customer is known, asks, and sees the place in line', async () => {
  const person = await stage.person();
  const page = await person.page(`${origin}/`);
  await page.getByRole('button', { name: 'Call me' }).click();
  const form = page.frameLocator('iframe');
  await until(async () => (await form.getByLabel('Your name').inputValue()) === 'Rosa Diaz', 'the portal to have told the name');
  await shot(page, 'portal-popup');
  assert.deepEqual(await findings(page), []);
  await form.getByLabel('Phone number').fill('(916) 555-0151');
  await form.getByRole('button', { name: 'Call me' }).click();
  await form.getByText('in line', { exact: true }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.equal(await page.getByRole('button', { name: 'Call me' }).evaluate((button) => button.getRootNode().activeElement === button), true, 'the focus is back where it was');
  assert.deepEqual(person.complaints, []);
  await person.close();
});

test('no popup where the county has it off, and none for a page of another origin', async () => {
  const person = await stage.person();
  person.expected.push(/CORS|net::ERR_FAILED|frame-ancestors/);
  for (const tenant of ['alpine', 'sacramento']) {
    const page = await person.page(`${origin}/?tenant=${tenant}`);
    await page.waitForLoadState('networkidle');
    assert.equal(await page.getByRole('button', { name: 'Call me' }).count(), 0, tenant);
  }
  const framed = await person.page(`${origin}/`);
  await framed.evaluate((address) => {
    const frame = document.createElement('iframe');
    frame.src = address;
    document.body.append(frame);
  }, `${stage.server.url}/t/sacramento/call-me`);
  await until(() => framed.frames().some((frame) => frame.url().startsWith('chrome-error:')), 'the browser to refuse the frame');
  await person.close();
});

let token, id;

test('the number is changed on the status page: the place is kept, and only the new number is dialled', async () => {
  const first = await stage.server.ask('(916) 555-0152');
  token = first.status_token;
  await stage.server.ask('(916) 555-0153', { name: 'Lee Okafor' });
  const person = await stage.person();
  const page = await person.page(`${stage.server.url}/t/sacramento/status/${token}`);
  person.expected.push(/422/);
  await page.getByRole('button', { name: 'Change number' }).click();
  await page.getByLabel('New phone number').fill('911');
  await page.getByRole('button', { name: 'Save number' }).click();
  await page.getByText(/cannot call|kind of number/).first().waitFor();
  assert.deepEqual(await findings(page), []);
  await page.getByLabel('New phone number').fill('(916) 555-0154');
  await page.getByRole('button', { name: 'Save number' }).click();
  await page.getByText('Your number is changed.').waitFor();
  const status = await stage.server.status(token);
  assert.equal(status.position, 1);
  assert.ok(status.timeline.some(({ what }) => what === 'number_changed'));
  [{ id }] = (await stage.board()).waiting;
  desk = await stage.desk();
  await desk.goAvailable();
  await desk.accept();
  const invite = await stage.callArrives();
  assert.match(invite.start, /^INVITE sip:\+19165550154@/);
  await stage.server.reaches(token, 'talking');
  await stage.bothHear(desk);
  await desk.button('End call').click();
  await desk.finish('Resolved');
  await stage.emptyLine();
  assert.deepEqual(person.complaints, []);
});

test('the supervisor finds it by date, agent, queue, number and name, and by nothing else; each search and listen is written down', async () => {
  await until(async () => (await stage.recordings()).some(({ contact, legs }) => contact === id && legs.every(({ chain }) => chain)), 'the recording');
  const person = await stage.person();
  const page = await person.signIn(stage.server, 'sam', '/supervisor');
  await page.getByRole('tab', { name: 'Recordings' }).click();
  const found = page.locator('button.pick');
  const finds = (count) => until(async () => (await found.count()) === count, `${count} found`);
  await finds(1);
  const rows = async () => (await stage.server.api('/api/v1/audit', { cookie: stage.supervisorCookie })).json.items[0].seq;
  const before = await rows();
  for (const [label, right, wrong] of [
    ['Agent', 'Maria Vega', 'Jon Park'],
    ['Queue', 'Benefits', undefined],
    ['Phone number', '(916) 555-0154', '(916) 555-0152'],
    ['Phone number', '0154', '0152'],
    ['Name or note', 'rosa', 'nobody'],
  ]) {
    for (const [value, count] of [[wrong, 0], [right, 1]]) {
      if (value === undefined) continue;
      const field = page.getByLabel(label, { exact: true });
      await ((await field.evaluate((element) => element.tagName)) === 'SELECT' ? field.selectOption({ label: value }) : field.fill(value));
      await page.getByRole('button', { name: 'Search' }).click();
      await finds(count);
    }
    await page.getByRole('button', { name: 'Clear' }).click();
    await finds(1);
  }
  await page.getByRole('button', { name: 'Today' }).click();
  await finds(1);
  const day = (ahead) => new Date(Date.now() + ahead * 86_400_000).toISOString().slice(0, 10);
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.getByLabel('From', { exact: true }).fill(day(2));
  await finds(0);
  await page.getByRole('button', { name: 'Clear' }).click();
  await finds(1);
  assert.ok((await rows()) >= before + 10, 'each search is a row of the audit');
  const listens = async () => (await stage.server.api('/api/v1/audit', { cookie: stage.supervisorCookie })).json.items.filter((row) => row.what !== 'recordings_searched' && JSON.stringify(row).includes(id)).length;
  const listened = await listens();
  await found.first().click();
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await until(async () => (await listens()) > listened, 'the listen to be written down');
  // Speed, a jump, one side alone: the sound follows.
  const sound = (what) => page.evaluate((name) => [...document.querySelectorAll('audio')].map((audio) => audio[name])[0], what);
  await page.getByLabel('Speed').selectOption({ label: '2×' });
  await until(async () => (await sound('playbackRate')) === 2, 'twice the speed');
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await page.getByRole('slider', { name: 'Position' }).focus();
  await page.keyboard.press('Home');
  await until(async () => (await sound('currentTime')) < 0.1, 'the beginning');
  for (let step = 0; step < 8; step += 1) await page.keyboard.press('ArrowRight');
  await until(async () => (await sound('currentTime')) > 0.5, 'a step on');
  await page.getByLabel('Listen to').selectOption({ label: 'Customer only' });
  await until(async () => /leg=/.test(await sound('src')), 'one side alone');
  const once = await listens();
  const wav = await stage.wav(id, '?download=1');
  assert.ok(wav.length > 1000);
  assert.ok((await listens()) > once, 'the download is written down');
  assert.deepEqual(person.complaints, []);
});
