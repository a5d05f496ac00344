import type { Difference } from '../lib/settings'
import { spoken } from '../admin/kinds'
import { words } from './words'

/** A line that was connected here, as it comes over the wire. */
export interface Trunk {
  id: string
  transport: string
  host: string
  port: number | null
  channels: number
  caller_id: string
  username: string | null
  from_domain: string | null
  register_seconds: number
  options_seconds: number
  refer: boolean
  srtp: 'off' | 'optional' | 'required'
  tenant: string | null
}

export interface LineState {
  version: number
  who: string
  at: number
  differences: Difference[]
}

export interface LineItem {
  version: number
  trunk: Trunk
  retired: boolean
  password: boolean
  versions: LineState[]
}

const said = (value: unknown): string =>
  value === null || value === undefined || value === '' ? '—' : typeof value === 'boolean' ? (value ? words().lineList.yes : words().lineList.no) : String(value)

/** `Carrier’s host: a.example → b.example` */
export function told({ what, before, after }: Difference): string {
  const label = { ...words().trunk, ...words().lineList.fields }[what] ?? spoken(what)
  return `${label}: ${said(before)} → ${said(after)}`
}
