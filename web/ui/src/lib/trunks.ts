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

/** How the legs of a contact sounded. */
export interface LineQuality {
  legs: LegSound[]
}

export interface LegSound {
  leg: string
  party: 'customer' | 'agent' | 'outside'
  agent: string | null
  ended_at: Timestamp
  packets_in: number
  packets_out: number
  lost: number
  lost_percent: number
  jitter_ms: number
  round_trip_ms: number | null
  /** 1.0 to 4.5 */
  mos: number | null
  far_lost: number
  far_jitter_ms: number
  far_mos: number | null
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
