// sipp as the carrier: what it does with a call is put together from steps, each a piece of a sipp scenario.
import { createHash } from 'node:crypto';
import { readFileSync, existsSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, freePort, until } from './process.mjs';

const reply = (status, { tag = '[pid]x[call_number]', extra = '', sdp = '', retrans = '', then = '' } = {}) => `
  <send${retrans}${then}><![CDATA[
    SIP/2.0 ${status}
    [last_Via:]
    [last_From:]
    [last_To:];tag=${tag}
    [last_Call-ID:]
    [last_CSeq:]
    [last_Record-Route:]
    Contact: <sip:phone@[local_ip]:[local_port];transport=[transport]>
    ${extra}${extra ? '\n    ' : ''}${sdp ? `Content-Type: application/sdp\n    Content-Length: [len]\n\n    ${sdp.join('\n    ')}` : 'Content-Length: 0'}

  ]]></send>`;

/** A plain answer to a request inside the call. The To tag is there already. */
const ok = (then = '') => `
  <send${then}><![CDATA[
    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0

  ]]></send>`;

/** The answer to an INVITE within the call. */
const again = (extra, sdp) => `
  <send retrans="500"><![CDATA[
    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    [last_CSeq:]
    Contact: <sip:phone@[local_ip]:[local_port];transport=[transport]>
    ${extra}
    Content-Type: application/sdp
    Content-Length: [len]

    ${sdp.join('\n    ')}

  ]]></send>`;

const soundAt = (port, direction = 'sendrecv', codec = '0 PCMU') => [
  'v=0',
  'o=phone 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  `m=audio ${port} RTP/AVP ${codec.split(' ')[0]} 101`,
  `a=rtpmap:${codec}/8000`,
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-15',
  'a=ptime:20',
  `a=${direction}`,
];

const wait = (ms) => (ms > 0 ? `\n  <pause milliseconds="${ms}"/>` : '');
const take = (request, attributes = '') => `\n  <recv request="${request}"${attributes}/>`;

/** A request of the telephone's own within the call. */
const own = (method, sdp) => `
  <send${method === 'ACK' ? '' : ' retrans="500"'}><![CDATA[
    ${method} [next_url] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    [routes]
    From:[$to];tag=[pid]x[call_number]
    To:[$from]
    Call-ID: [call_id]
    CSeq: 1 ${method}
    Contact: <sip:phone@[local_ip]:[local_port];transport=[transport]>
    Max-Forwards: 70
    ${sdp ? `Content-Type: application/sdp\n    Content-Length: [len]\n\n    ${sdp.join('\n    ')}` : 'Content-Length: 0'}

  ]]></send>`;

const bye = `${own('BYE')}
  <recv response="200"/>`;

/** An answer to the INVITE after another request came in between. */
const answer = (status, sdp) => `
  <send retrans="500"><![CDATA[
    SIP/2.0 ${status}
    [$via]
    From:[$from]
    To:[$to];tag=[pid]x[call_number]
    [last_Call-ID:]
    CSeq: [$cseq] INVITE
    Contact: <sip:phone@[local_ip]:[local_port];transport=[transport]>
    ${sdp ? `Content-Type: application/sdp\n    Content-Length: [len]\n\n    ${sdp.join('\n    ')}` : 'Content-Length: 0'}

  ]]></send>`;
const terminated = answer('487 Request Terminated');

