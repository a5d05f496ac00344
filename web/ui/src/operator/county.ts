/** What the operator's page says and hears. */

export interface CountyItem {
  id: string
  name: string
  timezone: string
  callback: boolean
  chat: boolean
  missing: string[]
}

export interface Line {
  id: string
  up: boolean
}

export interface PersonForm {
  name: string
  id: string
  password: string
}

/** What is typed at the start. */
export interface StartForm {
  name: string
  id: string
  zone: string
  allDay: boolean
  opens: string
  closes: string
  queue: string
  callback: boolean
  chat: boolean
  own: boolean
  lines: string[]
  trunk: { id: string; host: string; port: number | null; transport: string; channels: number; caller_id: string; username: string; password: string }
  admin: PersonForm
  agent: PersonForm
}

const nobody = (): PersonForm => ({ name: '', id: '', password: '' })

export const freshStart = (lines: Line[]): StartForm => ({
  name: '',
  id: '',
  zone: 'America/Los_Angeles',
  allDay: false,
  opens: '08:00',
  closes: '17:00',
  queue: '',
  callback: true,
  chat: false,
  own: lines.length === 0,
  lines: lines.slice(0, 1).map(({ id }) => id),
  trunk: { id: '', host: '', port: 5060, transport: 'udp', channels: 10, caller_id: '', username: '', password: '' },
  admin: nobody(),
  agent: nobody(),
})

const ALL = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

const CALLS = {
  max_attempts: 3,
  busy_spacing_seconds: 300,
  no_answer_spacing_seconds: 900,
  failed_spacing_seconds: 300,
  ring_seconds: 40,
  customer_first: false,
  press_one: false,
  press_one_seconds: 10,
  check_at: 'submit',
  over_longest_wait: 'notify',
  slot_capacity: 4,
  slot_lead_minutes: 30,
  slot_days_ahead: 7,
}

/** As it is sent: everything in one piece, so that it is there as a whole or not at all. */
export function founding(form: StartForm): object {
  const days = form.allDay ? ALL.map((day) => ({ day, from: '00:00', to: '24:00' })) : ALL.slice(0, 5).map((day) => ({ day, from: form.opens, to: form.closes }))
  const queue = { id: slug(form.queue), name: form.queue.trim() }
  const person = (role: string, { name, id, password }: PersonForm) => ({ role, name, id: id.trim(), password })
  const { username, password, ...trunk } = form.trunk
  const own = { trunk: { ...trunk, id: trunk.id.trim(), username: username || null }, password: password || null }
  return {
    id: form.id,
    name: form.name,
    timezone: form.zone,
    settings: {
      callback: form.callback,
      chat: form.chat,
      hours: days,
      holidays: [],
      queues: [queue],
      subjects: [{ ...queue, queue: queue.id, targets: [], initial: 5, overflow: 4, rona: 3 }],
      calls: { ...CALLS, trunks: form.own ? [own.trunk.id] : form.lines },
    },
    trunk: form.own ? own : null,
    people: [person('admin', form.admin), person('agent', form.agent)],
  }
}

/** `Nevada County` is nevada-county. */
export const slug = (name: string): string =>
  name.normalize('NFD').replaceAll(/[^\p{ASCII}]/gu, '').toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, '').slice(0, 40)

/** Every zone the browser knows. */
export const zones = (): string[] => Intl.supportedValuesOf('timeZone')
