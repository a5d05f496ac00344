import { sound } from './sound.svelte'

/** Two tones, a fifth apart, twice in a row; then a rest. Seconds and hertz. */
const TONES = [
  { at: 0, length: 0.18, pitch: 659 },
  { at: 0.2, length: 0.3, pitch: 988 },
  { at: 0.65, length: 0.18, pitch: 659 },
  { at: 0.85, length: 0.3, pitch: 988 },
]
const PERIOD = 2.6
/** Longest ring, whatever the offer's limit: a forgotten sound must end. */
const LONGEST = 120_000

let stopNow: (() => void) | null = null

/** Rings for `span` milliseconds or until `silence()`. Scheduled ahead, so that a throttled tab keeps the rhythm. */
export function ring(span: number): void {
  silence()
  const context = sound.context
  if (!context) return
  const volume = context.createGain()
  volume.gain.value = sound.choice.volume * 0.4
  volume.connect(context.destination)
  const rounds = Math.ceil(Math.min(span, LONGEST) / 1000 / PERIOD)
  const voices: OscillatorNode[] = []
  for (let round = 0; round < rounds; round++) {
    for (const { at, length, pitch } of TONES) voices.push(note(context, volume, round * PERIOD + at, length, pitch))
  }
  stopNow = () => {
    for (const voice of voices) voice.disconnect()
    volume.disconnect()
  }
}

export function silence(): void {
  stopNow?.()
  stopNow = null
}

/** A chat is offered: a soft double, or one quieter tone while something else is in hand. */
export function chime(further: boolean): void {
  silence()
  const context = sound.context
  if (!context) return
  const volume = context.createGain()
  volume.gain.value = sound.choice.volume * (further ? 0.15 : 0.3)
  volume.connect(context.destination)
  const voices = further ? [note(context, volume, 0, 0.25, 740)] : [note(context, volume, 0, 0.16, 587), note(context, volume, 0.2, 0.3, 784)]
  stopNow = () => {
    for (const voice of voices) voice.disconnect()
    volume.disconnect()
  }
}

/** One falling pair: the connection is lost. */
export function fall(): void {
  const context = sound.context
  if (!context) return
  const volume = context.createGain()
  volume.gain.value = sound.choice.volume * 0.3
  volume.connect(context.destination)
  note(context, volume, 0, 0.2, 523)
  note(context, volume, 0.22, 0.35, 349)
}

function note(context: AudioContext, into: AudioNode, after: number, length: number, pitch: number): OscillatorNode {
  const begin = context.currentTime + 0.05 + after
  const voice = context.createOscillator()
  const shape = context.createGain()
  voice.type = 'triangle'
  voice.frequency.value = pitch
  shape.gain.setValueAtTime(0, begin)
  shape.gain.linearRampToValueAtTime(1, begin + 0.02)
  shape.gain.setValueAtTime(1, begin + length - 0.06)
  shape.gain.linearRampToValueAtTime(0, begin + length)
  voice.connect(shape).connect(into)
  voice.start(begin)
  voice.stop(begin + length)
  return voice
}
