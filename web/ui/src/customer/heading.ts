import type { StatusPage } from '../lib/api'
import type { Words } from '../lib/i18n.svelte'

/** What stands above a request. Nobody tried to call a customer who was turned away at closing time. */
export function heading(status: StatusPage, words: Words['status']): string {
  const turnedAway = status.stage === 'unsuccessful' && status.why.why === 'closed'
  return turnedAway ? words.title.turned_away : words.title[status.stage]
}
