import { setAccent } from '../lib/accent'
import type { AvailabilityAnswer, CallMeBoot, ChatBoot } from '../lib/api'
import { get } from '../lib/http'
import { claimsOf, framed, meetParent } from './frame'

/** How often the open hours and the expected wait are asked for again, in milliseconds. */
const REFRESH = 30_000

/** Who comes to a county's page, as its token and the portal around it tell, and how the county stands meanwhile. */
export class Visitor {
  #boot: CallMeBoot | ChatBoot
  /** Since the page was loaded; null: what the page came with still holds. */
  fresh = $state.raw<AvailabilityAnswer | null>(null)
  token = $state<string | null>(null)
  name = $state('')
  phone = $state('')
  /** The portal has not yet said hello. */
  meeting = $state(framed())

  constructor(boot: CallMeBoot | ChatBoot) {
    this.#boot = boot
    this.token = boot.token
    this.name = boot.prefill?.name ?? ''
    this.phone = boot.prefill?.phone ?? ''
  }

  refresh = async (): Promise<void> => {
    try {
      this.fresh = await get<AvailabilityAnswer>(`/api/v1/t/${encodeURIComponent(this.#boot.tenant.id)}/availability`)
      setAccent(this.fresh.tenant.accent)
    } catch {
      // What is shown stays; the submit is checked by the server anyway.
    }
  }

  /** From the page's mounting on; `asks` says whether news are of use just now. Returns how to leave. */
  stay(asks: () => boolean = () => true): () => void {
    const timer = setInterval(() => asks() && document.visibilityState === 'visible' && void this.refresh(), REFRESH)
    void meetParent(this.#boot.parent_origins ?? []).then((hello) => {
      if (hello?.token) {
        this.token = hello.token
        const claims = claimsOf(hello.token)
        this.name ||= claims.name ?? ''
        this.phone ||= claims.phone ?? ''
      }
      this.name ||= hello?.name ?? ''
      this.meeting = false
    })
    return () => clearInterval(timer)
  }
}
