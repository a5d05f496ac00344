import type { ChatLine, Problem } from '../lib/api'
import { clock } from '../lib/clock.svelte'
import { refused } from '../lib/http'
import type { Outgoing } from './socket'

/** A message of the agent the server has not acknowledged. */
export interface Pending {
  client_id: string
  body: string
  problem?: Problem
}

export type ChatIncoming =
  | { type: 'chat_messages'; contact: string; messages: ChatLine[]; upto: number }
  | { type: 'chat_standing'; contact: string; delivered: number; seen: number; here: boolean }
  | { type: 'chat_typing'; contact: string }
  | { type: 'chat_said'; contact: string; client_id: string; seq: number; at: number }

/** How long a sign of typing is shown. */
const TYPING_SHOWN = 6000
/** How often our own typing is told. */
const TYPING_TOLD = 2500

type Send = (message: Outgoing) => Promise<unknown>

/** One chat on the desk. */
export class Conversation {
  lines = $state.raw<ChatLine[]>([])
  outbox = $state<Pending[]>([])
  /** What the customer was given, and has seen. */
  marks = $state({ delivered: 0, seen: 0 })
  here = $state(true)
  typing = $state(false)
  /** The last line the agent has looked at. */
  looked = $state(0)
  draft = $state('')
  #upto = 0
  #told = 0
  #marked = ''
  #still: ReturnType<typeof setTimeout> | undefined

  constructor(
    readonly contact: string,
    private readonly send: Send,
  ) {
    this.outbox = this.#kept()
  }

  readonly unread = $derived(this.lines.filter(({ seq, from }) => from === 'customer' && seq > this.looked).length)
  readonly lastFromCustomer = $derived(this.lines.findLast(({ from }) => from === 'customer') ?? null)
  /** The customer wrote last: how long ago. Null when it is the customer's turn. */
  readonly waiting = $derived.by(() => {
    const last = this.lines.findLast(({ from }) => from !== 'note')
    return last?.from === 'customer' ? Math.max(0, clock.now - last.at) : null
  })

  get upto(): number {
    return this.#upto
  }

  /** True when the customer wrote something new. */
  arrived(messages: ChatLine[], upto: number): boolean {
    const fresh = messages.filter(({ seq }) => seq > this.#upto)
    this.#upto = Math.max(this.#upto, upto)
    if (fresh.length === 0) return false
    this.lines = [...this.lines, ...fresh]
    for (const { client_id, from } of fresh) if (from === 'agent') this.#done(client_id)
    const written = fresh.some(({ from }) => from === 'customer')
    if (written) this.typing = false
    this.mark()
    return written
  }

  isTyping(): void {
    this.typing = true
    clearTimeout(this.#still)
    this.#still = setTimeout(() => (this.typing = false), TYPING_SHOWN)
  }

  /** The agent sees the chat now. */
  look(): void {
    this.looked = this.#upto
    this.mark()
  }

  mark(): void {
    const mark = `${this.#upto} ${this.looked}`
    if (mark === this.#marked || this.#upto === 0) return
    this.#marked = mark
    const told = this.send({ type: 'chat_seen', contact: this.contact, delivered: this.#upto, seen: this.looked })
    told.catch(() => (this.#marked = ''))
  }

  say(body: string): void {
    this.outbox = [...this.outbox, { client_id: crypto.randomUUID(), body }]
    // The next message is a new sign of typing, however soon it is begun.
    this.#told = 0
    this.#keep()
    this.flush()
  }

  type(): void {
    const now = Date.now()
    if (now - this.#told < TYPING_TOLD) return
    this.#told = now
    this.send({ type: 'chat_typing', contact: this.contact }).catch(() => {})
  }

  /** Sends what is not acknowledged, in order; again after each new connection. */
  async flush(): Promise<void> {
    if (this.#flushing) return
    this.#flushing = true
    for (let next = this.#next(); next; next = this.#next()) {
      try {
        await this.send({ type: 'chat_say', contact: this.contact, ...next })
        this.#done(next.client_id)
      } catch (error) {
        const { problem } = refused(error)
        // Without a connection everything waits for the next one.
        if (problem.code === 'offline' || problem.status >= 500) break
        this.outbox = this.outbox.map((pending) => (pending.client_id === next?.client_id ? { ...pending, problem } : pending))
      }
    }
    this.#flushing = false
  }
  #flushing = false

  #next(): Pending | undefined {
    const found = this.outbox.find(({ problem }) => !problem)
    return found && { client_id: found.client_id, body: found.body }
  }

  take(client_id: string): string {
    const body = this.outbox.find((pending) => pending.client_id === client_id)?.body ?? ''
    this.#done(client_id)
    return body
  }

  #done(client_id: string): void {
    this.outbox = this.outbox.filter((pending) => pending.client_id !== client_id)
    this.#keep()
  }

  #keep(): void {
    try {
      sessionStorage.setItem(`ringback-say-${this.contact}`, JSON.stringify(this.outbox.map(({ client_id, body }) => ({ client_id, body }))))
    } catch {
      // Without storage a reload in the middle of sending may lose what was not acknowledged.
    }
  }

  #kept(): Pending[] {
    try {
      return JSON.parse(sessionStorage.getItem(`ringback-say-${this.contact}`) ?? '[]') as Pending[]
    } catch {
      return []
    }
  }
}

/** The conversations of the desk, by contact. */
export class Conversations {
  #all = $state<Record<string, Conversation>>({})

  constructor(
    private readonly send: Send,
    private readonly onwritten: (contact: string) => void,
  ) {}

  of(contact: string): Conversation {
    return this.#all[contact] ?? this.#open(contact)
  }

  known(contact: string): Conversation | null {
    return this.#all[contact] ?? null
  }

  #open(contact: string): Conversation {
    const fresh = new Conversation(contact, this.send)
    this.#all[contact] = fresh
    return fresh
  }

  take(message: ChatIncoming): void {
    const chat = this.of(message.contact)
    switch (message.type) {
      case 'chat_messages':
        if (chat.arrived(message.messages, message.upto)) this.onwritten(message.contact)
        break
      case 'chat_standing':
        chat.marks = { delivered: message.delivered, seen: message.seen }
        chat.here = message.here
        break
      case 'chat_typing':
        chat.isTyping()
        break
      case 'chat_said':
        // The line itself comes with the messages.
        break
    }
  }

  /** Of each chat, the last line this tab has. */
  upto(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#all).map(([contact, { upto }]) => [contact, upto]))
  }

  /** A new connection: what was not acknowledged goes again. */
  flush(): void {
    for (const chat of Object.values(this.#all)) {
      void chat.flush()
      chat.mark()
    }
  }

  keepOnly(contacts: Set<string>): void {
    for (const contact of Object.keys(this.#all)) if (!contacts.has(contact)) delete this.#all[contact]
  }
}
