import type { ContactCustomer, CustomerWrite } from '../lib/api'
import { call, get, post, refused } from '../lib/http'

/** What an agent writes into a case. */
export interface CaseDraft {
  title: string
  body: string
  draft: boolean
  /** Id in the directory. */
  customer: string | null
  new_customer: CustomerWrite | null
  keep_number: boolean
}

/** Whom the directory knows the customer of one contact as, and what is filed of it; the card and the log share it. */
export class File {
  known = $state.raw<ContactCustomer | null>(null)
  wrong = $state('')
  busy = $state(false)

  constructor(readonly contact: string) {
    void this.load()
  }

  load = (): Promise<boolean> => this.#take(get<ContactCustomer>(`/api/v1/contacts/${this.contact}/customer`), 'The directory could not be read.')

  /** Of a customer who is known the case is there from now on. */
  open = (): Promise<boolean> => this.#take(post<ContactCustomer>(`/api/v1/contacts/${this.contact}/case`), 'The log could not be opened.')

  save(draft: CaseDraft): Promise<boolean> {
    const body = { ...draft, version: this.known?.case?.version ?? 0 }
    return this.#take(call<ContactCustomer>('PUT', `/api/v1/contacts/${this.contact}/case`, { body }), 'The log could not be saved.')
  }

  async #take(asked: Promise<ContactCustomer>, failed: string): Promise<boolean> {
    this.busy = true
    this.wrong = ''
    try {
      this.known = await asked
      return true
    } catch (error) {
      this.wrong = refused(error).problem.detail ?? failed
      return false
    } finally {
      this.busy = false
    }
  }
}

/** Files of the contacts on the desk; whoever has gone is forgotten with the page. */
export class Files {
  #files: Record<string, File> = {}

  of(contact: string): File {
    return (this.#files[contact] ??= new File(contact))
  }
}
