/** A day at a demo county, as the server would tell it. Every function takes `now` in milliseconds. */

export const tenant = {
  id: 'sacramento',
  name: 'Sacramento County',
  phone: '+19165550199',
  phone_display: '(916) 555-0199',
  languages: ['en', 'es'],
  accent: '#1d4ed8',
  timezone: 'America/Los_Angeles',
  forms: { name_required: true, chat_phone_required: true, chat_question_required: false },
}
export const staffTenant = {
  ...tenant,
  reason_codes: ['admin_work', 'lunch', 'meeting', 'pause', 'RONA', 'training'],
  dispositions: [
    { id: 'resolved', name: 'Resolved' },
    { id: 'follow_up', name: 'Follow up' },
    { id: 'documents', name: 'Documents requested' },
    { id: 'wrong_number', name: 'Wrong number' },
    { id: 'transferred_office', name: 'Sent to the office' },
  ],
  disposition_mode: 'required',
  subjects: [
    { id: 'medi_cal', name: 'Medi-Cal', queue: 'benefits' },
    { id: 'calfresh', name: 'CalFresh', queue: 'benefits' },
    { id: 'calworks', name: 'CalWORKs', queue: 'benefits' },
  ],
  queues: [
    { id: 'benefits', name: 'Benefits' },
    { id: 'general', name: 'General' },
  ],
  limits: { note_chars: 2000 },
  chat: {
    message_chars: 5000,
    log_opens: 'never',
    canned: [
      { word: 'hello', text: 'Hello {name}, this is {agent} of {county}. How can I help you?', language: 'en' },
      { word: 'income', text: 'For your renewal we need one proof of income, for example your last two pay stubs.', language: 'en' },
      { word: 'hola', text: 'Hola {name}, soy {agent}. ¿En qué le puedo ayudar?', language: 'es' },
    ],
    faq: [
      { question: 'What counts as proof of income?', answer: 'Pay stubs of the last 30 days, or a letter of your employer.', language: null },
      { question: 'How long does a renewal take?', answer: 'Most renewals are done within 10 working days.', language: null },
    ],
  },
}
const week = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri']
export const hours = [
  ...week.map((day) => ({ day, from: '08:00', to: day === 'Fri' ? '12:00' : '17:00' })),
  { day: 'Fri', from: '13:00', to: '16:00' },
]
export const subjects = staffTenant.subjects.map(({ id, name }) => ({ id, name }))

const HOUR = 3_600_000
const MIN = 60_000

const waits = (gate) => subjects.map(({ id, name }) => ({ id, name, ewt: gate?.expected ?? null, ewt_p90: null, gate }))

/** Quarters of an hour of tomorrow's morning. */
export const slots = (now) => Array.from({ length: 12 }, (_, i) => ({ at: Math.ceil(now / (15 * MIN)) * 15 * MIN + 20 * HOUR + i * 15 * MIN, free: 3 }))

export const availability = {
  open: (now) => ({ enabled: true, open: true, closed: null, next_open: null, closes_at: now + 3 * HOUR, waiting: 6, ewt: 4.2 * MIN, ewt_p90: 8.6 * MIN, subjects: waits(null) }),
  long: (now) => ({ ...availability.open(now), subjects: waits({ limit: 10 * MIN, expected: 24 * MIN, then: 'notify' }) }),
  slow: (now) => ({ ...availability.open(now), subjects: waits({ limit: 10 * MIN, expected: 24 * MIN, then: 'disable' }) }),
  planned: (now) => ({ ...availability.open(now), subjects: waits({ limit: 10 * MIN, expected: 24 * MIN, then: 'schedule' }) }),
  quiet: (now) => ({ enabled: true, open: true, closed: null, next_open: null, closes_at: now + 3 * HOUR, waiting: 0, ewt: null, ewt_p90: null, subjects: waits(null) }),
  hours: (now) => ({ enabled: true, open: false, closed: { closed: 'hours' }, next_open: now + 15 * HOUR, closes_at: null, waiting: 0, ewt: null, ewt_p90: null, subjects: waits(null) }),
  holiday: (now) => ({ ...availability.hours(now), closed: { closed: 'holiday', name: 'Thanksgiving Day' }, next_open: now + 40 * HOUR }),
  closure: (now) => ({
    ...availability.hours(now),
    closed: { closed: 'closure', message: 'Our office is closed because of a power cut. For urgent help call 211.' },
    next_open: null,
  }),
  off: (now) => ({ ...availability.open(now), enabled: false, open: false }),
}

