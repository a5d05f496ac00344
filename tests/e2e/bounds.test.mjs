// What used to stand in the operator's file only, set in /admin: who is called and how much, numbers never called, the portal's keys,
// a queue's own rules, a logo, single rights. All of it in force at once, told, undone, and never looser than the operator's word.
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { after, before, test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import { findings } from './browser.mjs';
import { Stage, shot } from './stage.mjs';

let stage, page, person;
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** For whoever plays all of this on another database. */
export const theStage = () => stage;

before(async () => {
  stage = await Stage.set({
    server: { second_factor_for: [] },
    dialling: { calls_per_day: 500 },
    staff: [
      { id: 'maria', role: 'agent', name: 'Maria Vega' },
      { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
      { id: 'ada', role: 'admin', name: 'Ada Byron' },
    ],
  });
  person = await stage.person();
  person.expected.push(/status of 4(09|13|22)/);
  page = await person.signIn(stage.server, 'ada', '/admin');
});
after(() => stage?.strike());

const go = (name) => page.getByRole('navigation', { name: 'Settings' }).getByRole('link', { name, exact: true }).click();
async function save() {
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('status').filter({ hasText: 'Saved. It is in force now.' }).waitFor();
}
async function refused(text) {
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: text }).waitFor();
}
const ask = (body) => stage.server.api('/api/v1/t/sacramento/callbacks', { method: 'POST', body: { name: 'Rosa Diaz', ...body } });

test('a section is found by what it is about, by keyboard alone', async () => {
  const find = page.getByRole('searchbox', { name: 'Find a setting' });
  await find.focus();
  await page.keyboard.type('minutes of answered');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Dialling limits', level: 1 }).waitFor();
  assert.equal(await page.getByRole('navigation', { name: 'Settings' }).getByRole('link').count(), 1);
  await find.fill('nothing is called so');
  await page.getByText('No setting is called that.').waitFor();
  await find.fill('');
  assert.deepEqual(await findings(page), []);
});

test('who is called and how much, within the operator’s bounds', async () => {
  await go('Dialling limits');
  await page.getByText('At most 500, says your operator.').waitFor();
  await page.getByLabel('Calls in a day', { exact: true }).fill('501');
  await refused('Dialling limits: Calls in a day cannot be kept');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'dialling-calls_per_day', 'the field has the focus');
  await page.getByLabel('Calls in a day', { exact: true }).fill('0');
  await shot(page, 'admin-dialling');
  await save();
  assert.equal((await ask({ phone: '(916) 555-0171' })).json.code, 'calls_used_up');
  await go('Change history');
  await page.getByText('Dialling limits: Calls in a day: 500 → 0').waitFor();
  await page.getByRole('button', { name: 'Bring back version 1' }).click();
  await page.getByRole('button', { name: 'Bring back', exact: true }).click();
  await page.getByText('Dialling limits: Calls in a day: 0 → 500').waitFor();
  assert.equal((await ask({ phone: '(916) 555-0171' })).status, 201);
});

test('a number that is never called, and what was refused is told', async () => {
  await go('Do not call');
  await page.getByLabel('Telephone number').fill('12');
  await page.getByRole('button', { name: 'Never call it' }).click();
  await page.getByRole('alert').waitFor();
  await page.getByLabel('Telephone number').fill('(916) 555-0172');
  await page.getByRole('button', { name: 'Never call it' }).click();
  await page.getByText('••• 0172').waitFor();
  assert.equal((await ask({ phone: '916 555 0172' })).json.code, 'opted_out');
  await page.reload();
  await page.getByRole('cell', { name: 'On the do-not-call list' }).waitFor();
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-do-not-call');
  await page.getByRole('button', { name: 'Remove ••• 0172' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('It may be called again.').waitFor();
  assert.equal((await ask({ phone: '916 555 0172' })).status, 201);
});

/** What a portal signs for its customer (RFC 7519, ES256). */
function token(key, jti) {
  const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'ES256', typ: 'JWT' })}.${part({ aud: 'sacramento', exp: Math.floor(Date.now() / 1000) + 120, jti, name: 'Rosa Diaz' })}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key: createPrivateKey(key), dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

test('the portal’s key, and a queue that only its customers may ask', async () => {
  await go('Portal keys');
  await page.getByRole('button', { name: 'Add a key' }).click();
  await page.getByLabel('Name').fill('County portal');
  await page.getByLabel('Or the public key itself').fill(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await refused('Portal keys, entry 1: Or the public key itself cannot be kept');
  await page.getByLabel('Or the public key itself').fill(pair.publicKey.export({ type: 'spki', format: 'pem' }));
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-portal-keys');
  await go('Queue policies');
  await page.getByRole('button', { name: 'Add a queue' }).click();
  await page.getByLabel('Queue', { exact: true }).selectOption({ index: 1 });
  await page.getByLabel('Signing in').selectOption({ label: 'Only customers signed in at the portal' });
  await page.getByLabel('Disposition code').selectOption({ label: 'Must be chosen' });
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-queue-policies');
  await save();
  const queue = await page.getByLabel('Queue', { exact: true }).inputValue();
  const { settings } = (await stage.server.api('/api/v1/settings', { cookie: await stage.server.signIn('ada') })).json;
  const about = settings.subjects.find((subject) => subject.queue === queue).id;
  assert.equal((await ask({ phone: '(916) 555-0173', subject: about })).json.code, 'auth_required');
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  assert.equal((await ask({ phone: '(916) 555-0173', subject: about, token: token(stranger, 'a') })).json.code, 'token_invalid');
  const own = token(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), 'b');
  assert.equal((await ask({ phone: '(916) 555-0173', subject: about, token: own })).status, 201);
  const me = (await stage.server.api('/api/v1/me', { cookie: await stage.server.signIn('maria') })).json;
  assert.equal(me.tenant.disposition_modes[queue], 'required');
  await page.getByRole('button', { name: 'Remove', exact: false }).last().click();
  await save();
});

