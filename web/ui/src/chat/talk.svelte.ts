import type { ChatLine, ChatNews, ChatStatus, Problem } from '../lib/api'
import { Backoff } from '../lib/backoff'
import { get, post, refused } from '../lib/http'
import { tongue } from '../lib/i18n.svelte'

/** A message of ours the server has not acknowledged. */
export interface Pending {
  client_id: string
  body: string
  /** Why the server does not take it; sent again only on demand. */
  problem?: Problem
}

type News =
  | ({ type: 'status' } & ChatStatus)
  | { type: 'messages'; messages: ChatLine[]; upto: number }
  | { type: 'said'; client_id: string; seq: number; at: number }
  | { type: 'marks'; delivered: number; seen: number }
  | { type: 'typing' }
  | { type: 'refused'; client_id: string | null; problem: Problem }

/** How long a sign of typing is shown. */
const TYPING_SHOWN = 6000
/** How often our own typing is told. */
const TYPING_TOLD = 2500
/** A lost connection shorter than this is not said. */
const SAY_LOST_AFTER = 1500
/** A socket that did not open so often: plain requests carry the chat until one does. */
const SOCKET_TRIES = 2
/** They also do when a socket neither opens nor fails for so long. */
const SOCKET_PATIENCE = 3000
/** A message that did not arrive, or came too early, goes again by itself after so long. */
const SAY_AGAIN = 3000
/** Longest wait of one request when there is no socket, in seconds. */
const POLL_WAIT = 20

/**
 * The customer's end of one chat: over a socket, or by asking again and again while none gets through. What waits to be sent goes by
 * whichever works first.
 */
export class Talk {
  status = $state.raw<ChatStatus | null>(null)
  lines = $state.raw<ChatLine[]>([])
  outbox = $state<Pending[]>([])
  typing = $state(false)
  /** What of our messages an agent was given, and has seen. */
  marks = $state({ delivered: 0, seen: 0 })
  link = $state<'connecting' | 'live' | 'lost'>('connecting')
  /** The server does not know this chat any more. */
  unknown = $state(false)

  readonly path: string
  #upto = 0
  #seen = 0
  #socket: WebSocket | null = null
  #opened = false
  #failed = 0
  #polling: AbortController | null = null
  #agentTyping: number | null = null
  /** Of what the last plain request for news told; empty when it was not answered. */
  #tag = ''
  /** Between two sockets, and between two plain requests that fail: what one of them achieves says nothing of the other. */
  #sockets = new Backoff(500, 8000)
  #requests = new Backoff(500, 8000)
  #retry: ReturnType<typeof setTimeout> | undefined
  #waiting: ReturnType<typeof setTimeout> | undefined
  #lost: ReturnType<typeof setTimeout> | undefined
  #still: ReturnType<typeof setTimeout> | undefined
  #told = 0
  #closed = false
  /** Messages on their way by the present connection. */
  #sent = new Set<string>()

