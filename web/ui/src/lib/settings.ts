/** What administrators set, as it comes over the wire. */

export interface DayHours {
  /** mon … sun */
  day: string
  /** HH:MM; the end of the day is 00:00. */
  from: string
  to: string
}

export interface DayOff {
  /** YYYY-MM-DD */
  date: string
  name: string
  /** Open all the same, from and to; none: closed all day. */
  open: [string, string][]
}

/** Skill to its least level, 1 to 10. */
export type Skills = Record<string, number>

export interface Step {
  skills: Skills
  /** Of the last step it says nothing. */
  seconds: number
}

/** A key of a menu: where it leads, and what is spoken from there on. */
export interface Key {
  digit: string
  subject: string | null
  language: string | null
}

/** An entry of a list; what it holds is told by `admin/kinds.ts`. */
export type Entry = Record<string, unknown>

/** The lists, in the order in which the server looks at them. */
export const LISTS = ['queues', 'subjects', 'language_skills', 'reason_codes', 'dispositions', 'canned', 'faq', 'queue_rules', 'portal_keys', 'numbers', 'caller_ids', 'prompts'] as const
export type ListName = (typeof LISTS)[number]

/** What comes once. */
export const SHEETS = ['look', 'portal', 'dialling', 'forms', 'calls', 'chats', 'offers', 'closing', 'inbound', 'retention'] as const
export type SheetName = (typeof SHEETS)[number]

export interface Settings extends Record<ListName, Entry[]>, Record<SheetName, Entry> {
  callback: boolean
  chat: boolean
  hours: DayHours[]
  holidays: DayOff[]
  call_hours: DayHours[]
  closure?: { since: number; until: number | null; message: string } | null
}

export interface SettingsAnswer {
  /** 0: nobody changed anything yet. */
  version: number
  who: string
  at: number
  settings: Settings
  bounds: Bounds
}

/** What the operator allows at most. */
export interface Bounds {
  countries: string[]
  kinds: string[]
  calls_per_day: number
  minutes_per_day: number
  /** The least that may be said. */
  cost_per_minute: number
  /** 0: money is no limit. */
  spend_per_day: number
  agents_call_out: boolean
  requests_per_address: number
  requests_per_network: number
  requests_in_all: number
  sms: boolean
  /** Lines that may be called over. */
  trunks: string[]
  /** The portal's keys that the operator has set. */
  portal_keys: number
}

/** One setting that is otherwise than in the version before. */
export interface Difference {
  what: string
  before: unknown
  after: unknown
}

export interface VersionItem {
  version: number
  who: string
  at: number
  differences: Difference[]
}

export interface Person {
  id: string
  name: string
  role: string
  disabled: boolean
  second_factor: boolean
  external: boolean
  permissions: string[]
  can_reject: boolean | null
  queues: string[] | null
  skills: Skills | null
  voice_slots: number | null
  chat_slots: number | null
  must_change: boolean
}
