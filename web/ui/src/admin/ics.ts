import type { DayOff } from '../lib/settings'

/** Longest calendar that is read, in letters: some years of holidays are a few kilobytes. */
const MOST = 1 << 20
/** A holiday that comes every year is taken for so many years. */
const YEARS = 5
/** An event over more days than that is no holiday. */
const LONGEST = 31

export interface Calendar {
  days: DayOff[]
  /** Events that say something else than "these whole days". */
  skipped: number
}

/** The whole days of a calendar (RFC 5545). `from`: YYYY-MM-DD, nothing before it is taken. Null: it is no calendar. */
export function readCalendar(text: string, from: string): Calendar | null {
  if (text.length > MOST || !/^\uFEFF?BEGIN:VCALENDAR\s/i.test(text)) return null
  const days = new Map<string, string>()
  let skipped = 0
  for (const event of eventsOf(text)) {
    const found = daysOf(event)
    if (!found) skipped += 1
    else for (const date of found) if (date >= from) days.set(date, nameOf(event))
  }
  return { days: [...days].sort().map(([date, name]) => ({ date, name, open: [] })), skipped }
}

type Property = { parameters: string; value: string }
type Event = Map<string, Property>

/** Long lines go on in the next one, behind a blank (3.1). */
function eventsOf(text: string): Event[] {
  const events: Event[] = []
  let open: Event | null = null
  // What is nested, such as an alarm, has properties of its own.
  let nested = 0
  for (const line of text.replaceAll(/\r?\n[ \t]/g, '').split(/\r?\n/)) {
    const [, name = '', parameters = '', value = ''] = /^([A-Za-z-]+)((?:;[^:"]*(?:"[^"]*"[^:"]*)*)?):(.*)$/.exec(line) ?? []
    const word = name.toUpperCase()
    if (word === 'BEGIN' && value.toUpperCase() === 'VEVENT' && !open) open = new Map()
    else if (word === 'BEGIN' && open) nested += 1
    else if (word === 'END' && open && nested > 0) nested -= 1
    else if (word === 'END' && open) {
      events.push(open)
      open = null
    } else if (open && nested === 0 && word && !open.has(word)) open.set(word, { parameters, value })
  }
  return events
}

function daysOf(event: Event): string[] | null {
  const start = dateOf(event.get('DTSTART'))
  if (!start) return null
  const end = dateOf(event.get('DTEND')) ?? next(start, 1)
  const span: string[] = []
  for (let date = start; date < end; date = next(date, 1)) if (span.push(date) > LONGEST) return null
  const rule = event.get('RRULE')?.value.toUpperCase()
  if (!rule) return span
  // "On the fourth Thursday" and the like come as single dates in most calendars; here they would be guessed.
  if (!/^FREQ=YEARLY(;(INTERVAL=1|COUNT=\d+|UNTIL=\w+|WKST=\w+))*$/.test(rule)) return null
  const count = Number(/COUNT=(\d+)/.exec(rule)?.[1] ?? Infinity)
  const until = dateOf({ parameters: '', value: /UNTIL=(\w+)/.exec(rule)?.[1] ?? '' })
  const last = Math.max(new Date().getUTCFullYear(), Number(start.slice(0, 4))) + YEARS
  const years = Array.from({ length: last - Number(start.slice(0, 4)) + 1 }, (_, index) => index).slice(0, count)
  const moved = years.flatMap((years) => span.map((date) => `${Number(date.slice(0, 4)) + years}${date.slice(4)}`))
  return moved.filter((date) => isDate(date) && (!until || date <= until))
}

/** Of a whole day; a time of day that is midnight counts as one. */
function dateOf(property: Property | undefined): string | null {
  const parts = /^(\d{4})(\d{2})(\d{2})(?:T000000Z?)?$/.exec(property?.value.trim() ?? '')
  const date = parts ? `${parts[1]}-${parts[2]}-${parts[3]}` : ''
  return isDate(date) ? date : null
}

const isDate = (date: string): boolean => {
  const at = new Date(`${date}T00:00:00Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(date)
}

const next = (date: string, days: number): string => new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)

/** Without the signs by which commas and line ends are written (3.3.11). */
const nameOf = (event: Event): string =>
  (event.get('SUMMARY')?.value ?? '').replaceAll(/\\([nN,;\\])/g, (_, sign: string) => (sign.toLowerCase() === 'n' ? ' ' : sign)).trim().slice(0, 100)
