// dnsmasq as the name server in which a carrier's servers stand, as SRV records.
import { Program, freePort } from './process.mjs';

export class Names {
  /** `servers`: { port, priority, weight, host } each, behind `_sip._udp.DOMAIN`; `host` is 127.0.0.1 where none is given. */
  static async start(domain, servers, { service = '_sip._udp' } = {}) {
    const names = new Names();
    names.port = await freePort();
    const records = servers.flatMap(({ port, priority = 10, weight = 0, host = '127.0.0.1' }, at) => [
      `--host-record=edge${at}.${domain},${host}`,
      `--srv-host=${service}.${domain},edge${at}.${domain},${port},${priority},${weight}`,
    ]);
    names.program = new Program('dnsmasq', [
      '--keep-in-foreground', '--conf-file=/dev/null', '--pid-file', '--no-resolv', '--no-hosts', '--bind-interfaces', '--listen-address=127.0.0.1',
      `--port=${names.port}`, '--log-queries', '--log-facility=-', `--local=/${domain}/`, ...records,
    ], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
    await names.program.bound(names.port);
    return names;
  }

  /** As the server's configuration names it. */
  get address() {
    return `127.0.0.1:${this.port}`;
  }

  async stop() {
    await this.program.stop();
  }
}
