import type { AgentView, Attempt, Contact, Reason, RequestedState, Segment, Third, ThirdEnd } from '../lib/api'
import { duration, readable } from '../lib/format'
import { tongue } from '../lib/i18n.svelte'
import type { Wide } from '../lib/i18n/wide'
import type { IconName } from '../lib/icons'
import { reasonKey, reasonWords, resultWords, staffWords, textOf } from '../lib/staff'
import { en } from './words/en'
import { es } from './words/es'

/** The agent's words in the page's language; read where they are drawn, so that choosing another redraws them. */
export const deskWords = (): Wide<typeof en> => (tongue.lang === 'es' ? es : en)

/** What a reason the system set means, and what to do; null: it speaks for itself. */
export function explained(reason: string | null): string | null {
  if (reason === null) return null
  const known = reasonKey(reason)
  return textOf(deskWords().explained, known.startsWith('media') ? 'media' : known) ?? null
}

export function nextWords(next: RequestedState | null): string | null {
  if (!next) return null
  const { presence } = staffWords()
  const what = next.state === 'ready' ? presence.ready : next.state === 'offline' ? presence.offline : reasonWords(next.reason)
  return deskWords().status.then(what.toLowerCase())
}

export function whyYou(why: Reason): string {
  const words = deskWords().why
  switch (why.why) {
    case 'asked_by':
      return words.asked(readable(why.agent))
    case 'preferred':
      return words.preferred
    case 'fewest_in_hand':
      return words.fewest(why.in_hand)
    case 'longest_idle':
      return why.considered > 1 ? words.longestOf(why.considered, duration(why.idle)) : words.longest(duration(why.idle))
    default:
      return words.other
  }
}

/** An offer that ended without the agent's doing, told from what the desk looks like afterwards. */
export const offerOver = (after: AgentView): string =>
  after.presence === 'not_ready' ? deskWords().offerOver.unanswered : deskWords().offerOver.gone

/** The agent's live engagement with a contact; null once it is done. */
export function mine(contact: Contact, agent: AgentView): Segment | null {
  return contact.segments.findLast((segment) => segment.agent === agent.id && segment.state.state !== 'done') ?? null
}

/** The customer called us. */
export const calledUs = ({ contact }: { contact: Contact }): boolean => contact.channel === 'call'

/** The agent called of their own accord. */
export const calledOut = ({ contact }: { contact: Contact }): boolean => contact.channel === 'outbound'

export const isChat = ({ contact }: { contact: Contact }): boolean => contact.channel === 'chat'

/** The dialling for this engagement, or the call that was on the line already. */
export const attemptOf = (contact: Contact, segment: Segment): Attempt | null =>
  contact.attempts.findLast(({ segment: of, state }) => of === segment.id || state.state === 'live') ?? null

/** The note of whoever passed the contact on, or asks. */
export const noteFor = (contact: Contact, segment: Segment): string | null =>
  contact.segments.findLast(({ id, handover }) => id !== segment.id && handover)?.handover ?? null

/** How a consultation ended that this agent did not end; null: nothing to say. */
export function thirdOver(third: Third, end: ThirdEnd | undefined, nameOf: (agent: string) => string): string | null {
  const words = deskWords().consult
  const who = third.with.party === 'agent' ? nameOf(third.with.agent) : words.number
  switch (end?.end) {
    case 'declined':
    case 'no_answer':
    case 'left':
    case 'lost':
      return words[end.end](who)
    case 'failed':
      return words.failed(who, resultWords(end.result))
    default:
      return null
  }
}

/** Why a call of the agent's own came to nothing; null: the agent ended it. */
export function callOver(why: Reason): string | null {
  const words = deskWords()
  return why.why === 'attempts_exhausted' ? words.call.unanswered(resultWords(why.result)) : (textOf(words.callOver, why.why) ?? null)
}

/** Where the dialling stands, in words. */
export function progress(attempt: Attempt | null): { text: string; icon: IconName } {
  const words = deskWords().call
  if (!attempt) return { text: words.starting, icon: 'phone' }
  if (attempt.answered_at) return { text: words.answered, icon: 'speaker' }
  if (attempt.ringing_at) return { text: words.ringing, icon: 'bell' }
  return { text: words.dials, icon: 'phone' }
}
