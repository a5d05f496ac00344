export type Theme = 'auto' | 'light' | 'dark'
const KEY = 'ringback-theme'

class ThemeChoice {
  choice = $state<Theme>('auto')

  /** Before the first drawing, so that nothing flashes. */
  apply(): void {
    this.choice = read()
    this.#show()
  }

  next(): void {
    this.choice = this.choice === 'auto' ? 'light' : this.choice === 'light' ? 'dark' : 'auto'
    try {
      localStorage.setItem(KEY, this.choice)
    } catch {
      // Storage may be forbidden; the choice then lasts as long as the page.
    }
    this.#show()
  }

  #show(): void {
    if (this.choice === 'auto') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = this.choice
  }
}

function read(): Theme {
  try {
    const kept = localStorage.getItem(KEY)
    return kept === 'light' || kept === 'dark' ? kept : 'auto'
  } catch {
    return 'auto'
  }
}

export const theme = new ThemeChoice()
