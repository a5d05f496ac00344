// Another program is told what happens: added in the browser, its messages are checked against the secret as the standard says, by code of
// its own; what it refuses is tried again, given up, and sent again by a click. Nothing inside the network is reached unless it is named.
import assert from 'node:assert/strict';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { until } from './peers/process.mjs';
import { far } from './peers/sipp.mjs';
import { CUSTOMER, Stage, shot } from './stage.mjs';

let stage, page, receiver, port, secret, token, desk;
/** How the receiver answers, and what it got. */
let answer = (response) => response.writeHead(204).end();
const got = [];

before(async () => {
  receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (piece) => (body += piece));
    request.on('end', () => {
      got.push({ headers: request.headers, body, path: request.url });
      answer(response);
    });
  });
  await new Promise((ready) => receiver.listen(0, '127.0.0.1', ready));
  port = receiver.address().port;
  stage = await Stage.set({
    server: { second_factor_for: [], webhooks_may_reach: ['127.0.0.1'] },
    limits: { webhook_retry_seconds: [1, 1] },
    staff: [
      { id: 'maria', role: 'agent', name: 'Maria Vega' },
      { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
      { id: 'ada', role: 'admin', name: 'Ada Byron' },
    ],
  });
  await stage.carrier((ear) => far.answers({ ear }));
  const person = await stage.person();
  person.expected.push(/status of 4(09|22)/);
  page = await person.signIn(stage.server, 'ada', '/admin');
  desk = await stage.desk();
});
after(async () => {
  receiver?.closeAllConnections();
  receiver?.close();
  await stage?.strike();
});

/** As the standard has it, from the secret the page showed. */
function verified({ headers, body }) {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const at = Number(headers['webhook-timestamp']);
  assert.ok(Math.abs(Date.now() / 1000 - at) < 300, 'a timestamp of now');
  const expected = createHmac('sha256', key).update(`${headers['webhook-id']}.${at}.${body}`).digest();
  const given = headers['webhook-signature'].split(' ').map((one) => one.split(','));
  assert.ok(given.some(([version, text]) => version === 'v1' && timingSafeEqual(Buffer.from(text, 'base64'), expected)), 'signed by whom we know');
  return JSON.parse(body);
}
const told = (type, count = 1, within = 15_000) =>
  until(() => {
    const found = got.filter(({ body }) => JSON.parse(body).type === type);
    return found.length >= count && found;
  }, `${count} × ${type}`, { within, also: () => `: ${JSON.stringify(got.map(({ body }) => body))}` });

test('an address inside the network is refused; one that the operator named is taken, and the secret is shown once', async () => {
  await page.getByRole('link', { name: 'Webhooks' }).click();
  for (const inside of ['http://127.0.0.2:9/', 'https://169.254.169.254/latest', 'https://[::1]/', 'https://10.0.0.1/', 'ftp://127.0.0.1/']) {
    await page.getByLabel('Address').fill(inside);
    await page.getByRole('button', { name: 'Add it' }).click();
    await page.getByRole('alert').filter({ hasText: 'This address cannot be used' }).waitFor();
  }
  assert.deepEqual(await findings(page), []);
  await page.getByLabel('Address').fill(`http://127.0.0.1:${port}/hook?from=ringback`);
  await page.getByLabel('A recording is ready').check();
  await page.getByLabel('An emergency closure is declared').check();
  await page.getByLabel('Address').focus();
  await page.keyboard.press('Enter');
  secret = await page.getByLabel('Signing secret').inputValue();
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-webhooks');
  await page.getByRole('button', { name: 'I have copied it' }).click();
  const cookie = await stage.server.signIn('ada');
  assert.ok(!(await stage.server.api('/api/v1/webhooks', { cookie })).text.includes('whsec_'), 'never again');
});

