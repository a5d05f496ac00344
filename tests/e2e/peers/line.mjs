// The network path between browsers and the server's pages: passes TCP connections on, and fails in the ways paths fail.
import { connect, createServer } from 'node:net';
import { freePort } from './process.mjs';

export class Line {
  static async open() {
    const line = new Line();
    Object.assign(line, { port: await freePort(), to: 0, pairs: new Set(), state: 'up', made: 0 });
    line.server = createServer((near) => line.#join(near));
    await new Promise((resolve) => line.server.listen(line.port, '127.0.0.1', resolve));
    return line;
  }

  #join(near) {
    near.on('error', () => {});
    if (this.state === 'down') return near.resetAndDestroy();
    this.made += 1;
    const far = connect(this.to, '127.0.0.1');
    far.on('error', () => {});
    const pair = { near, far };
    this.pairs.add(pair);
    near.on('data', (bytes) => this.state === 'silent' || far.write(bytes));
    far.on('data', (bytes) => this.state === 'silent' || near.write(bytes));
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on('close', () => {
        this.pairs.delete(pair);
        other.destroy();
      });
    }
  }

  /** Every connection is reset, and no new one is made. */
  cut() {
    this.state = 'down';
    for (const { near, far } of this.pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** Nothing passes any more, and neither end is told: what a lost radio link looks like. */
  fallSilent() {
    this.state = 'silent';
  }

  /** What was sent meanwhile is lost, so connections from before are of no use: they are reset now. */
  mend() {
    this.cut();
    this.state = 'up';
  }

  async close() {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
