// Chromium as agent, supervisor and customer. Its microphone is an oscillator; what it hears is measured in the page.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { PASSWORD } from './server.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const AGENT_TONE = 700;

/** Runs in the page before any of its scripts; Content-Security-Policy does not reach it. */
function soundInPage({ frequency, nat, narrow }) {
  let context;
  const sound = () => (context ??= new AudioContext({ sampleRate: 48000 }));
  const microphone = { oscillator: null, gain: null };
  if (navigator.mediaDevices) {
    // Chromium's own processing would take a constant tone for noise.
    navigator.mediaDevices.getUserMedia = async () => {
      const ctx = sound();
      await ctx.resume();
      const oscillator = new OscillatorNode(ctx, { frequency });
      const gain = new GainNode(ctx, { gain: 0.25 });
      const out = ctx.createMediaStreamDestination();
      oscillator.connect(gain).connect(out);
      oscillator.start();
      Object.assign(microphone, { oscillator, gain });
      return out.stream;
    };
  }
  const ears = [];
  const listen = (track) => {
    const stream = new MediaStream([track]);
    // Without an element playing it Chromium does not pull the remote track.
    const player = new Audio();
    player.muted = true;
    player.srcObject = stream;
    player.play().catch(() => {});
    const analyser = new AnalyserNode(sound(), { fftSize: 16384 });
    sound().createMediaStreamSource(stream).connect(analyser);
    ears.push({ analyser, player, track });
  };
  if (narrow) {
    const known = RTCRtpReceiver.getCapabilities.bind(RTCRtpReceiver);
    RTCRtpReceiver.getCapabilities = (kind) => {
      const all = known(kind);
      return all && { ...all, codecs: all.codecs.filter(({ mimeType }) => !/g722|opus/i.test(mimeType)) };
    };
  }
  const connections = [];
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...given) {
      super(...given);
      this.addEventListener('track', (event) => listen(event.track));
      connections.push(this);
    }

    setRemoteDescription(description) {
      // A router forwards another port to the server's.
      const sdp = nat ? description.sdp.replaceAll(` ${nat.from} typ host`, ` ${nat.to} typ host`) : description.sdp;
      return super.setRemoteDescription({ type: description.type, sdp });
    }
  };
  /** How many connections there were, and by which names the present one's ends know each other. */
  window.ringbackLinks = () => {
    const now = connections.at(-1);
    const name = (description) => /^a=ice-ufrag:(.*)$/m.exec(description?.sdp ?? '')?.[1].trim();
    return { made: connections.length, names: [name(now?.localDescription), name(now?.remoteDescription)] };
  };
  /** The path that the sound takes now: type of the browser's candidate, how a relay is reached, and the server's port. */
  window.ringbackPath = async () => {
    const report = await connections.at(-1).getStats();
    const pair = [...report.values()].find((entry) => entry.type === 'candidate-pair' && entry.nominated && entry.state === 'succeeded');
    const local = pair && report.get(pair.localCandidateId);
    return local ? { type: local.candidateType, relayProtocol: local.relayProtocol, port: report.get(pair.remoteCandidateId)?.port } : {};
  };
  /** The codec that is sent now. */
  window.ringbackSpeaks = async () => {
    const report = await connections.at(-1).getStats();
    const sent = [...report.values()].find(({ type, kind }) => type === 'outbound-rtp' && kind === 'audio');
    return sent && report.get(sent.codecId)?.mimeType;
  };
  /** Sound stops for good, and the page is told nothing. */
  window.ringbackBreaks = () => connections.forEach((connection) => connection.close());
  /** Amplitude of a tone in what the page hears now: the loudest of its live tracks. */
  window.ringbackHears = (tone) =>
    Math.max(
      0,
      ...ears.filter(({ track }) => track.readyState === 'live').map(({ analyser }) => {
        const samples = new Float32Array(analyser.fftSize);
        analyser.getFloatTimeDomainData(samples);
        const w = (2 * Math.PI * tone) / analyser.context.sampleRate;
        const c = 2 * Math.cos(w);
        let [a, b] = [0, 0];
        for (const x of samples) [a, b] = [x + c * a - b, a];
        return (2 * Math.sqrt(Math.max(0, a * a + b * b - c * a * b))) / samples.length;
      }),
    );
  document.addEventListener('securitypolicyviolation', (event) => {
    console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
  });
}

export class Browser {
  static async launch() {
    const self = new Browser();
    self.chromium = await chromium.launch({
      executablePath: process.env.RINGBACK_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--autoplay-policy=no-user-gesture-required',
        '--use-fake-device-for-media-stream',
        '--use-fake-ui-for-media-stream',
        // Loopback candidates as they are, without the .local names that need a resolver.
        '--disable-features=WebRtcHideLocalIpsWithMdns',
        '--allow-loopback-in-peer-connection',
      ],
    });
    return self;
  }

  /** A fresh person: cookies of their own. */
  /** `nat`: what comes from port `from` of the server is told to the page as port `to`. `narrow`: it knows no codec but G.711. */
  async person({ viewport = { width: 1280, height: 800 }, tone = AGENT_TONE, nat, narrow, ...options } = {}) {
    const context = await this.chromium.newContext({ viewport, permissions: ['microphone'], ...options });
    context.setDefaultTimeout(15_000);
    await context.addInitScript(soundInPage, { frequency: tone, nat, narrow });
    return new Person(context);
  }

  async close() {
    await this.chromium.close();
  }
}

export class Person {
  constructor(context) {
    this.context = context;
    /** Console errors, page errors and CSP reports of all pages; a scenario ends with none. */
    this.complaints = [];
    /** Failed requests a scenario expects, as patterns of the console's text. */
    this.expected = [];
  }

  async page(url) {
    const page = await this.context.newPage();
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      const text = `${message.text()} ${message.location().url ?? ''}`;
      if (!this.expected.some((pattern) => pattern.test(text))) this.complaints.push(text);
    });
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    if (url) await page.goto(url);
    return page;
  }

  /** Signs in by the form and comes to `path`. */
  async signIn(server, user, path) {
    const page = await this.page(`${server.url}${path}`);
    await page.getByLabel('User', { exact: true }).fill(user);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL((url) => url.pathname === path);
    return page;
  }

  async close() {
    await this.context.close();
  }
}

/** Amplitude of a tone in what the page hears. */
export const hears = (page, tone) => page.evaluate((t) => window.ringbackHears(t), tone);

/** WCAG findings of the page as lines of text, once colours that are changing have changed. */
export async function findings(page) {
  await page.evaluate(() => {
    const changing = document.getAnimations().filter((one) => one.effect?.getComputedTiming().endTime < 2000);
    return Promise.race([Promise.allSettled(changing.map((one) => one.finished)), new Promise((resolve) => setTimeout(resolve, 2000))]);
  });
  await page.evaluate(AXE);
  const result = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  );
  return result.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary?.split('\n')[1]?.trim() ?? rule.help}`));
}
