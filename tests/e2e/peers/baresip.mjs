// baresip as the customer's telephone: its own SIP, its own RTP. Speaks a tone, writes what it hears to WAV files.
import { createConnection } from 'node:net';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, freePort, until } from './process.mjs';
import { readWav, sine, writeWav } from '../tone.mjs';

const MODULES = ['g711', 'g722', 'opus', 'account', 'menu', 'ctrl_tcp', 'aufile', 'aubridge', 'sndfile'];

export class Baresip {
  /**
   * `number`: the one it answers to. `answer`: auto or manual. `encryption`: srtp (if the far side can) or srtp-mand. `codecs`: all
   * it speaks.
   */
  static async start(number, { port, frequency = 1300, answer = 'auto', encryption, codecs = 'PCMU/8000/1,PCMA/8000/1' } = {}) {
    const phone = new Baresip();
    phone.port = port ?? (await freePort());
    phone.control = await freePort();
    phone.folder = mkdtempSync(join(tmpdir(), 'ringback-baresip-'));
    phone.heard = join(phone.folder, 'heard');
    mkdirSync(phone.heard);
    // Its file must have the rate and the channels of the codec.
    const [, rate, channels] = codecs.split(',')[0].split('/').map(Number);
    writeFileSync(join(phone.folder, 'tone.wav'), writeWav(sine(frequency, rate * 120, { rate }), rate, channels));
    const media = await freePort();
    writeFileSync(join(phone.folder, 'config'), `
sip_listen 127.0.0.1:${phone.port}
net_interface 127.0.0.1
audio_source aufile,${phone.folder}/tone.wav
audio_player aubridge,quiet
audio_alert aubridge,quiet
audio_srate ${rate}
audio_channels ${channels}
ausrc_format s16
auplay_format s16
rtp_ports ${media}-${media + 40}
call_local_timeout 120
call_max_calls 4
snd_path ${phone.heard}
ctrl_tcp_listen 127.0.0.1:${phone.control}
${[...(encryption ? ['srtp'] : []), ...MODULES].map((name) => `module ${name}.so`).join('\n')}
module_path ${modulePath()}
`);
    writeFileSync(join(phone.folder, 'accounts'), `<sip:${number}@127.0.0.1>;regint=0;answermode=${answer};audio_codecs=${codecs}${encryption ? `;mediaenc=${encryption}` : ''}\n`);
    phone.program = new Program('baresip', ['-f', phone.folder, '-v'], { cwd: phone.folder });
    await phone.program.bound(phone.port);
    await until(() => phone.program.output.includes('baresip is ready'), 'baresip to be ready', { also: () => phone.program.output });
    return phone;
  }

  /** A command of baresip's menu, e.g. 'hangup', 'sndcode 5'. */
  async command(command, params = '') {
    const body = JSON.stringify({ command, params });
    const socket = createConnection(this.control, '127.0.0.1');
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.end(`${body.length}:${body},`);
    socket.on('data', () => {});
    await new Promise((resolve) => socket.once('close', resolve));
  }

  /** What it heard, newest call last, at the rate of the call's codec. */
  recordings() {
    return readdirSync(this.heard)
      .filter((name) => name.endsWith('-dec.wav'))
      .sort()
      .map((name) => readWav(readFileSync(join(this.heard, name))))
      .map(({ rate, channels }) => ({ rate, samples: channels[0] }));
  }

  async stop() {
    await this.program.stop('SIGTERM');
  }
}

const modulePath = () => ['/usr/lib/baresip/modules', '/usr/lib/x86_64-linux-gnu/baresip/modules', '/usr/lib/aarch64-linux-gnu/baresip/modules'].find((path) => {
  try {
    return readdirSync(path).length > 0;
  } catch {
    return false;
  }
});
