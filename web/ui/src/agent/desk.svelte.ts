import type { AgentView, Contact, RequestedState, Segment, StaffBoot } from '../lib/api'
import { clock } from '../lib/clock.svelte'
import { readable } from '../lib/format'
import { get, refused, signOut, type Refused } from '../lib/http'
import { textOf } from '../lib/staff'
import { Attention } from './attention'
import { Conversations } from './chats.svelte'
import { Files } from './files.svelte'
import { Phone, type Paths } from './phone.svelte'
import { chime, fall, ring, silence } from './ring'
import { Socket, type CallTo, type Colleague, type Incoming, type Link, type LiveCall, type Outgoing } from './socket'
import { sound } from './sound.svelte'
import { PhoneLock, tabSession } from './tab'
import { callOver, deskWords, isChat, mine, offerOver, thirdOver } from './words'

export interface Item {
  contact: Contact
  segment: Segment
}

export interface Notice {
  id: number
  tone: 'info' | 'warn' | 'danger' | 'good'
  text: string
}

/** How long a notice stays; warnings stay until they are closed. */
const NOTICE = 9000
/** A lost connection shorter than this is not said. */
const SAY_LOST_AFTER = 1200

/** Everything on the agent's desk: what the server says, the phone, and what the agent can do. */
export class Desk {
  view = $state.raw<AgentView | null>(null)
  live = $state.raw<Record<string, LiveCall>>({})
  owner = $state(false)
  link = $state<Link>('connecting')
  /** True when the phone is in another tab of this browser, not in another browser. */
  elsewhereHere = $state(false)
  starting = $state(false)
  notices = $state<Notice[]>([])
  /** The contact the agent looks at; null: the one that needs most. */
  chosen = $state<string | null>(null)
  /** Contacts with a request under way, so that a button is not pressed twice. */
  busy = $state<Record<string, string>>({})
  /** Who else is signed in, as last read. */
  colleagues = $state.raw<Colleague[]>([])

