import type { ChannelWhy, Needed, Obstacle, WaitingWhy } from '../lib/api'
import { dayOf, duration, readable, sameDay, timeOfDay } from '../lib/format'
import { supervisorWords } from './words'

export interface Told {
  zone: string | undefined
  now: number
  /** An agent's name. */
  name: (id: string) => string
}

const at = (time: number, { zone, now }: Told) =>
  sameDay(time, now, { zone }) ? timeOfDay(time, { zone }) : `${dayOf(time, { zone })}, ${timeOfDay(time, { zone })}`
const levels = (skills: Record<string, number>) => {
  const words = supervisorWords().why
  return Object.entries(skills)
    .map(([skill, level]) => words.level(readable(skill), level))
    .join(words.and)
}

/** Whom the contact waits for. */
export function needed(need: Needed, told: Told): string {
  const words = supervisorWords().why
  if (need.need === 'agent') return words.knows(told.name(need.agent))
  return need.any.map((all) => (Object.keys(all).length === 0 ? words.anybody : words.agentWith(levels(all)))).join(words.or)
}

/** Which step of the ladder, and when the next one opens. */
export function step({ target, targets, next_target_at }: WaitingWhy, told: Told): string {
  const words = supervisorWords().why
  const place = target === 0 ? words.ownFirst : words.stepOf(target, targets)
  return next_target_at === null ? place : words.nextOpens(place, at(next_target_at, told))
}

export function channel(channel: ChannelWhy, told: Told): string {
  const words = supervisorWords().why
  switch (channel.channel) {
    case 'asked':
      return words.channel.asked(told.name(channel.agent))
    case 'blocked':
      return words.blocked[channel.reason]
    default:
      return words.channel[channel.channel]
  }
}

/** Why not this agent. */
export function obstacle(found: Obstacle, told: Told): string {
  const words = supervisorWords().why.obstacle
  switch (found.obstacle) {
    case 'not_in_queue':
      return words.not_in_queue(readable(found.queue))
    case 'lacks_skill': {
      const { skill, has, needed } = found
      return has === 0 ? words.lacks_skill(readable(skill), needed) : words.skill_too_low(readable(skill), has, needed)
    }
    case 'waits_for_other':
      return words.waits_for_other(told.name(found.agent))
    case 'not_ready':
      return words.not_ready(readable(found.reason))
    case 'busy':
      return words.busy(inHand(found.calls, found.chats))
    case 'cooling_off':
      return words.cooling_off(at(found.until, told))
    default:
      return words[found.obstacle]
  }
}

function inHand(calls: number, chats: number): string {
  const words = supervisorWords().why
  const parts = [calls > 0 ? words.calls(calls) : '', chats > 0 ? words.chats(chats) : '']
  return parts.filter(Boolean).join(words.and)
}

/** How urgent, and what waiting adds. */
export function urgency({ priority, one_priority_per }: WaitingWhy): string {
  const words = supervisorWords().why
  return words.urgency(priority, one_priority_per === null ? words.priorityAlone : words.ageing(duration(one_priority_per)))
}
