// Who comes in: an administrator's second factor by clicks alone, the lock-out and its words, and corporate accounts at a
// foreign identity provider, in and out.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { freePort } from './peers/process.mjs';
import { CLIENT, IdentityProvider, SECRET } from './peers/provider.mjs';
import { PASSWORD } from './server.mjs';
import { Stage, shot } from './stage.mjs';

let stage;
let provider;

before(async () => {
  const port = await freePort();
  provider = await IdentityProvider.start({ people: { fox: ['agents'], walter: ['chiefs'], nobody: ['janitors'] }, server: `http://localhost:${port}` });
  stage = await Stage.set({
    port,
    server: { second_factor_for: ['admin', 'operator'] },
    staff: [
      { id: 'maria', role: 'agent', name: 'Maria Vega' },
      { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
      { id: 'ada', role: 'admin', name: 'Ada Byron' },
    ],
    more: `
[oidc]
issuer = "${provider.issuer}"
name = "County account"
client_id = "${CLIENT}"
client_secret = "${SECRET}"
[[oidc.group]]
group = "chiefs"
role = "supervisor"
tenant = "sacramento"
[[oidc.group]]
group = "agents"
role = "agent"
tenant = "sacramento"
`,
  });
});
after(async () => {
  await stage?.strike();
  await provider?.stop();
});

/** The code an authenticator app would show (RFC 6238); `ahead` steps later. */
function code(secret, ahead = 0) {
  let bits = '';
  for (const letter of secret) bits += 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const tag = createHmac('sha1', key).update(step).digest();
  const at = tag[19] & 15;
  return String((tag.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** Refused sign-ins are what these scenarios are about. */
async function visitor() {
  const person = await stage.person();
  person.expected.push(/status of 4(01|03|09|22|29)/, new RegExp(provider.issuer));
  return person;
}

async function signOut(page) {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(/\/login/);
}

async function logIn(page, user, password = PASSWORD) {
  await page.goto(`${stage.server.url}/login`);
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

test('an administrator sets up an authenticator app and signs in with it', async () => {
  const person = await visitor();
  const page = await person.page(`${stage.server.url}/login`);
  await shot(page, 'login');
  assert.deepEqual(await findings(page), []);
  await logIn(page, 'ada');
  await page.getByText('Your role needs a second factor').waitFor();
  assert.deepEqual(await findings(page), []);
  await shot(page, 'account-needed');
  await page.goto(`${stage.server.url}/supervisor`);
  await page.waitForURL(/\/account$/);
  await page.getByLabel('Your password once more').fill(PASSWORD);
  await page.keyboard.press('Enter');
  const key = page.getByLabel('Key');
  await key.waitFor();
  const secret = (await key.textContent()).replaceAll(' ', '');
  const picture = page.getByRole('img', { name: /QR code/ });
  assert.equal(await picture.evaluate((image) => image.complete && image.naturalWidth > 0), true, 'the picture is drawn');
  await page.setViewportSize({ width: 320, height: 640 });
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320, 'nothing sticks out at 320 px');
  await shot(page, 'account-scan-320');
  await page.setViewportSize({ width: 1280, height: 800 });
  assert.deepEqual(await findings(page), []);
  await shot(page, 'account-scan');
  const field = page.getByLabel('Code the app shows now');
  await field.fill('000000');
  await page.keyboard.press('Enter');
  await page.getByText('That code is not right').waitFor();
  await field.fill(code(secret));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Keep these recovery codes' }).waitFor();
  const recovery = await page.getByRole('listitem').allTextContents();
  assert.equal(recovery.length, 10);
  assert.deepEqual(await findings(page), []);
  await shot(page, 'account-recovery');
  await page.getByRole('link', { name: 'Go to my page' }).click();
  await page.waitForURL(/\/supervisor/);
  await signOut(page);
  await logIn(page, 'ada');
  await page.getByLabel('Code', { exact: true }).waitFor();
  assert.deepEqual(await findings(page), []);
  await shot(page, 'login-code');
  await page.getByLabel('Code', { exact: true }).fill(code(secret, 1));
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/supervisor/);
  // The telephone is lost: a recovery code, once.
  await signOut(page);
  for (const [expected] of [[/\/supervisor/], [null]]) {
    await logIn(page, 'ada');
    await page.getByLabel('Code', { exact: true }).fill(recovery[3].toUpperCase());
    await page.keyboard.press('Enter');
    if (expected) {
      await page.waitForURL(expected);
      await signOut(page);
    } else await page.getByText('That code is not right, or was used already').waitFor();
  }
});

test('the audit: searched, exported, and whole by the command', async () => {
  const person = await visitor();
  const page = await person.page(`${stage.server.url}/login`);
  await logIn(page, 'sam');
  await page.waitForURL(/\/supervisor/);
  await page.getByRole('tab', { name: 'Audit' }).or(page.getByRole('link', { name: 'Audit' })).first().click();
  await page.getByLabel('What').fill('second factor enrolled');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByRole('cell', { name: 'ada' }).first().waitFor();
  assert.deepEqual(await findings(page), []);
  await shot(page, 'audit');
  await page.setViewportSize({ width: 320, height: 640 });
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320, 'nothing sticks out at 320 px');
  await shot(page, 'audit-320');
});

test('too many wrong passwords: a wait that is said in words', async () => {
  const page = await (await visitor()).page(`${stage.server.url}/login`);
  for (let i = 0; i < 6; i += 1) {
    await logIn(page, 'maria', 'wrong');
    await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
  }
  await page.getByText('Too many wrong tries. Wait').waitFor();
  await shot(page, 'login-locked');
  assert.deepEqual(await findings(page), []);
});

test('corporate accounts: in by the provider, out by the provider', async () => {
  const person = await visitor();
  const page = await person.page(`${stage.server.url}/login`);
  await page.getByRole('link', { name: 'Sign in with County account' }).click();
  await provider.signIn(page, 'walter', /\/supervisor/);
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  const me = await page.evaluate(() => fetch('/api/v1/me').then((answer) => answer.json()));
  assert.deepEqual([me.user.id, me.user.role, me.user.tenant], ['walter', 'supervisor', 'sacramento']);
  // Another browser of the same person: signing out there ends the session here.
  await page.getByRole('button', { name: 'Sign out' }).click();
  const confirm = page.getByRole('button', { name: /yes, sign me out/i });
  await confirm.waitFor();
  assert.ok(page.url().startsWith(provider.issuer), page.url());
  await confirm.click();
  await page.waitForURL(`${stage.server.url}/login`);
  assert.deepEqual(provider.errors, []);
});

test('signing out at the provider ends the session here within seconds', async () => {
  const person = await visitor();
  const page = await person.page(`${stage.server.url}/login`);
  await page.getByRole('link', { name: 'Sign in with County account' }).click();
  await provider.signIn(page, 'fox', /\/agent/);
  const there = await page.context().newPage();
  await there.goto(`${provider.issuer}/session/end`);
  await there.getByRole('button', { name: /yes, sign me out/i }).click();
  // The page's socket ends with the session, and the page leads to the sign-in by itself.
  await page.waitForURL(/\/login/, { timeout: 5_000 }).catch((error) => assert.fail(`${error.message}\n${provider.errors.join('\n')}`));
  assert.equal(await page.evaluate(() => fetch('/api/v1/me').then((answer) => answer.status)), 401);
});

test('whoever is in no group does not come in, and is told so', async () => {
  const page = await (await visitor()).page(`${stage.server.url}/login`);
  await page.getByRole('link', { name: 'Sign in with County account' }).click();
  await provider.signIn(page, 'nobody', /callback/);
  await page.getByRole('heading', { name: 'You have no role here' }).waitFor();
  await shot(page, 'no-role');
  assert.deepEqual(await findings(page), []);
});
