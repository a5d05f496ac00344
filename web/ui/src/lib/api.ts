/** The server's JSON as it comes over the wire: snake_case, times in milliseconds since 1970 UTC, spans in milliseconds. */

export type Timestamp = number
export type Millis = number
export type Language = 'en' | 'es'
export type * from './account'
export type * from './chat'
export type * from './directory'
export type * from './board'
export type * from './trunks'

export interface Tenant {
  id: string
  name: string
  phone: string | null
  phone_display: string | null
  languages: string[]
  accent: string
  timezone: string
  /** Path of the picture that stands for the name. */
  logo: string | null
  /** What must be filled in. */
  forms: { name_required: boolean; chat_phone_required: boolean; chat_question_required: boolean }
}

export interface StaffTenant extends Tenant {
  reason_codes: string[]
  dispositions: Disposition[]
  disposition_mode: 'none' | 'optional' | 'required'
  /** Queues that have it otherwise. */
  disposition_modes: Record<string, 'none' | 'optional' | 'required'>
  subjects: { id: string; name: string; queue: string }[]
  queues: { id: string; name: string }[]
  limits: { note_chars: number }
  /** Agents may call numbers of their own accord. */
  outbound: boolean
  /** Null where the tenant has no chat. */
  chat: StaffChat | null
}

export interface StaffChat {
  message_chars: number
  /** When the log of a chat opens by itself. */
  log_opens: 'never' | 'accept' | 'end'
  canned: { word: string; text: string; language: string | null }[]
  faq: { question: string; answer: string; language: string | null }[]
}

export interface Disposition {
  id: string
  name: string
}

export type Role = 'agent' | 'supervisor' | 'admin' | 'operator' | 'auditor'

export interface User {
  id: string
  name: string
  role: Role
  tenant: string | null
}

export interface Me {
  user: User
  tenant: StaffTenant | null
  can_reject: boolean
}

export interface Problem {
  type?: string
  title?: string
  status: number
  detail?: string
  code: string
  field?: string
  closed?: ClosedReason
  next_open?: Timestamp | null
  phone?: string | null
  phone_display?: string | null
}

// ── Open or closed ──────────────────────────────────────────────────────────────────────────────────────────────────

export type ClosedReason =
  | { closed: 'hours' }
  | { closed: 'holiday'; name: string }
  | { closed: 'closure'; message: string }

export interface Availability {
  enabled: boolean
  open: boolean
  closed: ClosedReason | null
  next_open: Timestamp | null
  closes_at: Timestamp | null
  waiting: number
  /** Half of such waits are over by then; null = not known. */
  ewt: Millis | null
  /** Nine of ten are. */
  ewt_p90: Millis | null
  /** The same by topic, in the tenant's order. */
  subjects: SubjectWait[]
}

export interface SubjectWait {
  id: string
  name: string
  ewt: Millis | null
  ewt_p90: Millis | null
  /** The wait is too long; null: it is not, or not known. */
  gate: Gate | null
}

export interface Gate {
  limit: Millis
  expected: Millis
  then: 'hide' | 'disable' | 'schedule' | 'notify'
}

/** A time that may be chosen. */
export interface Slot {
  at: Timestamp
  free: number
}

export interface SlotsAnswer {
  slots: Slot[]
  length_ms: Millis | null
}

export interface ClosurePreview {
  waiting: number
  planned: number
  /** In line on the telephone. */
  callers: number
  under_way: number
  then: 'keep' | 'reschedule' | 'tell'
  next_open: Timestamp | null
}

export type Weekday = 'Mon' | 'Tue' | 'Wed' | 'Thu' | 'Fri' | 'Sat' | 'Sun'

/** Local times of the tenant, "08:00". */
export interface OpenInterval {
  day: Weekday
  from: string
  to: string
}

export interface AvailabilityAnswer {
  tenant: Tenant
  availability: Availability
  hours: OpenInterval[]
  /** Whether the tenant offers chat. */
  chat?: boolean
  auth: 'required' | 'optional' | 'none'
}

// ── The customer's callback ─────────────────────────────────────────────────────────────────────────────────────────

export interface CallbackRequest {
  name: string
  phone: string
  subject?: string
  language?: string
  page?: string
  token?: string
  when_open?: boolean
  slot?: Timestamp
  accept_wait?: boolean
}

export interface CallbackAnswer {
  status_token: string | null
  status_url: string | null
  contact_state: 'queued' | 'scheduled' | 'existing'
  position: number | null
  ewt_ms: Millis | null
  ewt_p90_ms: Millis | null
  number_display: string
  due: Timestamp | null
}

export type Stage =
  | 'scheduled'
  | 'waiting'
  | 'agent_found'
  | 'calling'
  | 'ringing'
  | 'talking'
  | 'retrying'
  | 'successful'
  | 'unsuccessful'
  | 'cancelled'

