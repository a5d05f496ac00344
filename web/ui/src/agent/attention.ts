/** Calls the agent back to a hidden tab: a desktop notification, and the title in words. No personal data in either. */
export class Attention {
  #blink: ReturnType<typeof setInterval> | undefined
  #note: Notification | null = null

  /** The page's title while nothing is offered. */
  constructor(private readonly title: () => string) {}

  /** Asks for leave to notify; from a click only. */
  ask(): void {
    if ('Notification' in window && Notification.permission === 'default') void Notification.requestPermission().catch(() => {})
  }

  begin(what: string, about: string): void {
    this.end()
    let on = false
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches
    const flip = () => {
      on = still || !on
      document.title = on ? `● ${what}` : this.title()
    }
    flip()
    this.#blink = setInterval(flip, 1000)
    if (document.visibilityState === 'visible' || !('Notification' in window) || Notification.permission !== 'granted') return
    try {
      this.#note = new Notification(what, { body: about, tag: 'ringback-offer', requireInteraction: true })
      this.#note.onclick = () => {
        window.focus()
        this.#note?.close()
      }
    } catch {
      // Some mobile browsers notify only from a service worker; ring and title are left.
    }
  }

  end(): void {
    if (this.#blink === undefined) return
    clearInterval(this.#blink)
    this.#blink = undefined
    document.title = this.title()
    this.#note?.close()
    this.#note = null
  }
}
