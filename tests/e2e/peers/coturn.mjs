// coturn as the relay of agents whose network lets no UDP out: takes passwords that are good for a while.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, freePort } from './process.mjs';

export class Coturn {
  static async start({ secret }) {
    const relay = new Coturn();
    relay.port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'ringback-coturn-'));
    const first = 50_000 + Math.floor(Math.random() * 100) * 40;
    relay.program = new Program('turnserver', [
      '-n', '--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${relay.port}`, `--min-port=${first}`, `--max-port=${first + 39}`,
      '--use-auth-secret', `--static-auth-secret=${secret}`, '--realm=relay.example', '--no-tls', '--no-dtls',
      // Everything is on this machine here. The relay asks for a password of its command line then, which is off.
      '--allow-loopback-peers', '--no-cli', '--cli-password=none',
      '--verbose', '--log-file=stdout', `--pidfile=${folder}/pid`, `--userdb=${folder}/db`,
    ], { cwd: folder });
    await relay.program.bound(relay.port);
    return relay;
  }

  async stop() {
    await this.program.stop('SIGTERM');
  }
}
