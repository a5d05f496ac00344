/** The directory: whom the tenant knows, and what is filed of them. */

export interface KnownCustomer {
  id: string
  name: string
  numbers: { number: string; display: string }[]
  /** What portals call this person. */
  external_ids: string[]
  notes: string
  /** Given back with a change. */
  version: number
  changed_at: number
  /** The latest first. */
  cases: CaseItem[]
}

export interface CaseItem {
  contact: string
  state: 'draft' | 'saved'
  title: string
  body: string
  opened_at: number
  /** Name of the agent. */
  opened_by: string
}

/** Whom the directory knows a contact's customer as, and what is filed of the contact. */
export interface ContactCustomer {
  customer: KnownCustomer | null
  case: FiledCase | null
}

export interface FiledCase extends CaseItem {
  customer: string | null
  customer_name: string | null
  version: number
  changed_at: number
}

export interface CustomerFound {
  id: string
  name: string
  numbers: string[]
  external_ids: string[]
}

export interface CustomerWrite {
  name: string
  numbers: string[]
  external_ids: string[]
  notes: string
  version?: number
}

export interface DraftItem {
  contact: string
  title: string
  customer_name: string
  changed_at: number
}

/** What is kept of one person. */
export interface PersonAnswer {
  names: string[]
  customers: number
  contacts: number
  chats: number
  recordings: number
  cases: number
  first_at: number | null
  last_at: number | null
  /** Contacts that are not over, and contacts on legal hold: nothing is erased meanwhile. */
  live: string[]
  held: string[]
  more: boolean
  /** Stands for all that was found. */
  found: string
}

export interface ErasedAnswer {
  contacts: number
  chats: number
  recordings: number
  cases: number
  customers: number
  journal: number
  complete: boolean
}
