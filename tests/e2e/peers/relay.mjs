// A bad network in user space: UDP passes through it with loss, delay, disorder and doubles, the same ones in every run.
import { createSocket } from 'node:dgram';

/** Numbers from 0 to 1 that are the same for the same seed (xorshift, 32 bits). */
export function chance(seed) {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const bind = (socket) => new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));

export class Relay {
  /**
   * Between whoever sends to `port` (the near side, known by its first packet or by `near`) and port `to` of the far side, which
   * sees it all come from `farPort`. `weather` holds for each direction:
   * `loss`, `duplicate`, `reorder`: shares of packets; `jitter`: up to so many ms later; `burst`: losses come so many in a row.
   */
  static async open({ to, weather = {}, seed = 7 } = {}) {
    const relay = new Relay();
    Object.assign(relay, { to, weather, dice: chance(seed), passed: 0, lost: 0, lostToNear: 0, row: 0, timers: new Set() });
    relay.nearSocket = createSocket('udp4');
    relay.farSocket = createSocket('udp4');
    await Promise.all([bind(relay.nearSocket), bind(relay.farSocket)]);
    relay.port = relay.nearSocket.address().port;
    relay.farPort = relay.farSocket.address().port;
    relay.nearSocket.on('message', (packet, from) => {
      relay.near ??= from.port;
      relay.#pass(() => relay.to && relay.farSocket.send(packet, relay.to, '127.0.0.1'));
    });
    relay.farSocket.on('message', (packet) => {
      const before = relay.lost;
      relay.#pass(() => relay.near && relay.nearSocket.send(packet, relay.near, '127.0.0.1'));
      relay.lostToNear += relay.lost - before;
    });
    return relay;
  }

  #pass(send) {
    const { loss = 0, duplicate = 0, reorder = 0, jitter = 0, burst = 1 } = this.weather;
    this.passed += 1;
    if (this.row > 0 || this.dice() < loss / burst) {
      this.row = this.row > 0 ? this.row - 1 : burst - 1;
      this.lost += 1;
      return;
    }
    const once = () => {
      // Two packets' time late: the next two are there before.
      const late = this.dice() < reorder ? 45 : this.dice() * jitter;
      if (late < 1) return send();
      const timer = setTimeout(() => {
        this.timers.delete(timer);
        if (!this.closed) send();
      }, late);
      this.timers.add(timer);
    };
    once();
    if (this.dice() < duplicate) once();
  }

  close() {
    this.closed = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.nearSocket.close();
    this.farSocket.close();
  }
}