export type TimelineWhat =
  | 'requested'
  | 'scheduled'
  | 'queued'
  | 'offered'
  | 'dialled'
  | 'ringing'
  | 'answered'
  | 'bridged'
  | 'attempt_busy'
  | 'attempt_no_answer'
  | 'attempt_failed'
  | 'ended'
  | 'cancelled'
  | 'closed'
  | 'number_changed'

export interface StatusPage {
  tenant: Tenant
  stage: Stage
  position: number | null
  ewt_ms: Millis | null
  ewt_p90_ms: Millis | null
  number_display: string
  name: string
  requested_at: Timestamp
  due: Timestamp | null
  attempts: number
  max_attempts: number
  outcome: Outcome | null
  why: Reason
  can_cancel: boolean
  can_change: boolean
  can_plan: boolean
  timeline: { at: Timestamp; what: TimelineWhat }[]
}

// ── The core's records ──────────────────────────────────────────────────────────────────────────────────────────────

export type Channel = 'callback' | 'call' | 'outbound' | 'chat'
export type Outcome = 'successful' | 'unsuccessful' | 'cancelled' | 'abandoned'

export type ContactState =
  | { state: 'arriving'; since: Timestamp }
  | { state: 'scheduled'; due: Timestamp }
  | { state: 'queued'; since: Timestamp }
  | { state: 'active'; since: Timestamp }
  | { state: 'closed'; outcome: Outcome }

export interface Customer {
  name: string
  number: string
  customer_id: string | null
  verified: boolean
  language: string
  page: string | null
  context: Record<string, string>
}

export interface Contact {
  id: string
  channel: Channel
  state: ContactState
  customer: Customer
  queue: string
  subject: string
  priority: number
  requested_at: Timestamp
  segments: Segment[]
  attempts: Attempt[]
  reason: Reason
  closed_at: Timestamp | null
  /** Only of a chat. */
  chat?: { customer_away: Timestamp | null; ended: { by: 'customer' | 'agent' | 'gone' | 'idle' | 'nobody_free' | 'called_back' | 'called' } | null } | null
  /** Who is brought in beside customer and agent, and how it ended with the last one who was. */
  third?: Third
  third_end?: ThirdEnd
}

/** A colleague or a number outside. */
export interface Third {
  with: { party: 'agent'; agent: string; segment: string } | { party: 'outside'; number: string }
  stage:
    | { stage: 'asked'; until: Timestamp }
    | { stage: 'private'; since: Timestamp }
    | { stage: 'joined'; since: Timestamp }
    | { stage: 'told'; until: Timestamp }
    | { stage: 'alone'; since: Timestamp }
  /** The engagement of the agent who asked; null: the house did. */
  by: string | null
  asked_at: Timestamp
  ringing_at: Timestamp | null
  answered_at: Timestamp | null
  /** The carrier was asked to connect customer and number outside itself, and does not; without a status it fell silent. */
  declined?: { at: Timestamp; status: number | null }
}

export type ThirdEnd =
  | { end: 'withdrawn' | 'declined' | 'no_answer' | 'left' | 'lost' | 'customer_left' | 'took_over' | 'interrupted' }
  | { end: 'failed'; result: AttemptResult }

export type SegmentState =
  | { state: 'offered'; until: Timestamp }
  | { state: 'connecting'; since: Timestamp }
  | { state: 'connected'; since: Timestamp }
  | { state: 'agent_lost'; until: Timestamp }
  | { state: 'wrap_up'; until: Timestamp }
  | { state: 'done'; end: SegmentEnd }

export type SegmentEnd = 'completed' | 'declined' | 'no_answer' | 'revoked' | 'attempt_failed' | 'media_failed'

export interface Segment {
  id: string
  offer: string
  agent: string
  state: SegmentState
  why: Reason
  offered_at: Timestamp
  accepted_at: Timestamp | null
  connected_at: Timestamp | null
  ended_at: Timestamp | null
  done_at: Timestamp | null
  on_hold: boolean
  dispositions: string[]
  note: string | null
  /** What the agent told whoever the contact was passed on to. */
  handover?: string
}

export type AttemptResult =
  | 'connected'
  | 'not_confirmed'
  | 'busy'
  | 'no_answer'
  | 'rejected'
  | 'unreachable'
  | 'failed'
  | 'cancelled'
  | 'interrupted'
  | 'not_allowed'

export interface Attempt {
  id: string
  ordinal: number
  /** Absent: the customer called. */
  segment?: string
  state:
    | { state: 'dialling' }
    | { state: 'unknown'; until: Timestamp }
    | { state: 'live' }
    | { state: 'ended'; result: AttemptResult }
  dialled_at: Timestamp
  ringing_at: Timestamp | null
  answered_at: Timestamp | null
  bridged_at: Timestamp | null
  ended_at: Timestamp | null
  announcement: [string, Timestamp] | null
}

