/**
 * The launcher a portal puts on its page by one line:
 *
 *   <script src="https://ringback.example/embed.js" data-tenant="sacramento" data-token="…" data-lang="en" async></script>
 *
 * It shows a button bottom right that opens the chat, or Call-Me where the tenant has no chat. Any element of the page with
 * `data-ringback-open` opens Call-Me, with `data-ringback-open="chat"` the chat; `data-channel="call-me"` on the line itself
 * makes the button one for Call-Me. Nothing is shown of what the tenant has off (C1). Everything lives in a shadow root, so
 * the page's styles and ours do not meet, and imports nothing: it must run as a classic script.
 */
;(() => {
  const script = document.currentScript
  if (!(script instanceof HTMLScriptElement) || !script.dataset.tenant) return
  const origin = new URL(script.src).origin
  const { tenant, token = '', name = '' } = script.dataset
  const lang = (script.dataset.lang ?? document.documentElement.lang ?? 'en').slice(0, 2) === 'es' ? 'es' : 'en'
  const words = {
    en: { 'call-me': ['Call me', 'Ask for a call'], chat: ['Chat', 'Chat'], close: 'Close', unread: 'new' },
    es: { 'call-me': ['Llámenme', 'Pedir una llamada'], chat: ['Chat', 'Chat'], close: 'Cerrar', unread: 'nuevos' },
  }[lang]
  type Channel = 'call-me' | 'chat'
  interface Answer {
    availability?: { enabled?: boolean; subjects?: { gate?: { then?: string } | null }[] }
    chat?: boolean
    tenant?: { accent?: string }
  }
  const ICONS = {
    'call-me':
      'M6.5 3.5h3l1.5 4-2 1.5a11 11 0 0 0 6 6l1.500-2 4 1.500v3a2 2 0 0 1-2.200 2A16 16 0 0 1 4.500 5.700a2 2 0 0 1 2-2.200z',
    chat: 'M4 5h16v11H10l-5 4v-4H4zM8 9h8M8 12.500h5',
  }

  const STYLE = `
    :host { all: initial; color-scheme: light dark; font-family: system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif }
    button { font: 600 16px/1 inherit; font-family: inherit; cursor: pointer; border: 0 }
    .launch { position: fixed; z-index: 2147483000; right: max(16px, env(safe-area-inset-right)); bottom: max(16px, env(safe-area-inset-bottom));
      display: inline-flex; align-items: center; gap: 10px; min-height: 52px; padding: 0 22px 0 18px; font-size: 16px; font-weight: 600;
      border-radius: 999px; background: var(--ringback-accent); color: var(--ringback-on-accent); box-shadow: 0 1px 2px rgb(0 0 0 / .1), 0 8px 24px rgb(0 0 0 / .22) }
    .launch:focus-visible { outline: 3px solid var(--ringback-accent); outline-offset: 3px }
    svg { width: 20px; height: 20px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round }
    dialog { position: fixed; inset: auto 0 0 auto; z-index: 2147483001; padding: 0; border: 1px solid light-dark(#e4e7ec, #2a313c); border-radius: 16px; overflow: hidden; background: light-dark(#f6f7f9, #0e1116);
      width: min(440px, calc(100vw - 24px)); height: min(var(--height, 640px), calc(100dvh - 24px)); max-width: none; max-height: none;
      margin: auto 16px 16px auto; box-shadow: 0 1px 2px rgb(0 0 0 / .06), 0 12px 32px rgb(0 0 0 / .24) }
    dialog[open] { display: grid; grid-template-rows: 44px 1fr }
    dialog::backdrop { background: rgb(10 13 18 / .35) }
    .bar { display: flex; justify-content: flex-end; border-bottom: 1px solid light-dark(#e4e7ec, #2a313c); background: light-dark(#fff, #161b22) }
    .close { width: 44px; height: 43px; display: grid; place-items: center; background: none; color: light-dark(#16191f, #e8ebf0) }
    .close:focus-visible { outline: 2px solid light-dark(#1d4ed8, #7aa2ff); outline-offset: -4px }
    .count { min-width: 22px; padding: 3px 6px; border-radius: 999px; background: #b42318; color: #fff; font-size: 13px; line-height: 16px; text-align: center }
    [hidden] { display: none !important }
    iframe { border: 0; width: 100%; height: 100%; display: block; color-scheme: normal }
    @media (max-width: 520px) { dialog { inset: 8px; margin: 0; width: calc(100vw - 16px); height: calc(100dvh - 16px) } }`

  function make<K extends keyof HTMLElementTagNameMap>(tag: K, className: string, label = ''): HTMLElementTagNameMap[K] {
    const element = document.createElement(tag)
    if (className) element.className = className
    if (label) element.setAttribute('aria-label', label)
    return element
  }

  function icon(path: string): SVGElement {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
    svg.setAttribute('viewBox', '0 0 24 24')
    svg.setAttribute('aria-hidden', 'true')
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'path')
    line.setAttribute('d', path)
    svg.append(line)
    return svg
  }

  /** White or ink, whichever reads better on the colour (WCAG relative luminance). */
  function readableOn(hex: string): string {
    const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
      const share = parseInt(hex.slice(at, at + 2), 16) / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? '#0b1220' : '#fff'
  }

  function build(accent: string, offered: Channel[]): void {
    const first: Channel = script?.dataset?.channel === 'call-me' && offered.includes('call-me') ? 'call-me' : (offered.find((it) => it === 'chat') ?? 'call-me')
    const host = document.createElement('ringback-call-me')
    host.lang = lang
    host.style.setProperty('--ringback-accent', accent)
    host.style.setProperty('--ringback-on-accent', readableOn(accent))
    const root = host.attachShadow({ mode: 'open' })
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(STYLE)
    root.adoptedStyleSheets = [sheet]

    const launch = make('button', 'launch')
    launch.type = 'button'
    launch.setAttribute('aria-haspopup', 'dialog')
    const count = make('span', 'count')
    count.hidden = true
    launch.append(icon(ICONS[first]), words[first][0] ?? '', count)
    const dialog = make('dialog', '')
    const bar = make('div', 'bar')
    const close = make('button', 'close', words.close)
    close.type = 'button'
    close.append(icon('M6 6l12 12M18 6 6 18'))
    bar.append(close)
    dialog.append(bar)
    root.append(launch, dialog)
    document.body.append(host)

    /** One frame a channel, kept while hidden: a chat goes on behind a closed dialog. */
    const frames: { [channel in Channel]?: HTMLIFrameElement } = {}
    let opener: HTMLElement = launch

    function frameOf(channel: Channel): HTMLIFrameElement {
      const frame = make('iframe', '')
      frame.title = words[channel][1] ?? ''
      const address = new URL(`/t/${encodeURIComponent(tenant ?? '')}/${channel}`, origin)
      address.search = new URLSearchParams({ embed: '1', lang, page: location.pathname }).toString()
      frame.src = address.href
      dialog.append(frame)
      return (frames[channel] = frame)
    }

    function open(channel: Channel, from: HTMLElement): void {
      opener = from
      const frame = frames[channel] ?? frameOf(channel)
      for (const other of Object.values(frames)) other.hidden = other !== frame
      dialog.setAttribute('aria-label', words[channel][1] ?? '')
      if (dialog.open) dialog.close()
      // A chat leaves the page beside it usable.
      if (channel === 'chat') {
        dialog.show()
        frame.focus()
      } else dialog.showModal()
      launch.hidden = true
      told(0)
    }

    function told(unread: number): void {
      count.hidden = unread < 1
      count.textContent = String(unread)
      launch.setAttribute('aria-label', unread < 1 ? (words[first][0] ?? '') : `${words[first][0] ?? ''}, ${unread} ${words.unread}`)
    }

    launch.addEventListener('click', () => (dialog.open ? dialog.close() : open(first, launch)))
    close.addEventListener('click', () => dialog.close())
    dialog.addEventListener('keydown', (event) => event.key === 'Escape' && dialog.close())
    dialog.addEventListener('close', () => {
      // It may have been closed only to be opened in the other way.
      launch.hidden = dialog.open
      if (!dialog.open) opener.focus()
    })
    document.addEventListener('click', (event) => {
      const from = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-ringback-open]') : null
      const channel: Channel = from?.dataset.ringbackOpen === 'chat' ? 'chat' : 'call-me'
      if (!from || !offered.includes(channel)) return
      event.preventDefault()
      open(channel, from)
    })

    // Only our frames are heard, and only at our own origin; the token never stands in an address.
    addEventListener('message', (event: MessageEvent) => {
      const frame = Object.values(frames).find(({ contentWindow }) => contentWindow === event.source)
      if (!frame || event.origin !== origin) return
      const said = event.data as { ringback?: string; height?: number; count?: number } | null
      if (said?.ringback === 'ready') frame.contentWindow?.postMessage({ ringback: 'hello', token, name }, origin)
      else if (said?.ringback === 'close') dialog.close()
      else if (said?.ringback === 'unread' && Number.isFinite(said.count)) told(dialog.open ? 0 : Number(said.count))
      else if (said?.ringback === 'height' && Number.isFinite(said.height)) {
        dialog.style.setProperty('--height', `${Math.max(420, Math.min(900, Number(said.height) + 110))}px`)
      }
    })
  }

  function whenReady(go: () => void): void {
    if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', go, { once: true })
    else go()
  }

  fetch(`${origin}/api/v1/t/${encodeURIComponent(script.dataset.tenant)}/availability`, { credentials: 'omit' })
    .then((response) => (response.ok ? response.json() : null))
    .then((answer: Answer | null) => {
      const accent = /^#[0-9a-f]{6}$/i.exec(answer?.tenant?.accent ?? '')?.[0] ?? '#1d4ed8'
      const subjects = answer?.availability?.subjects ?? []
      // The wait is too long for every topic, and the county wants nothing shown then (G3).
      const hidden = subjects.length > 0 && subjects.every(({ gate }) => gate?.then === 'hide')
      const offered: Channel[] = []
      if (answer?.chat) offered.push('chat')
      if (answer?.availability?.enabled && !hidden) offered.push('call-me')
      if (offered.length > 0) whenReady(() => build(accent, offered))
    })
    // Not reachable: a page without the button is better than a button that does nothing.
    .catch(() => {})
})()
