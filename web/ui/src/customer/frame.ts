/** The customer's page inside a portal's popup: it speaks only with the page that frames it, at that page's exact origin. */

export interface Hello {
  ringback: 'hello'
  token?: string
  name?: string
}

export type Message = { ringback: 'ready' } | { ringback: 'close' } | { ringback: 'height'; height: number } | { ringback: 'unread'; count: number }

const KEY = 'ringback-parent'
let parentOrigin: string | null = null

export const framed = () => window.parent !== window

/**
 * Tells the framing page that we are here and waits for its hello; resolves with null when none comes in time.
 * `origins` are those the server lets frame us; our own always may.
 */
export function meetParent(origins: string[], patience = 1500): Promise<Hello | null> {
  const origin = framed() ? framer([location.origin, ...origins]) : null
  if (!origin) return Promise.resolve(null)
  parentOrigin = origin
  return new Promise((resolve) => {
    const give = setTimeout(() => done(null), patience)
    function done(hello: Hello | null): void {
      clearTimeout(give)
      removeEventListener('message', hear)
      resolve(hello)
    }
    function hear(event: MessageEvent): void {
      if (event.source !== window.parent || event.origin !== origin) return
      const hello = event.data as Partial<Hello> | null
      if (hello?.ringback === 'hello') done(hello as Hello)
    }
    addEventListener('message', hear)
    tellParent({ ringback: 'ready' })
  })
}

/** The framing page's origin, if it is an allowed one; known from the first page in the frame for those that follow. */
function framer(allowed: string[]): string | null {
  const said = location.ancestorOrigins?.[0] ?? originOf(document.referrer)
  if (said && allowed.includes(said)) {
    remember(said)
    return said
  }
  return remembered()
}

function originOf(address: string): string | null {
  try {
    return new URL(address).origin
  } catch {
    return null
  }
}

function remember(origin: string): void {
  try {
    sessionStorage.setItem(KEY, origin)
  } catch {
    // A frame may have no storage: the next page in it then speaks to nobody, and works all the same.
  }
}

function remembered(): string | null {
  try {
    return sessionStorage.getItem(KEY)
  } catch {
    return null
  }
}

export function tellParent(message: Message): void {
  if (parentOrigin) window.parent.postMessage(message, parentOrigin)
}

/** The claims of a signed token, read for filling the form only: the server alone judges the signature. */
export function claimsOf(token: string): { name?: string; phone?: string } {
  try {
    const middle = token.split('.')[1] ?? ''
    const bytes = Uint8Array.from(atob(middle.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0))
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
    const text = (key: string) => (typeof claims[key] === 'string' ? claims[key] : undefined)
    return { name: text('name'), phone: text('phone') }
  } catch {
    return {}
  }
}
