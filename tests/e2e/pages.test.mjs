// The pages themselves: who may ask, what a closed or opted-out county shows, accessibility, narrow screens, the keyboard
// alone, the browser without scripts, and a picture of each for the eye.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { PASSWORD, portalToken } from './server.mjs';
import { Stage, shot } from './stage.mjs';

let stage;
let number = 300;
const fresh = () => `(916) 555-0${(number += 1)}`;

before(async () => {
  stage = await Stage.set();
  await stage.carrier((ear) => far.answers({ ear }));
});
after(() => stage?.strike());

/** A token that claims to need no signature. */
const unsigned = (claims) => `${[{ alg: 'none' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;

const ask = (tenant, body) => stage.server.api(`/api/v1/t/${tenant}/callbacks`, { method: 'POST', body: { name: 'Ana Lund', phone: fresh(), ...body } });

test('a county that did not opt in: a kind page with hours and telephone number', async () => {
  const page = await (await stage.person()).page(`${stage.server.url}/t/alpine/call-me`);
  await page.getByText('(916) 874-3100').first().waitFor();
  assert.equal(await page.getByLabel('Phone number').count(), 0, 'no form');
  assert.deepEqual(await findings(page), []);
  const refused = await ask('alpine');
  assert.equal(refused.status, 403);
  assert.equal(refused.json.code, 'not_enabled');
});

test('a closed county: the reason and the next opening, not an error, and a place kept if wanted', async () => {
  const page = await (await stage.person()).page(`${stage.server.url}/t/shasta/call-me`);
  await page.getByText('We open again on').first().waitFor();
  assert.deepEqual(await findings(page), []);
  const closed = await ask('shasta');
  assert.equal(closed.status, 409);
  assert.equal(closed.json.code, 'closed');
  assert.ok(closed.json.next_open > Date.now());
  await page.getByLabel('Your name').fill('Ana Lund');
  await page.getByLabel('Phone number').fill(fresh());
  await page.getByRole('button', { name: 'Call me when you open' }).click();
  await page.waitForURL(/\/status\//);
  await page.getByText('Your call is planned').waitFor();
});

test('the portal vouches for the customer: required, single use, in time, of this county, with the right key', async () => {
  for (const [token, code] of [
    [undefined, 'auth_required'],
    [portalToken({}, 'some other secret of more than thirty-two bytes'), 'token_invalid'],
    [portalToken({ aud: 'sacramento' }), 'token_invalid'],
    [portalToken({ exp: Math.floor(Date.now() / 1000) - 120 }), 'token_expired'],
    [unsigned({ aud: 'placer', exp: 4102444800, jti: 'x' }), 'token_invalid'],
  ]) {
    const answer = await ask('placer', { token });
    assert.equal(answer.status, 401, answer.text);
    assert.equal(answer.json.code, code);
  }
  const token = portalToken();
  assert.equal((await ask('placer', { token })).status, 201);
  const again = await ask('placer', { token });
  assert.equal(again.status, 401);
  assert.equal(again.json.code, 'token_used');
});

test('without a token the page says where to start; with one it knows the name', async () => {
  const page = await (await stage.person()).page(`${stage.server.url}/t/placer/call-me`);
  await page.getByText('Please start from your account').waitFor();
  assert.deepEqual(await findings(page), []);
  await page.goto(`${stage.server.url}/t/placer/call-me?token=${portalToken()}`);
  await until(async () => (await page.getByLabel('Your name').inputValue()) === 'Ana Lund', 'the name to be filled in');
});

test('numbers that cannot or may not be dialled are refused with a reason', async () => {
  for (const phone of ['911', '12', '1-900-555-0199', '+44 20 7946 0018', 'call me maybe', '+1 916 555 0119;ext=1@evil.example']) {
    const answer = await stage.server.api('/api/v1/t/sacramento/callbacks', { method: 'POST', body: { name: 'Ana', phone } });
    assert.equal(answer.status, 422, `${phone}: ${answer.text}`);
    assert.match(answer.json.code, /^phone_/);
  }
});

test('the form without scripts', async () => {
  const person = await stage.person({ javaScriptEnabled: false });
  const page = await person.page(`${stage.server.url}/t/sacramento/call-me`);
  await page.getByLabel('Your name').fill('Ana Lund');
  await page.getByLabel('Phone number').fill(fresh());
  await page.getByRole('button', { name: 'Call me' }).click();
  await page.waitForURL(/\/status\//);
});

test('the keyboard alone: from the form to the place in line', async () => {
  const page = await (await stage.person()).page(`${stage.server.url}/t/sacramento/call-me`);
  await page.getByLabel('Your name').waitFor();
  const tabTo = async (locator) => {
    for (let i = 0; i < 30; i += 1) {
      if (await locator.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press('Tab');
    }
    assert.fail('not reached by Tab');
  };
  await tabTo(page.getByLabel('Your name'));
  await page.keyboard.type('Ana Lund');
  await tabTo(page.getByLabel('Phone number'));
  await page.keyboard.type(fresh());
  await tabTo(page.getByRole('button', { name: 'Call me' }));
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/status\//);
  await tabTo(page.getByRole('button', { name: 'Cancel', exact: true }));
  await page.keyboard.press('Enter');
  await tabTo(page.getByRole('button', { name: 'Yes, cancel my call' }));
  await page.keyboard.press('Enter');
  await page.getByText('Your call is cancelled').waitFor();
});

test('the supervisor asks why somebody is still waiting', async () => {
  await stage.emptyLine();
  const asked = await stage.server.api('/api/v1/t/sacramento/callbacks', { method: 'POST', body: { name: 'Wanda Waits', phone: fresh() } });
  assert.equal(asked.status, 201, asked.text);
  const page = await (await stage.person()).signIn(stage.server, 'sam', '/supervisor');
  await page.getByRole('button', { name: 'Why? Wanda Waits' }).click();
  const dialog = page.getByRole('dialog', { name: 'Why is Wanda Waits still waiting?' });
  await dialog.getByText('Place in line').waitFor();
  await dialog.getByText('anybody of the queue').waitFor();
  await dialog.getByText('asked for when an agent is free').waitFor();
  assert.deepEqual(await findings(page), []);
  await shot(page, 'supervisor-why');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  const agent = await stage.server.signIn('maria');
  const [{ id }] = (await stage.board()).waiting;
  assert.equal((await stage.server.api(`/api/v1/contacts/${id}/why`, { cookie: agent })).status, 403, 'supervisors only');
  await stage.emptyLine();
});

test('the keyboard alone: an agent signs in, goes available, accepts, ends', async () => {
  await stage.emptyLine();
  const desk = await stage.desk();
  const focus = async (name) => {
    const target = desk.button(name);
    await target.waitFor();
    for (let i = 0; i < 60; i += 1) {
      if (await target.evaluate((element) => element === document.activeElement)) return;
      await desk.page.keyboard.press('Tab');
    }
    assert.fail(`${name}: not reached by Tab`);
  };
  await focus('Go available');
  await desk.page.keyboard.press('Enter');
  await stage.agentIs('maria', 'ready', { within: 20_000 });
  const { status_token } = await stage.server.ask(fresh());
  await focus('Accept');
  await desk.page.keyboard.press('Enter');
  await stage.callArrives();
  await stage.server.reaches(status_token, 'talking');
  await stage.bothHear(desk);
  await focus('End call');
  await desk.page.keyboard.press('Enter');
  await focus('Finish');
  await desk.page.keyboard.press('Enter');
  await stage.agentIs('maria', 'ready');
  await desk.person.close();
});

const PLACES = [
  ['call-me', '/t/sacramento/call-me'],
  ['call-me-off', '/t/alpine/call-me'],
  ['call-me-closed', '/t/shasta/call-me'],
  ['login', '/login'],
];

for (const [name, path] of PLACES) {
  test(`${name}: axe finds nothing, 320 px is enough, light and dark`, () => look(name, async (person) => person.page(`${stage.server.url}${path}`)));
}

test('status page: axe finds nothing, 320 px is enough, light and dark', async () => {
  const { status_token } = await stage.server.ask(fresh());
  await look('status', async (person) => person.page(`${stage.server.url}/t/sacramento/status/${status_token}`));
});

for (const [name, user, path] of [['agent', 'jon', '/agent'], ['supervisor', 'sam', '/supervisor']]) {
  test(`${name}: axe finds nothing, 320 px is enough, light and dark`, () => look(name, (person) => person.signIn(stage.server, user, path)));
}

test('supervisor, recordings: axe finds nothing, 320 px is enough, light and dark', () =>
  look('recordings', async (person) => {
    const page = await person.signIn(stage.server, 'sam', '/supervisor');
    await page.getByRole('tab', { name: 'Recordings' }).click();
    await page.getByText('Rosa Diaz').first().click();
    await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
    return page;
  }));

/** Each page narrow and wide, light and dark. */
async function look(name, open) {
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [[320, 640], [1280, 800]]) {
      const person = await stage.person({ viewport: { width, height }, colorScheme });
      const page = await open(person);
      await page.locator('#app').waitFor();
      await page.waitForLoadState('load');
      await page.waitForTimeout(400);
      await shot(page, `${name}-${width}-${colorScheme}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(overflow <= 0, `${name} at ${width} px scrolls sideways by ${overflow} px`);
      assert.deepEqual(await findings(page), [], `${name}, ${width} px, ${colorScheme}`);
      assert.deepEqual(person.complaints, [], `${name}, ${width} px, ${colorScheme}`);
      await person.close();
    }
  }
}

