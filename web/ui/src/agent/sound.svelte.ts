/** Microphone, speaker and ring: what the agent chose, kept in this browser. */

export interface SoundChoice {
  microphone: string
  speaker: string
  ring: string
  /** 0 to 1. */
  volume: number
  /** The browser's echo, noise and level processing. */
  processing: boolean
}

const KEY = 'ringback-sound'
const FIRST: SoundChoice = { microphone: '', speaker: '', ring: '', volume: 0.6, processing: true }

class Sound {
  choice = $state<SoundChoice>(read())
  devices = $state.raw<MediaDeviceInfo[]>([])
  /** Whether the page may make a noise: only after the agent's own click. */
  unlocked = $state(false)
  #context: AudioContext | null = null

  constructor() {
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.look())
  }

  change(part: Partial<SoundChoice>): void {
    this.choice = { ...this.choice, ...part }
    try {
      localStorage.setItem(KEY, JSON.stringify(this.choice))
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    if (part.ring !== undefined) void this.#aim()
  }

  async look(): Promise<void> {
    this.devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? []
  }

  of(kind: MediaDeviceKind): MediaDeviceInfo[] {
    return this.devices.filter((device) => device.kind === kind && device.deviceId && device.deviceId !== 'default')
  }

  /** Must be called from a click or key press. */
  async unlock(): Promise<void> {
    this.#context ??= new AudioContext()
    await this.#context.resume().catch(() => {})
    this.unlocked = this.#context.state === 'running'
    await this.#aim()
  }

  /** The context to make sounds with; null while the browser keeps the page quiet. */
  get context(): AudioContext | null {
    return this.#context?.state === 'running' ? this.#context : null
  }

  /** For measuring only; may be suspended. */
  meterContext(): AudioContext {
    this.#context ??= new AudioContext()
    return this.#context
  }

  async #aim(): Promise<void> {
    const context = this.#context as (AudioContext & { setSinkId?: (id: string) => Promise<void> }) | null
    await context?.setSinkId?.(this.choice.ring).catch(() => {})
  }
}

function read(): SoundChoice {
  try {
    return { ...FIRST, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<SoundChoice>) }
  } catch {
    return FIRST
  }
}

export const sound = new Sound()
