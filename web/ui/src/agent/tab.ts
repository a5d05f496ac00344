/** Which tab is which: a session id that survives a reload but not a copy of the tab, and the lock on the phone. */

const KEY = 'ringback-session'
/** A reloading tab's former self may hold its lock a moment longer. */
const LINGER = 400

/** This tab's session id. A duplicated tab inherits the storage but not the lock, and gets an id of its own. */
export async function tabSession(): Promise<string> {
  const kept = sessionStorage.getItem(KEY)
  if (kept && (await hold(`ringback-tab-${kept}`))) return kept
  const fresh = crypto.randomUUID()
  await hold(`ringback-tab-${fresh}`)
  sessionStorage.setItem(KEY, fresh)
  return fresh
}

/** Holds a lock for as long as the tab lives; false if another tab has it. */
function hold(name: string): Promise<boolean> {
  if (!navigator.locks) return Promise.resolve(true)
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(LINGER)
    navigator.locks
      .request(name, { signal }, () => {
        resolve(true)
        return new Promise<never>(() => {})
      })
      .catch(() => resolve(false))
  })
}

/** The phone of one user within this browser: at most one tab has it. */
export class PhoneLock {
  #release: (() => void) | null = null

  constructor(
    private readonly user: string,
    private readonly onStolen: () => void,
  ) {}

  get #name(): string {
    return `ringback-phone-${this.user}`
  }

  /** Takes the lock, from another tab if need be; that tab hears of it through `onStolen`. */
  take(): void {
    if (!navigator.locks || this.#release) return
    this.#release = () => {}
    navigator.locks
      .request(this.#name, { steal: true }, () => new Promise<void>((resolve) => (this.#release = resolve)))
      .catch(() => {
        this.#release = null
        this.onStolen()
      })
  }

  drop(): void {
    this.#release?.()
    this.#release = null
  }

  /** Whether a tab of this very browser has the phone. */
  async heldHere(): Promise<boolean> {
    const { held = [] } = (await navigator.locks?.query()) ?? {}
    return held.some(({ name }) => name === this.#name)
  }
}
