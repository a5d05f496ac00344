import type { Contact, StaffBoot, StaffChat } from '../lib/api'
import { phone } from '../lib/format'

type Canned = StaffChat['canned'][number]

/** Prepared answers whose word or text holds what was typed after `/`; the customer's language first, then by word. */
export function matching(all: Canned[], typed: string, language: string): Canned[] {
  const wanted = typed.trim().toLowerCase()
  const rank = ({ word, language: of }: Canned) => (of && !language.startsWith(of) ? 2 : 0) + (word.toLowerCase().startsWith(wanted) ? 0 : 1)
  return all
    .filter(({ word, text }) => word.toLowerCase().includes(wanted) || text.toLowerCase().includes(wanted))
    .sort((a, b) => rank(a) - rank(b) || a.word.localeCompare(b.word))
    .slice(0, 8)
}

/** The answer with its variables filled in; what is not known stays as it is written, for the agent to see. */
export function filled(text: string, contact: Contact, boot: StaffBoot): string {
  const first = (name: string) => name.trim().split(/\s+/)[0] ?? ''
  const known = new Map(Object.entries({
    name: first(contact.customer.name),
    agent: first(boot.user.name),
    county: boot.tenant?.name ?? '',
    phone: boot.tenant?.phone_display ?? phone(boot.tenant?.phone ?? ''),
  }))
  return text.replace(/\{(\w+)\}/g, (whole, key: string) => known.get(key) || whole)
}
