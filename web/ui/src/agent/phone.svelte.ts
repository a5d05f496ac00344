import { Backoff } from '../lib/backoff'
import { sound } from './sound.svelte'
import { deskWords } from './words'

export type PhoneState = 'off' | 'microphone' | 'connecting' | 'connected' | 'lost' | 'failed'

/** By which ways the server lets browsers in: relays, and whether nothing else. */
export interface Paths {
  servers: RTCIceServer[]
  relay_only: boolean
}

/** A first connection, another one in its place, or another path for the one there is. */
export type Offered = 'first' | 'again' | 'mend'

/** Sends an offer to the server and brings back its answer. */
export type Signal = (sdp: string, kind: Offered) => Promise<string>

/** How long the path may take to come up. */
const CONNECT_LIMIT = 10_000
/** A broken path may come back by itself this long before another one is looked for. */
const MEND = 700
/** How long another path may take before a new connection is made. */
const MEND_LIMIT = 4000
/** Host candidates are found at once. Relays take longer, and the server needs none of them in the offer: it answers where checks come from. */
const GATHER_LIMIT = 1000
const TRIES = 6

/**
 * The agent's telephone: one microphone, one peer connection, open from "Go available" on; calls attach to it on the
 * server's side. When the path breaks or the network changes, another path is looked for (ICE restart) and the keys stay. Where that
 * leads nowhere, or the server has given the connection up, a new one takes its place on the same leg.
 */
export class Phone {
  state = $state<PhoneState>('off')
  /** What went wrong, in words, when `state` is "failed". */
  problem = $state<string | null>(null)
  muted = $state(false)
  /** A live microphone, not silenced by the system. */
  heard = $state(false)
  rtt = $state<number | null>(null)
  /** Share of packets lost in the last seconds, 0 to 1. */
  loss = $state(0)

  #microphone: MediaStream | null = null
  #connection: RTCPeerConnection | null = null
  #speaker: HTMLAudioElement | null = null
  #opened = false
  #mend: ReturnType<typeof setTimeout> | undefined
  #mending = false
  #backoff = new Backoff(500, 5000)
  #tries = 0
  #counted = { lost: 0, received: 0 }
  #paths: Paths = { servers: [], relay_only: false }
  /** What is spoken if the server can have it so: first in the offer. */
  #codec = 'PCMU'
  #meter: { analyser: AnalyserNode; source: MediaStreamAudioSourceNode } | null = null

