import type { Problem } from './api'

/** The server said no, or could not be reached (`code` "offline"). */
export class Refused extends Error {
  constructor(
    readonly problem: Problem,
    /** Seconds the server asks to wait before another try. */
    readonly retryAfter: number | null = null,
  ) {
    super(problem.detail ?? problem.title ?? problem.code)
  }
  get code(): string {
    return this.problem.code
  }
}

export function refused(error: unknown): Refused {
  return error instanceof Refused ? error : new Refused({ status: 0, code: 'offline' })
}

interface Options {
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
  /** The request outlives the page; of a body at most 64 kB. */
  keepalive?: boolean
}

/** One JSON request to our own origin. Rejects with `Refused` only, or with the signal's AbortError. */
export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json', ...options.headers }
  if (options.body !== undefined) headers['content-type'] = 'application/json'
  if (document.documentElement.lang) headers['accept-language'] = document.documentElement.lang
  let response: Response
  try {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body)
    response = await fetch(path, { method, headers, body, signal: options.signal, keepalive: options.keepalive, credentials: 'same-origin' })
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw new Refused({ status: 0, code: 'offline' })
  }
  if (response.status === 204) return undefined as T
  const text = await response.text()
  if (response.ok) return (text ? JSON.parse(text) : undefined) as T
  throw new Refused(problemOf(response.status, text), Number(response.headers.get('retry-after')) || null)
}

function problemOf(status: number, text: string): Problem {
  try {
    const problem = JSON.parse(text) as Partial<Problem>
    if (typeof problem.code === 'string') return { ...problem, status, code: problem.code }
  } catch {
    // A proxy's HTML page: the status is all there is to know.
  }
  return { status, code: status >= 500 ? 'unavailable' : 'refused' }
}

export const get = <T>(path: string, signal?: AbortSignal) => call<T>('GET', path, { signal })
export const post = <T>(path: string, body: unknown = {}, headers?: Record<string, string>) =>
  call<T>('POST', path, { body, headers })

/** Ends the session here, and at the identity provider if it began there. */
export async function signOut(next = '/login'): Promise<void> {
  const answer = await post<{ redirect: string } | undefined>('/api/v1/logout').catch(() => undefined)
  location.assign(answer?.redirect ?? next)
}

/** For staff pages: an ended session leads to the sign-in page and back here. */
export function toLogin(): void {
  location.assign(`/login?next=${encodeURIComponent(location.pathname)}`)
}