  readonly phone = new Phone(
    async (sdp, kind) => (await this.#socket!.request({ type: 'phone_offer', sdp, restart: kind === 'again', mend: kind === 'mend' })) ?? '',
    () => get<Paths>('/api/v1/phone/ice'),
    () => this.#tell(),
  )
  readonly conversations = new Conversations(
    (message) => this.#send(message),
    (contact) => this.#written(contact),
  )
  readonly files = new Files()
  #socket: Socket | null = null
  #lock: PhoneLock
  #attention = new Attention(() => this.title)
  #session = ''
  #ping = 0
  #rings: string | null = null
  /** The last offer the agent accepted or rejected. */
  #answered: string | null = null
  #notice = 0
  #lost: ReturnType<typeof setTimeout> | undefined
  #reopened = false

  constructor(readonly boot: StaffBoot) {
    this.#lock = new PhoneLock(boot.user.id, () => this.#stolen())
  }

  readonly items = $derived.by<Item[]>(() => {
    const view = this.view
    if (!view) return []
    return view.contacts.flatMap((contact) => {
      const segment = mine(contact, view)
      return segment ? [{ contact, segment }] : []
    })
  })
  readonly offers = $derived(this.items.filter(({ segment }) => segment.state.state === 'offered'))
  readonly offer = $derived(this.offers[0] ?? null)
  readonly engaged = $derived(
    this.items.filter(({ segment }) => ['connecting', 'connected', 'agent_lost'].includes(segment.state.state)),
  )
  readonly calls = $derived(this.engaged.filter((item) => !isChat(item)))
  readonly chats = $derived(this.engaged.filter(isChat))
  /** Whether the routing profile has chat, and the tenant too. */
  readonly hasChat = $derived.by(() => (this.view?.chat_slots ?? 0) > 0 && this.boot.tenant?.chat != null)
  readonly unread = $derived(
    this.chats.reduce((sum, { contact }) => sum + (this.conversations.known(contact.id)?.unread ?? 0), 0),
  )
  readonly wrapUps = $derived(this.items.filter(({ segment }) => segment.state.state === 'wrap_up'))
  readonly active = $derived(
    [...this.engaged, ...this.wrapUps].find(({ contact }) => contact.id === this.chosen) ??
      this.calls[0] ??
      this.chats[0] ??
      this.wrapUps[0] ??
      null,
  )
  readonly elsewhere = $derived(this.view !== null && !this.owner && this.view.session !== null)

  get title(): string {
    return deskWords().page.title(this.boot.tenant?.name ?? 'Ringback')
  }

  async start(): Promise<void> {
    this.#session = await tabSession()
    this.#socket = new Socket({ session: this.#session, message: (m) => this.#take(m), link: (link) => this.#linked(link), chats: () => this.conversations.upto() })
    this.#socket.open()
  }

  // ── What the agent does ───────────────────────────────────────────────────────────────────────────────────────────

  /** Microphone, sound and path first; only then does the server hear "ready". Must come from a click or key press. */
  async goAvailable(): Promise<void> {
    if (this.starting) return
    this.starting = true
    try {
      await sound.unlock()
      this.#attention.ask()
      if (!this.owner) await this.#send({ type: 'take_over' })
      this.#lock.take()
      if (!this.phone.mediaLive) await this.phone.open()
      this.#pong()
      await this.#send({ type: 'state', state: 'ready' })
    } catch (error) {
      if (this.phone.state !== 'failed') this.#refusedNotice(error)
    }
    this.starting = false
  }

  async ask(state: RequestedState): Promise<void> {
    if (state.state === 'ready') return this.goAvailable()
    const reason = state.state === 'not_ready' ? { reason: state.reason } : {}
    await this.#try('state', { type: 'state', state: state.state, ...reason })
    if (state.state === 'offline' && this.calls.length === 0) this.#hangUpPhone()
  }

  async takeOver(): Promise<void> {
    await sound.unlock()
    if (!(await this.#try('take', { type: 'take_over' }))) return
    await this.#pickUp()
  }

  accept = ({ segment }: Item) => this.#answer('accept', segment.offer)
  reject = ({ segment }: Item) => this.#answer('reject', segment.offer)
  hold = ({ contact }: Item, on: boolean) => this.#try(`${contact.id} hold`, { type: 'hold', contact: contact.id, on })
  hangUp = ({ contact }: Item) => this.#try(`${contact.id} end`, { type: 'hang_up', contact: contact.id })
  dtmf = ({ contact }: Item, digits: string) => this.#try('', { type: 'dtmf', contact: contact.id, digits })
  moreTime = ({ segment }: Item) => this.#try(`${segment.id} more`, { type: 'wrap_up_more', segment: segment.id })
  finish = ({ segment }: Item, dispositions: string[], note: string) =>
    this.#try(segment.id, { type: 'wrap_up', segment: segment.id, dispositions, note: note.trim() || null })

  readColleagues = () => this.#send({ type: 'colleagues' }).catch(() => {})
  step = ({ contact }: Item, step: 'back' | 'join' | 'complete') =>
    this.#try(`${contact.id} consult`, { type: 'consult_step', contact: contact.id, step })

  /** Passes the call on, or asks first; what stands against it, in words, or null. */
  async passOn({ contact }: Item, to: CallTo, note: string, ask: boolean): Promise<string | null> {
    const key = `${contact.id} transfer`
    if (this.busy[key]) return null
    this.busy[key] = to.to
    try {
      await this.#send({ type: ask ? 'consult' : 'call_transfer', contact: contact.id, to, note: note.trim() || null })
      return null
    } catch (error) {
      return this.#refusal(error)
    } finally {
      delete this.busy[key]
    }
  }

  /** Calls a number; what stands against it, in words, or null. */
  async callOut(phone: string, name: string, subject: string): Promise<string | null> {
    if (this.busy.call_out) return null
    this.busy.call_out = 'call_out'
    try {
      if (!this.phone.on) await this.#pickUp()
      await this.#send({ type: 'call_out', phone, name: name.trim() || null, subject: subject || null })
      return null
    } catch (error) {
      return this.#refusal(error, deskWords().outRefused)
    } finally {
      delete this.busy.call_out
    }
  }

  /** Whether this tab can call now. */
  get mayCall(): boolean {
    const there = this.view?.presence === 'ready' || this.view?.presence === 'not_ready'
    return Boolean(this.boot.tenant?.outbound) && there && this.owner && !this.starting
  }

  nameOf(agent: string): string {
    return this.colleagues.find(({ id }) => id === agent)?.name ?? readable(agent)
  }

  endChat = ({ contact }: Item) => this.#try(`${contact.id} end`, { type: 'chat_end', contact: contact.id })
  transferChat = ({ contact }: Item, to: { queue: string } | { agent: string }, note: string) =>
    this.#try(`${contact.id} transfer`, { type: 'chat_transfer', contact: contact.id, ...to, note: note.trim() || null })

  /** The chat's customer is called, in the same contact; null: at the number given. */
  callFromChat = ({ contact }: Item, phone: string | null) =>
    this.#try(`${contact.id} call`, { type: 'chat_call', contact: contact.id, phone }, deskWords().callRefused)

  /** At once in this browser, whatever the network does; the server follows. */
  async mute({ contact }: Item, on: boolean): Promise<void> {
    this.phone.mute(on)
    await this.#try('', { type: 'mute', contact: contact.id, on })
  }

  /** The tab with the phone knows at once; the others hear it from the server. */
  muted = ({ contact }: Item): boolean =>
    this.owner && this.phone.on ? this.phone.muted : (this.live[contact.id]?.muted ?? false)

  async signOut(): Promise<void> {
    this.#hangUpPhone()
    this.#socket?.close()
    await signOut()
  }

  #answer(type: 'accept' | 'reject', offer: string): Promise<boolean> {
    this.#answered = offer
    silence()
    return this.#try(offer, { type, offer })
  }

  say(tone: Notice['tone'], text: string): void {
    if (this.notices.some((notice) => notice.text === text)) return
    const id = ++this.#notice
    this.notices = [...this.notices.slice(-3), { id, tone, text }]
    if (tone === 'info' || tone === 'good') setTimeout(() => this.dismiss(id), NOTICE)
  }

  dismiss(id: number): void {
    this.notices = this.notices.filter((notice) => notice.id !== id)
  }

  // ── What the server says ──────────────────────────────────────────────────────────────────────────────────────────

  #take(message: Incoming): void {
    switch (message.type) {
      case 'snapshot':
        clock.sync(message.server_time)
        this.#watchThird(message.agent)
        this.#watchOffer(message.agent)
        this.live = message.live ?? {}
        this.#sit()
        this.#owned(message.owner)
        if (message.owner) for (const { codec } of Object.values(this.live)) if (codec) void this.phone.speak(codec)
        this.#ringIfOffered()
        this.#forgetMute()
        break
      case 'ping':
        this.#ping = message.id
        this.#pong()
        break
      case 'owner':
        this.#owned(message.owner)
        break
      case 'colleagues':
        this.colleagues = message.agents
        break
      case 'call_over': {
        const text = callOver(message.why)
        if (text) this.say('info', text)
        break
      }
      case 'chat_messages':
      case 'chat_standing':
      case 'chat_typing':
      case 'chat_said':
        this.conversations.take(message)
        break
      case 'error':
        this.say('danger', message.problem.detail ?? deskWords().notices.serverRefused)
    }
  }

  /** A conversation for each chat on the desk, and for no other. */
  #sit(): void {
    const chats = this.items.filter(isChat)
    this.conversations.keepOnly(new Set(chats.map(({ contact }) => contact.id)))
    for (const { contact } of chats) this.conversations.of(contact.id)
  }

