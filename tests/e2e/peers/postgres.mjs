// A PostgreSQL cluster of a scenario's own, run as somebody its programs accept: they refuse root.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, freePort, until } from './process.mjs';

export class Postgres {
  static async start() {
    const cluster = new Postgres();
    cluster.folder = mkdtempSync(join(tmpdir(), 'ringback-pg-'));
    cluster.port = await freePort();
    cluster.url = `postgres://ringback@127.0.0.1:${cluster.port}/postgres`;
    chmodSync(cluster.folder, 0o700);
    if (process.getuid() === 0) run('chown', ['postgres', cluster.folder]);
    cluster.#run('initdb', ['--pgdata', cluster.data, '--username=ringback', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync']);
    await cluster.up();
    return cluster;
  }

  get data() {
    return join(this.folder, 'data');
  }

  async up() {
    const [command, args] = asSomebody(join(binaries(), 'postgres'), [
      '-D', this.data, '-k', this.folder, '-p', String(this.port), '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off', '-c', 'shared_buffers=32MB',
    ]);
    this.program = new Program(command, args, { cwd: '/' });
    await this.program.says(/ready to accept connections/, { within: 30_000 });
  }

  /** At once, as when its machine fails: connections break, nothing is tidied up. */
  async down() {
    this.#run('pg_ctl', ['stop', '-D', this.data, '-m', 'immediate', '-w']);
    await until(() => !this.program.running, 'PostgreSQL to be gone');
  }

  #run(program, args) {
    run(...asSomebody(join(binaries(), program), args));
  }

  async stop() {
    if (this.program?.running) await this.down();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const asSomebody = (program, args) => (process.getuid() === 0 ? ['runuser', ['-u', 'postgres', '--', program, ...args]] : [program, args]);

function run(command, args) {
  const done = spawnSync(command, args, { encoding: 'utf8', cwd: '/' });
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${done.error ?? ''}${done.stdout}${done.stderr}`);
}

function binaries() {
  if (process.env.RINGBACK_POSTGRES_BIN) return process.env.RINGBACK_POSTGRES_BIN;
  const versions = readdirSync('/usr/lib/postgresql').map(Number).filter(Boolean).sort((a, b) => b - a);
  return `/usr/lib/postgresql/${versions[0]}/bin`;
}
