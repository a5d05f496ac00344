import type { StatusPage } from '../lib/api'
import type { Words } from '../lib/i18n.svelte'

/** What stands above a request. Nobody tried to call a customer who was turned away at closing time, or whose call waits for the opening. */
export function heading(status: StatusPage, words: Words['status']): string {
  const turnedAway = status.stage === 'unsuccessful' && status.why.why === 'closed'
  if (status.stage === 'retrying' && status.why.why === 'closed') return words.title.scheduled
  return turnedAway ? words.title.turned_away : words.title[status.stage]
}
