import { tongue } from '../lib/i18n.svelte'
import { en } from './words/en'
import { es } from './words/es'

/** The English words with their literal texts widened. */
type Wide<T> = {
  [K in keyof T]: T[K] extends string ? string : T[K] extends (...args: infer A) => string ? (...args: A) => string : T[K] extends [unknown, ...unknown[]] ? T[K] : Wide<T[K]>
}
export type AdminWords = Wide<typeof en>

const catalogue: Record<string, AdminWords> = { en, es }

/** The words in the page's language; read where they are drawn, so that choosing another redraws them. */
export const words = (): AdminWords => catalogue[tongue.lang] ?? en

export type SectionName = keyof AdminWords['sections']

/** A field's label and hint. */
export function field(section: string, key: string): { label: string; hint?: string } {
  const fields = words().fields as Record<string, Record<string, [string, string?]>>
  const [label, hint] = fields[section]?.[key] ?? [key]
  return { label, hint }
}