/** One colour, as browsers show it. */
function png(width, height) {
  const chunk = (kind, data) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, 0x30)]);
  const rows = Buffer.concat(Array.from({ length: height }, () => row));
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

test('a logo: nothing but a picture is taken, customers see it with the name as its text, and it goes again', async () => {
  await go('Branding');
  const file = page.getByLabel('Picture');
  await file.setInputFiles({ name: 'logo.svg', mimeType: 'image/svg+xml', buffer: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>') });
  await page.getByText('Choose a PNG, JPEG or WebP picture.').waitFor();
  await file.setInputFiles({ name: 'logo.png', mimeType: 'image/png', buffer: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>') });
  await page.getByText('That file cannot be used: neither PNG, JPEG nor WebP.').waitFor();
  await file.setInputFiles({ name: 'logo.png', mimeType: 'image/png', buffer: png(2400, 20) });
  await page.getByText('its sides are not 16 to 2000 dots').waitFor();
  await file.setInputFiles({ name: 'logo.png', mimeType: 'image/png', buffer: Buffer.concat([png(200, 60), Buffer.alloc(300 * 1024)]) });
  await page.getByText('That file is too large').waitFor();
  await file.setInputFiles({ name: 'logo.png', mimeType: 'image/png', buffer: png(200, 60) });
  await page.getByText('The logo is ready').waitFor();
  const { picture } = { picture: (await page.getByAltText('Your logo as customers will see it').getAttribute('src')).split('/').at(-1) };
  const path = `/t/sacramento/logo/${picture}`;
  assert.equal((await fetch(`${stage.server.url}${path}`)).status, 404, 'nothing before it is saved');
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-branding');
  await save();
  const shown = await fetch(`${stage.server.url}${path}`);
  assert.deepEqual([shown.status, shown.headers.get('content-type'), shown.headers.get('x-content-type-options')], [200, 'image/png', 'nosniff']);
  const customer = await stage.person({ viewport: { width: 390, height: 760 } });
  for (const place of ['call-me', 'chat', '']) {
    const seen = await customer.page(`${stage.server.url}/t/sacramento/${place}`.replace(/\/$/, ''));
    const logo = seen.getByAltText('Sacramento County');
    await logo.waitFor();
    assert.equal(await logo.evaluate((img) => img.naturalWidth), 200, `${place}: the picture is loaded`);
    assert.deepEqual(await findings(seen), [], place);
    await shot(seen, `logo-${place || 'welcome'}`);
    if (place === 'call-me') {
      await seen.emulateMedia({ colorScheme: 'dark' });
      await shot(seen, 'logo-call-me-dark');
    }
    await seen.close();
  }
  await page.getByRole('button', { name: 'Remove the logo' }).click();
  await save();
  assert.equal((await fetch(`${stage.server.url}${path}`)).status, 404, 'taken away');
  await go('Change history');
  await page.getByText('Branding: Logo').first().waitFor();
  await page.getByRole('button', { name: /^Bring back version/ }).first().click();
  await page.getByRole('button', { name: 'Bring back', exact: true }).click();
  await page.getByRole('status').filter({ hasText: 'is in force again' }).waitFor();
  assert.equal((await fetch(`${stage.server.url}${path}`)).status, 200, 'undone');
});

test('single rights are given and taken; what the operator has not enabled is not offered', async () => {
  await go('People');
  await page.getByRole('button', { name: 'Change Sam Ortiz' }).click();
  const rights = page.getByRole('group', { name: 'May also' });
  assert.ok(await rights.getByLabel('Listen to recordings').isChecked());
  assert.equal(await rights.getByLabel('Write first by SMS').count(), 0);
  await rights.getByLabel('Listen to recordings').uncheck();
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-person-rights');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await page.getByText('Sam Ortiz is saved.').waitFor();
  const cookie = await stage.server.signIn('ada');
  const people = (await stage.server.api('/api/v1/users', { cookie })).json.items;
  assert.deepEqual(people.find(({ id }) => id === 'sam').permissions, ['close', 'do_not_call']);
  const sms = await fetch(`${stage.server.url}/api/v1/users/maria`, { method: 'PATCH', headers: { cookie, origin: stage.server.url, 'content-type': 'application/json' }, body: JSON.stringify({ permissions: ['role_sms'] }) });
  assert.equal(sms.status, 422, 'the operator has not enabled it for this county');
});