  constructor(
    readonly token: string,
    private readonly onarrival: (line: ChatLine) => void,
  ) {
    this.path = `/api/v1/chat/${token}`
    this.outbox = this.#kept()
    addEventListener('online', () => this.#now())
    // A page that is loaded shows itself as well, with its socket on the way.
    addEventListener('pageshow', ({ persisted }) => persisted && this.#now())
    document.addEventListener('visibilitychange', () => this.#mark())
  }

  open(): void {
    if (this.#closed || this.#socket || this.unknown) return
    clearTimeout(this.#retry)
    let socket: WebSocket
    try {
      socket = new WebSocket(`${location.origin.replace('http', 'ws')}${this.path}/socket?after=${this.#upto}&lang=${tongue.lang}`, 'ringback.chat.v1')
    } catch {
      this.#failed = SOCKET_TRIES
      return this.#gone(false)
    }
    this.#socket = socket
    this.#waiting = setTimeout(() => this.#poll(), SOCKET_PATIENCE)
    let opened = false
    socket.onopen = () => {
      if (socket !== this.#socket) return
      opened = this.#opened = true
      this.#failed = 0
      this.#sockets.reset()
      this.#rest()
      this.#alive()
      this.#flush()
    }
    socket.onmessage = ({ data }) => socket === this.#socket && this.#take(JSON.parse(data as string) as News)
    socket.onclose = () => socket === this.#socket && this.#gone(opened)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#rest()
    this.#socket?.close()
  }

  say(body: string): void {
    this.outbox = [...this.outbox, { client_id: crypto.randomUUID(), body }]
    // The next message is a new sign of typing, however soon it is begun.
    this.#told = 0
    this.#keep()
    this.#flush()
  }

  /** A message the server refused is given back for changing. */
  take(client_id: string): string {
    const found = this.outbox.find((pending) => pending.client_id === client_id)
    this.#done(client_id)
    return found?.body ?? ''
  }

  again(client_id: string): void {
    this.outbox = this.outbox.map((pending) => (pending.client_id === client_id ? { ...pending, problem: undefined } : pending))
    this.#sent.delete(client_id)
    this.#flush()
  }

  type(): void {
    const now = Date.now()
    if (now - this.#told < TYPING_TOLD) return
    this.#told = now
    if (!this.#send({ type: 'typing' }) && this.#polling) void post(`${this.path}/typing`).catch(() => {})
  }

  /** Resolves when the server has taken it. */
  async end(): Promise<void> {
    this.status = await post<ChatStatus>(`${this.path}/end`)
  }

  // ── What the server says ──────────────────────────────────────────────────────────────────────────────────────────

  #take(news: News): void {
    this.#alive()
    switch (news.type) {
      case 'status': {
        const { type: _, ...status } = news
        this.status = status
        break
      }
      case 'messages':
        this.#arrived(news.messages, news.upto)
        break
      case 'said':
        // The line itself comes with the messages.
        break
      case 'marks':
        this.marks = { delivered: news.delivered, seen: news.seen }
        break
      case 'typing':
        this.#isTyping()
        break
      case 'refused':
        if (news.client_id) this.#refusedSaying(news.client_id, news.problem)
    }
  }

  #arrived(messages: ChatLine[], upto: number): void {
    const fresh = messages.filter(({ seq }) => seq > this.#upto)
    this.#upto = Math.max(this.#upto, upto)
    if (fresh.length === 0) return
    this.lines = [...this.lines, ...fresh]
    for (const line of fresh) {
      if (line.from === 'customer') this.#done(line.client_id)
      else {
        this.typing = false
        this.onarrival(line)
      }
    }
    this.#mark()
  }

  #isTyping(): void {
    this.typing = true
    clearTimeout(this.#still)
    this.#still = setTimeout(() => (this.typing = false), TYPING_SHOWN)
  }

  /** Tells how far we are: given at once, seen while somebody looks. */
  #mark(): void {
    const looking = document.visibilityState === 'visible'
    const seen = looking ? this.#upto : this.#seen
    if (this.#upto === 0 || (seen === this.#seen && this.#marked === this.#upto)) return
    this.#seen = seen
    this.#marked = this.#upto
    const marks = { delivered: this.#upto, seen }
    if (!this.#send({ type: 'seen', ...marks }) && this.#polling) void post(`${this.path}/seen`, marks).catch(() => {})
  }
  #marked = 0

  // ── Our messages ──────────────────────────────────────────────────────────────────────────────────────────────────

  #flush(): void {
    for (const { client_id, body, problem } of this.outbox) {
      if (problem || this.#sent.has(client_id)) continue
      if (this.#send({ type: 'say', client_id, body })) this.#sent.add(client_id)
      else if (this.#polling) {
        this.#sent.add(client_id)
        void this.#post(client_id, body)
      }
    }
  }

  async #post(client_id: string, body: string): Promise<void> {
    try {
      await post(`${this.path}/messages`, { client_id, body })
    } catch (error) {
      const { problem } = refused(error)
      if (problem.code === 'offline') setTimeout(() => this.again(client_id), SAY_AGAIN)
      else this.#refusedSaying(client_id, problem)
    }
  }

  #refusedSaying(client_id: string, problem: Problem): void {
    this.outbox = this.outbox.map((pending) => (pending.client_id === client_id ? { ...pending, problem } : pending))
    // What is only too early goes again by itself.
    if (problem.status === 429 || problem.status >= 500) setTimeout(() => this.again(client_id), SAY_AGAIN)
  }

  #done(client_id: string): void {
    this.outbox = this.outbox.filter((pending) => pending.client_id !== client_id)
    this.#keep()
  }

  /** What is not acknowledged outlives a reload. */
  #keep(): void {
    try {
      sessionStorage.setItem(`ringback-outbox-${this.token}`, JSON.stringify(this.outbox.map(({ client_id, body }) => ({ client_id, body }))))
    } catch {
      // Without storage a reload in the middle of sending may lose what was not acknowledged.
    }
  }

  #kept(): Pending[] {
    try {
      return JSON.parse(sessionStorage.getItem(`ringback-outbox-${this.token}`) ?? '[]') as Pending[]
    } catch {
      return []
    }
  }

  // ── The connection ────────────────────────────────────────────────────────────────────────────────────────────────

  #send(message: object): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false
    this.#socket.send(JSON.stringify(message))
    return true
  }

  #alive(): void {
    clearTimeout(this.#lost)
    this.#lost = undefined
    this.link = 'live'
  }

  #losing(): void {
    // Counted from the first failure: those after it do not put it off.
    this.#lost ??= setTimeout(() => (this.link = 'lost'), SAY_LOST_AFTER)
  }

  #gone(opened: boolean): void {
    clearTimeout(this.#waiting)
    this.#socket = null
    if (opened) this.#sent.clear()
    if (this.#closed) return
    if (!this.#tag) this.#losing()
    if (!opened) this.#failed++
    if (this.#failed >= SOCKET_TRIES) this.#poll()
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      // Where plain requests get through and no socket ever did, none will.
      if (this.#opened || !this.#tag) this.open()
    }, this.#sockets.next())
  }

  #told_all(news: ChatNews): void {
    this.#requests.reset()
    this.#alive()
    this.status = news.status
    this.marks = { delivered: news.delivered, seen: news.seen }
    if (this.#agentTyping !== null && this.#agentTyping !== news.agent_typing) this.#isTyping()
    this.#agentTyping = news.agent_typing
    this.#tag = news.tag
    this.#arrived(news.messages, news.upto)
  }

  /** Plain requests carry the chat until a socket opens. */
  #poll(): void {
    if (this.#closed || this.#polling || this.unknown) return
    const polling = (this.#polling = new AbortController())
    void this.#ask(polling.signal)
  }

  #rest(): void {
    clearTimeout(this.#waiting)
    this.#polling?.abort()
    this.#polling = null
    this.#tag = ''
    // What they may not have brought goes again: under its name the server keeps it once.
    this.#sent.clear()
  }

  async #ask(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      // The first one, and the first after a failure, know nothing and are answered at once: what waits goes as soon as they are.
      const query = `after=${this.#upto}&wait=${POLL_WAIT}&tag=${this.#tag}`
      try {
        const news = await get<ChatNews>(`${this.path}/poll?${query}`, stop)
        if (stop.aborted) return
        this.#told_all(news)
        this.#flush()
      } catch (error) {
        if (stop.aborted) return
        this.#tag = ''
        if (refused(error).problem.status === 404) {
          this.unknown = true
          return
        }
        this.#losing()
        await new Promise((go) => setTimeout(go, this.#requests.next()))
      }
    }
  }

  /** The network is said to be back: what set out before may be lost, and everything is tried at once. */
  #now(): void {
    if (this.#closed || this.unknown || this.#socket?.readyState === WebSocket.OPEN) return
    const late = this.#socket
    this.#socket = null
    late?.close()
    this.#rest()
    this.#sockets.reset()
    this.#requests.reset()
    this.open()
    this.#poll()
  }
}