export const status = {
  waiting: (now) => page(now, 'waiting', { position: 3, ewt_ms: 4.2 * MIN, ewt_p90_ms: 8.6 * MIN }),
  next: (now) => page(now, 'waiting', { position: 1, ewt_ms: null }),
  scheduled: (now) => page(now, 'scheduled', { due: now + 15 * HOUR }),
  planned: (now) => page(now, 'scheduled', { due: now + 15 * HOUR, why: { why: 'chosen_time' } }),
  turnedAway: (now) =>
    page(now, 'unsuccessful', {
      why: { why: 'closed', closed: { closed: 'closure', message: 'A pipe burst. For urgent help call 211.' }, next_open: null },
      outcome: 'unsuccessful',
      can_cancel: false,
      can_change: false,
      can_plan: false,
    }),
  agent_found: (now) => page(now, 'agent_found'),
  calling: (now) => page(now, 'calling', { attempts: 1 }),
  ringing: (now) => page(now, 'ringing', { attempts: 1, can_change: false, can_plan: false }),
  talking: (now) => page(now, 'talking', { attempts: 1, can_cancel: false, can_change: false, can_plan: false }),
  retrying: (now) => page(now, 'retrying', { attempts: 1, due: now + 4 * MIN, timeline: [{ at: now - MIN, what: 'attempt_busy' }] }),
  successful: (now) => page(now, 'successful', { attempts: 1, can_cancel: false, can_change: false, can_plan: false, outcome: 'successful' }),
  unsuccessful: (now) => page(now, 'unsuccessful', { attempts: 3, can_cancel: false, can_change: false, can_plan: false, outcome: 'unsuccessful' }),
  cancelled: (now) => page(now, 'cancelled', { can_cancel: false, can_change: false, can_plan: false, outcome: 'cancelled' }),
}
const page = (now, stage, extra = {}) => ({
  tenant,
  stage,
  position: null,
  ewt_ms: null,
  ewt_p90_ms: null,
  number_display: '(•••) •••-0119',
  name: 'Lee Okafor',
  requested_at: now - 6 * MIN,
  due: null,
  attempts: 0,
  max_attempts: 3,
  outcome: null,
  why: { why: 'just_requested' },
  can_cancel: true,
  can_change: true,
  can_plan: true,
  timeline: [{ at: now - 6 * MIN, what: 'requested' }],
  ...extra,
})

let serial = 0
const id = (prefix) => `${prefix}_${String(++serial).padStart(26, '0')}`

export function contact(now, { name = 'Dana Whitfield', number = '+19165550187', subject = 'medi_cal', waited = 151_000, state, extra = {} } = {}) {
  const offered = now - (extra.ago ?? 6000)
  return {
    id: id('ct'),
    channel: 'callback',
    state: { state: 'active', since: offered },
    customer: {
      name,
      number,
      number_key: 'k',
      customer_id: '1B47X02',
      verified: true,
      language: extra.language ?? 'en',
      page: 'Renewals → Status',
      context: { just_before: 'Opened “Why pending?” twice', ...(extra.context ?? {}) },
    },
    queue: 'benefits',
    subject,
    priority: 5,
    requested_at: offered - waited,
    status_token_digest: null,
    segments: [
      {
        id: id('sg'),
        offer: id('of'),
        agent: 'maria',
        endpoint: { kind: 'browser', session: 's' },
        state,
        why: { why: 'longest_idle', idle: 370_000, considered: 4 },
        offered_at: offered,
        accepted_at: null,
        connected_at: state.state === 'wrap_up' ? now - 142_000 : state.state === 'connected' ? state.since : null,
        ended_at: state.state === 'wrap_up' ? now - 20_000 : null,
        done_at: null,
        leg: null,
        on_hold: extra.on_hold ?? false,
        dispositions: [],
        note: null,
        position_when_offered: 1,
        ewt_when_offered: null,
      },
    ],
    attempts: extra.attempts ?? [],
    cool_off: {},
    position_when_requested: 3,
    ewt_when_requested: null,
    first_wait: null,
    config_version: 1,
    reason: { why: 'just_requested' },
    closed_at: null,
  }
}

