import type { ChannelWhy, Needed, Obstacle, WaitingWhy } from '../lib/api'
import { dayOf, duration, readable, sameDay, timeOfDay } from '../lib/format'

export interface Told {
  zone: string | undefined
  now: number
  /** An agent's name. */
  name: (id: string) => string
}

const at = (time: number, { zone, now }: Told) =>
  sameDay(time, now, { zone }) ? timeOfDay(time, { zone }) : `${dayOf(time, { zone })}, ${timeOfDay(time, { zone })}`
const levels = (skills: Record<string, number>) =>
  Object.entries(skills)
    .map(([skill, level]) => `${readable(skill)} at level ${level} or above`)
    .join(' and ')

/** Whom the contact waits for. */
export function needed(need: Needed, told: Told): string {
  if (need.need === 'agent') return `${told.name(need.agent)}, who knows this customer`
  const any = need.any.map((all) => (Object.keys(all).length === 0 ? 'anybody of the queue' : `an agent with ${levels(all)}`))
  return any.join(', or ')
}

/** Which step of the ladder, and when the next one opens. */
export function step({ target, targets, next_target_at }: WaitingWhy, told: Told): string {
  const place = target === 0 ? 'Own agent first' : `Step ${target} of ${targets}`
  return next_target_at === null ? place : `${place}; the next opens ${at(next_target_at, told)}`
}

export function channel(channel: ChannelWhy, told: Told): string {
  switch (channel.channel) {
    case 'not_needed':
      return 'none needed, the customer is here'
    case 'not_asked_yet':
      return 'asked for when an agent is free'
    case 'asked':
      return `being asked for; ${told.name(channel.agent)} is kept free meanwhile`
    case 'held':
      return 'reserved'
    case 'number_in_call':
      return 'this number is in another call right now'
    case 'blocked':
      return BLOCKED[channel.reason]
    case 'closed':
      return 'not asked for outside opening hours'
  }
}

const BLOCKED = {
  all_busy: 'every line is taken; asked again in a moment',
  trunks_down: 'no carrier can be reached',
  number_in_call: 'this number is in another call right now',
  draining: 'the server is being stopped',
} as const

/** Why not this agent. */
export function obstacle(found: Obstacle, told: Told): string {
  switch (found.obstacle) {
    case 'has_it':
      return 'has it'
    case 'not_in_queue':
      return `is not in the queue ${readable(found.queue)}`
    case 'lacks_skill':
      return found.has === 0 ? `lacks ${readable(found.skill)} (level ${found.needed} needed)` : `has ${readable(found.skill)} at level ${found.has} of ${found.needed} needed`
    case 'waits_for_other':
      return `it waits for ${told.name(found.agent)} first`
    case 'offline':
      return 'is offline'
    case 'not_ready':
      return `is not ready: ${readable(found.reason)}`
    case 'leaving':
      return 'takes nothing new'
    case 'no_tab':
      return 'has no page open that answers'
    case 'no_microphone':
      return 'has no working microphone'
    case 'no_media':
      return 'has no sound connection'
    case 'not_in_profile':
      return 'does not take this kind of contact'
    case 'busy':
      return `is busy: ${inHand(found.calls, found.chats)}`
    case 'kept_for':
      return 'is kept free for another call that is being prepared'
    case 'call_waits_longer':
      return 'gets no further chat: a call has waited longer'
    case 'cooling_off':
      return `is not asked again before ${at(found.until, told)}`
  }
}

function inHand(calls: number, chats: number): string {
  const parts = [calls > 0 ? (calls === 1 ? 'one call' : `${calls} calls`) : '', chats > 0 ? (chats === 1 ? 'one chat' : `${chats} chats`) : '']
  return parts.filter(Boolean).join(' and ')
}

/** How urgent, and what waiting adds. */
export function urgency({ priority, one_priority_per }: WaitingWhy): string {
  const rule = one_priority_per === null ? 'priority alone decides' : `every ${duration(one_priority_per)} of waiting is worth one`
  return `${priority} (lower is sooner; ${rule})`
}
