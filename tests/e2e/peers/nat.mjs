// A router between browsers and the server: each of a browser's sockets gets a port of its own towards the server, and a network that
// goes away takes its ports with it.
import { createSocket } from 'node:dgram';

const HOST = '127.0.0.1';
const bind = (socket) => new Promise((resolve) => socket.bind(0, HOST, resolve));

export class Nat {
  /** Leads from its `port` to port `to`. */
  static async open({ to }) {
    const nat = new Nat();
    Object.assign(nat, { to, paths: new Map(), gone: new Set(), dark: false });
    nat.near = createSocket('udp4');
    await bind(nat.near);
    nat.port = nat.near.address().port;
    nat.near.on('message', (packet, from) => {
      const name = `${from.address}:${from.port}`;
      if (nat.dark || nat.gone.has(name)) return;
      nat.paths.get(name) ?? nat.#path(name, from);
      nat.paths.get(name).send(packet, nat.to, HOST);
    });
    return nat;
  }

  #path(name, near) {
    const far = createSocket('udp4');
    far.on('message', (packet) => {
      if (!this.dark && !this.gone.has(name) && !this.closed) this.near.send(packet, near.port, near.address);
    });
    this.paths.set(name, far);
  }

  /** The network of whoever is there now is gone for good; only who comes anew is let through. */
  moves() {
    for (const name of this.paths.keys()) this.gone.add(name);
  }

  close() {
    this.closed = true;
    this.near.close();
    for (const far of this.paths.values()) far.close();
  }
}