test('staff pages are for staff', async () => {
  for (const path of ['/agent', '/supervisor']) {
    const answer = await stage.server.api(path);
    assert.equal(answer.status, 303);
    assert.match(answer.headers.get('location'), /^\/login\?next=/);
  }
  const agent = await stage.server.signIn('maria');
  assert.equal((await stage.server.api('/api/v1/board', { cookie: agent })).status, 403);
  assert.equal((await stage.server.api('/api/v1/recordings', { cookie: agent })).status, 403);
  const wrong = await stage.server.api('/api/v1/login', { method: 'POST', body: { user: 'sam', password: `${PASSWORD}!` } });
  assert.equal(wrong.status, 401);
});

test('an emergency closure takes no calls until it is lifted', async () => {
  const cookie = await stage.server.signIn('sam');
  const declare = await stage.server.api('/api/v1/closure', { method: 'POST', cookie, body: { message: 'Water damage' } });
  assert.equal(declare.status, 204, declare.text);
  assert.equal((await ask('sacramento')).json.code, 'closed');
  const page = await (await stage.person()).page(`${stage.server.url}/t/sacramento/call-me`);
  await page.getByText('Water damage').first().waitFor();
  const lift = await fetch(`${stage.server.url}/api/v1/closure`, { method: 'DELETE', headers: { cookie, origin: stage.server.url } });
  assert.equal(lift.status, 204);
  assert.equal((await ask('sacramento')).status, 201);
});
