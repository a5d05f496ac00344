import type { Channel, Millis, Outcome, Timestamp } from './api'

/** Chat as it comes over the wire; the rest is in `api.ts`. */

export interface ChatRequest {
  name: string
  phone: string
  question?: string
  subject?: string
  language?: string
  page?: string
  token?: string
}

export interface ChatAnswer {
  chat_token: string
  position: number
  ewt_ms: Millis | null
}

export interface ChatStatus {
  stage: 'waiting' | 'talking' | 'ended'
  position: number | null
  ewt_ms: Millis | null
  ewt_p90_ms: Millis | null
  agent: string | null
  passed_on: boolean
  ended_by: 'customer' | 'agent' | 'gone' | 'idle' | 'nobody_free' | 'called_back' | 'called' | null
  requested_at: Timestamp
  /** A call can be had instead; the last digits of the number known. */
  call: { number_display: string | null } | null
}

export interface ChatLine {
  seq: number
  from: 'customer' | 'agent' | 'note'
  agent: string | null
  /** The agent's name as colleagues know it. */
  agent_name?: string
  client_id: string
  at: Timestamp
  body: string
}

/** Something that happened in a contact between the lines. */
export interface TimelineEvent {
  at: Timestamp
  what: string
  /** Name of the agent it is about. */
  who: string | null
  /** Where it is in the recording, in milliseconds. */
  sound_ms: number | null
}

/** An earlier contact of the same customer. */
export interface HistoryItem {
  contact: string
  channel: Channel
  requested_at: Timestamp
  subject: string
  outcome: Outcome | null
  agents: string[]
  dispositions: string[]
  notes: string[]
}

export interface ChatNews {
  status: ChatStatus
  messages: ChatLine[]
  upto: number
  delivered: number
  seen: number
  agent_typing: number
  tag: string
}

/** A chat as a supervisor finds it. */
export interface ChatFound {
  contact: string
  requested_at: Timestamp
  customer_name: string
  number_display: string
  /** Names of those who were in it. */
  agents: string[]
  queue: string
  subject: string
  /** How it went on. */
  channel: Channel
  outcome: Outcome | null
  dispositions: string[]
  messages: number
}
