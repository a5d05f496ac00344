// linphone as the customer's telephone, on the command line: its own SIP, its own RTP. Speaks a tone, writes what it hears to a WAV file.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, freePort } from './process.mjs';
import { readWav, sine, writeWav } from '../tone.mjs';

export class Linphone {
  /** `number`: its own. */
  static async start(number, { port, frequency = 1300 } = {}) {
    const phone = new Linphone();
    phone.port = port ?? (await freePort());
    phone.folder = mkdtempSync(join(tmpdir(), 'ringback-linphone-'));
    mkdirSync(join(phone.folder, '.local/share/linphone'), { recursive: true });
    const [tone, heard, settings] = ['tone.wav', 'heard.wav', 'settings'].map((name) => join(phone.folder, name));
    writeFileSync(tone, writeWav(sine(frequency, 8000 * 300)));
    writeFileSync(settings, `[sip]
sip_port=${phone.port}
sip_tcp_port=-1
sip_tls_port=-1
contact="Customer" <sip:${number}@127.0.0.1>
use_ipv6=0
guess_hostname=0
inc_timeout=60
[rtp]
audio_rtp_port=${await freePort()}
[net]
firewall_policy=0
[sound]
echocancellation=0
[audio_codec_0]
mime=PCMU
rate=8000
enabled=1
[audio_codec_1]
mime=PCMA
rate=8000
enabled=1
`);
    phone.heard = heard;
    phone.program = new Program('linphonec', ['-c', settings], { cwd: phone.folder, env: { ...process.env, HOME: phone.folder } });
    try {
      await phone.program.says(/linphonec>/);
      await phone.command('soundcard use files', /Using wav files/);
      await phone.command(`play ${tone}`);
      await phone.command(`record ${heard}`);
      // One socket for both families.
      await phone.program.bound(phone.port, 'udp6');
    } catch (error) {
      await phone.stop('SIGKILL');
      throw error;
    }
    return phone;
  }

  /** Types a command; waits for what it says then. */
  async command(words, says = /linphonec>/) {
    const from = this.program.output.length;
    this.program.child.stdin.write(`${words}\n`);
    return this.program.says(says, { from, within: 15_000 });
  }

  rings() {
    return this.program.says(/Receiving new incoming call/, { within: 20_000 });
  }

  async answers() {
    await this.rings();
    await this.command('answer', /Media streams established/);
  }

  /** What it heard in the last call, at 8 kHz, when it has ended. */
  recording() {
    const { rate, channels } = readWav(readFileSync(this.heard));
    return { rate, samples: channels[0] };
  }

  async stop(signal) {
    if (this.program.running && !signal) this.program.child.stdin.write('quit\n');
    await this.program.stop(signal ?? 'SIGTERM');
  }
}