export type Reason =
  | { why: 'just_requested' }
  | { why: 'no_agent_ready'; signed_in: number }
  | { why: 'no_free_channel' }
  | { why: 'number_in_call' }
  | { why: 'chosen_time' }
  | { why: 'calls_held_back' }
  | { why: 'closed'; closed: ClosedReason; next_open: Timestamp | null }
  | { why: 'agent_declined'; agent: string }
  | { why: 'agent_no_answer'; agent: string }
  | { why: 'agent_lost'; agent: string }
  | { why: 'attempt_failed'; result: AttemptResult; attempts: number }
  | { why: 'transferred'; from: string }
  | { why: 'escalated'; by: string }
  | { why: 'overflowed' }
  | { why: 'called_out'; by: string }
  | { why: 'not_reached' }
  | { why: 'asked_by'; agent: string }
  | { why: 'interrupted' }
  | { why: 'offered_to'; agent: string }
  | { why: 'longest_idle'; idle: Millis; considered: number }
  | { why: 'preferred' }
  | { why: 'fewest_in_hand'; in_hand: number; considered: number }
  | { why: 'customer_left' }
  | { why: 'nobody_free'; waited: Millis }
  | { why: 'completed' }
  | { why: 'customer_cancelled' }
  | { why: 'administrator_cancelled' }
  | { why: 'customer_hung_up' }
  | { why: 'customer_hung_up_soon'; after: Millis }
  | { why: 'code_unknown' }
  | { why: 'attempts_exhausted'; result: AttemptResult }
  | { why: 'number_not_allowed' }

// ── The agent's desk ────────────────────────────────────────────────────────────────────────────────────────────────

export type Presence = 'offline' | 'not_ready' | 'unreachable' | 'ready' | 'offered' | 'busy' | 'wrap_up' | 'draining'

export type RequestedState = { state: 'ready' } | { state: 'not_ready'; reason: string } | { state: 'offline' }

export interface Health {
  tab: boolean
  microphone: boolean
  media: boolean
}

export interface AgentView {
  id: string
  name: string
  presence: Presence
  since: Timestamp
  reason: string | null
  next: RequestedState | null
  auto_return_at: Timestamp | null
  session: string | null
  health: Health
  can_reject: boolean
  voice_slots?: number
  chat_slots?: number
  contacts: Contact[]
}

// ── What the server writes into the page ────────────────────────────────────────────────────────────────────────────

export interface Boot {
  page: string
  lang: Language
  version: string
  server_time: Timestamp
}

export interface CallMeBoot extends Boot, AvailabilityAnswer {
  enabled: boolean
  token: string | null
  prefill: { name: string; customer_id: string | null; phone: string | null } | null
  token_error: 'token_invalid' | 'token_expired' | null
  subjects: { id: string; name: string; auth: 'required' | 'optional' | 'none' }[]
  /** Times can be chosen. */
  slots: boolean
  from_page: string | null
  embed: boolean
  parent_origins: string[]
}

export interface ChatBoot extends Boot, AvailabilityAnswer {
  enabled: boolean
  token: string | null
  prefill: { name: string; phone: string | null } | null
  token_error: 'token_invalid' | 'token_expired' | null
  subjects: { id: string; name: string; auth: 'required' | 'optional' | 'none' }[]
  faq?: { question: string; answer: string }[]
  /** Longest message, in Unicode scalar values. */
  message_chars: number
  call_me: boolean
  from_page: string | null
  embed: boolean
  parent_origins: string[]
}

export interface StatusBoot extends Boot {
  tenant: Tenant | null
  token: string | null
  parent_origins: string[]
  status: StatusPage | null
}

export interface LoginBoot extends Boot {
  next: string | null
  /** The identity provider, if there is one. */
  oidc: { name: string } | null
}

export interface LoginAnswer {
  user: User
  /** An authenticator app has to be enrolled before anything else. */
  must_enrol: boolean
  /** An own password has to be chosen before anything else. */
  must_change: boolean
}

export interface AccountBoot extends Boot {
  user: User
  second_factor: boolean
  must_enrol: boolean
  /** The password was set by somebody else. */
  must_change: boolean
  /** Signs in at the identity provider. */
  external: boolean
}

export interface StaffBoot extends Boot {
  user: User
  tenant: StaffTenant | null
}

export interface PortalBoot extends Boot {
  tenants: {
    id: string
    name: string
    enabled: boolean
    call_me_url: string
    embed: { tenant: string; token: string | null } | null
  }[]
  users: { id: string; password: string; role: Role }[]
  numbers: { number: string; what: string }[]
}
