/** Waits between tries to connect: doubling from `first` to `last`, each shortened by up to a half by chance. */
export class Backoff {
  #tries = 0

  constructor(
    private readonly first = 500,
    private readonly last = 10_000,
    private readonly chance: () => number = Math.random,
  ) {}

  /** Milliseconds to wait before the next try. */
  next(): number {
    const full = Math.min(this.last, this.first * 2 ** this.#tries)
    this.#tries = Math.min(this.#tries + 1, 30)
    return Math.round(full * (0.5 + this.chance() / 2))
  }

  reset(): void {
    this.#tries = 0
  }
}
