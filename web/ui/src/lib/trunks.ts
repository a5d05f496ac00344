import type { Timestamp } from './api'

/** Trunks and what was said on them as it comes over the wire; the rest is in `api.ts`. */

export interface Trunk {
  id: string
  up: boolean
  rtt_ms: number | null
  last_status: number | null
  /** Why it is down. */
  cause: string | null
  registered: boolean | null
  checked_seconds: number | null
  channels: number
  in_use: number
  placed: number
  answered: number
  /** Calls of customers. */
  came_in: number
  failures: TrunkFailure[]
}

/** The SIP messages of a contact's calls. */
export interface SipLadder {
  calls: SipCall[]
}

export interface SipCall {
  leg: string
  trunk: string
  dialled_at: Timestamp
  messages: SipMessage[]
  left_out: number
}

export interface SipMessage {
  at_ms: number
  out: boolean
  line: string
  text: string
}

export interface TrunkFailure {
  result: string
  sip_status: number | null
  count: number
}
