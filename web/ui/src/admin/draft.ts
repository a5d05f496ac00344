import type { DayHours, DayOff, Difference, Entry, ListName, Settings, SheetName } from '../lib/settings'
import { at, lists, sheets, spoken } from './kinds'
import { field, words, type SectionName } from './words.svelte'

/** What the fields hold: the settings without the closure, which has a button of its own. */
export type Draft = Omit<Settings, 'closure'>

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

export const dayName = (day: string): string => words().days[day] ?? day

export function emptyDraft(): Draft {
  const none = { hours: [], holidays: [], call_hours: [], queues: [], subjects: [], language_skills: [], reason_codes: [], dispositions: [], canned: [], faq: [], queue_rules: [], portal_keys: [], numbers: [], caller_ids: [], prompts: [] }
  return { callback: false, chat: false, ...none, look: {}, portal: {}, dialling: {}, forms: {}, calls: {}, chats: {}, offers: {}, closing: {}, inbound: {}, retention: {} }
}

/** Settings are plain data, but what a page watches is not: the copy is. */
const copied = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

/** A copy that the fields may change. */
export function draftOf(settings: Settings): Draft {
  const { closure: _, ...rest } = copied(settings)
  return { ...emptyDraft(), ...rest }
}

/** As it is sent: without blanks around names, and steps without names of skills nobody typed. */
export function brought(draft: Draft): Draft {
  const copy = copied(draft)
  copy.holidays.forEach((day) => (day.name = day.name.trim()))
  for (const subject of copy.subjects) {
    for (const step of subject.targets as { skills: Record<string, number> }[]) delete step.skills['']
  }
  return copy
}

/** Whether saving would change anything: the order in which times were typed does not. */
export function changed(draft: Draft, kept: Settings): boolean {
  const week = (hours: DayHours[]) => hours.map(({ day, from, to }) => `${DAYS.indexOf(day as (typeof DAYS)[number])} ${from} ${to}`).sort()
  const line = (draft: Draft) =>
    JSON.stringify({
      ...brought(draft),
      hours: week(draft.hours),
      call_hours: week(draft.call_hours),
      holidays: draft.holidays.map(({ date, name, open }) => `${date} ${name.trim()} ${JSON.stringify(open)}`).sort(),
    })
  return line(draft) !== line(draftOf(kept))
}

const isList = (name: string): name is ListName => name in lists
const isSheet = (name: string): name is SheetName => name in sheets

/** The section in which a setting is changed. */
export function sectionOf(what: string): SectionName {
  const [kind = ''] = what.split('.', 1)
  if (kind === 'callback' || kind === 'chat') return 'entry'
  return kind in words().sections ? (kind as SectionName) : 'hours'
}

/** A setting's name as the server gives it, in words; `draft` is what was sent. */
export function where(what: string, draft?: Draft): string {
  const w = words()
  const [kind = '', key = '', ...more] = what.split('.')
  if (kind === 'callback') return w.entryPoints.callback
  if (kind === 'chat') return w.entryPoints.chat
  if (kind === 'closure') return w.versions.closure
  const title = w.sections[sectionOf(what)][0]
  if (kind === 'hours' || kind === 'call_hours') return key ? `${title}: ${dayName(key)}` : title
  if (kind === 'holidays') return key ? `${title}: ${key}` : title
  if (isList(kind)) {
    const rest = what.slice(kind.length + 1)
    const place = /^(\d+)\.([a-z_]+)$/.exec(rest)
    if (!place) return rest ? `${title}: ${nameOf(kind, rest, draft)}` : title
    // What is said of the whole entry is said of the field that names it.
    const known = lists[kind].fields.find(({ key }) => key === place[2] || key.startsWith(`${place[2]}.`))
    return w.entry(title, Number(place[1]) + 1, field(kind, known?.key ?? lists[kind].name).label)
  }
  if (isSheet(kind)) return `${title}: ${fieldOf(kind, [key, ...more].join('.'))}`
  return title
}

/** The label of a sheet's field; of a group of them, the first one's. */
function fieldOf(sheet: SheetName, key: string): string {
  const spec = sheets[sheet].find((one) => one.key === key) ?? sheets[sheet].find((one) => one.key.startsWith(`${key}.`))
  return field(sheet, spec?.key ?? key).label
}

function nameOf(list: ListName, key: string, draft?: Draft): string {
  if (list === 'numbers' || list === 'caller_ids') return key
  const entry = draft?.[list].find((one) => one.id === key)
  return entry ? String(entry[lists[list].name]) : spoken(key)
}

type Times = [string, string][]
const clock = (time: string) => (time === '00:00' ? '24:00' : time)
const times = (value: unknown): string =>
  ((value as Times | null) ?? []).map(([from, to]) => words().versions.to(from, clock(to))).join(', ') || words().versions.closed

function said(what: string, value: unknown): string {
  const w = words().versions
  if (what.startsWith('hours.') || what.startsWith('call_hours.')) return times(value)
  if (value === null || value === undefined || value === '') return '—'
  if (typeof value === 'boolean') return value ? w.on : w.off
  if (what === 'closure') return `“${(value as { message: string }).message}”`
  if (what.startsWith('holidays.')) {
    const { name, open } = value as DayOff
    return open.length ? w.open(name, times(open)) : `${name}, ${w.closed}`
  }
  if (Array.isArray(value)) return value.map((one) => said('', one)).join(', ') || '—'
  if (typeof value === 'object') return Object.entries(value).map(([key, one]) => `${spoken(key)} ${said('', one)}`).join(', ') || '—'
  return String(value)
}

/** A choice in its own words, where its words are no names of the county. */
function chosen(what: string, value: unknown): string {
  const [kind = '', ...key] = what.split('.')
  const spec = isSheet(kind) ? sheets[kind].find((one) => one.key === key.join('.')) : undefined
  return spec?.options?.(emptyDraft()).find(([option]) => option === value)?.[1] ?? said(what, value)
}

/** What is otherwise in an entry of a list, field by field. */
function entryTold(list: ListName, before: Entry, after: Entry): string {
  const fields = lists[list].fields.filter(({ key }) => JSON.stringify(at(before, key)) !== JSON.stringify(at(after, key)))
  return fields.map(({ key }) => `${field(list, key).label} ${said('', at(before, key))} → ${said('', at(after, key))}`).join('; ')
}

/** Where it comes in a list of differences: the days of a week in their order, everything else as it was. */
export function order(a: Difference, b: Difference): number {
  const day = ({ what }: Difference): [kind: string, day: number] => {
    const [kind = '', key = ''] = what.split('.')
    return kind === 'hours' || kind === 'call_hours' ? [kind, DAYS.indexOf(key as (typeof DAYS)[number])] : ['', 0]
  }
  const [[one, first], [other, second]] = [day(a), day(b)]
  return one !== '' && one === other ? first - second : 0
}

/** One difference between two versions, in words. */
export function told({ what, before, after }: Difference): string {
  const w = words().versions
  const [kind = ''] = what.split('.', 1)
  if (!isList(kind)) return `${where(what)}: ${chosen(what, before)} → ${chosen(what, after)}`
  const entry = (after ?? before) as Entry
  const name = `${words().sections[kind][0]}: ${String(entry[lists[kind].name] ?? '') || what.slice(kind.length + 1)}`
  if (!before) return `${name}: ${w.added}`
  if (!after) return `${name}: ${w.removed}`
  return `${name}: ${entryTold(kind, before as Entry, after as Entry)}`
}
