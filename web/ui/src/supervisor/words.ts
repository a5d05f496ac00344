import type { BoardAgent, Reason, WaitingContact } from '../lib/api'
import { dayOf, duration, sameDay, timeOfDay } from '../lib/format'
import { resultWords } from '../lib/staff'

export interface Told {
  agents: BoardAgent[]
  zone: string | undefined
  now: number
}

const counted = (n: number, one: string, many: string) => (n === 1 ? `1 ${one}` : `${n} ${many}`)

export function when(at: number, { zone, now }: Told): string {
  const time = timeOfDay(at, { zone })
  return sameDay(at, now, { zone }) ? time : `${dayOf(at, { zone })}, ${time}`
}

/** "Why still waiting", from the record. */
export function whyWaiting({ why, state, position }: WaitingContact, told: Told): string {
  const text = reason(why, told)
  if (state.state === 'scheduled' && state.due > told.now) return `${text}; due in ${duration(state.due - told.now)}`
  return position === 1 && why.why === 'just_requested' ? 'next in line for a free agent' : text
}

export function reason(why: Reason, told: Told): string {
  const name = (agent: string) => told.agents.find(({ id }) => id === agent)?.name ?? agent
  switch (why.why) {
    case 'just_requested':
      return 'in line for the next free agent'
    case 'no_agent_ready':
      return why.signed_in === 0 ? 'no agent is signed in' : `nobody who may take it is free; ${counted(why.signed_in, 'is', 'are')} signed in`
    case 'no_free_channel':
      return 'every telephone line is taken'
    case 'number_in_call':
      return 'this number is in another call right now'
    case 'chosen_time':
      return 'planned for a time the customer chose'
    case 'calls_held_back':
      return 'no calls are placed now: outside callback hours, or a cap of the day is reached'
    case 'number_not_allowed':
      return 'this number may not be called, or not again today'
    case 'closed':
      return closed(why, told)
    case 'agent_declined':
      return `${name(why.agent)} rejected the offer; place kept`
    case 'agent_no_answer':
      return `${name(why.agent)} did not answer the offer; place kept`
    case 'agent_lost':
      return `${name(why.agent)} lost the connection; place kept`
    case 'attempt_failed':
      return `${counted(why.attempts, 'call', 'calls')} made, last one: ${resultWords(why.result)}`
    case 'transferred':
      return `${name(why.from)} passed it on; place kept`
    case 'escalated':
      return `${name(why.by)} calls the customer of the chat`
    case 'overflowed':
      return 'nobody took it; sent to the number outside'
    case 'called_out':
      return `${name(why.by)} called of their own accord`
    case 'not_reached':
      return 'whom it was passed on to was not reached; place kept'
    case 'asked_by':
      return `${name(why.agent)} asked for help`
    case 'interrupted':
      return 'the last call was cut by a restart; place kept'
    case 'offered_to':
      return `offered to ${name(why.agent)}`
    case 'longest_idle':
      return `longest free of ${counted(why.considered, 'agent', 'agents')} (${duration(why.idle)})`
    case 'preferred':
      return 'asked for by name, or known to this customer'
    case 'fewest_in_hand':
      return `fewest in hand (${why.in_hand}) of ${counted(why.considered, 'agent', 'agents')}`
    case 'customer_left':
      return 'the customer left'
    case 'nobody_free':
      return 'nobody was free in time'
    case 'completed':
      return 'completed'
    case 'customer_cancelled':
      return 'cancelled by the customer'
    case 'administrator_cancelled':
      return 'cancelled here'
    case 'customer_hung_up':
      return 'the customer hung up'
    case 'customer_hung_up_soon':
      return `the customer hung up after ${duration(why.after)}`
    case 'code_unknown':
      return 'no code that we know was entered'
    case 'attempts_exhausted':
      return `all calls failed, last one: ${resultWords(why.result)}`
  }
}

function closed(why: Extract<Reason, { why: 'closed' }>, told: Told): string {
  const next = why.next_open === null ? 'next opening not set' : `opens ${when(why.next_open, told)}`
  const cause = why.closed.closed === 'hours' ? 'closed' : why.closed.closed === 'holiday' ? `closed for ${why.closed.name}` : 'emergency closure'
  return `${cause}; ${next}`
}
