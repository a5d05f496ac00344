/**
 * Serves the built pages with invented data under the server's own Content-Security-Policy, for looking at them without a
 * server: `npm run build && npm run mock`, then http://localhost:4173/. `?scene=` picks a state where a page has several.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as data from './data.mjs'
import { AgentDesk } from './desk.mjs'
import { upgrade } from './socket.mjs'
import { tone } from './tone.mjs'

const DIST = join(fileURLToPath(new URL('.', import.meta.url)), '..', 'dist')
const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' }
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html"

export function start(port = 4173) {
  /** What the next answers are made from; the screenshots change it. */
  const scene = { status: 'waiting', chat: 'waiting', availability: 'open', board: {}, callback: null, recordings: 'some', dead: false, portalToken: 'e30.eyJuYW1lIjoiTGVlIE9rYWZvciJ9.x' }
  const desk = new AgentDesk()
  const streams = new Set()

  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost')
    if (url.searchParams.has('scene')) Object.assign(scene, named(url))
    if (scene.dead && url.pathname.startsWith('/api/')) return request.socket.destroy()
    const answer = respond(request, url, scene, streams, response)
    if (answer) send(response, answer)
  })
  server.on('upgrade', (request, socket) => {
    // Customers of the mock are behind a network without WebSockets.
    if (scene.dead || !request.url.startsWith('/ws')) return socket.destroy()
    const line = upgrade(request, socket, (text) => desk.hear(line, JSON.parse(text)), () => desk.gone(line))
    desk.join(line)
  })
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => {
      const cut = () => {
        for (const stream of streams) stream.destroy()
        desk.cut()
      }
      resolve({ url: `http://localhost:${server.address().port}`, scene, desk, cut, close: () => server.close() })
    })
  })
}

const named = (url) => (url.pathname.includes('/status/') ? { status: url.searchParams.get('scene') } : { availability: url.searchParams.get('scene') })

function respond(request, url, scene, streams, response) {
  const path = url.pathname
  const now = Date.now()
  const lang = url.searchParams.get('lang') === 'es' ? 'es' : 'en'
  if (path === '/embed.js' || path.startsWith('/assets/')) return file(path)
  if (path === '/t/sacramento/theme.css') return { type: 'text/css', body: ':root{--accent:#1d4ed8;--accent-text:#fff}' }
  if (path.endsWith('/call-me')) return shell('callme', lang, callMe(url, scene, now))
  if (path.endsWith('/chat')) {
    const boot = callMe(url, scene, now)
    return shell('chat', lang, { ...boot, message_chars: 500, call_me: boot.enabled })
  }
  if (path.startsWith('/t/sacramento/status/')) {
    const known = scene.status !== 'unknown'
    return shell('status', lang, { tenant: data.tenant, token: 'tok', status: known ? data.status[scene.status](now) : null })
  }
  const staff = (role, id, name) => ({ user: { id, name, role, tenant: 'sacramento' }, tenant: data.staffTenant })
  if (path === '/login') return shell('login', lang, { next: url.searchParams.get('next') ?? '/agent' })
  if (path === '/agent') return shell('agent', lang, staff('agent', 'maria', 'Maria Ruiz'))
  if (path === '/supervisor') return shell('supervisor', lang, staff('supervisor', 'sam', 'Sam Rivera'))
  if (path === '/' || path === '/demo/portal') {
    const script = `<script src="/embed.js" data-tenant="sacramento" data-token="${scene.portalToken}" async></script>`
    return shell('portal', lang, data.portal, script)
  }
  return api(request, path, url, scene, now, streams, response)
}

