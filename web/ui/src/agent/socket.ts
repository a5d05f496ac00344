import type { AgentView, Presence, Problem, Reason, Timestamp } from '../lib/api'
import { Backoff } from '../lib/backoff'
import { get, Refused, refused, toLogin } from '../lib/http'
import { tongue } from '../lib/i18n.svelte'
import type { ChatIncoming } from './chats.svelte'

export type Incoming =
  | {
      type: 'snapshot'
      seq: number
      agent: AgentView
      owner: boolean
      server_time: Timestamp
      live: Record<string, LiveCall>
    }
  | { type: 'ping'; id: number }
  | { type: 'phone_answer'; id: number; sdp: string }
  | { type: 'ack'; ref: number }
  | { type: 'error'; ref: number | null; problem: Problem }
  | { type: 'revoked'; why: string } // the session ended; the socket closes with 4001
  | { type: 'owner'; owner: boolean; session: string | null }
  | { type: 'colleagues'; agents: Colleague[] }
  /** The agent's own call came to nothing. */
  | { type: 'call_over'; contact: string; why: Reason }
  | ChatIncoming

/** What of a call is not in the contact: `codec` is what the phone should speak. */
export interface LiveCall {
  muted: boolean
  codec?: string
}

/** An agent who is signed in. */
export interface Colleague {
  id: string
  name: string
  presence: Presence
}

/** Where a call goes on to, or who is asked. */
export type CallTo = { to: 'queue'; queue: string } | { to: 'subject'; subject: string } | { to: 'agent'; agent: string } | { to: 'outside'; number: string }

/** What this page asks for. `ref` (and `id`, for the phone) are added when it is sent. */
export type Outgoing =
  | { type: 'hello'; session: string; after: number | null; chats: Record<string, number> }
  | { type: 'pong'; id: number; microphone: boolean; media: boolean }
  | { type: 'state'; state: 'ready' | 'not_ready' | 'offline'; reason?: string }
  | { type: 'phone_offer'; sdp: string; restart: boolean; mend: boolean }
  | { type: 'take_over' }
  | { type: 'accept' | 'reject'; offer: string }
  | { type: 'hold' | 'mute'; contact: string; on: boolean }
  | { type: 'dtmf'; contact: string; digits: string }
  | { type: 'call_transfer' | 'consult'; contact: string; to: CallTo; note: string | null }
  | { type: 'consult_step'; contact: string; step: 'back' | 'join' | 'complete' }
  | { type: 'colleagues' }
  | { type: 'call_out'; phone: string; name: string | null; subject: string | null }
  | { type: 'hang_up'; contact: string }
  | { type: 'wrap_up'; segment: string; dispositions: string[]; note: string | null }
  | { type: 'wrap_up_more'; segment: string }
  | { type: 'chat_say'; contact: string; client_id: string; body: string }
  | { type: 'chat_seen'; contact: string; delivered: number; seen: number }
  | { type: 'chat_typing' | 'chat_end'; contact: string }
  | { type: 'chat_transfer'; contact: string; queue?: string; agent?: string; note: string | null }
  | { type: 'chat_call'; contact: string; phone: string | null }

export type Link = 'connecting' | 'open' | 'lost' | 'refused'

interface Handlers {
  session: string
  message: (message: Incoming) => void
  link: (link: Link) => void
  /** Of each chat, the last line this tab has. */
  chats: () => Record<string, number>
}

/** Silence after which the line is taken for dead; the server pings every 2 s. */
const SILENCE = 7000
/** How long an answer to a request may take. */
const PATIENCE = 8000

/** Our end of `/ws`: reconnects by itself, says hello with the last seen `seq`, and matches answers to requests. */
export class Socket {
  #socket: WebSocket | null = null
  #seq: number | null = null
  #ref = 0
  #waiting = new Map<number, { done: (sdp?: string) => void; fail: (error: Refused) => void; timer: ReturnType<typeof setTimeout> }>()
  /** Asked for while there was no line: sent when there is one again, if that is soon enough. */
  #held = new Map<number, Outgoing & { ref: number; id: number }>()
  #backoff = new Backoff(400, 8000)
  #retry: ReturnType<typeof setTimeout> | undefined
  #silence: ReturnType<typeof setTimeout> | undefined
  #closed = false

