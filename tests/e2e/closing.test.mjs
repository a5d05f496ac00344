// What those in line read when the office closes and nobody will call them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { Stage, shot } from './stage.mjs';

let stage;
let number = 600;
const fresh = () => `(916) 555-0${(number += 1)}`;
const visit = async (path) => (await stage.person()).page(`${stage.server.url}${path}`);

before(async () => {
  stage = await Stage.set({ closing: { closure: 'tell' } });
});
after(() => stage?.strike());

test('closed for good, who waits is told that nobody will call', async () => {
  const { status_token } = await stage.server.ask(fresh());
  const page = await visit(`/t/sacramento/status/${status_token}`);
  const spanish = await visit(`/t/sacramento/status/${status_token}?lang=es`);
  const supervisor = await (await stage.person()).signIn(stage.server, 'sam', '/supervisor');
  await supervisor.getByRole('button', { name: 'Close now …' }).click();
  await supervisor.getByLabel('Message to customers').fill('A pipe burst.');
  await shot(supervisor, 'closure-tell-preview');
  await supervisor.getByRole('button', { name: 'Close now', exact: true }).click();
  await page.getByRole('heading', { name: 'We will not call you' }).waitFor();
  await page.getByText('A pipe burst.').waitFor();
  await spanish.getByRole('heading', { name: 'No le llamaremos' }).waitFor();
  assert.equal(await page.getByText('We could not reach you').count(), 0, 'nobody tried');
  await shot(page, 'status-told');
  assert.deepEqual(await findings(page), []);
});
