/** One agent's desk on the mock's side: enough of the states to click through a whole call. */
import { agentView, attempt, contact } from './data.mjs'

export class AgentDesk {
  lines = new Set()
  owner = null
  seq = 0
  /** Answers a phone offer; the screenshots put a real peer connection here. */
  answer = null
  view = agentView(Date.now())
  live = {}
  log = []
  said = 5

  /** What was written in a chat, as a real desk is told it. */
  write(contact, messages, here = true) {
    for (const line of this.lines) {
      line.send({ type: 'chat_messages', contact, messages, upto: messages.at(-1)?.seq ?? 0 })
      line.send({ type: 'chat_standing', contact, delivered: 5, seen: 5, here })
    }
  }

  join(line) {
    this.lines.add(line)
    line.pinger = setInterval(() => line.send({ type: 'ping', id: ++this.seq }), 2000)
  }

  gone(line) {
    clearInterval(line.pinger)
    this.lines.delete(line)
    if (this.owner === line) this.owner = null
  }

  cut() {
    for (const line of this.lines) line.drop()
  }

  show(part) {
    this.view = { ...this.view, ...part }
    for (const line of this.lines) this.tell(line)
  }

  tell(line) {
    const owner = this.owner === line
    line.send({ type: 'snapshot', seq: ++this.seq, agent: this.view, owner, server_time: Date.now(), live: this.live })
  }

  async hear(line, message) {
    if (message.type !== 'pong') this.log.push(message.type)
    const now = Date.now()
    const ack = () => message.ref && line.send({ type: 'ack', ref: message.ref })
    const segment = this.view.contacts[0]?.segments[0]
    switch (message.type) {
      case 'chat_say':
        for (const one of this.lines) one.send({ type: 'chat_messages', contact: message.contact, upto: ++this.said, messages: [{ seq: this.said, from: 'agent', agent: 'maria', client_id: message.client_id, at: now, body: message.body }] })
        return ack()
      case 'hello':
        line.session = message.session
        if (!this.owner && (this.view.session === null || this.view.session === message.session)) this.own(line)
        return this.tell(line)
      case 'pong':
        if (line === this.owner) this.view.health = { tab: true, microphone: message.microphone, media: message.media }
        return
      case 'take_over':
        this.own(line)
        ack()
        return this.show({})
      case 'phone_offer':
        return line.send({ type: 'phone_answer', id: message.id, sdp: await this.answer(message.sdp) })
      case 'state':
        ack()
        if (this.view.contacts.length > 0) return this.show({ next: message })
        return this.show({ presence: message.state === 'ready' ? 'ready' : message.state, reason: message.reason ?? null, since: now })
      case 'accept':
        ack()
        return this.connect(now)
      case 'reject':
        ack()
        return this.show({ presence: 'not_ready', reason: 'on_break', since: now, auto_return_at: now + 10_000, contacts: [] })
      case 'hold':
        segment.on_hold = message.on
        ack()
        return this.show({})
      case 'mute':
        this.live = { [message.contact]: { muted: message.on } }
        ack()
        return this.show({})
      case 'hang_up':
        segment.state = { state: 'wrap_up', until: now + 60_000 }
        segment.ended_at = now
        ack()
        return this.show({ presence: 'wrap_up', since: now })
      case 'wrap_up_more':
        segment.state.until += 30_000
        ack()
        return this.show({})
      case 'wrap_up':
        ack()
        return this.show({ presence: 'ready', since: now, contacts: [] })
      default:
        ack()
    }
  }

  own(line) {
    this.owner = line
    this.view.session = line.session
  }

  offer(part = {}) {
    const now = Date.now()
    this.show({ presence: 'offered', since: now, contacts: [contact(now, { state: { state: 'offered', until: now + 20_000 }, extra: { ago: 0, ...part } })] })
  }

  connect(now) {
    const call = this.view.contacts[0]
    const segment = call.segments[0]
    segment.state = { state: 'connecting', since: now }
    call.attempts = [attempt(now, segment.id, { dialled_at: now, ringing_at: now })]
    this.show({ presence: 'busy', since: now })
    setTimeout(() => {
      const then = Date.now()
      segment.state = { state: 'connected', since: then }
      segment.connected_at = then
      call.attempts[0].answered_at = then
      call.attempts[0].state = { state: 'live' }
      this.show({})
    }, 700)
  }
}
