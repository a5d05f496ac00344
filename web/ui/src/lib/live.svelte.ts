import { Backoff } from './backoff'

/** How long a broken stream may mend itself before the page says so. */
const SAY_AFTER = 2500

/** The latest value of a server-sent event stream, with its own reconnecting. */
export class Live<T> {
  value = $state.raw<T | null>(null)
  /** `lost` is said only after a while, so that a blink of the network is not shown. */
  link = $state<'connecting' | 'live' | 'lost' | 'ended'>('connecting')
  #source: EventSource | null = null
  #backoff = new Backoff(1000, 15_000)
  #retry: ReturnType<typeof setTimeout> | undefined
  #say: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly address: string,
    private readonly event: string,
    first: T | null = null,
    private readonly onGone: () => void = () => {},
  ) {
    this.value = first
  }

  open(): void {
    this.#source?.close()
    const source = new EventSource(this.address)
    this.#source = source
    source.onopen = () => this.#alive()
    source.addEventListener(this.event, (message) => {
      this.#alive()
      this.value = JSON.parse((message as MessageEvent<string>).data) as T
    })
    source.addEventListener('end', () => this.close('ended'))
    source.onerror = () => this.#broken(source)
  }

  close(link: 'connecting' | 'ended' = 'connecting'): void {
    clearTimeout(this.#retry)
    clearTimeout(this.#say)
    this.#say = undefined
    this.#source?.close()
    this.#source = null
    this.link = link
  }

  #alive(): void {
    clearTimeout(this.#say)
    this.#say = undefined
    this.#backoff.reset()
    this.link = 'live'
  }

  #broken(source: EventSource): void {
    this.#say ??= setTimeout(() => (this.link = 'lost'), SAY_AFTER)
    // The browser reconnects by itself after a network failure, but never after an HTTP error.
    if (source.readyState !== EventSource.CLOSED) return
    this.onGone()
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.open(), this.#backoff.next())
  }
}
