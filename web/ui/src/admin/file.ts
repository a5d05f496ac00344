import { LISTS, SHEETS, type Settings } from '../lib/settings'
import { draftOf, type Draft } from './draft'

/** What stands at the head of the file, counted up when an older page would misread it. */
const FORMAT = 1
/** Longest file that is read, in letters. */
const MOST = 1 << 20

/** A county's settings as one file: without a closure, which is no matter of files, and without prompts and logo, whose sound and picture
    stay here. */
export function fileOf(settings: Settings): string {
  const { prompts: _, ...rest } = draftOf(settings)
  delete rest.look.logo
  return JSON.stringify({ ringback_settings: FORMAT, settings: rest }, null, 2) + '\n'
}

/** What is in such a file, over what is in force where it says nothing; null: it is none. What stands in it is checked by the
    server when it is saved; here only that it can be shown. */
export function readFile(text: string, inForce: Settings): Draft | null {
  if (text.length > MOST) return null
  try {
    const file = JSON.parse(text) as { ringback_settings?: unknown; settings?: unknown }
    if (file.ringback_settings !== FORMAT || !isObject(file.settings)) return null
    const known = Object.keys(draftOf(inForce))
    const given = Object.entries(file.settings)
    if (!given.every(([key, value]) => known.includes(key) && fits(key, value))) return null
    const draft = { ...draftOf(inForce), ...(Object.fromEntries(given) as Partial<Draft>) }
    return { ...draft, look: { ...draft.look, logo: draft.look.logo ?? inForce.look.logo } }
  } catch {
    return null
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value)

function fits(key: string, value: unknown): boolean {
  if (key === 'callback' || key === 'chat') return typeof value === 'boolean'
  if ((SHEETS as readonly string[]).includes(key)) return isObject(value)
  const isList = (LISTS as readonly string[]).includes(key) || ['hours', 'call_hours', 'holidays'].includes(key)
  return isList && Array.isArray(value) && value.every(isObject)
}
