import type { HistoryItem } from './api'

/** A contact that was passed to a number outside, found by the code that was told there. */
export interface CodeItem {
  customer_name: string
  number: string
  language: string
  /** What was written for whoever is next, the latest last. */
  handover: string[]
  matter: HistoryItem
}

export const CODE_DIGITS = 6