  constructor(
    private readonly signal: Signal,
    private readonly paths: () => Promise<Paths>,
    private readonly changed: () => void,
  ) {
    setInterval(() => void this.#measure(), 2000)
    // Another network: the old path may look well for seconds and leads nowhere.
    const moved = () => void this.#moved()
    addEventListener('online', moved)
    ;(navigator as { connection?: EventTarget }).connection?.addEventListener('change', moved)
  }

  get microphoneLive(): boolean {
    const track = this.#microphone?.getAudioTracks()[0]
    return track?.readyState === 'live' && !track.muted
  }
  get mediaLive(): boolean {
    return this.#connection?.connectionState === 'connected'
  }
  get on(): boolean {
    return this.state !== 'off' && this.state !== 'failed'
  }

  /** Takes the microphone and connects. Rejects with words for the agent. */
  async open(): Promise<void> {
    this.problem = null
    try {
      this.#set('microphone')
      await this.#listen()
      this.#set('connecting')
      await this.#connect(this.#opened ? 'again' : 'first')
      this.#tries = 0
    } catch (error) {
      this.#drop()
      this.#letGo()
      this.problem = inWords(error)
      this.#set('failed')
      throw new Error(this.problem)
    }
  }

  close(): void {
    clearTimeout(this.#mend)
    this.#drop()
    this.#letGo()
    this.#opened = false
    this.muted = false
    this.#set('off')
  }

  mute(on: boolean): void {
    this.muted = on
    for (const track of this.#microphone?.getAudioTracks() ?? []) track.enabled = !on
  }

  /** Speaks this codec from now on, so that nothing has to be turned into another on the way. Where that fails the server turns it. */
  async speak(codec: string): Promise<void> {
    if (codec === this.#codec) return
    this.#codec = codec
    const connection = this.#connection
    const transceiver = connection?.getTransceivers()[0]
    if (!connection || !transceiver || this.state !== 'connected' || this.#mending) return
    this.#mending = true
    try {
      prefer(transceiver, codec)
      await connection.setLocalDescription()
      const answer = await this.signal(connection.localDescription?.sdp ?? '', 'mend')
      await connection.setRemoteDescription({ type: 'answer', sdp: answer })
    } catch {
      await connection.setLocalDescription({ type: 'rollback' }).catch(() => {})
    }
    this.#mending = false
  }

  /** Another microphone or another processing: the call goes on with the new track. */
  async renew(): Promise<void> {
    if (!this.#microphone) return
    const old = this.#microphone
    await this.#listen()
    await this.#connection?.getSenders()[0]?.replaceTrack(this.#microphone?.getAudioTracks()[0] ?? null)
    if (old !== this.#microphone) for (const track of old.getTracks()) track.stop()
    this.#note()
  }

  async aimSpeaker(): Promise<void> {
    await this.#speaker?.setSinkId?.(sound.choice.speaker).catch(() => {})
  }

  /** How loud the microphone is right now, 0 to 1. */
  level(): number {
    const analyser = this.#meter?.analyser
    if (!analyser) return 0
    const samples = new Float32Array(analyser.fftSize)
    analyser.getFloatTimeDomainData(samples)
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length
    return Math.min(1, Math.sqrt(power) * 4)
  }

  async #listen(): Promise<void> {
    if (!navigator.mediaDevices) throw new DOMException('', 'SecurityError')
    const { microphone, processing } = sound.choice
    const audio = { echoCancellation: processing, noiseSuppression: processing, autoGainControl: processing }
    const wanted = microphone ? { ...audio, deviceId: { exact: microphone } } : audio
    this.#microphone = await navigator.mediaDevices.getUserMedia({ audio: wanted }).catch((error: unknown) => {
      // The chosen one was unplugged: any other is better than none.
      if (microphone && error instanceof DOMException && ['OverconstrainedError', 'NotFoundError'].includes(error.name)) {
        return navigator.mediaDevices.getUserMedia({ audio })
      }
      throw error
    })
    const track = this.#microphone.getAudioTracks()[0]
    if (track) {
      track.enabled = !this.muted
      track.onended = () => void this.renew().catch(() => this.#note())
      track.onmute = track.onunmute = () => this.#note()
    }
    this.#measureMicrophone()
    void sound.look()
  }

  async #connect(kind: Offered): Promise<void> {
    const configuration = await this.#configuration()
    this.#drop()
    const connection = new RTCPeerConnection(configuration)
    this.#connection = connection
    this.#counted = { lost: 0, received: 0 }
    const track = this.#microphone?.getAudioTracks()[0]
    if (!track || !this.#microphone) throw new DOMException('', 'NotFoundError')
    const transceiver = connection.addTransceiver(track, { direction: 'sendrecv', streams: [this.#microphone] })
    prefer(transceiver, this.#codec)
    connection.ontrack = ({ track: heard, streams }) => this.#play(streams[0] ?? new MediaStream([heard]))
    await connection.setLocalDescription()
    await gathered(connection)
    const answer = await this.signal(connection.localDescription?.sdp ?? '', kind)
    this.#opened = true
    if (connection !== this.#connection) return
    await connection.setRemoteDescription({ type: 'answer', sdp: answer })
    await up(connection)
    connection.onconnectionstatechange = () => this.#watch(connection)
    this.#backoff.reset()
    this.#set('connected')
  }

  /** With a relay's password of this moment; where none can be had, the last one may still be good. */
  async #configuration(): Promise<RTCConfiguration> {
    this.#paths = await this.paths().catch(() => this.#paths)
    const { servers, relay_only } = this.#paths
    return { iceServers: servers, iceTransportPolicy: relay_only ? 'relay' : 'all', bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' }
  }

  #watch(connection: RTCPeerConnection): void {
    if (connection !== this.#connection) return
    clearTimeout(this.#mend)
    const state = connection.connectionState
    if (state === 'connected') this.#set('connected')
    else if (state === 'disconnected') {
      this.#set('lost')
      this.#mend = setTimeout(() => void this.#elsewhere(connection), MEND)
    } else if (state === 'failed') {
      this.#set('lost')
      void this.#elsewhere(connection)
    } else if (state === 'closed') {
      this.#set('lost')
      void this.#again()
    }
  }

  async #moved(): Promise<void> {
    const connection = this.#connection
    if (connection && (this.state === 'connected' || this.state === 'lost')) await this.#elsewhere(connection)
  }

  /** Another path for the same connection, or else another connection. */
  async #elsewhere(connection: RTCPeerConnection): Promise<void> {
    if (this.#mending || connection !== this.#connection) return
    this.#mending = true
    clearTimeout(this.#mend)
    let there = false
    try {
      connection.setConfiguration(await this.#configuration())
      connection.restartIce()
      const transceiver = connection.getTransceivers()[0]
      if (transceiver) prefer(transceiver, this.#codec)
      await connection.setLocalDescription()
      await gathered(connection)
      const answer = await this.signal(connection.localDescription?.sdp ?? '', 'mend')
      await connection.setRemoteDescription({ type: 'answer', sdp: answer })
      await up(connection, MEND_LIMIT)
      there = true
    } catch {
      // The server knows it no longer, or no path leads there.
    }
    this.#mending = false
    if (connection !== this.#connection) return
    if (there) this.#set('connected')
    else await this.#again()
  }

  /** A new connection on the same leg; tries for a while, then says so. */
  async #again(): Promise<void> {
    if (this.state === 'off' || !this.#microphone) return
    try {
      await this.#connect('again')
      this.#tries = 0
    } catch (error) {
      if ((this.state as PhoneState) === 'off') return
      this.#tries += 1
      if (this.#tries >= TRIES) {
        this.problem = inWords(error)
        this.#set('failed')
        return
      }
      this.#set('lost')
      this.#mend = setTimeout(() => void this.#again(), this.#backoff.next())
    }
  }

  #play(stream: MediaStream): void {
    this.#speaker ??= new Audio()
    this.#speaker.autoplay = true
    this.#speaker.srcObject = stream
    void this.aimSpeaker()
    // Refused only without any click in this page's life; the next click of the agent tries again.
    this.#speaker.play().catch(() => {
      addEventListener('pointerdown', () => void this.#speaker?.play().catch(() => {}), { once: true })
    })
  }

  #drop(): void {
    clearTimeout(this.#mend)
    const connection = this.#connection
    this.#connection = null
    if (connection) {
      connection.onconnectionstatechange = null
      connection.close()
    }
    this.rtt = null
  }

  #letGo(): void {
    for (const track of this.#microphone?.getTracks() ?? []) track.stop()
    this.#meter?.source.disconnect()
    this.#meter = null
    this.#microphone = null
  }

  #set(state: PhoneState): void {
    this.state = state
    this.#note()
  }

  #note(): void {
    this.heard = this.microphoneLive
    this.changed()
  }

  #measureMicrophone(): void {
    this.#meter?.source.disconnect()
    this.#meter = null
    if (!this.#microphone) return
    try {
      const context = sound.meterContext()
      const source = context.createMediaStreamSource(this.#microphone)
      const analyser = context.createAnalyser()
      analyser.fftSize = 1024
      source.connect(analyser)
      this.#meter = { analyser, source }
    } catch {
      // No level is shown then; the call does not need it.
    }
  }

  async #measure(): Promise<void> {
    const connection = this.#connection
    if (!connection || !this.mediaLive) return
    const report = await connection.getStats().catch(() => null)
    report?.forEach((entry: RTCStats & Record<string, unknown>) => {
      if (entry.type === 'candidate-pair' && entry.nominated && typeof entry.currentRoundTripTime === 'number') {
        this.rtt = Math.round(entry.currentRoundTripTime * 1000)
      }
      if (entry.type === 'inbound-rtp' && entry.kind === 'audio') {
        const [lost, received] = [Number(entry.packetsLost ?? 0), Number(entry.packetsReceived ?? 0)]
        const [newLost, newReceived] = [lost - this.#counted.lost, received - this.#counted.received]
        this.#counted = { lost, received }
        this.loss = newLost + newReceived > 0 ? Math.max(0, newLost) / (newLost + newReceived) : 0
      }
    })
  }
}

/** What the telephone network speaks and nothing else, `codec` before all: then the sound passes straight through. */
function prefer(transceiver: RTCRtpTransceiver, codec: string): void {
  const first = `audio/${codec.toLowerCase()}`
  const order = [first, ...['audio/pcmu', 'audio/pcma', 'audio/g722', 'audio/opus', 'audio/telephone-event'].filter((type) => type !== first)]
  const known = RTCRtpReceiver.getCapabilities('audio')?.codecs ?? []
  const wanted = order.flatMap((type) => known.filter(({ mimeType }) => mimeType.toLowerCase() === type))
  if (wanted.length > 0) transceiver.setCodecPreferences?.(wanted)
}

function gathered(connection: RTCPeerConnection): Promise<void> {
  if (connection.iceGatheringState === 'complete') return Promise.resolve()
  return new Promise((resolve) => {
    const give = setTimeout(resolve, GATHER_LIMIT)
    connection.addEventListener('icegatheringstatechange', () => {
      if (connection.iceGatheringState !== 'complete') return
      clearTimeout(give)
      resolve()
    })
  })
}

function up(connection: RTCPeerConnection, within = CONNECT_LIMIT): Promise<void> {
  return new Promise((resolve, reject) => {
    const give = setTimeout(() => reject(new Error('path')), within)
    const look = () => {
      if (connection.connectionState === 'connected') {
        clearTimeout(give)
        resolve()
      } else if (connection.connectionState === 'failed' || connection.connectionState === 'closed') {
        clearTimeout(give)
        reject(new Error('path'))
      }
    }
    connection.addEventListener('connectionstatechange', look)
    look()
  })
}

function inWords(error: unknown): string {
  const words = deskWords().microphone
  const name = error instanceof DOMException ? error.name : ''
  switch (name) {
    case 'NotAllowedError':
      return words.notAllowed
    case 'NotFoundError':
    case 'OverconstrainedError':
      return words.notFound
    case 'NotReadableError':
    case 'AbortError':
      return words.inUse
    case 'SecurityError':
      return words.insecure
  }
  const code = (error as { code?: unknown } | null)?.code
  if (code === 'offline') return words.offline
  if (code === 'not_owner') return words.notOwner
  return words.path
}
