// One scenario's stage: a carrier, the server, a browser with an agent at the desk. Torn down in reverse.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Browser, hears } from './browser.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { freePort, pause, until } from './peers/process.mjs';
import { Carrier, audioPort } from './peers/sipp.mjs';
import { Server } from './server.mjs';

export const PHONE_TONE = 1300;
export const CUSTOMER = '(916) 555-0119';
export const CUSTOMER_E164 = '+19165550119';

/** Less than this of a tone is silence: leakage of windows and of the other tone. */
const SILENT = 0.01;
const LOUD = 0.1;

export class Stage {
  static async set(options = {}) {
    const stage = new Stage();
    stage.carrierPort = await freePort();
    stage.server = await Server.start({ carrierPort: stage.carrierPort, ...options });
    stage.browser = await Browser.launch();
    stage.people = [];
    return stage;
  }

  /** The carrier from now on does this with each call: `steps(earPort)`. */
  async carrier(steps, options = {}) {
    await this.hangUpCarrier();
    this.ear = await Earpiece.open({ frequency: PHONE_TONE });
    this.sipp = await Carrier.start(steps(this.ear.port), { port: this.carrierPort, ...options });
    await this.trunkIs(true);
    return this.sipp;
  }

  async hangUpCarrier() {
    this.ear?.close();
    await this.sipp?.stop();
    this.sipp = undefined;
  }

  /** Waits until the server's own health check has found the trunk up or down. */
  async trunkIs(up, within = 40_000) {
    this.supervisorCookie ??= await this.server.signIn('sam');
    let last;
    await until(
      async () => {
        last = (await this.server.api('/api/v1/trunks', { cookie: this.supervisorCookie })).json;
        return last?.trunks?.every((trunk) => trunk.up === up);
      },
      `the trunk to be ${up ? 'up' : 'down'}`,
      { within, every: 100, also: () => `: ${JSON.stringify(last)}` },
    );
  }

  /** The next call's sound goes where its INVITE says. */
  async callArrives(count = 1, { within } = {}) {
    const invite = await this.sipp.gets('INVITE', { count, within });
    this.ear.speakTo(audioPort(invite.body));
    return invite;
  }

  async person(options) {
    const person = await this.browser.person(options);
    this.people.push(person);
    return person;
  }

  /** An agent signed in by the form, at the CCP. */
  async desk(user = 'maria', options) {
    const person = await this.person(options);
    return new Desk(person, await person.signIn(this.server, user, '/agent'), user);
  }

  /** A customer's page with a chat that has been asked for. */
  async chat(name, number, question) {
    const person = await this.person({ viewport: { width: 390, height: 760 } });
    const page = await person.page(`${this.server.url}/t/sacramento/chat`);
    await page.getByLabel('Your name').fill(name);
    await page.getByLabel('Phone number').fill(number);
    await page.getByLabel('Your question').fill(question);
    await page.getByRole('button', { name: 'Start chat' }).click();
    await page.getByRole('log').getByText(question, { exact: true }).waitFor();
    return page;
  }

  async board() {
    this.supervisorCookie ??= await this.server.signIn('sam');
    return (await this.server.api('/api/v1/board', { cookie: this.supervisorCookie })).json;
  }

  /** Waits until the board shows the agent so. */
  async agentIs(user, presence, { reason, within = 10_000 } = {}) {
    let last;
    return until(
      async () => {
        last = await this.agent(user);
        return last?.presence === presence && (reason === undefined || last.reason === reason) && last;
      },
      `${user} to be ${presence} ${reason ?? ''}`,
      { within, also: () => `: ${JSON.stringify(last)}` },
    );
  }

  async recordings() {
    this.supervisorCookie ??= await this.server.signIn('sam');
    return (await this.server.api('/api/v1/recordings', { cookie: this.supervisorCookie })).json.items;
  }

