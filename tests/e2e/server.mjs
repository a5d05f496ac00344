// The server under test: the release binary with a configuration of its own in a folder of its own.
import { createHmac, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { Program, freePort, freeRange, until } from './peers/process.mjs';
import { sine, writeWav } from './tone.mjs';

export const BINARY = process.env.RINGBACK_BIN ?? new URL('../../target/release/ringback', import.meta.url).pathname;
const LEDGERS = process.env.RINGBACK_LEDGERS;

/** The key the test county's portal signs with. */
export const PORTAL_SECRET = 'only-the-end-to-end-tests-sign-with-this-secret';
export const PASSWORD = 'correct horse battery';
export const TENANT = 'sacramento';
export const ANNOUNCEMENT_TONE = 440;
export const PRESS_ONE_TONE = 550;
/** The county's own number, and what those who call it hear first. */
export const OUR_NUMBER = '+19165550001';
export const GREETING_TONE = 480;
export const CLOSED_TONE = 620;
export const MENU_TONE = 820;
export const OFFER_TONE = 930;
export const KEPT_TONE = 1050;

const STAFF = [
  { id: 'maria', role: 'agent', name: 'Maria Vega' },
  { id: 'jon', role: 'agent', name: 'Jon Park' },
  { id: 'sam', role: 'supervisor', name: 'Sam Ortiz' },
];

const ALL_DAY = `[[tenant.hours]]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "00:00"
`;

const base64url = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** What a county's portal signs for a customer who is logged in. */
export function portalToken(claims = {}, secret = PORTAL_SECRET) {
  const now = Math.floor(Date.now() / 1000);
  const body = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url({ aud: 'placer', iat: now, exp: now + 120, jti: randomUUID(), name: 'Ana Lund', sub: 'case-8812', ...claims })}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

/** Open on one day of the week only, and that day is not near. */
const farDay = () => ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][(new Date().getUTCDay() + 3) % 7];

const table = (values) =>
  Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} = ${typeof value === 'object' && !Array.isArray(value) ? inline(value) : JSON.stringify(value)}`)
    .join('\n');
const inline = (values) => `{ ${Object.entries(values).map(([k, v]) => `${k} = ${JSON.stringify(v)}`).join(', ')} }`;

function asRoot(...command) {
  const all = process.getuid() === 0 ? command : ['sudo', '-n', ...command];
  const done = spawnSync(all[0], all.slice(1), { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${all.join(' ')}: ${done.error ?? ''}${done.stderr}`);
}

/** A certificate for localhost, its key and the moment they were made, as files of that folder. */
export function writeCertificate(folder) {
  const [certificate, key] = ['cert.pem', 'key.pem'].map((name) => join(folder, name));
  const made = spawnSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate,
  ], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`openssl: ${made.error ?? ''}${made.stderr}`);
  return { certificate, key };
}

