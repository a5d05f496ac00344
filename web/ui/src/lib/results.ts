import type { AttemptResult, Outcome } from './api'

export const RESULTS: Record<AttemptResult, string> = {
  connected: 'connected',
  not_confirmed: 'answered, but hung up before the agent',
  busy: 'busy',
  no_answer: 'no answer',
  rejected: 'call rejected',
  unreachable: 'number not reachable',
  failed: 'call failed',
  cancelled: 'cancelled',
  interrupted: 'interrupted by a restart',
  not_allowed: 'not placed: the number may not be called',
}

export const OUTCOMES: Record<Outcome, { text: string; tone: 'good' | 'warn' | '' }> = {
  successful: { text: 'Spoken', tone: 'good' },
  unsuccessful: { text: 'Not reached', tone: 'warn' },
  cancelled: { text: 'Cancelled', tone: '' },
  abandoned: { text: 'Hung up early', tone: 'warn' },
}
