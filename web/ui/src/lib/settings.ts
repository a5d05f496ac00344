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

export interface Settings {
  callback: boolean
  chat: boolean
  hours: DayHours[]
  holidays: DayOff[]
  closure?: { since: number; until: number | null; message: string } | null
}

export interface SettingsAnswer {
  /** 0: nobody changed anything yet. */
  version: number
  who: string
  at: number
  settings: Settings
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