export class Server {
  /**
   * Prepares a server whose trunk leads to `carrierPort`. `callback`, `policy`, `trunk`, `server`, `sip`, `limits` change single keys of the
   * configuration's tables; `trunks` are further ones. `closing`: what becomes of those in line then. `ladder`: the
   * subject's targets; `overflow`: its number outside. `chat`: switched on, with these keys changed. `inbound`: the county can be called, with these
   * keys changed, these `choices` in its menu and further `numbers`. `origins`: of pages that may show ours.
   * `disk`: everything is kept on a disk of that size, nothing of it taken in advance. `announcement`: seconds of a tone in place of the spoken
   * one; null for that. `pressOne`: seconds of a tone in place of the words that ask for a digit. `tls`: pages by https, with a
   * certificate of their own. `behind`: the port browsers use, of something that passes their connections on. `store`: the ledger's URL, in place of RINGBACK_STORE and a file.
   * `portal`: the origin whose pages may show the popup of the county that wants its customers vouched for.
   * `dialling`: what the day's calls may use up, and whether agents call out. `port`: where it is served; `more`: tables besides.
   */
  static async prepare({ carrierPort, trunk = {}, callback = {}, policy = {}, server = {}, sip = {}, media = {}, trunks = [], chat, inbound, closing, ladder = [], overflow, origins = [], limits = {}, staff = STAFF, announcement = 1.5, pressOne, disk, tls, behind, store, portal, port, dialling, more = '' }) {
    const self = new Server();
    self.folder = mkdtempSync(join(tmpdir(), 'ringback-e2e-'));
    if (disk) asRoot('mount', '-t', 'tmpfs', '-o', `size=${disk},mode=0777`, 'tmpfs', self.folder);
    self.disk = disk;
    self.port = port ?? (await freePort());
    /** Where the tests themselves ask: nothing stands between them and the server. */
    self.direct = `http://localhost:${self.port}`;
    /** As browsers see it. */
    self.url = behind ? `http://localhost:${behind}` : self.direct;
    if (tls) {
      self.https = await freePort();
      self.direct = self.url = `https://localhost:${self.https}`;
      const { certificate, key } = writeCertificate(self.folder);
      server = { https: [`127.0.0.1:${self.https}`], certificate, private_key: key, ...server };
    }
    self.sip = sip.udp ? Number(sip.udp.split(':').at(-1)) : await freePort();
    self.webrtc = await freePort();
    self.recordings = join(self.folder, 'recordings');
    self.config = join(self.folder, 'ringback.toml');
    const name = `${basename(process.argv[1] ?? 'run').replace(/\.test\.mjs$/, '')}-${process.pid}-${self.port}`;
    if (LEDGERS) mkdirSync(LEDGERS, { recursive: true });
    self.ledger = join(disk ? self.folder : (LEDGERS ?? self.folder), `${name}.sqlite`);
    const rtp = await freeRange();
    for (const language of ['en', 'es']) mkdirSync(join(self.folder, 'prompts', language), { recursive: true });
    const prompt = (name, tone, seconds) => writeFileSync(join(self.folder, 'prompts', 'en', `${name}.wav`), writeWav(sine(tone, 8000 * seconds)));
    if (announcement !== null) prompt('announcement', ANNOUNCEMENT_TONE, announcement);
    if (pressOne) prompt('press_one', PRESS_ONE_TONE, pressOne);
    if (inbound) {
      prompt('greeting', GREETING_TONE, 1.5);
      prompt('closed', CLOSED_TONE, 1.5);
      prompt('closure', CLOSED_TONE, 1.5);
      prompt('menu', MENU_TONE, 1);
      prompt('callback_offer', OFFER_TONE, 1);
      prompt('callback_kept', KEPT_TONE, 1);
      for (const name of ['menu', 'menu_wrong']) writeFileSync(join(self.folder, 'prompts', 'es', `${name}.wav`), writeWav(sine(MENU_TONE + 80, 8000)));
    }
    const tenant = (id, county, rest) => `
[[tenant]]
id = "${id}"
name = "${county} County"
timezone = "America/Los_Angeles"
public_phone = "+19168743100"
${rest}`;
    const callbacks = (changes = {}) => `
[tenant.callback]
${table({ enabled: true, max_attempts: 3, busy_spacing_seconds: 2, no_answer_spacing_seconds: 2, failed_spacing_seconds: 2, ring_seconds: 20, guard_seconds: 3, ...changes })}
`;
    const chats = (changes) => `
[tenant.chat]
${table({ enabled: true, reconnect_grace_seconds: 5, ...changes })}
[[tenant.canned]]
word = "hello"
text = "Hello {name}, this is {agent} of {county}. How can I help?"
[[tenant.canned]]
word = "papers"
text = "Please send us your proof of income."
[[tenant.faq]]
public = true
question = "Where is the office?"
answer = "At 2007 Scenario Street."
`;
    const calls = ({ choices = [], numbers = [], ...changes }) => `
[tenant.inbound]
${table({ announce_seconds: 0, ...changes })}
[[tenant.number]]
number = "${OUR_NUMBER}"
subject = "calfresh"
${choices.map((choice) => `[[tenant.number.choice]]\n${table(choice)}`).join('\n')}
${numbers.map((number) => `[[tenant.number]]\n${table(number)}`).join('\n')}
[[tenant.subject]]
id = "medi-cal"
name = "Medi-Cal"
queue = "benefits"
`;
    writeFileSync(
      self.config,
      `[server]
${table({ http: [`127.0.0.1:${self.port}`], public_url: self.url, data_dir: self.folder, drain_seconds: 20, ...server })}
[store]
url = "${store ?? process.env.RINGBACK_STORE ?? `sqlite://${self.ledger}`}"
${disk ? 'log_room_mb = 0' : ''}
[sip]
${table({ udp: `127.0.0.1:${self.sip}`, tcp: `127.0.0.1:${self.sip}`, ...sip })}
[media]
${table({ webrtc: `127.0.0.1:${self.webrtc}`, rtp: '127.0.0.1', rtp_ports: `${rtp}-${rtp + 199}`, ...media })}
[recorder]
dir = "${self.recordings}"
min_free_mib = 1
[limits]
${table({ logins_per_minute: 6000, callbacks_per_minute: 6000, callbacks_per_number_per_hour: 6000, callbacks_per_address_per_hour: 6000, callbacks_per_network_per_hour: 6000, callbacks_per_tenant_per_hour: 6000, rings_per_number_per_day: 6000, pages_per_minute: 6000, public_api_per_minute: 6000, staff_api_per_minute: 60000, ...limits })}
[[trunk]]
${table({ id: 'carrier', host: '127.0.0.1', port: carrierPort, channels: 30, caller_id: '+19165550000', options_seconds: 1, ...trunk })}
${trunks.map((more) => `[[trunk]]\n${table({ host: '127.0.0.1', channels: 30, caller_id: '+19165550001', options_seconds: 1, ...more })}`).join('\n')}
${tenant(TENANT, 'Sacramento', `auth = "none"\nprompts = "${self.folder}/prompts"\norigins = ${JSON.stringify([self.url, ...origins])}\n${callbacks(callback)}${chat ? chats(chat) : ''}${inbound ? calls(inbound) : ''}
[tenant.policy]
${table({ offer_seconds: 15, wrap_up_seconds: 60, reconnect_grace_seconds: 4, on_no_answer: { not_ready: 'rona', cool_off_seconds: 5 }, on_reject: { not_ready: 'on_break', auto_return_seconds: 2, cool_off_seconds: 2 }, on_media_error: { not_ready: 'media', cool_off_seconds: 2 }, ...policy })}
${dialling ? `[tenant.dialling]\n${table(dialling)}\n` : ''}${ALL_DAY}${closing ? `[tenant.at_closing]\n${table(closing)}` : ''}
[[tenant.queue]]
id = "benefits"
name = "Benefits"
${chat ? '[[tenant.queue]]\nid = "housing"\nname = "Housing"' : ''}
[[tenant.subject]]
id = "calfresh"
name = "CalFresh"
queue = "benefits"
${overflow ? `overflow = ${inline(overflow)}` : ''}
${ladder.map((target) => `[[tenant.subject.target]]\n${table(target)}`).join('\n')}
[[tenant.disposition]]
id = "resolved"
name = "Resolved"
[[tenant.disposition]]
id = "follow-up"
name = "Follow-up needed"
`)}
${tenant('placer', 'Placer', `auth = "required"\n${portal ? `origins = ["${portal}"]\n` : ''}${callbacks()}
[[tenant.portal_key]]
alg = "HS256"
secret = "${PORTAL_SECRET}"
${ALL_DAY}`)}
${tenant('shasta', 'Shasta', `auth = "none"\n${callbacks()}
[[tenant.hours]]
days = ["${farDay()}"]
from = "09:00"
to = "12:00"
`)}
${tenant('alpine', 'Alpine', ALL_DAY)}
${more}
`,
    );
    for (const person of staff) self.addUser(person);
    return self;
  }

  static async start(options) {
    const self = await Server.prepare(options);
    await self.run();
    return self;
  }

  /** One of the program's other commands: { status, stdout, stderr }. */
  command(args, input = '') {
    return spawnSync(BINARY, args, { input, encoding: 'utf8' });
  }

  addUser({ id, role, name, tenant = TENANT, skills }) {
    const done = this.command(['user', 'add', '--config', this.config, ...(tenant === null ? [] : ['--tenant', tenant]), '--role', role, '--name', name, ...(skills ? ['--skills', skills] : []), id], `${PASSWORD}\n`);
    if (done.status !== 0) throw new Error(`user add ${id}: ${done.error ?? ''}${done.stdout}${done.stderr}`);
  }

  async run() {
    this.program = new Program(BINARY, ['serve', '--config', this.config], { env: { ...process.env, RUST_LOG: process.env.RUST_LOG ?? 'info' } });
    await until(
      async () => !this.program.running || (await fetch(`${this.direct}/readyz`).then((r) => r.ok, () => false)),
      'the server to be ready',
      { within: 20_000, also: () => `\n${this.program.output.slice(-4000)}` },
    );
    if (!this.program.running) throw new Error(`the server ended:\n${this.program.output.slice(-4000)}`);
  }

  /** The power goes. */
  async kill() {
    await this.program.stop('SIGKILL');
  }

  async stop() {
    if (!this.program) return { code: 0 };
    const end = await this.program.stop('SIGTERM', 30_000);
    if (this.disk) asRoot('umount', '-l', this.folder);
    if (!process.env.RINGBACK_KEEP) rmSync(this.folder, { recursive: true, force: true });
    return end;
  }

  async api(path, { method = 'GET', body, cookie } = {}) {
    const response = await fetch(`${this.direct}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json', origin: this.url }),
        ...(cookie ? { cookie } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    let json;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, headers: response.headers, text, json };
  }

  async signIn(user) {
    const answer = await this.api('/api/v1/login', { method: 'POST', body: { user, password: PASSWORD } });
    if (answer.status !== 200) throw new Error(`sign in ${user}: ${answer.status} ${answer.text}`);
    return answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ');
  }

  /** A customer asks for a callback by the API. */
  async ask(phone, { name = 'Rosa Diaz', tenant = TENANT, ...more } = {}) {
    const answer = await this.api(`/api/v1/t/${tenant}/callbacks`, { method: 'POST', body: { name, phone, ...more } });
    if (answer.status !== 201) throw new Error(`callback: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  async status(token) {
    return (await this.api(`/api/v1/status/${token}`)).json;
  }

  /** Waits for the callback to come to a stage. */
  async reaches(token, stage, within = 20_000) {
    let last;
    return until(async () => ((last = await this.status(token)), last?.stage === stage && last), `the callback to be ${stage}`, {
      within,
      also: () => `; it is ${JSON.stringify(last)}\n${this.program.output.slice(-3000)}`,
    });
  }

  /** Files under the recordings' folder. */
  recordingFiles(folder = this.recordings) {
    try {
      return readdirSync(folder, { recursive: true })
        .map((name) => join(folder, name))
        .filter((path) => statSync(path).isFile());
    } catch {
      return [];
    }
  }

  /** CPU seconds, resident kB and open descriptors of the process. */
  usage() {
    const stat = readFileSync(`/proc/${this.program.child.pid}/stat`, 'latin1').split(') ')[1].split(' ');
    const status = readFileSync(`/proc/${this.program.child.pid}/status`, 'latin1');
    return {
      cpu: (Number(stat[11]) + Number(stat[12])) / 100,
      rss: Number(status.match(/VmRSS:\s+(\d+)/)[1]),
      descriptors: readdirSync(`/proc/${this.program.child.pid}/fd`).length,
    };
  }
}
