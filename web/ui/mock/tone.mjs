/** A stereo WAV of `seconds`, 8 kHz, 16 bit: the customer's side at 440 Hz, the agent's at 660 Hz, taking turns. */
export function tone(seconds) {
  const samples = seconds * 8000
  const bytes = Buffer.alloc(44 + samples * 4)
  bytes.write('RIFF', 0)
  bytes.writeUInt32LE(36 + samples * 4, 4)
  bytes.write('WAVEfmt ', 8)
  bytes.writeUInt32LE(16, 16)
  bytes.writeUInt16LE(1, 20)
  bytes.writeUInt16LE(2, 22)
  bytes.writeUInt32LE(8000, 24)
  bytes.writeUInt32LE(32_000, 28)
  bytes.writeUInt16LE(4, 32)
  bytes.writeUInt16LE(16, 34)
  bytes.write('data', 36)
  bytes.writeUInt32LE(samples * 4, 40)
  for (let i = 0; i < samples; i++) {
    const turn = Math.floor(i / 24_000) % 2
    const side = (channel, pitch) => (turn === channel ? Math.round(6000 * Math.sin((2 * Math.PI * pitch * i) / 8000)) : 0)
    bytes.writeInt16LE(side(0, 440), 44 + i * 4)
    bytes.writeInt16LE(side(1, 660), 46 + i * 4)
  }
  return bytes
}