  /** A customer wrote in a chat the agent does not look at: said, so that it is not missed. */
  #written(contact: string): void {
    const item = this.chats.find(({ contact: { id } }) => id === contact)
    if (!item || this.active?.contact.id === contact) return
    this.say('info', deskWords().notices.wrote(item.contact.customer.name))
  }

  #linked(link: Link): void {
    clearTimeout(this.#lost)
    if (link !== 'lost') {
      this.link = link
      this.conversations.flush()
      this.#tell()
      return
    }
    this.#lost = setTimeout(() => {
      if (this.link !== 'lost' && this.phone.on) fall()
      this.link = 'lost'
    }, SAY_LOST_AFTER)
  }

  #owned(owner: boolean): void {
    if (this.owner && !owner && this.phone.on) {
      this.phone.close()
      this.#lock.drop()
      this.say('warn', deskWords().notices.takenOver)
    }
    this.owner = owner
    if (!owner) void this.#lock.heldHere().then((here) => (this.elsewhereHere = here))
    if (owner && !this.#reopened) void this.#reopen()
  }

  /** After a reload the phone comes back by itself, if the browser allows it without a click. */
  async #reopen(): Promise<void> {
    const presence = this.view?.presence
    this.#reopened = true
    if (this.phone.on || presence === 'offline' || presence === undefined) return
    if (presence === 'not_ready' && this.items.length === 0) return
    const allowed = await navigator.permissions?.query({ name: 'microphone' as PermissionName }).catch(() => null)
    if (allowed?.state !== 'granted') return
    await this.#pickUp()
  }

  /** The phone comes to this tab, muted if it was: nobody is heard who believes not to be. */
  async #pickUp(): Promise<void> {
    this.#lock.take()
    if (this.calls.some(({ contact }) => this.live[contact.id]?.muted)) this.phone.mute(true)
    await this.phone.open().catch(() => {})
    this.#pong()
  }

  #stolen(): void {
    this.phone.close()
    this.owner = false
    this.elsewhereHere = true
  }

  /** Takes the new view, and says so when an offer went away by itself. */
  #watchOffer(view: AgentView): void {
    const before = this.offers
    const talked = this.chats
    const wrapped = this.wrapUps
    this.view = view
    this.#sayDrafts(wrapped)
    for (const { segment } of before) {
      const going = this.items.some((item) => item.segment.offer === segment.offer)
      if (!going && this.owner && this.#answered !== segment.offer) this.say('info', offerOver(view))
    }
    const left = talked.find(({ contact }) => {
      const now = this.wrapUps.find((item) => item.contact.id === contact.id)
      return now && now.contact.chat?.ended?.by !== 'agent' && now.contact.chat?.ended
    })
    if (left && this.owner) {
      fall()
      this.say('info', deskWords().notices.left(left.contact.customer.name))
    }
  }

  /** The time for wrap-up is over before the log was filed. */
  #sayDrafts(wrapped: Item[]): void {
    for (const { contact, segment } of wrapped) {
      const gone = this.items.every((item) => item.segment.id !== segment.id)
      if (gone && this.files.known(contact.id)?.known?.case?.state === 'draft')
        this.say('info', deskWords().notices.draftKept(contact.customer.name))
    }
  }

  /** A consultation that ended without this agent's doing is said. */
  #watchThird(view: AgentView): void {
    for (const { contact, segment } of this.calls) {
      const now = view.contacts.find(({ id }) => id === contact.id)
      if (!this.owner || contact.third?.by !== segment.id || !now || now.third) continue
      const text = thirdOver(contact.third, now.third_end, (agent) => this.nameOf(agent))
      if (text) this.say('info', text)
    }
  }

  /** Only the tab with the phone rings, and an offer rings once, however often the connection comes back. */
  #ringIfOffered(): void {
    const offer = this.offers.at(-1) ?? null
    const rings = offer && this.owner ? offer.segment.offer : null
    if (rings === this.#rings) return
    this.#rings = rings
    silence()
    if (!rings || !offer) return this.#attention.end()
    const state = offer.segment.state
    const left = state.state === 'offered' ? state.until - clock.now : 0
    if (isChat(offer)) chime(this.engaged.length > 0)
    else ring(left)
    this.#attention.begin(isChat(offer) ? deskWords().notices.incomingChat : deskWords().notices.incomingCall, this.subjectOf(offer.contact))
  }

  /** The next call begins unmuted. */
  #forgetMute(): void {
    if (this.phone.muted && this.calls.length === 0) this.phone.mute(false)
  }

  subjectOf(contact: Contact): string {
    return this.boot.tenant?.subjects?.find(({ id }) => id === contact.subject)?.name ?? contact.subject
  }

  #pong(): void {
    const { microphoneLive: microphone, mediaLive: media } = this.phone
    this.#socket?.send({ type: 'pong', id: this.#ping, microphone, media })
  }

  /** The phone's state changed: the server should not learn it two seconds later. */
  #tell(): void {
    if (this.#ping > 0) this.#pong()
  }

  #hangUpPhone(): void {
    this.phone.close()
    this.#lock.drop()
  }

  #send(message: Outgoing): Promise<unknown> {
    return this.#socket?.request(message) ?? Promise.reject(new Error('not started'))
  }

  async #try(key: string, message: Outgoing, said: Record<string, string> = deskWords().refused): Promise<boolean> {
    if (key && this.busy[key]) return false
    if (key) this.busy[key] = message.type
    try {
      await this.#send(message)
      return true
    } catch (error) {
      this.#refusedNotice(error, said)
      return false
    } finally {
      delete this.busy[key]
    }
  }

  #refusedNotice(error: unknown, said: Record<string, string> = deskWords().refused): void {
    this.say('danger', this.#refusal(error, said))
  }

  #refusal(error: unknown, said: Record<string, string> = deskWords().refused): string {
    const known: Refused = refused(error)
    return textOf(said, known.code) ?? known.problem.detail ?? deskWords().notices.notDone
  }
}
