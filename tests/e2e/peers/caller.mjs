// sipp as a customer who calls: one INVITE to the server, then what the steps say.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, freePort } from './process.mjs';
import { Carrier, soundFrom } from './sipp.mjs';

const soundAt = (port) => [
  'v=0',
  'o=caller 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  `m=audio ${port} RTP/AVP 0 101`,
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-15',
  'a=sendrecv',
];

const request = (method, cseq, { extra = [], body = [], type = 'application/sdp', to = '[peer_tag_param]', uri = '[next_url]', branch = '[branch]' } = {}) => `
    ${method} ${uri} SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=${branch}
    From: "Rosa Diaz" <sip:FROM@[local_ip]:[local_port]>;tag=[pid]c[call_number]
    To: <sip:NUMBER@[remote_ip]:[remote_port]>${to}
    Call-ID: [call_id]
    CSeq: ${cseq} ${method}
    Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>
    Max-Forwards: 70
    ${extra.map((line) => `${line}\n    `).join('')}${body.length > 0 ? `Content-Type: ${type}\n    Content-Length: [len]\n\n    ${body.join('\n    ')}` : 'Content-Length: 0'}
`;
const send = (text, attributes = '') => `\n  <send${attributes}><![CDATA[${text}\n  ]]></send>`;
const own = 'sip:NUMBER@[remote_ip]:[remote_port]';

const invite = (ear, extra) => send(request('INVITE', 1, { uri: own, to: '', body: ear ? soundAt(ear) : [], extra }), ' retrans="500"');
const provisionals = '\n  <recv response="100" optional="true"/>\n  <recv response="180" optional="true"/>';
const ack = send(request('ACK', 1));
const bye = send(request('BYE', 9), ' retrans="500"') + '\n  <recv response="200"/>';
const taken = (ear, extra) => `${invite(ear, extra)}${provisionals}\n  <recv response="200" rrs="true"/>${ack}`;
const answered = (status) => `
  <send><![CDATA[
    SIP/2.0 ${status}
    [last_Via:]
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    [last_CSeq:]
    Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>
    Content-Length: 0

  ]]></send>`;
const over = `
  <recv request="BYE"/>${answered('200 OK')}`;
const pause = (ms) => `\n  <pause milliseconds="${ms}"/>`;

/** What the caller does. */
export const calls = {
  /** Stays until we hang up. */
  stays: (ear, { extra } = {}) => taken(ear, extra) + over,
  hangsUpAfter: (ear, ms) => taken(ear) + pause(ms) + bye,
  /** Presses these keys by SIP INFO, one every `every` ms, and stays. */
  pressesByInfo: (ear, digits, { after, every = 400 }) =>
    taken(ear) +
    pause(after) +
    [...digits]
      .map((digit, at) => send(request('INFO', 2 + at, { type: 'application/dtmf-relay', body: [`Signal=${digit}`, 'Duration=160'] }), ' retrans="500"') + '\n  <recv response="200"/>' + pause(every))
      .join('') +
    over,
  /** Is asked by REFER to call somebody in our place; says `words` of it, one NOTIFY each; we hang up. */
  isReferred: (ear, { status = '202 Accepted', words = [] }) =>
    taken(ear) +
    `\n  <recv request="REFER"/>${answered(status)}` +
    words.map((word, at) => pause(300) + send(request('NOTIFY', 2 + at, { type: 'message/sipfrag;version=2.0', extra: ['Event: refer', 'Subscription-State: active;expires=60'], body: [word] }), ' retrans="500"') + '\n  <recv response="200"/>').join('') +
    over,
  /** Is turned away with this status. */
  isRefused: (ear, status) => `${invite(ear)}${provisionals}\n  <recv response="${status}"/>${send(request('ACK', 1, { uri: own, branch: '[branch-4]' }))}`,
};

export class Caller extends Carrier {
  /** Calls `number` at the server's SIP port; `from`: who calls. `host`: from this address, and to it. */
  static async call(steps, { server, number, from, count = 1, host = '127.0.0.1' }) {
    const caller = new Caller();
    const folder = mkdtempSync(join(tmpdir(), 'ringback-caller-'));
    caller.log = join(folder, 'messages.log');
    caller.errors = join(folder, 'errors.log');
    caller.port = await freePort();
    const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="caller">${steps}\n</scenario>\n`;
    writeFileSync(join(folder, 'caller.xml'), soundFrom(host, xml.replaceAll('NUMBER', number).replaceAll('FROM', from)));
    caller.program = new Program('sipp', [
      `${host.includes(':') ? `[${host}]` : host}:${server.sip}`, '-sf', join(folder, 'caller.xml'), '-i', host, '-p', String(caller.port), '-m', String(count),
      '-mp', String(await freePort()), '-nostdin', '-trace_msg', '-message_file', caller.log, '-trace_err', '-error_file', caller.errors,
      '-default_behaviors', 'none', '-recv_timeout', '120000',
    ], { cwd: folder });
    return caller;
  }

  /** Waits until sipp has lived through the whole scenario; what it ended with. */
  async ends() {
    return (await this.program.exited).code;
  }
}
