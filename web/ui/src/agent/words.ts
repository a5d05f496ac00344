import type { AgentView, Attempt, Contact, Presence, Reason, RequestedState, Segment, Third, ThirdEnd } from '../lib/api'
import { duration, words } from '../lib/format'
import type { IconName } from '../lib/icons'
import { RESULTS } from '../lib/results'

/** Not Ready reasons the system itself sets, said so that an agent knows what to do. */
const REASONS: Record<string, string> = {
  rona: 'Missed a call',
  on_break: 'On break',
  break: 'On break',
  media: 'Sound was lost',
  media_failed: 'Sound was lost',
  media_error: 'Sound was lost',
}
const EXPLAINED: Record<string, string> = {
  rona: 'You did not answer the last offer in time, so it went back to the line. Go available when you are at your desk.',
  media: 'Your sound stopped in the last call. The customer was told, and goes back to the line. Check your headset, then go available.',
}

const key = (reason: string) => reason.toLowerCase().replace(/[\s-]+/g, '_')

export const reasonWords = (reason: string | null): string => (reason === null ? '' : (REASONS[key(reason)] ?? words(reason)))

export function explained(reason: string | null): string | null {
  if (reason === null) return null
  const known = key(reason)
  return EXPLAINED[known.startsWith('media') ? 'media' : known] ?? null
}

export const PRESENCE: Record<Presence, { text: string; tone: '' | 'good' | 'warn' | 'danger' | 'info' }> = {
  offline: { text: 'Offline', tone: '' },
  not_ready: { text: 'Not ready', tone: 'warn' },
  unreachable: { text: 'No sound', tone: 'danger' },
  ready: { text: 'Available', tone: 'good' },
  offered: { text: 'Offered', tone: 'info' },
  busy: { text: 'Busy', tone: 'info' },
  wrap_up: { text: 'Wrap-up', tone: 'warn' },
  draining: { text: 'Last contact', tone: 'warn' },
}

export function nextWords(next: RequestedState | null): string | null {
  if (!next) return null
  if (next.state === 'ready') return 'then available'
  if (next.state === 'offline') return 'then offline'
  return `then ${reasonWords(next.reason).toLowerCase()}`
}

export function whyYou(why: Reason): string {
  if (why.why === 'asked_by') return `${words(why.agent)} asks for your help.`
  if (why.why === 'preferred') return 'You know this customer, or were asked for by name.'
  if (why.why === 'fewest_in_hand') return `You have the fewest contacts in hand (${why.in_hand}).`
  if (why.why !== 'longest_idle') return 'You are the agent for this contact.'
  const among = why.considered > 1 ? ` of ${why.considered} free agents` : ''
  return `You have been free the longest${among} (${duration(why.idle)}).`
}

/** An offer that ended without the agent's doing, told from what the desk looks like afterwards. */
export const offerOver = (after: AgentView): string =>
  after.presence === 'not_ready'
    ? 'The offer ended before you answered. The customer keeps the place in line.'
    : 'The offer is over: the customer cancelled, or no line was free to call.'

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
  const who = third.with.party === 'agent' ? nameOf(third.with.agent) : 'The number'
  switch (end?.end) {
    case 'declined':
      return `${who} has declined. You are back with the customer.`
    case 'no_answer':
      return `${who} did not answer. You are back with the customer.`
    case 'left':
      return `${who} has hung up. You are back with the customer.`
    case 'lost':
      return `The connection to ${who} is lost. You are back with the customer.`
    case 'failed':
      return `${who} was not reached (${RESULTS[end.result].toLowerCase()}). You are back with the customer.`
    default:
      return null
  }
}

/** Why a call of the agent's own came to nothing; null: the agent ended it. */
export function callOver(why: Reason): string | null {
  switch (why.why) {
    case 'attempts_exhausted':
      return `Your call was not answered: ${RESULTS[why.result].toLowerCase()}.`
    case 'number_not_allowed':
      return 'Your call was not made: this number may not be called, or not again today.'
    case 'calls_held_back':
      return 'Your call was not made: no calls at this hour, or the calls of the day are used up.'
    case 'number_in_call':
      return 'Your call was not made: this number is in a call already.'
    case 'no_free_channel':
      return 'Your call was not made: no line is free. Try again in a moment.'
    case 'agent_lost':
      return 'Your call ended because your sound was lost.'
    case 'administrator_cancelled':
      return 'Your call was ended by a supervisor.'
    default:
      return null
  }
}

/** Where the dialling stands, in words. */
export function progress(attempt: Attempt | null): { text: string; icon: IconName } {
  if (!attempt) return { text: 'Starting the call', icon: 'phone' }
  if (attempt.answered_at) return { text: 'Answered: the customer hears who is calling', icon: 'speaker' }
  if (attempt.ringing_at) return { text: 'Ringing', icon: 'bell' }
  return { text: 'Dialling', icon: 'phone' }
}

const LANGUAGES: Record<string, string> = { en: 'English', es: 'Spanish' }
export const languageOf = (tag: string): string => LANGUAGES[tag.slice(0, 2).toLowerCase()] ?? tag