test('a contact begins and ends, its recordings are ready: each told once, signed, without who it was', async () => {
  await desk.goAvailable();
  ({ status_token: token } = await stage.server.ask(CUSTOMER));
  const [created] = await told('contact.created');
  assert.equal(created.path, '/hook?from=ringback');
  assert.equal(created.headers['content-type'], 'application/json');
  const { data, timestamp } = verified(created);
  assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
  assert.equal(data.tenant, 'sacramento');
  assert.equal(data.channel, 'callback');
  await desk.accept();
  await stage.callArrives();
  await stage.server.reaches(token, 'talking');
  await stage.bothHear(desk);
  await desk.button('End call').click();
  await desk.finish('Resolved');
  const [closed] = await told('contact.closed');
  assert.equal(verified(closed).data.contact, data.contact);
  assert.equal(verified(closed).data.outcome, 'successful');
  const ready = await told('recording.ready', 2);
  const filed = (await stage.recordings())[0].legs.map(({ recording }) => recording).sort();
  assert.deepEqual(ready.map((one) => verified(one).data.recording).sort(), filed);
  for (const { body } of got) assert.ok(!body.includes('Rosa') && !body.includes('5550119'), body);
  assert.equal(new Set(got.map(({ headers }) => headers['webhook-id'])).size, got.length, 'no message twice');
});

test('an emergency closure is told', async () => {
  const cookie = await stage.server.signIn('sam');
  await stage.server.api('/api/v1/closure', { method: 'POST', body: { message: 'Power cut' }, cookie });
  const [closure] = await told('closure.declared');
  assert.ok(!closure.body.includes('Power cut'));
  verified(closure);
  await fetch(`${stage.server.direct}/api/v1/closure`, { method: 'DELETE', headers: { cookie, origin: stage.server.url } });
});

test('a receiver that fails or hangs is tried again and then given up; a redirect is not followed', async () => {
  got.length = 0;
  answer = (response) => response.writeHead(500).end('broken');
  await stage.server.ask('(916) 555-0121', { name: 'Hector Quiroz' });
  const tries = await told('contact.created', 3);
  assert.equal(new Set(tries.map(({ headers }) => headers['webhook-id'])).size, 1, 'the same id each time');
  await page.getByText('Given up').waitFor();
  await page.getByText('3 tries · answered 500').waitFor();
  assert.deepEqual(await findings(page), []);
  await shot(page, 'admin-webhooks-dead');
  got.length = 0;
  answer = (response) => response.writeHead(302, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
  await page.getByRole('button', { name: /^Send again: A contact begins/ }).click();
  await told('contact.created', 3);
  await page.getByText('3 tries · answered 302').waitFor();
  assert.ok(got.every(({ path }) => path.startsWith('/hook')), 'nowhere else');
});

test('a message that was given up is sent again by a click, once the receiver is well', async () => {
  got.length = 0;
  answer = (response) => response.writeHead(200).end('{}');
  await page.getByRole('button', { name: /^Send again: A contact begins/ }).focus();
  await page.keyboard.press('Enter');
  const [again] = await told('contact.created');
  verified(again);
  await page.getByText('Given up').waitFor({ state: 'detached' });
});

test('power lost while a message waits: it is told after the next start', async () => {
  got.length = 0;
  answer = (response) => response.writeHead(503).end();
  await stage.server.ask('(916) 555-0122', { name: 'Ana Lund' });
  await told('contact.created');
  await stage.server.kill();
  answer = (response) => response.writeHead(204).end();
  got.length = 0;
  await stage.server.run();
  stage.supervisorCookie = undefined;
  verified((await told('contact.created'))[0]);
});

test('a program that is removed hears nothing more; all of it stands in the audit', async () => {
  await page.reload();
  await page.getByRole('button', { name: /^Remove http/ }).click();
  assert.deepEqual(await findings(page), []);
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('status').filter({ hasText: 'It is told no more.' }).waitFor();
  got.length = 0;
  await stage.emptyLine();
  const cookie = await stage.server.signIn('ada');
  const words = (await stage.server.api('/api/v1/audit', { cookie })).json.items.map(({ what }) => what);
  for (const word of ['webhook_added', 'webhook_sent_again', 'webhook_removed']) assert.ok(words.includes(word), `${word} in ${words}`);
  assert.equal(got.length, 0);
});
