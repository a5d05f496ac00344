// The supervisor's board, why somebody waits, recorded calls and the audit, as the server sends them.

import type { Availability, Channel, ContactState, Millis, Outcome, Presence, Reason, SegmentState, Timestamp } from './api'

export interface BoardView {
  at: Timestamp
  availability: Availability
  queues: QueueView[]
  agents: BoardAgent[]
  waiting: WaitingContact[]
  waiting_total: number
}

export interface WhyView {
  contact: string
  at: Timestamp
  state: ContactState
  reason: Reason
  waiting: WaitingWhy | null
  chosen: { segment: string; agent: string; at: Timestamp; why: Reason; position: number; state: SegmentState }[]
  agents: { agent: string; name: string; obstacles: Obstacle[] }[]
  signed_in: number
}

export interface WaitingWhy {
  since: Timestamp
  waited: Millis
  position: number
  priority: number
  one_priority_per: Millis | null
  target: number
  targets: number
  next_target_at: Timestamp | null
  need: Needed
  effective_agents: number
  channel: ChannelWhy
}

export type Needed = { need: 'agent'; agent: string } | { need: 'skills'; any: Record<string, number>[] }

export type ChannelWhy =
  | { channel: 'not_needed' }
  | { channel: 'not_asked_yet' }
  | { channel: 'asked'; agent: string }
  | { channel: 'held' }
  | { channel: 'number_in_call' }
  | { channel: 'blocked'; reason: 'all_busy' | 'trunks_down' | 'number_in_call' | 'draining' }
  | { channel: 'closed' }

export type Obstacle =
  | { obstacle: 'has_it' }
  | { obstacle: 'not_in_queue'; queue: string }
  | { obstacle: 'lacks_skill'; skill: string; needed: number; has: number }
  | { obstacle: 'waits_for_other'; agent: string }
  | { obstacle: 'offline' }
  | { obstacle: 'not_ready'; reason: string }
  | { obstacle: 'leaving' }
  | { obstacle: 'no_tab' }
  | { obstacle: 'no_microphone' }
  | { obstacle: 'no_media' }
  | { obstacle: 'not_in_profile' }
  | { obstacle: 'busy'; calls: number; chats: number }
  | { obstacle: 'kept_for'; contact: string }
  | { obstacle: 'call_waits_longer' }
  | { obstacle: 'cooling_off'; until: Timestamp }

export interface QueueView {
  id: string
  name: string
  waiting: number
  scheduled: number
  active: number
  longest_wait: Millis | null
}

export interface BoardAgent {
  id: string
  name: string
  presence: Presence
  since: Timestamp
  reason: string | null
  contacts: string[]
}

export interface WaitingContact {
  id: string
  channel: Channel
  state: ContactState
  name: string
  number: string
  queue: string
  subject: string
  requested_at: Timestamp
  position: number | null
  attempts: number
  why: Reason
}

export interface RecordedCall {
  contact: string
  started_at: Timestamp
  duration_ms: Millis
  customer_name: string
  number_display: string
  agent: string | null
  agent_name: string | null
  queue: string
  subject: string
  outcome: Outcome | null
  dispositions: string[]
  legs: RecordedLeg[]
  held: LegalHold | null
}

/** A contact whose records stay whatever their age. */
export interface LegalHold {
  contact: string
  reason: string
  who: string
  who_name: string
  at: Timestamp
}

export interface RecordedLeg {
  recording: string
  party: 'customer' | 'agent' | 'outside'
  agent: string | null
  offset_ms: Millis
  duration_ms: Millis
  /** `repaired`: ended by a crash, whole up to a second before. */
  state: 'recording' | 'finished' | 'repaired' | 'failed'
  chain: string
}

export interface Page<T> {
  items: T[]
  /** Where the next page begins, to be given back as it came. */
  next: string | number | null
}

/** The lowest and highest 16-bit sample of a bucket. */
export type Peak = [number, number]

export interface Peaks {
  duration_ms: Millis
  left: Peak[]
  right: Peak[]
  marks: { name: string; begin_ms: Millis; end_ms: Millis | null; leg: string | null }[]
}

export interface AuditItem {
  at: Timestamp
  who: string
  what: string
  target: string | null
  detail: unknown
}
