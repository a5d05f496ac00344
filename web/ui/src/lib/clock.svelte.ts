/** The server's time, ticking: what is alive on a page reads `clock.now` and is redrawn with it. */
class Clock {
  now = $state(Date.now())
  #ahead = 0

  constructor() {
    if (typeof window !== 'undefined') setInterval(() => this.#tick(), 250)
  }

  /** The server's clock said `serverTime` just now. */
  sync(serverTime: number): void {
    this.#ahead = serverTime - Date.now()
    this.#tick()
  }

  #tick(): void {
    this.now = Date.now() + this.#ahead
  }
}

export const clock = new Clock()
