// Kamailio as a carrier's border proxy: asks for a SHA-256 digest (RFC 8760), stays in the route, passes calls on; by UDP, TCP or
// TLS, with a registrar, and with a least session interval (RFC 4028).
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, freePort } from './process.mjs';

export class Kamailio {
  /**
   * Calls go on to `to` (a port of 127.0.0.1). `proxy`: challenge with 407 instead of 401. `tls`: { certificate, key, clients }, files;
   * clients must show a certificate of the roots in `clients`. `inward`: { number, port }: calls for that number go to that port by TLS,
   * whose certificate must be of those roots, too; ours is shown there. `tcp`: reached by it too, at the same port. `least`: sessions
   * of fewer seconds are refused with 422.
   */
  static async start({ to, port, username, password, realm = 'carrier.example', algorithm = 'SHA-256', proxy = true, tls, tcp = false, least, inward }) {
    const border = new Kamailio();
    border.port = port ?? (await freePort());
    const folder = mkdtempSync(join(tmpdir(), 'ringback-kamailio-'));
    if (tls) {
      writeFileSync(join(folder, 'tls.cfg'), `[server:default]
method = TLSv1.2+
private_key = ${tls.key}
certificate = ${tls.certificate}
verify_certificate = yes
require_certificate = yes
ca_list = ${tls.clients}
[client:default]
method = TLSv1.2+
private_key = ${tls.key}
certificate = ${tls.certificate}
verify_certificate = yes
ca_list = ${tls.clients}
`);
    }
    const kind = proxy ? 'proxy' : 'www';
    writeFileSync(join(folder, 'kamailio.cfg'), `#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
auto_aliases=no
listen=udp:127.0.0.1:${border.port}
${tls ? `tcp_children=2\nenable_tls=yes\nlisten=tls:127.0.0.1:${border.port}` : tcp ? `tcp_children=2\nlisten=tcp:127.0.0.1:${border.port}` : 'disable_tcp=yes'}
mpath="${modulePath()}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "auth.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "nathelper.so"
${tls ? `loadmodule "tls.so"\nmodparam("tls", "config", "${folder}/tls.cfg")` : ''}
modparam("auth", "algorithm", "${algorithm}")
modparam("auth", "nonce_expire", 60)

request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("OPTIONS") && !has_totag()) { sl_send_reply("200", "OK"); exit; }
  if (has_totag()) {
    if (loose_route()) { handle_ruri_alias(); t_relay(); exit; }
    if (is_method("ACK") && t_check_trans()) { t_relay(); exit; }
    sl_send_reply("404", "Not Here");
    exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  t_check_trans();
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("${realm}", "${password}", "0") || $au != "${username}") { www_challenge("${realm}", "1"); exit; }
    consume_credentials();
    xlog("L_ALERT", "registers: $ct\\n");
    save("location");
    exit;
  }
${inward ? `  if (is_method("INVITE") && $rU == "${inward.number}") {
    record_route();
    set_contact_alias();
    xlog("L_ALERT", "passes in: over tls\\n");
    $du = "sip:127.0.0.1:${inward.port};transport=tls";
    t_relay();
    exit;
  }` : ''}
  if (is_method("INVITE")) {
    if (!pv_${kind}_authenticate("${realm}", "${password}", "0") || $au != "${username}") {
      xlog("L_ALERT", "challenged: $rm over $proto\\n");
      ${kind}_challenge("${realm}", "1");
      exit;
    }
    xlog("L_ALERT", "let in: $au over $proto\\n");
${least ? `    $var(session) = $(hdr(Session-Expires){s.int});
    if ($var(session) > 0 && $var(session) < ${least}) {
      xlog("L_ALERT", "too short: $var(session)\\n");
      append_to_reply("Min-SE: ${least}\\r\\n");
      sl_send_reply("422", "Session Interval Too Small");
      exit;
    }` : ''}
    consume_credentials();
    record_route();
    # Who called over a connection is reached over that connection again: nobody listens at its address.
    set_contact_alias();
    $du = "sip:127.0.0.1:${to}";
    t_relay();
    exit;
  }
  sl_send_reply("405", "Method Not Allowed");
}
`);
    border.program = new Program('kamailio', ['-DD', '-E', '-f', join(folder, 'kamailio.cfg'), '-w', folder, '-Y', folder, '-m', '32', '-M', '8'], {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    });
    await border.program.bound(border.port);
    return border;
  }

  /** Its machine is switched off: no process of it closes anything. */
  async dies() {
    const { pid } = this.program.child;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').map(Number);
    for (const child of [pid, ...children]) process.kill(child, 'SIGKILL');
    await this.program.exited;
  }

  async stop() {
    await this.program.stop();
  }
}

const modulePath = () =>
  ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/kamailio/modules/`).find((path) => {
    try {
      return readdirSync(path).length > 0;
    } catch {
      return false;
    }
  });
