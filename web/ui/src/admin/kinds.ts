import type { Entry, ListName, SheetName } from '../lib/settings'
import type { Draft } from './draft'
import { tongue } from '../lib/i18n.svelte'
import { bounds } from './bounds.svelte'
import { words, type AdminWords } from './words.svelte'

/** How a value is shown and typed. `lines` are words, one a line; of `many` several are ticked; `radios` are a choice between sentences;
    a `code` is kept as one word and shown as people read it. */
export type Kind = 'text' | 'long' | 'number' | 'check' | 'choice' | 'radios' | 'code' | 'languages' | 'many' | 'money' | 'lines' | 'colour' | 'skill' | 'targets' | 'keys'

export interface Spec {
  /** `a.b`: the value b within a. */
  key: string
  kind: Kind
  /** May be empty, and is null then. */
  optional?: boolean
  /** The order in which they are ticked counts. */
  ordered?: boolean
  /** The heading of what begins here, in `words().heads`. */
  head?: keyof AdminWords['heads']
  /** Begins a row of its own. */
  first?: boolean
  min?: number
  max?: number
  /** Longest text. */
  length?: number
  /** The most that the operator allows; undefined: there is no such bound. */
  most?: () => number | undefined
  options?: (draft: Draft) => [value: string, text: string][]
}

const choices = (of: Record<string, string>): [string, string][] => Object.entries(of)
const named = (entries: Entry[]): [string, string][] => entries.map((entry) => [String(entry.id), String(entry.name)])
const languages = (draft: Draft): [string, string][] => ((draft.look.languages ?? []) as string[]).map((tag) => [tag, languageName(tag)])
const reasons = (draft: Draft): [string, string][] => draft.reason_codes.map(({ id }) => [String(id), spoken(String(id))])

/** In its own language. */
export function languageName(tag: string): string {
  try {
    const name = new Intl.DisplayNames([tag], { type: 'language' }).of(tag) ?? tag
    return name.charAt(0).toLocaleUpperCase(tag) + name.slice(1)
  } catch {
    return tag
  }
}

/** In the page's language. */
function countryName(code: string): string {
  try {
    return new Intl.DisplayNames([tongue.lang], { type: 'region' }).of(code) ?? code
  } catch {
    return code
  }
}

const countries = (): [string, string][] => (bounds.now?.countries ?? []).map((code): [string, string] => [code, countryName(code)]).sort((a, b) => a[1].localeCompare(b[1]))
/** Those that may be called over, and those that were chosen when they still might. */
const trunks = (draft: Draft): [string, string][] => [...new Set([...(bounds.now?.trunks ?? []), ...((draft.calls.trunks ?? []) as string[])])].map((id) => [id, id])

const allowed = (what: 'calls_per_day' | 'minutes_per_day' | 'requests_per_address' | 'requests_per_network' | 'requests_in_all', min: number): Spec => ({
  key: what,
  kind: 'number',
  min,
  most: () => bounds.now?.[what],
})

/** A code as people read it: `fire_drill` is Fire drill. */
export const spoken = (id: string): string => (id === 'rona' ? 'RONA' : id.charAt(0).toUpperCase() + id.slice(1).replaceAll(/[_-]+/g, ' '))

const seconds = (key: string, min = 0, max = 86_400): Spec => ({ key, kind: 'number', min, max })
const language: Spec = { key: 'language', kind: 'choice', optional: true, options: languages }
const after = (what: 'no_answer' | 'reject' | 'media_error'): Spec[] => [
  { key: `${what}.reason`, kind: 'choice', optional: true, options: reasons, first: true, head: what },
  { ...seconds(`${what}.return_seconds`), optional: true },
  seconds(`${what}.cool_off_seconds`),
  { key: `${what}.priority`, kind: 'number', min: 0, max: 255, optional: true },
]