export const attempt = (now, segment, part = {}) => ({
  id: id('at'),
  ordinal: 1,
  leg: 'lg',
  trunk: 'carrier',
  segment,
  state: { state: 'dialling' },
  dialled_at: now - 4000,
  ringing_at: null,
  answered_at: null,
  bridged_at: null,
  ended_at: null,
  announcement: null,
  position_when_dialled: 1,
  ewt_when_dialled: null,
  ...part,
})

export const agentView = (now, part = {}) => ({
  id: 'maria',
  name: 'Maria Ruiz',
  presence: 'not_ready',
  since: now - 760_000,
  reason: 'lunch',
  next: null,
  auto_return_at: null,
  session: null,
  health: { tab: true, microphone: false, media: false },
  can_reject: true,
  contacts: [],
  ...part,
})

const people = ['Maria Ruiz', 'Jonas Weber', 'Aisha Khan', 'Tom Okada', 'Lena Petrova', 'Carlos Mendez', 'Grace Lin', 'Peter Novak']
const states = ['busy', 'ready', 'ready', 'wrap_up', 'not_ready', 'unreachable', 'busy', 'offline']
const waiters = [
  ['Lee Okafor', '•••0119', 'calworks', 451, { why: 'offered_to', agent: 'a0' }],
  ['Kwame Osei', '•••0160', 'medi_cal', 362, { why: 'no_agent_ready', signed_in: 7 }],
  ['Ana Prado', '•••0133', 'calfresh', 168, { why: 'agent_no_answer', agent: 'a4' }],
  ['Bartholomew Featherstonehaugh-Montgomery', '•••0102', 'calfresh', 121, { why: 'attempt_failed', result: 'busy', attempts: 1 }],
  ['Ines Duarte', '•••0145', 'medi_cal', 44, { why: 'no_free_channel' }],
  ['Sam Lee', '•••0171', 'medi_cal', 5, { why: 'just_requested' }],
]

export const board = (now, { many = false, empty = false, closure = false } = {}) => ({
  at: now,
  availability: closure ? availability.closure(now) : availability.open(now),
  queues: [
    { id: 'benefits', name: 'Benefits', waiting: empty ? 0 : 6, scheduled: empty ? 0 : 1, active: 4, longest_wait: empty ? null : 702_000 },
    { id: 'general', name: 'General', waiting: 0, scheduled: 0, active: 0, longest_wait: null },
  ],
  agents: people.map((name, i) => ({
    id: `a${i}`,
    name,
    presence: states[i],
    since: now - (i + 1) * 97_000,
    reason: states[i] === 'not_ready' ? 'RONA' : null,
    contacts: [],
  })),
  waiting: empty
    ? []
    : Array.from({ length: many ? 60 : waiters.length }, (_, i) => {
        const [name, number, subject, waited, why] = waiters[i % waiters.length]
        return {
          id: `ct_${i}`,
          channel: 'callback',
          state: why.why === 'attempt_failed' ? { state: 'scheduled', due: now + 94_000 } : { state: 'queued', since: now },
          name,
          number,
          queue: 'benefits',
          subject,
          requested_at: now - waited * 1000,
          position: i + 1,
          attempts: 0,
          why,
        }
      }),
  waiting_total: empty ? 0 : many ? 214 : 6,
})

