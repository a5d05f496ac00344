import type { Refused } from '../lib/http'
import { tongue } from '../lib/i18n.svelte'

/** What went wrong with a request of the status page, in the customer's words. */
export function mishap(error: Refused): string {
  const { errors, status } = tongue.words
  switch (error.code) {
    case 'wrong_state':
      return status.tooLate
    case 'phone_required':
    case 'phone_invalid':
    case 'phone_not_allowed':
    case 'rate_limited':
    case 'slot_full':
    case 'no_such_slot':
    case 'offline':
      return errors[error.code]
    default:
      return error.problem.detail ?? errors.other
  }
}