function api(request, path, url, scene, now, streams, response) {
  const method = request.method
  if (path.endsWith('/slots')) return json({ slots: data.slots(now), length_ms: 900_000 })
  if (path.endsWith('/availability')) {
    return json({ tenant: data.tenant, availability: data.availability[scene.availability](now), hours: data.hours, chat: scene.availability !== 'off', auth: 'none' })
  }
  if (path.endsWith('/chats') && method === 'POST') return json({ chat_token: 'x'.repeat(43), position: 3, ewt_ms: 444_000 }, 201)
  if (path.endsWith('/poll')) return url.searchParams.get('tag') === '' ? json(data.chat[scene.chat](now)) : null
  if (path.endsWith('/end') && path.includes('/chat/')) return json(data.chat.ended(now).status)
  if (path.includes('/api/v1/chat/') && method === 'GET') return json(data.chat[scene.chat](now))
  if (path.endsWith('/customer') || path.endsWith('/case')) return json(data.directory(now, scene.directory, path.endsWith('/case')))
  if (path === '/api/v1/transcripts') return json({ items: data.chatsFound(now), next: 'more' })
  if (path.startsWith('/api/v1/transcripts/')) return json({ messages: data.chatLines(now), events: [] })
  if (path === '/api/v1/phone/ice') return json({ servers: [], relay_only: false })
  if (path === '/api/v1/cases/drafts') return json({ items: data.drafts(now) })
  if (path.startsWith('/api/v1/customers')) return json(url.searchParams.has('q') ? { items: data.found, more: true } : data.customer(now))
  if (path.endsWith('/history')) return json({ items: data.history(now) })
  if (path.includes('/history/')) return json({ messages: data.chatLines(now), events: [] })
  if (path.endsWith('/callbacks') && method === 'POST') {
    if (scene.callback) return problem(scene.callback.status, scene.callback.code)
    return json({ status_token: 'tok', status_url: '/t/sacramento/status/tok', contact_state: 'queued', position: 3, ewt_ms: 444_000, ewt_p90_ms: 700_000, number_display: '(916) 555-0119', due: null }, 201)
  }
  if (path === '/api/v1/status/tok/events') return stream(response, streams, 'status', () => data.status[scene.status](Date.now()))
  if (path === '/api/v1/status/tok/cancel') {
    scene.status = 'cancelled'
    return json(data.status.cancelled(now))
  }
  if (path === '/api/v1/status/tok/number') return scene.callback ? problem(422, 'phone_invalid') : json(data.status[scene.status](now))
  if (path === '/api/v1/status/tok') return json(data.status[scene.status](now))
  if (path === '/api/v1/login') return scene.login ? problem(401, 'login_failed') : json({ user: { id: 'maria', name: 'Maria Ruiz', role: 'agent', tenant: 'sacramento' } })
  if (path === '/api/v1/me') return json({ user: {}, tenant: data.staffTenant, can_reject: true })
  if (path === '/api/v1/board/events') return stream(response, streams, 'board', () => data.board(Date.now(), scene.board))
  if (path === '/api/v1/board') return json(data.board(now, scene.board))
  if (path === '/api/v1/trunks') return json({ trunks: [{ id: 'carrier', up: true, rtt_ms: 2, last_status: 200, cause: null, registered: true, checked_seconds: 12, channels: 30, in_use: 4, placed: 812, answered: 640, failures: [{ result: 'busy', sip_status: 486, count: 61 }, { result: 'no_answer', sip_status: null, count: 111 }] }, { id: 'backup', up: false, rtt_ms: null, last_status: 503, cause: 'TLS: the carrier’s certificate has expired', registered: null, checked_seconds: null, channels: 10, in_use: 0, placed: 0, answered: 0, failures: [] }] })
  if (path === '/api/v1/audit') return json({ items: data.audit(now), next: 'more' })
  if (path === '/api/v1/recordings') {
    if (scene.recordings === 'error') return problem(503, 'unavailable')
    return json({ items: scene.recordings === 'none' ? [] : data.recordings(now), next: scene.recordings === 'none' ? null : 'more' })
  }
  if (path.endsWith('/peaks')) return json(data.peaks(Number(url.searchParams.get('buckets') ?? 800)))
  if (path.endsWith('/audio')) return audio(request)
  if (method !== 'GET') return { status: 204, type: 'text/plain', body: '' }
  return problem(404, 'not_found')
}

let wav = null
function audio(request) {
  wav ??= tone(362)
  const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '')
  if (!range) return { type: 'audio/wav', body: wav, headers: { 'accept-ranges': 'bytes' } }
  const [from, to] = [Number(range[1]), range[2] ? Number(range[2]) : wav.length - 1]
  const headers = { 'accept-ranges': 'bytes', 'content-range': `bytes ${from}-${to}/${wav.length}` }
  return { status: 206, type: 'audio/wav', body: wav.subarray(from, to + 1), headers }
}

function callMe(url, scene, now) {
  const off = url.pathname.includes('alpine') || scene.availability === 'off'
  return {
    tenant: off ? { ...data.tenant, id: 'alpine', name: 'Alpine County' } : data.tenant,
    enabled: !off,
    availability: data.availability[off ? 'off' : scene.availability](now),
    hours: data.hours,
    auth: url.searchParams.has('token') || scene.auth === 'none' ? 'optional' : 'required',
    token: url.searchParams.get('token'),
    prefill: url.searchParams.has('token') ? { name: 'Lee Okafor', customer_id: '1B47X02' } : null,
    token_error: null,
    subjects: data.subjects,
    slots: true,
    from_page: url.searchParams.get('page'),
    embed: url.searchParams.has('embed'),
    parent_origins: [],
  }
}

function shell(page, lang, boot, extra = '') {
  const manifest = JSON.parse(readFileSync(join(DIST, '.vite/manifest.json'), 'utf8'))
  const css = []
  const gather = (key) => {
    for (const inner of manifest[key].imports ?? []) gather(inner)
    for (const sheet of manifest[key].css ?? []) if (!css.includes(sheet)) css.push(sheet)
  }
  gather(`src/pages/${page}.ts`)
  const text = JSON.stringify({ page, lang, version: '0.1.0', server_time: Date.now(), ...boot }).replace(/</g, '\\u003c')
  const body = `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Ringback</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/t/sacramento/theme.css">${css.map((sheet) => `<link rel="stylesheet" href="/${sheet}">`).join('')}<script type="module" src="/${manifest[`src/pages/${page}.ts`].file}"></script></head><body><script type="application/json" id="boot">${text}</script><main id="app" class="plain"><p class="card">Loading …</p></main>${extra}</body></html>`
  return { type: 'text/html; charset=utf-8', body, headers: { 'content-security-policy': CSP } }
}

function stream(response, streams, event, make) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const push = () => response.write(`event: ${event}\ndata: ${JSON.stringify(make())}\n\n`)
  push()
  const timer = setInterval(push, 1000)
  streams.add(response)
  response.on('close', () => {
    clearInterval(timer)
    streams.delete(response)
  })
  return null
}

function file(path) {
  const place = normalize(join(DIST, path))
  if (!place.startsWith(DIST) || !existsSync(place)) return problem(404, 'not_found')
  return { type: TYPES[extname(place)] ?? 'application/octet-stream', body: readFileSync(place) }
}

const json = (value, status = 200) => ({ status, type: 'application/json', body: JSON.stringify(value) })
const problem = (status, code) => ({ status, type: 'application/problem+json', body: JSON.stringify({ type: 'about:blank', title: code, status, code }) })

function send(response, { status = 200, type, body, headers = {} }) {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers })
  response.end(body)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await start(Number(process.env.PORT ?? 4173))
  process.stdout.write(`${url}/  ${url}/agent  ${url}/supervisor  ${url}/login  ${url}/t/sacramento/call-me?token=a.eyJuYW1lIjoiTGVlIn0.x\n`)
}
