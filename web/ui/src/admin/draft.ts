import type { DayHours, DayOff, Difference, Settings } from '../lib/settings'

/** What the fields hold: the settings without the closure, which has a button of its own. */
export interface Draft {
  callback: boolean
  chat: boolean
  hours: DayHours[]
  holidays: DayOff[]
}

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
const NAMES: Record<string, string> = { mon: 'Monday', tue: 'Tuesday', wed: 'Wednesday', thu: 'Thursday', fri: 'Friday', sat: 'Saturday', sun: 'Sunday' }

export const dayName = (day: string): string => NAMES[day] ?? day

/** A copy that the fields may change. A field for times knows no 24:00: the end of the day is 00:00 there. */
export function draftOf({ callback, chat, hours, holidays }: Settings): Draft {
  return {
    callback,
    chat,
    hours: hours.map((at) => ({ ...at })),
    holidays: holidays.map(({ date, name, open }) => ({ date, name, open: open.map(([from, to]) => [from, to] as [string, string]) })),
  }
}

/** As it is sent. */
export function brought(draft: Draft): Draft {
  const { callback, chat, hours, holidays } = draft
  return { callback, chat, hours, holidays: holidays.map((day) => ({ ...day, name: day.name.trim() })) }
}

/** Whether saving would change anything: the order in which things were typed does not. */
export function changed(draft: Draft, kept: Settings): boolean {
  const line = ({ callback, chat, hours, holidays }: Draft) =>
    JSON.stringify([
      callback,
      chat,
      hours.map(({ day, from, to }) => `${DAYS.indexOf(day as (typeof DAYS)[number])} ${from} ${to}`).sort(),
      holidays.map(({ date, name, open }) => `${date} ${name.trim()} ${JSON.stringify(open)}`).sort(),
    ])
  return line(draft) !== line(draftOf(kept))
}

/** A setting's name as the server gives it, in words. */
export function where(what: string): string {
  const [kind, key] = what.split('.', 2)
  switch (kind) {
    case 'callback':
      return 'Call-Me'
    case 'chat':
      return 'Chat'
    case 'closure':
      return 'Emergency closure'
    case 'hours':
      return key ? `The opening hours of ${dayName(key)}` : 'The opening hours'
    case 'holidays':
      return key ? `The holiday on ${key}` : 'The holidays'
    default:
      return what
  }
}

type Times = [string, string][]
const times = (value: unknown): string => ((value as Times | null) ?? []).map(([from, to]) => `${from} to ${to}`).join(', ') || 'closed'

function said(what: string, value: unknown): string {
  if (what.startsWith('hours.')) return times(value)
  if (value === null || value === undefined) return 'none'
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (what === 'closure') return `“${(value as { message: string }).message}”`
  const { name, open } = value as DayOff
  return open.length ? `${name}, open ${times(open)}` : `${name}, closed`
}

/** One difference between two versions, in words. */
export function told({ what, before, after }: Difference): string {
  return `${where(what)}: ${said(what, before)} → ${said(what, after)}`
}