/** The lists: what an entry holds, what a new one begins with, and the field that names it. */
export const lists: Record<ListName, { fields: Spec[]; fresh: (draft: Draft) => Entry; name: string; id?: 'name' | 'id' }> = {
  queues: { name: 'name', id: 'name', fresh: () => ({ id: '', name: '' }), fields: [{ key: 'name', kind: 'text', length: 100 }] },
  subjects: {
    name: 'name',
    id: 'name',
    fresh: () => ({ id: '', name: '', queue: '', targets: [], initial: 5, overflow: 4, rona: 3, outside: null, outside_seconds: 60 }),
    fields: [
      { key: 'name', kind: 'text', length: 100 },
      { key: 'queue', kind: 'choice', options: (draft) => named(draft.queues) },
      { key: 'targets', kind: 'targets' },
      { key: 'initial', kind: 'number', min: 0, max: 255 },
      { key: 'overflow', kind: 'number', min: 0, max: 255 },
      { key: 'rona', kind: 'number', min: 0, max: 255 },
      { key: 'outside', kind: 'text', optional: true, first: true, length: 16 },
      seconds('outside_seconds', 1),
    ],
  },
  language_skills: {
    name: 'language',
    fresh: () => ({ language: '', skill: '', level: 1 }),
    fields: [
      { key: 'language', kind: 'choice', options: languages },
      { key: 'skill', kind: 'skill' },
      { key: 'level', kind: 'number', min: 1, max: 10 },
    ],
  },
  reason_codes: { name: 'id', id: 'id', fresh: () => ({ id: '' }), fields: [{ key: 'id', kind: 'code', length: 40 }] },
  dispositions: { name: 'name', id: 'name', fresh: () => ({ id: '', name: '', retired: false }), fields: [{ key: 'name', kind: 'text', length: 100 }, { key: 'retired', kind: 'check' }] },
  canned: {
    name: 'word',
    fresh: () => ({ word: '', text: '', language: null }),
    fields: [{ key: 'word', kind: 'text', length: 40 }, { key: 'text', kind: 'long' }, language],
  },
  faq: {
    name: 'question',
    fresh: () => ({ question: '', answer: '', public: false, language: null }),
    fields: [{ key: 'question', kind: 'text', length: 300 }, { key: 'answer', kind: 'long' }, { key: 'public', kind: 'check' }, language],
  },
  queue_rules: {
    name: 'queue',
    // It begins with what holds for all.
    fresh: ({ offers }) => JSON.parse(JSON.stringify({ queue: '', offer_seconds: offers.offer_seconds, wrap_up_seconds: offers.wrap_up_seconds, disposition: null, entry_mode: null, auth: null, no_answer: offers.no_answer, reject: offers.reject, media_error: offers.media_error })) as Entry,
    fields: [
      { key: 'queue', kind: 'choice', options: (draft) => named(draft.queues) },
      seconds('offer_seconds', 1, 600),
      seconds('wrap_up_seconds'),
      { key: 'disposition', kind: 'choice', optional: true, options: () => choices(words().choices.disposition), first: true },
      { key: 'entry_mode', kind: 'choice', optional: true, options: () => choices(words().choices.entry_mode) },
      { key: 'auth', kind: 'choice', optional: true, options: () => choices(words().choices.auth) },
      ...after('no_answer'),
      ...after('reject'),
      ...after('media_error'),
    ],
  },
  portal_keys: {
    name: 'name',
    fresh: () => ({ name: '', key: null, address: null }),
    fields: [
      { key: 'name', kind: 'text', length: 100 },
      { key: 'address', kind: 'text', optional: true, length: 500 },
      { key: 'key', kind: 'long', optional: true },
    ],
  },
  numbers: {
    name: 'number',
    fresh: (draft) => ({ number: '', subject: String(draft.subjects[0]?.id ?? ''), language: null, pool: false, code_digits: null, keys: [] }),
    fields: [
      { key: 'number', kind: 'text', length: 16 },
      { key: 'subject', kind: 'choice', options: (draft) => named(draft.subjects) },
      language,
      { key: 'keys', kind: 'keys' },
      { key: 'pool', kind: 'check' },
      { key: 'code_digits', kind: 'number', min: 4, max: 8, optional: true },
    ],
  },
  caller_ids: {
    name: 'number',
    fresh: () => ({ number: '', name: '' }),
    fields: [{ key: 'number', kind: 'text', length: 16 }, { key: 'name', kind: 'text', length: 100 }],
  },
  prompts: { name: 'id', fresh: () => ({ id: '', sound: '', file: '' }), fields: [{ key: 'file', kind: 'text', length: 100 }] },
}

