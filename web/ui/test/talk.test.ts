import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Talk } from '../src/chat/talk.svelte'

/** A browser around one chat page: whether sockets open, fail or hang, and whether plain requests get through. */
class Wire {
  sockets: 'open' | 'fail' | 'hang' = 'open'
  requests = true
  /** Of a plain request for news without anything new: it waits. */
  tag = 'same'
  said: { by: 'socket' | 'request'; body: string }[] = []
  asked: string[] = []
  opened: Socket[] = []
  heard = new Map<string, () => void>()

  constructor(private readonly context: TestContext) {
    const wire = this
    context.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
    const globals = {
      location: { origin: 'https://county.example' },
      document: { visibilityState: 'visible', addEventListener: () => {}, documentElement: { lang: 'en' } },
      addEventListener: (name: string, action: () => void) => this.heard.set(name, action),
      sessionStorage: { setItem: () => {}, getItem: () => null },
      WebSocket: class extends Socket {
        constructor() {
          super(wire)
        }
      },
      fetch: (path: string, options: RequestInit) => this.answer(path, options),
    }
    for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  }

  async answer(path: string, { method, body, signal }: RequestInit): Promise<Response> {
    if (!this.requests) throw new TypeError('Failed to fetch')
    if (method === 'POST') {
      if (path.endsWith('/messages')) this.said.push({ by: 'request', body: (JSON.parse(body as string) as { body: string }).body })
      return Response.json({})
    }
    this.asked.push(path)
    const news = { status: { stage: 'talking' }, messages: [], upto: 0, delivered: 0, seen: 0, agent_typing: 0, tag: this.tag }
    if (new URLSearchParams(path.split('?')[1]).get('tag') === this.tag) {
      await new Promise<void>((go) => signal?.addEventListener('abort', () => go()))
      throw new TypeError('aborted')
    }
    return Response.json(news)
  }

  /** The network goes: every open socket with it. */
  cut(): void {
    this.sockets = 'fail'
    this.requests = false
    for (const socket of this.opened.splice(0)) socket.end()
  }

  async pass(milliseconds: number): Promise<void> {
    for (let gone = 0; gone < milliseconds; gone += 50) {
      this.context.mock.timers.tick(50)
      await new Promise((go) => setImmediate(go))
    }
  }
}

class Socket {
  static OPEN = 1
  readyState = 0
  onopen?: () => void
  onclose?: () => void
  onmessage?: (event: { data: string }) => void

  constructor(private readonly wire: Wire) {
    const { sockets } = wire
    if (sockets === 'hang') return
    setTimeout(() => {
      if (sockets === 'fail') return this.end()
      this.readyState = 1
      wire.opened.push(this)
      this.onopen?.()
    }, 10)
  }

  send(text: string): void {
    const message = JSON.parse(text) as { type: string; body: string }
    if (message.type === 'say') this.wire.said.push({ by: 'socket', body: message.body })
  }

  end(): void {
    if (this.readyState === 3) return
    this.readyState = 3
    this.onclose?.()
  }

  close(): void {
    this.end()
  }
}

/** A page whose socket worked until the network went, and what was written then. */
async function cutOff(context: TestContext): Promise<{ wire: Wire; talk: Talk }> {
  const wire = new Wire(context)
  const talk = new Talk('t'.repeat(43), () => {})
  context.after(() => talk.close())
  talk.open()
  await wire.pass(100)
  assert.equal(talk.link, 'live')
  wire.cut()
  await wire.pass(6000)
  assert.equal(talk.link, 'lost')
  talk.say('written without a network')
  await wire.pass(1000)
  assert.deepEqual(wire.said, [])
  return { wire, talk }
}

const once = (by: 'socket' | 'request') => [{ by, body: 'written without a network' }]

test('the network is back but lets no socket through: what waits goes by a plain request at once', async (context) => {
  const { wire, talk } = await cutOff(context)
  wire.requests = true
  wire.heard.get('online')?.()
  await wire.pass(500)
  assert.deepEqual(wire.said, once('request'))
  assert.equal(talk.link, 'live')
})

test('a socket that neither opens nor fails holds nothing up', async (context) => {
  const { wire, talk } = await cutOff(context)
  Object.assign(wire, { sockets: 'hang', requests: true })
  // Nobody says that the network is back.
  await wire.pass(9000)
  assert.deepEqual(wire.said, once('request'))
  assert.equal(talk.link, 'live')
})

test('a socket that set out before the network was back is given up for a new one', async (context) => {
  const { wire, talk } = await cutOff(context)
  wire.sockets = 'hang'
  await wire.pass(9000)
  wire.sockets = 'open'
  wire.heard.get('online')?.()
  await wire.pass(500)
  assert.deepEqual(wire.said, once('socket'))
  assert.equal(talk.link, 'live')
})

test('plain requests carry the chat only until a socket opens; what they may not have brought goes again under its name', async (context) => {
  const { wire, talk } = await cutOff(context)
  wire.requests = true
  await wire.pass(9000)
  assert.deepEqual(wire.said, once('request'))
  assert.equal(talk.link, 'live', 'sockets that fail beside plain requests that work are no lost connection')
  wire.sockets = 'open'
  await wire.pass(9000)
  assert.deepEqual(wire.said, [...once('request'), ...once('socket')])
  const asked = wire.asked.length
  wire.tag = 'another'
  await wire.pass(30_000)
  assert.equal(wire.asked.length, asked, 'nobody asks beside a socket that is open')
})

test('where no socket ever opened, none is tried again once plain requests get through', async (context) => {
  const wire = new Wire(context)
  wire.sockets = 'fail'
  let made = 0
  const Bare = globalThis.WebSocket
  globalThis.WebSocket = class extends (Bare as unknown as new () => Socket) {
    static OPEN = 1
    constructor() {
      super()
      made++
    }
  } as unknown as typeof WebSocket
  const talk = new Talk('t'.repeat(43), () => {})
  context.after(() => talk.close())
  talk.open()
  await wire.pass(60_000)
  assert.equal(talk.link, 'live')
  assert.equal(made, 2)
})