export const recordings = (now) =>
  Array.from({ length: 14 }, (_, i) => ({
    contact: `ct_rec${i}`,
    started_at: now - i * 5_400_000 - 900_000,
    duration_ms: 362_000 - i * 17_000,
    customer_name: waiters[i % waiters.length][0],
    number_display: waiters[i % waiters.length][1],
    agent: `a${i % 4}`,
    agent_name: people[i % 4],
    queue: 'benefits',
    subject: waiters[i % waiters.length][2],
    outcome: i % 5 === 4 ? 'unsuccessful' : 'successful',
    dispositions: i % 3 === 0 ? ['documents'] : [],
    legs: [
      { recording: `rc_c${i}`, party: 'customer', agent: null, offset_ms: 0, duration_ms: 300_000, chain: '00' },
      { recording: `rc_a${i}`, party: 'agent', agent: `a${i % 4}`, offset_ms: 4000, duration_ms: 300_000, chain: '00' },
    ],
  }))

export function peaks(buckets) {
  const lane = (phase) =>
    Array.from({ length: buckets }, (_, x) => {
      const on = Math.sin(x / 33 + phase) > -0.1 ? 1 : 0.04
      const swing = on * (0.12 + (0.6 * Math.abs(Math.sin(x * 1.7 + phase) + Math.sin(x * 0.63))) / 2)
      return [-swing, swing]
    })
  return {
    duration_ms: 362_000,
    left: lane(0),
    right: lane(2),
    marks: [
      { name: 'announcement', begin_ms: 4000, end_ms: 11_000, leg: 'rc_c0' },
      { name: 'hold', begin_ms: 160_000, end_ms: 185_000, leg: 'rc_c0' },
    ],
  }
}

export const audit = (now) =>
  Array.from({ length: 18 }, (_, i) => ({
    at: now - i * 731_000,
    who: i % 3 ? 'sam' : 'maria',
    what: ['recording_listened', 'recording_downloaded', 'signed_in', 'callback_cancelled', 'closure_declared'][i % 5],
    target: i % 5 === 2 ? null : `ct_0${i}hx3k8m2p4q6r8s0t2v4w6x`,
    detail: i % 5 === 4 ? { message: 'Power cut', until: null } : {},
  }))

export const portal = {
  tenants: [
    { id: 'sacramento', name: 'Sacramento County', enabled: true, call_me_url: '/t/sacramento/call-me', embed: { tenant: 'sacramento', token: 'e30.eyJuYW1lIjoiRGFuYSBXaGl0ZmllbGQifQ.x' } },
    { id: 'alpine', name: 'Alpine County', enabled: false, call_me_url: '/t/alpine/call-me', embed: null },
  ],
  users: [
    { id: 'maria', password: 'demo', role: 'agent' },
    { id: 'agent2', password: 'demo', role: 'agent' },
    { id: 'sam', password: 'demo', role: 'supervisor' },
  ],
  numbers: [
    { number: '+19165550100', what: 'speaks, then echoes' },
    { number: '+19165550101', what: 'busy' },
    { number: '+19165550102', what: 'does not answer' },
    { number: '+19165550103', what: 'rejects' },
    { number: '+19165550104', what: 'answers after 15 seconds' },
  ],
}

const line = (now, seq, from, ago, body) => ({ seq, from, agent: from === 'customer' ? null : 'maria', client_id: `l${seq}`, at: now - ago, body })

export const chatLines = (now) => [
  line(now, 1, 'customer', 5 * MIN, 'Hi! I got a letter that my Medi-Cal renewal is due. Where do I send my proof of income?'),
  line(now, 2, 'agent', 4 * MIN, 'Hello Dana, this is Maria of Sacramento County. I have your case in front of me.'),
  line(now, 3, 'agent', 3.6 * MIN, 'You can upload it here: https://benefits.example.gov/documents\nTwo pay stubs of the last 30 days are enough.'),
  line(now, 4, 'customer', 2 * MIN, 'Great, thank you. I only have one from last month, the other one is a photo. Is that okay? averyveryverylongwordwithoutanyspacestoseewhetheritbreaks'),
  line(now, 5, 'agent', 1.5 * MIN, 'A photo is fine as long as everything can be read.'),
]

