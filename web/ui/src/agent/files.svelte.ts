import type { ContactCustomer, CustomerWrite } from '../lib/api'
import { call, get, post, refused } from '../lib/http'
import { deskWords } from './words'

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
  /** The server's word for what stood against the last request. */
  refusal = ''

  constructor(readonly contact: string) {
    void this.load()
  }

  load = (): Promise<boolean> => this.#take(get<ContactCustomer>(`/api/v1/contacts/${this.contact}/customer`), deskWords().log.notRead)

  /** Of a customer who is known the case is there from now on. */
  open = (): Promise<boolean> => this.#take(post<ContactCustomer>(`/api/v1/contacts/${this.contact}/case`), deskWords().log.notOpened)

  /** One after the other: each is written over the version the last one made. */
  save(draft: CaseDraft, keepalive = false): Promise<boolean> {
    const write = () => {
      const body = { ...draft, version: this.known?.case?.version ?? 0 }
      return this.#take(call<ContactCustomer>('PUT', `/api/v1/contacts/${this.contact}/case`, { body, keepalive }), deskWords().log.notSaved)
    }
    this.#last = this.#last.then(write).then((kept) => kept || this.#catchUp())
    return this.#last
  }
  #last: Promise<boolean> = Promise.resolve(true)

  /** What somebody else wrote meanwhile is what the next save is laid over, if the agent wants it so. */
  async #catchUp(): Promise<boolean> {
    if (this.refusal !== 'changed_meanwhile') return false
    const [wrong, refusal] = [this.wrong, this.refusal]
    if (await this.load()) [this.wrong, this.refusal] = [deskWords().log.again(wrong), refusal]
    return false
  }

  async #take(asked: Promise<ContactCustomer>, failed: string): Promise<boolean> {
    this.wrong = this.refusal = ''
    try {
      this.known = await asked
      return true
    } catch (error) {
      const { problem, code } = refused(error)
      this.wrong = problem.detail ?? failed
      this.refusal = code
      return false
    }
  }
}

/** Files of the contacts on the desk; whoever has gone is forgotten with the page. */
export class Files {
  #files: Record<string, File> = {}

  of(contact: string): File {
    return (this.#files[contact] ??= new File(contact))
  }

  /** Without asking for it. */
  known(contact: string): File | null {
    return this.#files[contact] ?? null
  }
}
