// A carrier of several servers that stand in the DNS (dnsmasq), or of several trunks: one is silent, one cannot, one wants to be left
// alone for a while. The call goes over another one in the same attempt, and both hear each other. sipp plays the servers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Earpiece } from './peers/earpiece.mjs';
import { Names } from './peers/names.mjs';
import { freePort, pause, until } from './peers/process.mjs';
import { Carrier, audioPort, far } from './peers/sipp.mjs';
import { CUSTOMER, PHONE_TONE, Stage } from './stage.mjs';

const DOMAIN = 'carrier.example';
/** Longer than a call of these scenarios takes, twice. */
const SECONDS = 25;
const FULL = { extra: `Retry-After: ${SECONDS} (full)` };

/** Servers at two ports, and a name under which they stand; `steps`: what the first one does with calls. */
async function on(steps, play, { trunks } = {}) {
  const ports = [await freePort(), await freePort()];
  const names = await Names.start(DOMAIN, ports.map((port, at) => ({ port, priority: 10 * (at + 1) })));
  const ear = await Earpiece.open({ frequency: PHONE_TONE });
  const servers = [await Carrier.start(steps, { port: ports[0] }), await Carrier.start(far.answers({ ear: ear.port }), { port: ports[1] })];
  const ours = trunks ? trunks(ports) : { trunk: { host: DOMAIN, port: undefined } };
  const stage = await Stage.set({ announcement: null, sip: { nameservers: [names.address] }, ...ours });
  try {
    await stage.trunkIs(true);
    const desk = await stage.desk();
    await desk.goAvailable();
    await play({ stage, desk, ear, servers, ports, names });
  } finally {
    await stage.strike();
    ear.close();
    for (const peer of [...servers, names]) await peer.stop();
  }
}

/** A customer is called, and both hear each other, over the server that took the call. */
async function talks({ stage, desk, ear }, server, count) {
  const { status_token } = await stage.server.ask(CUSTOMER);
  await desk.accept();
  const invite = await server.gets('INVITE', { count });
  ear.forget();
  ear.speakTo(audioPort(invite.body));
  await stage.server.reaches(status_token, 'talking');
  await stage.bothHear(desk, ear);
  await desk.button('End call').click();
  await server.gets('BYE', { count });
  await desk.finish('Resolved');
  assert.equal((await stage.server.status(status_token)).stage, 'successful');
}

const trunksOf = async (stage) => (await stage.server.api('/api/v1/trunks', { cookie: stage.supervisorCookie })).json.trunks;

test('the first server of a name says nothing, or 408: the second one has the call', async () => {
  for (const steps of [far.saysNothing(), far.turnsAway('408 Request Timeout')]) {
    await on(steps, async (set) => {
      const [first, second] = set.servers;
      await talks(set, second);
      assert.equal(first.calls().length, 1, 'the one of the better priority was asked first');
      assert.match(set.names.program.output, /query\[SRV\] _sip\._udp\.carrier\.example/);
      const [trunk] = await trunksOf(set.stage);
      assert.deepEqual([trunk.placed, trunk.answered, trunk.failures], [1, 1, []], 'for the trunk it is one call, and it went well');
    });
  }
});

test('a server whose 503 names a time is left alone until then, though it answers OPTIONS, and has calls again afterwards', () =>
  on(far.turnsAway('503 Service Unavailable', FULL), async (set) => {
    const [first, second] = set.servers;
    const asked = first.gets('INVITE', { within: 60_000 }).then(() => Date.now());
    await talks(set, second, 1);
    const over = (await asked) + SECONDS * 1000;
    // The same server on the same port would take calls now; only the time that it named stands against it.
    await first.stop();
    set.servers[0] = await Carrier.start(far.answers({ ear: set.ear.port }), { port: set.ports[0] });
    await until(() => set.servers[0].received('OPTIONS').length > 1, 'the server to be asked whether it is there');
    await talks(set, second, 2);
    assert.ok(Date.now() < over, 'within the time');
    assert.equal(set.servers[0].received('INVITE').length, 0, 'nothing was asked of it');
    await pause(Math.max(0, over + 500 - Date.now()));
    await talks(set, set.servers[0], 1);
  }));

test('a trunk that wants no calls is down for that time: its call and the next one go over the other trunk, and it comes back by itself', () =>
  on(
    far.turnsAway('503 Service Unavailable', FULL),
    async (set) => {
      const [first, second] = set.servers;
      await talks(set, second, 1);
      const state = async () => (await trunksOf(set.stage)).find(({ id }) => id === 'carrier');
      let trunk = await state();
      assert.deepEqual([trunk.up, trunk.cause], [false, 'no calls wanted for now (503 with Retry-After)']);
      assert.deepEqual(trunk.failures, [{ result: 'unreachable', sip_status: 503, count: 1 }]);
      const sam = await set.stage.person();
      const board = await sam.signIn(set.stage.server, 'sam', '/supervisor');
      await board.getByText(/no calls wanted for now/).waitFor();
      await talks(set, second, 2);
      assert.equal(first.calls().length, 1, 'it was asked once');
      await until(async () => (trunk = await state()).up, 'the trunk to be back', { within: (SECONDS + 5) * 1000, also: () => JSON.stringify(trunk) });
      await board.getByText(/no calls wanted for now/).waitFor({ state: 'hidden' });
      assert.equal(trunk.placed, 1);
    },
    { trunks: ([port, other]) => ({ trunk: { host: '127.0.0.1', port, priority: 1 }, trunks: [{ id: 'second', port: other, priority: 5 }] }) },
  ));