  /** The file is closed a moment after the call is over; until then the answer is 409. */
  async wav(contact, query = '') {
    const ask = () => fetch(`${this.server.direct}/api/v1/recordings/${contact}/audio${query}`, { headers: { cookie: this.supervisorCookie } });
    let response;
    await until(async () => (response = await ask()).status !== 409, 'the recording to be closed', { within: 8000 });
    assert.equal(response.status, 200);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Both ends hear the other and not themselves. */
  async bothHear(desk, ear = this.ear, within = 20_000) {
    await until(() => ear.hears(desk.tone) > LOUD, 'the customer to hear the agent', { within, also: () => `: ${ear.hears(desk.tone)} of ${ear.packets} packets\n${this.server.program.output.slice(-3000)}` });
    await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer', { within });
    ear.forget();
    await pause(800);
    assert.ok(ear.hears(desk.tone) > LOUD, 'the customer hears the agent');
    assert.ok(ear.hears(PHONE_TONE) < SILENT, `the customer does not hear an echo: ${ear.hears(PHONE_TONE)}`);
    // A browser that is short of time for a moment plays nothing in it.
    await until(async () => (await desk.hears(PHONE_TONE)) > LOUD, 'the agent to hear the customer still', { within: 2000 });
    assert.ok((await desk.hears(desk.tone)) < SILENT, 'the agent does not hear an echo');
  }

  /** Nobody waits any more. */
  async emptyLine() {
    for (const contact of (await this.board()).waiting) {
      await this.server.api(`/api/v1/callbacks/${contact.id}/cancel`, { method: 'POST', body: {}, cookie: this.supervisorCookie });
    }
  }

  /** Ends whatever a scenario left: the next one begins with an empty line and a free agent. */
  async clear(desk) {
    await this.emptyLine();
    // A call that is just ending takes its button away by itself.
    await pause(500);
    const end = desk.button('End call');
    if (await end.isVisible()) await end.click({ timeout: 2000 }).catch(() => {});
    await pause(500);
    if (await desk.button('Finish').isVisible()) await desk.finish();
    if ((await this.agent(desk.user)).presence === 'not_ready') await desk.button('Go available').click();
    await this.agentIs(desk.user, 'ready', { within: 15_000 });
  }

  async agent(user) {
    return (await this.board()).agents.find((agent) => agent.id === user);
  }

  async strike() {
    await Promise.all(this.people.map((person) => person.close().catch(() => {})));
    await this.browser.close();
    await this.hangUpCarrier();
    const end = await this.server.stop();
    assert.equal(end.code, 0, `the server ends well on SIGTERM: ${JSON.stringify(end)}\n${this.server.program.output.slice(-3000)}`);
    assert.doesNotMatch(this.server.program.output, /panicked at/, 'nothing panicked');
    assert.ok(!this.server.program.output.includes('5550119'), 'no telephone number in the log');
    assert.ok(!this.server.program.output.includes('Rosa Diaz'), 'no name in the log');
  }
}

/** The agent's page, used by its labels. */
export class Desk {
  constructor(person, page, user) {
    Object.assign(this, { person, page, user, tone: 700 });
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: typeof name === 'string' });
  }

  async goAvailable() {
    await this.button('Go available').click();
    // Somebody may be waiting already: then the offer comes at once.
    await this.page.getByText('You are available').or(this.button('Accept')).first().waitFor({ timeout: 20_000 });
  }

  async offered(within = 15_000) {
    await this.button('Accept').waitFor({ timeout: within });
  }

  async accept() {
    await this.offered();
    await this.button('Accept').click();
  }

  async finish(disposition) {
    await this.button('Finish').waitFor();
    if (disposition) await this.page.getByLabel(disposition).check();
    await this.button('Finish').click();
    await this.button('Finish').waitFor({ state: 'hidden' });
  }

  hears(tone) {
    return hears(this.page, tone);
  }

  async becomesSilent(tone, within = 5000) {
    await until(async () => (await this.hears(tone)) < SILENT, `${tone} Hz to stop at the agent's ear`, { within });
  }
}

/** A picture for the eye, when a folder for them is given. */
export async function shot(page, name) {
  const folder = process.env.RINGBACK_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

export { LOUD, SILENT };

/** The customer ends the chat and goes. */
export async function endChat(page) {
  await page.getByRole('button', { name: 'End chat' }).click();
  await page.getByRole('button', { name: 'Yes, end the chat' }).click();
  await page.close();
}
