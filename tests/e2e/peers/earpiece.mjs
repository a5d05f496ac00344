// The sound of a telephone whose signalling is sipp's: plain RTP on a port of its own. Speaks a tone in PCMU or PCMA, keeps what it
// hears, sends and receives digits as RFC 4733 telephone events.
import { createSocket } from 'node:dgram';
import { alawDecode, alawEncode, amplitude, sine, ulawDecode, ulawEncode } from '../tone.mjs';
import { freePort } from './process.mjs';

const FRAME = 160;
const EVENT_TYPE = 101;
const CODECS = { PCMU: { type: 0, encode: ulawEncode, decode: ulawDecode }, PCMA: { type: 8, encode: alawEncode, decode: alawDecode } };
const DIGITS = '0123456789*#';

export class Earpiece {
  static async open({ frequency = 1300, level = 0.25, host = '127.0.0.1', codec = 'PCMU' } = {}) {
    const ear = new Earpiece();
    Object.assign(ear, { frequency, level, port: await freePort(), heard: [], digits: '', packets: 0, speaking: true, host, codec: CODECS[codec] });
    ear.socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    ear.socket.on('message', (packet, from) => ear.#receive(packet, from));
    await new Promise((resolve) => ear.socket.bind(ear.port, host, resolve));
    ear.sequence = 1000;
    ear.timestamp = 5000;
    ear.started = performance.now();
    ear.ticks = 0;
    ear.timer = setInterval(() => ear.#tick(), 10);
    return ear;
  }

  /** Where to send: from the other side's SDP. Without it the earpiece answers to where packets come from. */
  speakTo(port, host = this.host) {
    this.peer = { port, host };
  }

  /** The last `seconds` of what was heard, as samples. */
  recent(seconds) {
    return Float32Array.from(this.heard.slice(-Math.round((seconds * 8000) / FRAME)).flatMap((frame) => Array.from(frame)));
  }

  /** Amplitude of a frequency in the last `seconds`. */
  hears(frequency, seconds = 0.5) {
    return amplitude(this.recent(seconds), frequency);
  }

  /** Forgets what was heard, for the next measurement. */
  forget() {
    this.heard = [];
    this.packets = 0;
  }

  press(digit, milliseconds = 100) {
    this.pressing = { event: DIGITS.indexOf(digit), start: this.timestamp, frames: Math.max(2, milliseconds / 20), sent: 0 };
  }

  close() {
    clearInterval(this.timer);
    if (!this.closed) this.socket.close();
    this.closed = true;
  }

  #tick() {
    while ((performance.now() - this.started) / 20 > this.ticks) {
      this.ticks += 1;
      if (this.peer && this.speaking) this.#send();
      this.timestamp += FRAME;
    }
  }

  #send() {
    if (this.pressing) return this.#sendEvent();
    const samples = sine(this.frequency, FRAME, { level: this.level, start: this.timestamp % 8000 });
    this.#packet(this.codec.type, false, this.timestamp, Uint8Array.from(samples, this.codec.encode));
  }

  #sendEvent() {
    const press = this.pressing;
    press.sent += 1;
    const ended = press.sent > press.frames;
    const body = Buffer.from([press.event, (ended ? 0x80 : 0) | 10, 0, 0]);
    body.writeUInt16BE(Math.min(press.sent, press.frames) * FRAME, 2);
    this.#packet(EVENT_TYPE, press.sent === 1, press.start, body);
    // The end goes out three times (RFC 4733 §2.5.1.4).
    if (press.sent === press.frames + 3) this.pressing = undefined;
  }

  #packet(type, marker, timestamp, body) {
    const head = Buffer.alloc(12);
    head[0] = 0x80;
    head[1] = (marker ? 0x80 : 0) | type;
    head.writeUInt16BE(this.sequence++ & 0xffff, 2);
    head.writeUInt32BE(timestamp >>> 0, 4);
    head.writeUInt32BE(0x1ca11e5, 8);
    this.socket.send(Buffer.concat([head, body]), this.peer.port, this.peer.host);
  }

  #receive(packet, from) {
    if (packet.length < 12 || packet[0] >> 6 !== 2) return;
    this.peer ??= { port: from.port, host: from.address };
    this.packets += 1;
    this.lastAt = Date.now();
    const type = packet[1] & 0x7f;
    const body = packet.subarray(12);
    if (type === this.codec.type) this.heard.push(Float32Array.from(body, this.codec.decode));
    if (type === EVENT_TYPE && body.length >= 4) {
      const stamp = packet.readUInt32BE(4);
      if (stamp !== this.lastEvent) this.digits += DIGITS[body[0]] ?? '?';
      this.lastEvent = stamp;
    }
  }
}
