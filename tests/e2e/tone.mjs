// Tones: made, measured, and read from WAV files. Levels are amplitudes of a sine, full scale = 1.

/** Samples of a sine at 8 kHz: `level` of full scale, from sample `start` on. */
export function sine(frequency, samples, { level = 0.25, start = 0, rate = 8000 } = {}) {
  return Float32Array.from({ length: samples }, (_, i) => level * Math.sin((2 * Math.PI * frequency * (start + i)) / rate));
}

/** Amplitude of one frequency in the samples (Goertzel). */
export function amplitude(samples, frequency, rate = 8000) {
  const w = (2 * Math.PI * frequency) / rate;
  const c = 2 * Math.cos(w);
  let [a, b] = [0, 0];
  for (const x of samples) [a, b] = [x + c * a - b, a];
  const power = a * a + b * b - c * a * b;
  return (2 * Math.sqrt(Math.max(0, power))) / Math.max(1, samples.length);
}

/** µ-law, both ways (ITU-T G.711). */
export function ulawEncode(x) {
  const pcm = Math.max(-32635, Math.min(32635, Math.round(x * 32768)));
  const sign = pcm < 0 ? 0x80 : 0;
  const m = Math.abs(pcm) + 132;
  const exponent = Math.max(0, 31 - Math.clz32(m >> 7));
  return ~(sign | (exponent << 4) | ((m >> (exponent + 3)) & 0x0f)) & 0xff;
}

export function ulawDecode(byte) {
  const u = ~byte & 0xff;
  const m = (((u & 0x0f) << 3) + 132) << ((u >> 4) & 7);
  return ((u & 0x80 ? 132 - m : m - 132) / 32768);
}

/** A-law, both ways (ITU-T G.711): 13 bits, every second bit turned. */
export function alawEncode(x) {
  const pcm = Math.max(-32768, Math.min(32767, Math.round(x * 32768)));
  const sign = pcm < 0 ? 0 : 0x80;
  const m = Math.min(4095, (pcm < 0 ? -pcm - 1 : pcm) >> 3);
  const exponent = m < 32 ? 0 : 26 - Math.clz32(m) + 1;
  const mantissa = exponent === 0 ? m >> 1 : (m >> exponent) & 0x0f;
  return (sign | (exponent << 4) | mantissa) ^ 0x55;
}

export function alawDecode(byte) {
  const a = byte ^ 0x55;
  const exponent = (a >> 4) & 7;
  const m = exponent === 0 ? ((a & 0x0f) << 1) + 1 : (((a & 0x0f) << 1) + 33) << (exponent - 1);
  return ((a & 0x80 ? m : -m) << 3) / 32768;
}

/** Samples as a WAV of 16-bit PCM, the same in each channel. */
export function writeWav(samples, rate = 8000, channels = 1) {
  const bytes = samples.length * channels * 2;
  const data = Buffer.alloc(44 + bytes);
  data.write('RIFF', 0);
  data.writeUInt32LE(data.length - 8, 4);
  data.write('WAVEfmt ', 8);
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(channels, 22);
  data.writeUInt32LE(rate, 24);
  data.writeUInt32LE(2 * rate * channels, 28);
  data.writeUInt16LE(2 * channels, 32);
  data.writeUInt16LE(16, 34);
  data.write('data', 36);
  data.writeUInt32LE(bytes, 40);
  for (let i = 0; i < samples.length * channels; i += 1) data.writeInt16LE(Math.round(samples[Math.floor(i / channels)] * 32767), 44 + 2 * i);
  return data;
}

/** A WAV of 16-bit PCM: { rate, channels: [Float32Array, …] }. */
export function readWav(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (word(0) !== 'RIFF' || word(8) !== 'WAVE') throw new Error('not a WAV');
  let format;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    if (word(at) === 'fmt ') format = { channels: view.getUint16(at + 10, true), rate: view.getUint32(at + 12, true), bits: view.getUint16(at + 22, true) };
    if (word(at) === 'data') {
      if (format.bits !== 16) throw new Error(`${format.bits} bits a sample`);
      const frames = Math.floor(Math.min(size, bytes.length - at - 8) / 2 / format.channels);
      const channels = Array.from({ length: format.channels }, (_, c) =>
        Float32Array.from({ length: frames }, (_, i) => view.getInt16(at + 8 + 2 * (i * format.channels + c), true) / 32768),
      );
      return { rate: format.rate, channels };
    }
    at += 8 + size + (size & 1);
  }
  throw new Error('no data in the WAV');
}

/**
 * The longest stretch in which a tone stands, in 10 ms windows: { from, to } in seconds, and the windows inside it that
 * are under half of the stretch's median level, counted from the tone's first sample.
 */
export function stretchOf(samples, frequency, { rate = 8000, floor = 0.02, bridgeGap = 0.5 } = {}) {
  const size = rate / 100;
  const levels = [];
  for (let at = 0; at + size <= samples.length; at += size) levels.push(amplitude(samples.subarray(at, at + size), frequency, rate));
  let best = { from: 0, to: 0 };
  let from = -1;
  let last = -1;
  const close = () => {
    if (from >= 0 && last + 1 - from > best.to - best.from) best = { from, to: last + 1 };
  };
  levels.forEach((level, i) => {
    if (level < floor) return;
    if (from < 0 || i - last > bridgeGap * 100) {
      close();
      from = i;
    }
    last = i;
  });
  close();
  const median = [...levels.slice(best.from, best.to)].sort((a, b) => a - b)[(best.to - best.from) >> 1] ?? 0;
  // Sound is placed by the sample, not by windows of the file: from the tone's first sample to its last every window counts.
  const loud = (at) => Math.abs(samples[at]) > median / 8;
  let begin = Math.max(0, best.from - 1) * size;
  while (begin < best.to * size && !loud(begin)) begin += 1;
  let end = Math.min(samples.length, (best.to + 1) * size);
  while (end > begin && !loud(end - 1)) end -= 1;
  const weak = [];
  for (let at = begin; at + size <= end; at += size) {
    if (amplitude(samples.subarray(at, at + size), frequency, rate) < median / 2) weak.push(at / rate);
  }
  return { from: begin / rate, to: end / rate, seconds: (end - begin) / rate, median, weak };
}

/**
 * How much of a known sound is in what was heard: the best normalised correlation of half a second of it, from `from` seconds on,
 * with any place of what was heard. 1 = the same up to loudness; unrelated speech stays under 0.3.
 */
export function likeness(heard, known, { from = 1, rate = 8000 } = {}) {
  const piece = known.subarray(from * rate, (from + 0.5) * rate);
  const power = (samples) => samples.reduce((sum, x) => sum + x * x, 0);
  const own = power(piece);
  let around = power(heard.subarray(0, piece.length));
  let best = 0;
  for (let at = 0; at + piece.length < heard.length; at += 1) {
    if (around > own / 100) {
      let product = 0;
      for (let i = 0; i < piece.length; i += 1) product += piece[i] * heard[at + i];
      best = Math.max(best, product / Math.sqrt(own * around));
    }
    around += heard[at + piece.length] ** 2 - heard[at] ** 2;
  }
  return best;
}