/** What the telephone at the far end does with a call. */
export const far = {
  /** Rings, is answered, stays until we hang up, or hangs up itself after `hangUpAfter` ms. `codec`: the one of its answer. */
  answers: ({ ring = 200, ear, hangUpAfter = 0, earlyMedia = false, ack = true, codec, extra }) => [
    earlyMedia ? reply('183 Session Progress', { sdp: soundAt(ear) }) : reply('180 Ringing'),
    wait(ring),
    reply('200 OK', { sdp: soundAt(ear, 'sendrecv', codec), retrans: ' retrans="500"', extra }),
    ack ? take('ACK', ' rtd="true"') : '',
    hangUpAfter > 0 ? farHangsUp(hangUpAfter) : take('BYE') + ok(),
  ],
  /** Answers, and is asked again within the call by an INVITE that changes nothing, which it takes as well. */
  isAskedAgain: ({ ear, extra }) => [
    reply('180 Ringing'),
    reply('200 OK', { sdp: soundAt(ear), retrans: ' retrans="500"', extra }),
    take('ACK'),
    take('INVITE'),
    again(extra, soundAt(ear)),
    take('ACK'),
    take('BYE'),
    ok(),
  ],
  /** Answers, and `after` so many ms wants the sound at another port and in another codec. */
  moves: ({ ear, to, codec, after }) => [
    reply('180 Ringing'),
    reply('200 OK', { sdp: soundAt(ear), retrans: ' retrans="500"' }),
    take('ACK'),
    wait(after),
    own('INVITE', soundAt(to, 'sendrecv', codec)),
    '\n  <recv response="100" optional="true"/>\n  <recv response="200"/>',
    own('ACK'),
    take('BYE'),
    ok(),
  ],
  refuses: (status, { ring = 100 } = {}) => [reply('180 Ringing'), wait(ring), reply(status, { retrans: ' retrans="500"' }), take('ACK')],
  /** Says no before anything rings; `extra`: header lines of its answer. */
  turnsAway: (status, { extra = '' } = {}) => [reply(status, { extra, retrans: ' retrans="500"' }), take('ACK')],
  /** Takes the call and says nothing, not even that it tries. */
  saysNothing: () => [wait(60_000)],
  /** Says in its own voice why there is no connection, and then so in SIP. */
  saysWhyNot: (status, { ear, after }) => [
    reply('183 Session Progress', { sdp: soundAt(ear) }),
    wait(after),
    reply(status, { retrans: ' retrans="500"' }),
    take('ACK'),
  ],
  /** Rings until we give up: expects CANCEL. */
  ringsForEver: () => [
    reply('180 Ringing'),
    take('CANCEL'),
    ok(),
    terminated,
    take('ACK'),
  ],
  /** Rings for so long, then is answered; a CANCEL before that ends it. */
  rings: ({ ear, milliseconds }) => [
    reply('180 Ringing'),
    `\n  <recv request="CANCEL" timeout="${milliseconds}" ontimeout="31"/>`,
    ok(),
    terminated,
    '\n  <recv request="ACK" next="39"/>\n  <label id="31"/>',
    answer('200 OK', soundAt(ear)),
    take('ACK'),
    take('BYE'),
    ok(),
    '\n  <label id="39"/>',
  ],
  /** The answer crosses our CANCEL: 200 to both; we must ACK and hang up. */
  answersIntoCancel: ({ ear }) => [
    reply('180 Ringing'),
    take('CANCEL'),
    ok(),
    answer('200 OK', soundAt(ear)),
    take('ACK'),
    take('BYE'),
    ok(),
  ],
  /** A forking carrier: a second branch answers too. The second dialog must be ACKed and ended, the first one lives. */
  answersTwice: ({ ear }) => [
    reply('180 Ringing'),
    wait(200),
    reply('200 OK', { sdp: soundAt(ear) }),
    take('ACK'),
    `
  <send><![CDATA[
    SIP/2.0 200 OK
    [$via]
    From:[$from]
    To:[$to];tag=fork[call_number]
    [last_Call-ID:]
    CSeq: [$cseq] INVITE
    Contact: <sip:fork@[local_ip]:[local_port];transport=[transport]>
    Content-Type: application/sdp
    Content-Length: [len]

    ${soundAt(ear).join('\n    ')}

  ]]></send>`,
    take('ACK'),
    take('BYE'),
    ok(),
    take('BYE'),
    ok(),
  ],
};

const farHangsUp = (ms) => `
  <recv request="BYE" timeout="${ms}" ontimeout="21" next="22"/>
  <label id="21"/>
  ${bye.replace('<recv response="200"/>', '<recv response="200" next="23"/>')}
  <label id="22"/>${ok(' next="23"')}
  <label id="23"/>`;

/** Kept from the INVITE for answers that come after another request. */
const remember = `
      <ereg regexp="Via:[^\\r\\n]*" search_in="msg" check_it="true" assign_to="via"/>
      <ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" check_it="true" assign_to="cseq"/>
      <ereg regexp=".*" search_in="hdr" header="To:" check_it="true" assign_to="to"/>
      <ereg regexp=".*" search_in="hdr" header="From:" check_it="true" assign_to="from"/>`;

const NONCE = 'nonce="47ebe028cda119c3"';

/** `challenges`: what stands behind "Digest" in as many headers, in place of one with MD5. */
const challenge = ({ username, password, realm = 'carrier', proxy = false, challenges = [`realm="${realm}", algorithm=MD5, qop="auth", ${NONCE}`] }) => `${reply(
  proxy ? '407 Proxy Authentication Required' : '401 Unauthorized',
  { extra: challenges.map((words) => `${proxy ? 'Proxy' : 'WWW'}-Authenticate: Digest ${words}`).join('\n    ') },
)}
  <recv request="ACK"/>
  <recv request="INVITE" rrs="true">
    <action>${remember}${
      // sipp looks into Authorization only; what stands in Proxy-Authorization a scenario checks by `digestIsRight`.
      proxy
        ? `
      <ereg regexp=".*" search_in="hdr" header="Proxy-Authorization:" check_it="true" assign_to="authvalid"/>`
        : `
      <verifyauth assign_to="authvalid" username="${username}" password="${password}"/>`
    }
    </action>
  </recv>
  <nop test="authvalid" next="3"/>${reply('403 Forbidden')}
  <recv request="ACK" next="9"/>
  <label id="3"/>`;

/** The whole scenario: OPTIONS are answered, an INVITE is challenged if a password is given, then `steps`. */
const scenario = (steps, { auth, optionsStatus = '200 OK' } = {}) => `<?xml version="1.0" encoding="UTF-8"?>
<scenario name="carrier">
  <label id="7"/>
  <recv request="OPTIONS" optional="true" next="1"/>
  <recv request="INVITE" rrs="true" next="2">
    <action>${remember}
    </action>
  </recv>
  <label id="1"/>${reply(optionsStatus, { then: ' next="7"' })}
  <label id="2"/>${auth ? challenge(auth) : ''}${steps.join('')}
  <label id="9"/>
  <Reference variables="via,cseq,to,from${auth ? ',authvalid' : ''}"/>
</scenario>
`;

