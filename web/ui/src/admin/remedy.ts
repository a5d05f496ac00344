import type { Draft } from './draft'
import { at, lists, sheets, type Spec } from './kinds'
import { field, words } from './words.svelte'

/** The largest number that the server reads at all. */
const MOST = 4_294_967_295
/** Priorities are kept in eight bits. */
const BYTE = 255

interface Place {
  section: string
  spec: Spec
  value: unknown
}

/** The field that a fault names: `calls.max_attempts`, `subjects.0.queue`. What is said of a whole is said of its first field. */
function placeOf(what: string, draft: Draft): Place | undefined {
  const [section = '', ...rest] = what.split('.')
  const within = (specs: Spec[], key: string) => specs.find((one) => one.key === key) ?? specs.find((one) => one.key.startsWith(`${key}.`))
  if (section in sheets) {
    const name = section as keyof typeof sheets
    const spec = within(sheets[name], rest.join('.'))
    return spec && { section, spec, value: at(draft[name], spec.key) }
  }
  if (!(section in lists)) return undefined
  const name = section as keyof typeof lists
  const [index = '', ...key] = rest
  const entry = draft[name][Number(index)]
  const spec = within(lists[name].fields, key.join('.')) ?? within(lists[name].fields, lists[name].name)
  return entry && spec && { section, spec, value: at(entry, spec.key) }
}

const isEmpty = (value: unknown) => value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
const isPhone = ({ section, spec }: Place) => spec.key === 'outside' || spec.key === 'public_phone' || (spec.key === 'number' && (section === 'numbers' || section === 'caller_ids'))

function numberTold({ spec }: Place): string {
  const w = words().remedy
  const most = [spec.max, spec.most?.()].filter((one) => one !== undefined)
  const text = spec.kind === 'money' ? w.money : w.number(spec.min ?? 0, most.length ? Math.min(...most) : undefined)
  return spec.optional ? `${text} ${w.orEmpty}` : text
}

function choiceTold({ spec, value }: Place, draft: Draft, hint: string): string {
  if (isEmpty(value)) return words().remedy.choose
  return spec.options?.(draft).some(([option]) => option === String(value)) ? hint : words().remedy.gone
}

/** What to do about a setting that the server did not take, in a sentence or two; empty if there is nothing better to say. */
export function remedy(what: string, draft: Draft): string {
  const w = words().remedy
  const place = placeOf(what, draft)
  if (!place) return ''
  const hint = field(place.section, place.spec.key).hint ?? ''
  switch (place.spec.kind) {
    case 'number':
    case 'money':
      return numberTold(place)
    case 'choice':
    case 'radios':
      return choiceTold(place, draft, hint)
    case 'languages':
    case 'many':
      return isEmpty(place.value) ? w.tick : hint
    case 'colour':
      return w.darker
    case 'targets':
      return w.steps
    case 'keys':
      return w.keys
    default:
      if (isPhone(place)) return place.spec.optional ? `${w.phone} ${w.orEmpty}` : w.phone
      return isEmpty(place.value) ? w.fill : hint
  }
}

/** Whether the server could name the field: what it cannot read at all it cannot name. */
function unnamed(spec: Spec, value: unknown): boolean {
  // Without a language there is none to speak either, and the server names that one.
  if (spec.kind === 'languages') return isEmpty(value)
  if (spec.kind !== 'number' && spec.kind !== 'money') return false
  if (value === null || value === undefined) return !spec.optional
  const most = spec.max === BYTE ? BYTE : MOST
  return typeof value !== 'number' || !Number.isFinite(value) || value < 0 || value > most || (spec.kind === 'number' && !Number.isInteger(value))
}

/** The first field that is empty though it needs something, named as the server names faults; empty if there is none. */
export function unfilled(draft: Draft): string {
  const [day] = draft.holidays.filter(({ date }) => date === '')
  if (day) return 'holidays.'
  for (const [name, specs] of Object.entries(sheets) as [keyof typeof sheets, Spec[]][]) {
    // A part that this server does not have is no part of the draft either.
    const found = specs.find((spec) => Object.keys(draft[name]).length > 0 && unnamed(spec, at(draft[name], spec.key)))
    if (found) return `${name}.${found.key}`
  }
  for (const [name, { fields }] of Object.entries(lists) as [keyof typeof lists, { fields: Spec[] }][]) {
    for (const [index, entry] of draft[name].entries()) {
      const found = fields.find((spec) => unnamed(spec, at(entry, spec.key)))
      if (found) return `${name}.${index}.${found.key}`
    }
  }
  return ''
}

