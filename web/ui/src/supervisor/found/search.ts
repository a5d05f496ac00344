/** What every list of contacts shows. */
export interface Contact {
  contact: string
  number_display: string
  subject: string
  dispositions: string[]
}

export interface Search {
  /** Local days, "2026-11-20"; empty for no bound. */
  from: string
  to: string
  agent: string
  number: string
  queue: string
  q: string
}

export const NOTHING: Search = { from: '', to: '', agent: '', number: '', queue: '', q: '' }
const DAY = 86_400_000

/** Days are whole: `to` reaches to its midnight. */
export function query(search: Search, page: string | number | null): string {
  const params = new URLSearchParams()
  const [from, to] = [startOf(search.from), startOf(search.to)]
  if (from !== null) params.set('from', String(from))
  if (to !== null) params.set('to', String(to + DAY - 1))
  for (const key of ['agent', 'number', 'queue', 'q'] as const) {
    const value = search[key].trim()
    if (value) params.set(key, value)
  }
  if (page !== null) params.set('page', String(page))
  return params.toString()
}

function startOf(day: string): number | null {
  const at = day ? new Date(`${day}T00:00:00`).getTime() : NaN
  return Number.isNaN(at) ? null : at
}

/** The local day `days` before now as a date field writes it. */
export function daysAgo(days: number, now: number): string {
  const at = new Date(now - days * DAY)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}