/** The descriptions name this address. */
export const soundFrom = (host, xml) => (host.includes(':') ? xml.replaceAll('IN IP4 127.0.0.1', `IN IP6 ${host}`) : xml);

export class Carrier {
  /** Starts sipp on `port` doing `steps` with every call. `contact`: the port it says it is reached at, when it is not its own. `host`: its address. */
  static async start(steps, { port, transport = 'udp', contact, host = '127.0.0.1', ...options } = {}) {
    const carrier = new Carrier();
    carrier.port = port ?? (await freePort());
    const folder = mkdtempSync(join(tmpdir(), 'ringback-sipp-'));
    carrier.log = join(folder, 'messages.log');
    const told = contact ? (xml) => xml.replaceAll('phone@[local_ip]:[local_port]', `phone@[local_ip]:${contact}`) : (xml) => xml;
    writeFileSync(join(folder, 'carrier.xml'), soundFrom(host, told(scenario(steps, options))));
    carrier.program = new Program('sipp', [
      '-sf', join(folder, 'carrier.xml'), '-i', host, '-p', String(carrier.port), '-t', transport === 'tcp' ? 't1' : 'u1',
      '-mp', String(await freePort()), '-nostdin', '-trace_msg', '-message_file', carrier.log, '-trace_err', '-error_file', join(folder, 'errors.log'),
      '-default_behaviors', 'none', '-recv_timeout', '120000',
    ], { cwd: folder });
    carrier.errors = join(folder, 'errors.log');
    await carrier.program.bound(carrier.port, host.includes(':') ? `${transport}6` : transport);
    return carrier;
  }

  /** All SIP messages so far: { at, sent, start (line), headers, body, text }. `sent` is from the carrier's side. */
  messages() {
    if (!existsSync(this.log)) return [];
    return readFileSync(this.log, 'latin1')
      .split(/^-{20,} .*$/m)
      .flatMap((block) => {
        const head = block.match(/(UDP|TCP) message (sent|received)[^\n]*\n\n([\s\S]*)/);
        if (!head) return [];
        const text = head[3].replaceAll('\r\n', '\n').trimStart();
        const [top, ...body] = text.split('\n\n');
        const [start, ...lines] = top.split('\n');
        const headers = Object.fromEntries(lines.map((line) => [line.split(':')[0].trim().toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
        return [{ sent: head[2] === 'sent', start, headers, body: body.join('\n\n'), text }];
      });
  }

  received(method) {
    return this.messages().filter((m) => !m.sent && m.start.startsWith(`${method} `));
  }

  /** Waits for the `count`th request of a method; repeats of the same one do not count. */
  async gets(method, { count = 1, within = 15_000 } = {}) {
    const distinct = () => [...new Map(this.received(method).map((m) => [m.headers.via, m])).values()];
    return until(() => distinct()[count - 1], `${count} ${method} at the carrier`, { within, also: () => `\n${this.report()}` });
  }

  /** Calls in the order they came: { id, number, live, together: how many others were not at their end when it came }. */
  calls() {
    const calls = [];
    for (const { start, sent, headers } of this.messages()) {
      const id = headers['call-id'];
      const call = calls.find((known) => known.id === id);
      const final = sent && /INVITE/.test(headers.cseq) && /^SIP\/2.0 [3-6]/.test(start) && !/^SIP\/2.0 40[17]/.test(start);
      if (!sent && start.startsWith('INVITE ') && !call) {
        calls.push({ id, number: start.split(/[ :@]/)[2], live: true, together: calls.filter((other) => other.live).length });
      } else if (call && (final || /^(BYE|CANCEL) /.test(start))) {
        call.live = false;
      }
    }
    return calls;
  }

  report() {
    const errors = existsSync(this.errors) ? readFileSync(this.errors, 'latin1').slice(-1500) : '';
    return this.messages().map((m) => `${m.sent ? '<-' : '->'} ${m.start}`).join('\n') + `\n${errors}`;
  }

  async stop() {
    await this.program.stop('SIGKILL');
  }
}

/** Whether a digest is the one its password gives (RFC 7616, MD5 or SHA-256, qop auth). */
export function digestIsRight(header, method, password) {
  const field = (name) => header.match(new RegExp(`[ ,]${name}="?([^",]*)"?`))?.[1];
  const hash = (text) => createHash(field('algorithm') === 'SHA-256' ? 'sha256' : 'md5').update(text).digest('hex');
  const secret = hash(`${field('username')}:${field('realm')}:${password}`);
  const wanted = hash([secret, field('nonce'), field('nc'), field('cnonce'), field('qop'), hash(`${method}:${field('uri')}`)].join(':'));
  return field('response') === wanted;
}

/** Port of the sound in a session description. */
export const audioPort = (sdp) => Number(sdp.match(/^m=audio (\d+)/m)[1]);
