import type { BoardAgent, Reason, WaitingContact } from '../lib/api'
import { dayOf, duration, sameDay, timeOfDay } from '../lib/format'
import { tongue } from '../lib/i18n.svelte'
import type { Wide } from '../lib/i18n/wide'
import { resultWords } from '../lib/staff'
import { en } from './words/en'
import { es } from './words/es'

/** The supervisor's words in the page's language; read where they are drawn, so that choosing another redraws them. */
export const supervisorWords = (): Wide<typeof en> => (tongue.lang === 'es' ? es : en)

export interface Told {
  agents: BoardAgent[]
  zone: string | undefined
  now: number
}

export function when(at: number, { zone, now }: Told): string {
  const time = timeOfDay(at, { zone })
  return sameDay(at, now, { zone }) ? time : `${dayOf(at, { zone })}, ${time}`
}

/** "Why still waiting", from the record. */
export function whyWaiting({ why, state, position }: WaitingContact, told: Told): string {
  const words = supervisorWords().reason
  const text = reason(why, told)
  if (state.state === 'scheduled' && state.due > told.now) return words.due(text, duration(state.due - told.now))
  return position === 1 && why.why === 'just_requested' ? words.next : text
}

export function reason(why: Reason, told: Told): string {
  const words = supervisorWords().reason
  const name = (agent: string) => told.agents.find(({ id }) => id === agent)?.name ?? agent
  switch (why.why) {
    case 'no_agent_ready':
      return why.signed_in === 0 ? words.nobody_signed_in : words.no_agent_ready(why.signed_in)
    case 'closed':
      return closed(why, told)
    case 'agent_declined':
    case 'agent_no_answer':
    case 'agent_lost':
    case 'asked_by':
    case 'offered_to':
      return words[why.why](name(why.agent))
    case 'escalated':
    case 'called_out':
      return words[why.why](name(why.by))
    case 'transferred':
      return words.transferred(name(why.from))
    case 'attempt_failed':
      return words.attempt_failed(why.attempts, resultWords(why.result))
    case 'attempts_exhausted':
      return words.attempts_exhausted(resultWords(why.result))
    case 'longest_idle':
      return words.longest_idle(why.considered, duration(why.idle))
    case 'fewest_in_hand':
      return words.fewest_in_hand(why.in_hand, why.considered)
    case 'customer_hung_up_soon':
      return words.customer_hung_up_soon(duration(why.after))
    default:
      return words[why.why]
  }
}

function closed(why: Extract<Reason, { why: 'closed' }>, told: Told): string {
  const words = supervisorWords().reason
  const cause = why.closed.closed === 'hours' ? words.closed : why.closed.closed === 'holiday' ? words.closedFor(why.closed.name) : words.closure
  return why.next_open === null ? words.opensUnknown(cause) : words.opens(cause, when(why.next_open, told))
}
