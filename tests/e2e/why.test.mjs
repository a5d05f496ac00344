// Why somebody waits, as the supervisor reads it; the next step of a ladder; a customer who is dialled before anybody is asked.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { findings } from './browser.mjs';
import { far } from './peers/sipp.mjs';
import { Stage, shot } from './stage.mjs';

let stage;
let number = 600;
const fresh = () => `(916) 555-0${(number += 1)}`;

before(async () => {
  stage = await Stage.set({
    callback: { entry_mode: 'callback_customer_first' },
    ladder: [{ skills: { snap: 5 }, seconds: 45 }, { skills: {} }],
    staff: [
      { id: 'maria', role: 'agent', name: 'Maria Vega', skills: 'none' },
      { id: 'jon', role: 'agent', name: 'Jon Park', skills: 'snap=8' },
      { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
    ],
  });
  await stage.carrier((ear) => far.answers({ ear }));
});
after(() => stage?.strike());

/** The supervisor's answer to "why is she still waiting?", and how it looks. */
async function lookAtWhy() {
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [[360, 740], [1280, 800]]) {
      const person = await stage.person({ viewport: { width, height }, colorScheme });
      const page = await person.signIn(stage.server, 'sam', '/supervisor');
      await page.getByRole('button', { name: 'Why? Rosa Diaz' }).click();
      const why = page.getByRole('dialog', { name: 'Why is Rosa Diaz still waiting?' });
      await why.getByText('Nobody who may take it is free; 2 are signed in.').waitFor();
      await why.getByText('an agent with Snap at level 5 or above').waitFor();
      await why.getByText(/Step 1 of 2; the next opens/).waitFor();
      await why.getByText('lacks Snap (level 5 needed)').waitFor();
      await why.getByText('is not ready: Lunch').waitFor();
      await shot(page, `why-${width}-${colorScheme}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(overflow <= 0, `at ${width} px it scrolls sideways by ${overflow} px`);
      assert.deepEqual(await findings(page), [], `${width} px, ${colorScheme}`);
      await person.close();
    }
  }
}

test('why somebody waits; then the next step opens, and the customer is dialled before anybody is asked', async () => {
  const [maria, jon] = [await stage.desk('maria'), await stage.desk('jon')];
  await maria.goAvailable();
  await jon.goAvailable();
  await jon.button(/^Status:/).click();
  await jon.page.getByRole('menuitemradio', { name: 'Lunch' }).click();
  await stage.agentIs('jon', 'not_ready', { reason: 'lunch' });
  const { status_token } = await stage.server.ask(fresh());
  await lookAtWhy();
  assert.equal((await stage.agent('maria')).presence, 'ready', 'nobody without the skill is given it before its time');
  // The step of 45 seconds, however much of it the panel took to look at.
  await stage.callArrives(1, { within: 60_000 });
  await stage.server.reaches(status_token, 'talking');
  assert.ok(!(await maria.button('Accept').isVisible()), 'there was nothing to accept');
  await stage.bothHear(maria);
  await maria.button('End call').click();
  await maria.finish();
  await jon.person.close();
  await maria.person.close();
});