  constructor(private readonly on: Handlers) {
    addEventListener('online', () => this.#now())
  }

  open(): void {
    this.#closed = false
    const address = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws?lang=${tongue.lang}`
    const socket = new WebSocket(address, 'ringback.v1')
    this.#socket = socket
    socket.onopen = () => {
      this.send({ type: 'hello', session: this.on.session, after: this.#seq, chats: this.on.chats() })
      for (const message of this.#held.values()) this.send(message)
      this.#held.clear()
      this.#hear()
    }
    socket.onmessage = ({ data }) => socket === this.#socket && this.#take(JSON.parse(data as string) as Incoming)
    socket.onclose = ({ code }) => socket === this.#socket && this.#gone(code)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    clearTimeout(this.#silence)
    this.#socket?.close()
  }

  send(message: Outgoing & { ref?: number; id?: number }): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false
    this.#socket.send(JSON.stringify(message))
    return true
  }

  /**
   * Sends and waits for its ack, or for the answer's SDP; rejects with `Refused`. A click in a moment without a line is not lost: it
   * is sent with the next one.
   */
  request(message: Outgoing): Promise<string | undefined> {
    const ref = ++this.#ref
    return new Promise((done, fail) => {
      const give = () => this.#settle(ref)?.fail(new Refused({ status: 0, code: 'offline' }))
      this.#waiting.set(ref, { done, fail, timer: setTimeout(give, PATIENCE) })
      const whole = { ...message, ref, id: ref }
      if (!this.send(whole)) this.#held.set(ref, whole)
    })
  }

  #take(message: Incoming): void {
    this.#hear()
    switch (message.type) {
      case 'snapshot':
        this.#seq = message.seq
        this.#backoff.reset()
        this.on.link('open')
        break
      case 'ack':
        this.#settle(message.ref)?.done()
        return
      case 'phone_answer':
        this.#settle(message.id)?.done(message.sdp)
        return
      case 'error':
        if (message.ref !== null) {
          this.#settle(message.ref)?.fail(new Refused(message.problem))
          return
        }
    }
    this.on.message(message)
  }

  #settle(ref: number) {
    const waiting = this.#waiting.get(ref)
    if (waiting) clearTimeout(waiting.timer)
    this.#waiting.delete(ref)
    this.#held.delete(ref)
    return waiting
  }

  #hear(): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => {
      // A half-open line closes slowly; do not wait for it.
      const dead = this.#socket
      this.#gone(1006)
      dead?.close()
    }, SILENCE)
  }

  #gone(code: number): void {
    clearTimeout(this.#silence)
    this.#socket = null
    const over = this.#closed || code === 4001 || code === 4002
    // Whether what was sent has arrived is not known.
    const doubtful = [...this.#waiting.keys()].filter((ref) => over || !this.#held.has(ref))
    for (const ref of doubtful) this.#settle(ref)?.fail(new Refused({ status: 0, code: 'offline' }))
    if (this.#closed) return
    if (code === 4001) return toLogin()
    if (code === 4002) return this.on.link('refused')
    this.on.link('lost')
    void this.#stillSignedIn()
    this.#retry = setTimeout(() => this.open(), this.#backoff.next())
  }

  /** A refused upgrade looks like any other failure to a page: ask whether the session has ended. */
  async #stillSignedIn(): Promise<void> {
    try {
      await get('/api/v1/me')
    } catch (error) {
      if (refused(error).problem.status === 401) toLogin()
    }
  }

  #now(): void {
    if (this.#closed || this.#socket) return
    clearTimeout(this.#retry)
    this.#backoff.reset()
    this.open()
  }
}
