import type { AttemptResult, Outcome, Presence } from './api'
import { readable } from './format'
import { tongue } from './i18n.svelte'
import { en } from './i18n/staff/en'
import { es } from './i18n/staff/es'
import type { Wide } from './i18n/wide'

type Tone = '' | 'good' | 'warn' | 'danger' | 'info'

/** What several staff pages say, in the page's language; read where it is drawn, so that choosing another redraws it. */
export const staffWords = (): Wide<typeof en> => (tongue.lang === 'es' ? es : en)

/** The entry of a table of texts by what the server calls it, if there is one. */
export const textOf = (texts: Record<string, string>, key: string): string | undefined => (Object.hasOwn(texts, key) ? texts[key] : undefined)

const PRESENCE: Record<Presence, Tone> = {
  offline: '',
  not_ready: 'warn',
  unreachable: 'danger',
  ready: 'good',
  offered: 'info',
  busy: 'info',
  wrap_up: 'warn',
  draining: 'warn',
}
const OUTCOMES: Record<Outcome, Tone> = { successful: 'good', unsuccessful: 'warn', cancelled: '', abandoned: 'warn' }

export const presenceOf = (presence: Presence): { text: string; tone: Tone } => ({ text: staffWords().presence[presence], tone: PRESENCE[presence] })
export const outcomeOf = (outcome: Outcome): { text: string; tone: Tone } => ({ text: staffWords().outcomes[outcome], tone: OUTCOMES[outcome] })
export const resultWords = (result: AttemptResult): string => staffWords().results[result]

/** How the tables of texts know a reason: "On break" → "on_break". */
export const reasonKey = (reason: string) => reason.toLowerCase().replace(/[\s-]+/g, '_')

/** The system's own reasons in words; those of a tenant as the tenant wrote them. */
export const reasonWords = (reason: string | null): string => (reason === null ? '' : (textOf(staffWords().reasons, reasonKey(reason)) ?? readable(reason)))

export const languageOf = (tag: string): string => textOf(staffWords().languages, tag.slice(0, 2).toLowerCase()) ?? tag
