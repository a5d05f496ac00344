import type { Language, Millis, Timestamp } from './api'
import { tongue } from './i18n.svelte'

const LOCALE: Record<Language, string> = { en: 'en-US', es: 'es-US' }

/** "2:14", "1:02:03"; never negative. */
export function duration(span: Millis): string {
  const seconds = Math.max(0, Math.floor(span / 1000))
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const two = (n: number) => String(n).padStart(2, '0')
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/** What is left, rounded up, so that "0:00" is really over. */
export const remaining = (until: Timestamp, now: Timestamp) => duration(Math.ceil(Math.max(0, until - now) / 1000) * 1000)

/**
 * An expected wait as whole minutes: half of such waits are over by `from`, nine of ten by `to`. From 0 means "up to".
 * Null when the server does not know.
 */
export function waitRange(p50: Millis | null, p90: Millis | null): { from: number; to: number } | null {
  if (p50 === null) return null
  const from = Math.floor(p50 / 60_000)
  return { from, to: Math.max(from + 1, Math.ceil((p90 ?? p50) / 60_000)) }
}

interface Zone {
  /** The page's, if none is given. */
  lang?: Language
  zone?: string
}

const format = (at: Timestamp, { lang = tongue.lang, zone }: Zone, options: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat(LOCALE[lang], { ...options, timeZone: zone }).format(at)

/** "5:00 PM" */
export const timeOfDay = (at: Timestamp, zone: Zone = {}) => format(at, zone, { hour: 'numeric', minute: '2-digit' })

/** "Monday, November 23" */
export const dayOf = (at: Timestamp, zone: Zone = {}) =>
  format(at, zone, { weekday: 'long', month: 'long', day: 'numeric' })

/** "Nov 20, 2026, 9:41:07 AM PST": for hovers and reports. */
export const full = (at: Timestamp, zone: Zone = {}) =>
  format(at, zone, {
    month: 'short',
    day: 'numeric',
    year: 'numeric',
    hour: 'numeric',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  })

/** "Nov 20" */
export const shortDay = (at: Timestamp, zone: Zone = {}) => format(at, zone, { month: 'short', day: 'numeric' })

export function sameDay(a: Timestamp, b: Timestamp, zone: Zone = {}): boolean {
  const day = (at: Timestamp) => format(at, zone, { year: 'numeric', month: '2-digit', day: '2-digit' })
  return day(a) === day(b)
}

/** A local "17:00" of the opening hours as the language writes it. */
export function hourOf(text: string, lang: Language): string {
  const [hours = 0, minutes = 0] = text.split(':').map(Number)
  return timeOfDay(Date.UTC(2026, 0, 1, hours, minutes), { lang, zone: 'UTC' })
}

/** A figure with so many digits after the point, as the page's language writes it. */
export const decimal = (value: number, digits: number) =>
  new Intl.NumberFormat(LOCALE[tongue.lang], { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false }).format(value)

/** E.164 as the country writes it; what is masked or foreign stays as it came. */
export function phone(number: string): string {
  const american = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number)
  return american ? `(${american[1]}) ${american[2]}-${american[3]}` : number
}

export const capitalised = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

/** With a capital and one full stop, also after "a.m.". */
export const sentence = (text: string) => `${capitalised(text)}${text.endsWith('.') ? '' : '.'}`

/** Ids an administrator chose as words: "admin_work" → "Admin work"; "RONA" stays. */
export function readable(id: string): string {
  if (/^[A-Z0-9]{2,5}$/.test(id)) return id
  return capitalised(id.replace(/[_-]+/g, ' ').trim())
}

export const initials = (name: string) =>
  name
    .split(/\s+/)
    .filter(Boolean)
    .map((part) => part.charAt(0).toUpperCase())
    .filter((_, i, all) => i === 0 || i === all.length - 1)
    .join('') || '?'