/** What comes once. */
export const sheets: Record<SheetName, Spec[]> = {
  look: [
    { key: 'name', kind: 'text', length: 100 },
    { key: 'accent', kind: 'colour' },
    { key: 'languages', kind: 'languages' },
    { key: 'language', kind: 'choice', options: languages },
    { key: 'public_phone', kind: 'text', optional: true, length: 20 },
  ],
  portal: [
    { key: 'auth', kind: 'choice', options: () => choices(words().choices.auth) },
    { key: 'origins', kind: 'lines' },
  ],
  dialling: [
    { key: 'countries', kind: 'many', options: countries, head: 'whom' },
    { key: 'kinds', kind: 'many', options: () => choices(words().choices.kinds).filter(([kind]) => bounds.now?.kinds.includes(kind)) },
    { key: 'home', kind: 'choice', options: countries },
    { key: 'agents_call_out', kind: 'check' },
    { ...allowed('calls_per_day', 0), first: true, head: 'day' },
    allowed('minutes_per_day', 0),
    { key: 'cost_per_minute', kind: 'money', first: true },
    { key: 'spend_per_day', kind: 'money', most: () => bounds.now?.spend_per_day || undefined },
    { ...allowed('requests_per_address', 1), first: true, head: 'requests' },
    allowed('requests_per_network', 1),
    allowed('requests_in_all', 1),
  ],
  forms: ['name_required', 'chat_phone_required', 'chat_question_required'].map((key) => ({ key, kind: 'check' })),
  calls: [
    { key: 'max_attempts', kind: 'number', min: 1, max: 50, head: 'tries' },
    seconds('busy_spacing_seconds'),
    seconds('no_answer_spacing_seconds'),
    seconds('failed_spacing_seconds'),
    seconds('ring_seconds', 1, 600),
    { key: 'customer_first', kind: 'check', head: 'connecting' },
    { key: 'press_one', kind: 'check' },
    seconds('press_one_seconds', 1, 120),
    { key: 'longest_wait_minutes', kind: 'number', min: 1, max: 1440, optional: true, head: 'long_wait' },
    { key: 'check_at', kind: 'choice', options: () => choices(words().choices.check_at) },
    { key: 'over_longest_wait', kind: 'choice', options: () => choices(words().choices.over_longest_wait) },
    { key: 'slot_minutes', kind: 'choice', optional: true, head: 'times', options: () => [5, 10, 15, 20, 30, 60].map((n) => [String(n), String(n)]) },
    { key: 'slot_capacity', kind: 'number', min: 1, max: 1000 },
    { key: 'slot_lead_minutes', kind: 'number', min: 0, max: 1440 },
    { key: 'slot_days_ahead', kind: 'number', min: 1, max: 60 },
    { key: 'trunks', kind: 'many', head: 'line', ordered: true, options: trunks },
    { key: 'caller_id', kind: 'choice', optional: true, options: (draft) => draft.caller_ids.map(({ number, name }) => [String(number), `${String(name)} (${String(number)})`]) },
  ],
  chats: [
    seconds('reconnect_grace_seconds'),
    seconds('longest_wait_seconds', 1),
    seconds('idle_seconds', 120),
    seconds('offer_callback_seconds'),
    { key: 'log_opens', kind: 'choice', options: () => choices(words().choices.log_opens) },
    { key: 'agent_chars', kind: 'number', min: 1, max: 10_000 },
    { key: 'customer_chars', kind: 'number', min: 1, max: 10_000 },
  ],
  offers: [
    { ...seconds('offer_seconds', 1, 600), head: 'offer' },
    seconds('wrap_up_seconds'),
    { key: 'disposition', kind: 'choice', options: () => choices(words().choices.disposition) },
    seconds('reconnect_grace_seconds', 0, 600),
    { key: 'can_reject', kind: 'check' },
    { key: 'voice_exclusive', kind: 'check', head: 'order' },
    seconds('ageing_seconds'),
    { key: 'sticky', kind: 'check' },
    seconds('sticky_seconds'),
    ...after('no_answer'),
    ...after('reject'),
    ...after('media_error'),
  ],
  closing: (['hours', 'holiday', 'closure'] as const).map((key) => ({ key, kind: 'radios', options: () => choices(words().choices.closing) })),
  inbound: [
    seconds('announce_seconds', 0, 3600),
    { key: 'offer_callback', kind: 'check' },
    seconds('short_abandon_seconds', 0, 600),
    seconds('menu_seconds', 1, 120),
    { key: 'menu_tries', kind: 'number', min: 1, max: 20 },
    seconds('code_seconds', 1, 120),
    { key: 'code_tries', kind: 'number', min: 1, max: 20 },
    seconds('lend_seconds', 10),
  ],
  retention: ['recordings_days', 'transcripts_days', 'personal_days', 'directory_days'].map((key) => ({ key, kind: 'number', min: 1, max: 36_500, optional: true })),
}

/** The value at a key like `no_answer.reason`. */
export const at = (of: Entry, key: string): unknown =>
  key.split('.').reduce<unknown>((value, part) => (value as Entry | undefined)?.[part], of)

export function put(of: Entry, key: string, value: unknown): void {
  const parts = key.split('.')
  const last = parts.pop() ?? key
  const place = parts.reduce<Entry>((value, part) => value[part] as Entry, of)
  // A choice of numbers is typed as text.
  place[last] = last === 'slot_minutes' && value !== null ? Number(value) : value
}

/** An id of a name that is like no other of the list: `Food help` is food-help. */
export function idOf(name: string, taken: string[], joint = '-'): string {
  const plain = name.normalize('NFD').replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').trim().toLowerCase()
  const base = plain.replaceAll(/[\s_-]+/g, joint).slice(0, 36) || 'entry'
  let id = base
  for (let n = 2; taken.includes(id); n++) id = `${base}${joint}${n}`
  return id
}

/** Every skill that is named anywhere, for typing the same one again. */
export function knownSkills(draft: Draft): string[] {
  const asked = draft.subjects.flatMap((subject) => ((subject.targets ?? []) as { skills: object }[]).flatMap(({ skills }) => Object.keys(skills)))
  return [...new Set([...asked, ...draft.language_skills.map(({ skill }) => String(skill))])].filter(Boolean).sort()
}