/** A chat as its customer's page is told it. */
export const chat = {
  waiting: (now) => news(now, { stage: 'waiting', position: 3, ewt_ms: 7.4 * MIN }, 1),
  passed_on: (now) => news(now, { stage: 'waiting', position: 1, passed_on: true }, 5),
  talking: (now) => news(now, { stage: 'talking', agent: 'Maria' }, 5),
  ended: (now) => news(now, { stage: 'ended', ended_by: 'agent' }, 5),
}

function news(now, status, count) {
  const messages = chatLines(now).slice(0, count).map((it) => ({ ...it, agent: it.agent && 'Maria' }))
  return {
    status: { stage: 'waiting', position: null, ewt_ms: null, ewt_p90_ms: null, agent: null, passed_on: false, ended_by: null, requested_at: now - 6 * MIN, ...status },
    messages,
    upto: count,
    delivered: count,
    seen: count,
    agent_typing: 0,
    tag: String(count),
  }
}

export const history = (now) => [
  { contact: 'ct_h1', channel: 'chat', requested_at: now - 3 * 24 * HOUR, subject: 'medi_cal', outcome: 'successful', agents: ['Ben Carter'], dispositions: ['follow_up'], notes: ['Will send pay stubs by Friday.'] },
  { contact: 'ct_h2', channel: 'callback', requested_at: now - 20 * 24 * HOUR, subject: 'calfresh', outcome: 'successful', agents: ['Maria Ruiz'], dispositions: ['resolved'], notes: [] },
]

export const customer = (now) => ({
  id: 'cu_1',
  name: 'Dana Whitfield',
  numbers: [{ number: '+19165550119', display: '(916) 555-0119' }, { number: '+19165550120', display: '(916) 555-0120' }],
  external_ids: ['C-4711'],
  notes: 'Hard of hearing: write rather than call.\nHer sister Ana may speak for her.',
  version: 3,
  changed_at: now - 24 * HOUR,
  cases: [
    { contact: 'ct_h1', state: 'saved', title: 'Renewal of Medi-Cal: papers are missing', body: 'Pay stubs of October and November.', opened_at: now - 3 * 24 * HOUR, opened_by: 'Ben Carter' },
    { contact: 'ct_h3', state: 'draft', title: 'CalFresh', body: '', opened_at: now - 9 * 24 * HOUR, opened_by: 'Maria Ruiz' },
  ],
})
export const directory = (now, known, opened) => {
  const of = known ? customer(now) : null
  const filed = { contact: 'ct_now', customer: 'cu_1', customer_name: 'Dana Whitfield', state: 'saved', title: 'Renewal of Medi-Cal', body: '', version: 1, opened_at: now - 20_000, opened_by: 'Maria Ruiz', changed_at: now - 20_000 }
  return { customer: of, case: known && opened ? filed : null }
}
export const found = [
  { id: 'cu_1', name: 'Dana Whitfield', numbers: ['(916) 555-0119', '(916) 555-0120'], external_ids: ['C-4711'] },
  { id: 'cu_2', name: 'Daniela de los Ángeles Whitfield-Montenegro', numbers: ['(916) 555-0177'], external_ids: [] },
]
export const drafts = (now) => [{ contact: 'ct_h3', title: 'CalFresh', customer_name: 'Lee Okafor', changed_at: now - 2 * HOUR }]
export const chatsFound = (now) =>
  ['Dana Whitfield', 'Lee Okafor', 'Daniela de los Ángeles Whitfield-Montenegro'].map((customer_name, n) => ({
    contact: `ct_c${n}`,
    requested_at: now - (n * 7 + 1) * HOUR,
    customer_name,
    number_display: '(•••) •••-0119',
    agents: n === 2 ? [] : ['Maria Ruiz', 'Ben Carter'].slice(n),
    queue: 'benefits',
    subject: 'medi_cal',
    channel: n === 1 ? 'callback' : 'chat',
    outcome: [null, 'successful', 'abandoned'][n],
    dispositions: n === 1 ? ['follow_up'] : [],
    messages: [6, 14, 1][n],
  }))
