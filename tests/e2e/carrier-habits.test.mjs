// Habits of carriers: they assert who calls, and that the caller wants it kept back; they speak IPv6; they sell so many channels and no
// more. sipp is the carrier and calls; tones are measured at both ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Caller, calls } from './peers/caller.mjs';
import { Earpiece } from './peers/earpiece.mjs';
import { freePort, until } from './peers/process.mjs';
import { Carrier, audioPort, far } from './peers/sipp.mjs';
import { OUR_NUMBER } from './server.mjs';
import { CUSTOMER, LOUD, PHONE_TONE, Stage } from './stage.mjs';

const ASSERTED = '+19165550188';
const SIX = '::1';

async function on(options, play) {
  const stage = await Stage.set({ announcement: null, ...options });
  try {
    await play(stage);
  } finally {
    await stage.strike();
  }
}

/** Somebody whose telephone says "anonymous" calls, and the carrier says who it is; what the agent is shown. */
async function offeredAs(stage, desk, extra) {
  const ear = await Earpiece.open({ frequency: PHONE_TONE });
  const caller = await Caller.call(calls.stays(ear.port, { extra }), { server: stage.server, number: OUR_NUMBER, from: 'anonymous' });
  await desk.offered();
  const shown = await desk.page.getByRole('main').innerText();
  await desk.button('Accept').click();
  await stage.bothHear(desk, ear);
  await desk.button('End call').click();
  assert.equal(await caller.ends(), 0, caller.report());
  await desk.finish('Resolved');
  ear.close();
  await caller.stop();
  return shown;
}

const said = [`P-Asserted-Identity: <sip:${ASSERTED}@carrier.example>`];

test('a trusted carrier’s word on who calls counts, and so does the caller’s wish to keep it back', () =>
  on({ inbound: {}, trunk: { trust_identity: true } }, async (stage) => {
    await stage.carrier((ear) => far.answers({ ear }));
    const desk = await stage.desk();
    await desk.goAvailable();
    assert.match(await offeredAs(stage, desk, said), /\(916\) 555-0188/);
    const kept = await offeredAs(stage, desk, [...said, 'Privacy: id']);
    assert.match(kept, /Number withheld/);
    assert.doesNotMatch(kept, /555-?0188/);
  }));

test('the word of a carrier that is not trusted does not count', () =>
  on({ inbound: {} }, async (stage) => {
    await stage.carrier((ear) => far.answers({ ear }));
    const desk = await stage.desk();
    await desk.goAvailable();
    assert.doesNotMatch(await offeredAs(stage, desk, said), /555-?0188/);
  }));

test('a trunk over IPv6, its sound too: called and calling', async () => {
  const port = await freePort();
  await on({ inbound: {}, sip: { udp: `[${SIX}]:${port}`, tcp: `[${SIX}]:${port}` }, media: { rtp: SIX }, trunk: { host: SIX } }, async (stage) => {
    const ear = await Earpiece.open({ frequency: PHONE_TONE, host: SIX });
    const carrier = await Carrier.start(far.answers({ ear: ear.port }), { port: stage.carrierPort, host: SIX });
    await stage.trunkIs(true);
    const desk = await stage.desk();
    await desk.goAvailable();
    await stage.server.ask(CUSTOMER);
    await desk.accept();
    const invite = await carrier.gets('INVITE');
    assert.match(invite.body, /^c=IN IP6 ::1$/m);
    ear.speakTo(audioPort(invite.body));
    await stage.bothHear(desk, ear);
    await desk.button('End call').click();
    await carrier.gets('BYE');
    await desk.finish('Resolved');
    ear.close();
    const other = await Earpiece.open({ frequency: PHONE_TONE, host: SIX });
    const caller = await Caller.call(calls.stays(other.port), { server: stage.server, number: OUR_NUMBER, from: ASSERTED, host: SIX });
    await desk.accept();
    await stage.bothHear(desk, other);
    await desk.button('End call').click();
    assert.equal(await caller.ends(), 0, caller.report());
    await desk.finish('Resolved');
    other.close();
    for (const peer of [caller, carrier]) await peer.stop();
  });
});

test('a trunk’s channels are used up, and the next call goes over the one behind it', async () => {
  const second = await freePort();
  await on({ trunk: { channels: 1, priority: 1 }, trunks: [{ id: 'second', port: second, priority: 5, caller_id: '+19165550042' }] }, async (stage) => {
    const ears = [await Earpiece.open({ frequency: PHONE_TONE }), await Earpiece.open({ frequency: PHONE_TONE })];
    const carriers = [stage.carrierPort, second].map((port, at) => Carrier.start(far.answers({ ear: ears[at].port }), { port }));
    const [first, behind] = await Promise.all(carriers);
    await stage.trunkIs(true);
    const desks = [];
    for (const [user, number] of [['maria', CUSTOMER], ['jon', '(916) 555-0120']]) {
      const desk = await stage.desk(user);
      await desk.goAvailable();
      await stage.server.ask(number);
      await desk.accept();
      const at = desks.push(desk) - 1;
      const invite = await [first, behind][at].gets('INVITE');
      ears[at].speakTo(audioPort(invite.body));
      await until(() => ears[at].hears(desk.tone) > LOUD, `${user} to be heard`, { within: 20_000 });
    }
    assert.equal(first.calls().length, 1, 'no second call over the first trunk');
    const [invite] = behind.received('INVITE');
    assert.match(invite.headers.from, /\+19165550042/, 'under the number that the second trunk shows');
    for (const desk of desks) {
      await desk.button('End call').click();
      await desk.finish('Resolved');
    }
    for (const peer of [...ears.map((ear) => ({ stop: () => ear.close() })), first, behind]) await peer.stop();
  });
});
