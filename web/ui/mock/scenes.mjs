/** The states that are looked at: where to go, what to do there, at which sizes. */
import { agentView, attempt, chatLines, contact } from './data.mjs'

const PHONE = [
  [320, 640],
  [360, 740],
]
const WIDE = [
  [768, 900],
  [1440, 900],
]
const ALL = [...PHONE, ...WIDE]
const TOKEN = 'token=a.eyJuYW1lIjoiTGVlIE9rYWZvciJ9.x'

const callMe = (name, availability, rest = {}) => ({
  name: `callme-${name}`,
  path: `/t/sacramento/call-me?${TOKEN}`,
  sizes: [[360, 740]],
  whole: true,
  prepare: ({ scene }) => Object.assign(scene, { availability, callback: null, auth: undefined, dead: false }),
  ...rest,
})
const status = (name, rest = {}) => ({
  name: `status-${name}`,
  path: '/t/sacramento/status/tok',
  sizes: [[360, 740]],
  whole: true,
  prepare: ({ scene }) => Object.assign(scene, { status: name, dead: false, callback: null }),
  ...rest,
})
const chat = (stage, rest = {}) => ({
  name: `chat-${stage}`,
  path: '/t/sacramento/chat?token=a.eyJuYW1lIjoiTGVlIE9rYWZvciJ9.x',
  sizes: [[320, 640]],
  prepare: ({ scene }) => Object.assign(scene, { availability: 'open', auth: 'none', chat: stage, dead: false }),
  // The mock lets no WebSocket through.
  expectErrors: ['WebSocket'],
  act: async (page) => {
    await page.getByLabel(/Phone number|Número de teléfono/).fill('(916) 555-0187')
    await page.getByRole('button', { name: /Start chat|Iniciar chat/ }).click()
    await page.getByRole('log').getByText('renewal is due').waitFor()
  },
  ...rest,
})
/** A desk with chats in these states. */
const withChats = (states, rest = {}) =>
  agent(rest.name, {
    ...rest,
    act: async (page, mock) => {
      const now = Date.now()
      const names = ['Dana Whitfield', 'Lee Okafor', 'Ana Prado']
      const contacts = states.map((state, n) => ({
        ...contact(now, { name: names[n], state, extra: { ago: state.state === 'offered' ? 3000 : 300_000 } }),
        channel: 'chat',
        chat: { customer_away: null, ended: state.state === 'wrap_up' ? { by: 'customer' } : null },
      }))
      await goAvailable(page)
      mock.desk.show({ presence: states.some(({ state }) => state === 'wrap_up') ? 'wrap_up' : 'busy', chat_slots: 2, contacts })
      const lines = chatLines(now)
      contacts.forEach(({ id }, n) => mock.desk.write(id, n === 0 ? lines : [{ ...lines[0], body: 'Hello? Is somebody there?', at: now - 95_000 }]))
      if (states[0].state === 'connected') await page.getByRole('log').getByText('renewal is due').waitFor()
      await rest.then?.(page, mock)
    },
  })
const reset = (mock, part = {}) => {
  mock.scene.dead = false
  mock.scene.directory = false
  mock.desk.view = agentView(Date.now(), part)
  mock.desk.owner = null
  mock.desk.live = {}
  mock.desk.log = []
}
const goAvailable = async (page) => {
  await page.getByRole('button', { name: 'Go available' }).click()
  await page.getByRole('button', { name: /Status: Available/ }).waitFor()
  await page.waitForTimeout(2300)
}
const agent = (name, rest) => ({ name: `agent-${name}`, path: '/agent', sizes: [[1440, 900]], prepare: (mock) => reset(mock), ...rest })
const supervisor = (name, rest) => ({
  name: `supervisor-${name}`,
  path: '/supervisor',
  sizes: [[1440, 900]],
  prepare: ({ scene }) => Object.assign(scene, { board: {}, recordings: 'some', dead: false }),
  ...rest,
})
const fill = async (page, phone) => {
  await page.getByLabel('Phone number').fill(phone)
  await page.getByRole('button', { name: 'Call me' }).click()
}

export const scenes = [
  callMe('open', 'open', { sizes: ALL }),
  callMe('spanish', 'open', { path: `/t/sacramento/call-me?${TOKEN}&lang=es`, sizes: [[320, 640]] }),
  callMe('wait-notify', 'long', { sizes: [[320, 640], [1440, 900]] }),
  callMe('wait-disable', 'slow', { sizes: [[320, 640]] }),
  callMe('wait-schedule', 'planned', { sizes: [[320, 640]], act: async (page) => page.getByRole('button', { name: 'Call me' }).click() }),
  callMe('wait-schedule-es', 'planned', { path: `/t/sacramento/call-me?${TOKEN}&lang=es`, sizes: [[320, 640]] }),
  callMe('closed', 'hours', { sizes: [[360, 740]] }),
  callMe('holiday', 'holiday', { themes: ['light'] }),
  callMe('closure', 'closure'),
  callMe('off', 'off', { path: '/t/alpine/call-me' }),
  callMe('signin', 'open', { path: '/t/sacramento/call-me' }),
  callMe('empty', 'open', { act: async (page) => page.getByRole('button', { name: 'Call me' }).click() }),
  callMe('refused', 'open', {
    prepare: ({ scene }) => Object.assign(scene, { availability: 'open', callback: { status: 422, code: 'phone_not_allowed' } }),
    act: async (page) => {
      await fill(page, '911')
      await page.getByText('not able to call').waitFor()
    },
    expectErrors: ['422'],
  }),
  callMe('flow', 'quiet', {
    themes: ['light'],
    act: async (page) => {
      await fill(page, '(916) 555-0119')
      await page.getByRole('heading', { name: 'You are in line' }).waitFor()
      await page.getByRole('button', { name: 'Cancel' }).click()
      await page.getByRole('button', { name: 'Yes, cancel my call' }).click()
      await page.getByRole('heading', { name: 'Your call is cancelled' }).waitFor()
    },
  }),
  status('planned', { sizes: [[320, 640]] }),
  status('planned', { name: 'status-planning', sizes: [[320, 640]], act: async (page) => page.getByRole('button', { name: 'Choose a time' }).click() }),
  status('turnedAway', { sizes: [[320, 640]] }),
  status('waiting', { sizes: ALL }),
  status('next', { path: '/t/sacramento/status/tok?lang=es' }),
  ...['scheduled', 'agent_found', 'ringing', 'talking', 'retrying', 'successful', 'unsuccessful', 'cancelled'].map((stage) => status(stage, { themes: [stage.length % 2 ? 'light' : 'dark'] })),
  status('unknown'),
  status('waiting-cancel', {
    prepare: ({ scene }) => Object.assign(scene, { status: 'waiting' }),
    act: (page) => page.getByRole('button', { name: 'Cancel' }).click(),
  }),
  status('waiting-change', {
    prepare: ({ scene }) => Object.assign(scene, { status: 'waiting', callback: {} }),
    act: async (page) => {
      await page.getByRole('button', { name: 'Change number' }).click()
      await page.getByLabel('New phone number').fill('12')
      await page.getByRole('button', { name: 'Save number' }).click()
      await page.getByText('We cannot call this number').waitFor()
    },
    expectErrors: ['422'],
  }),
  status('waiting-lost', {
    prepare: ({ scene }) => Object.assign(scene, { status: 'waiting', dead: false }),
    act: async (page, mock) => {
      await page.waitForTimeout(400)
      mock.scene.dead = true
      mock.cut()
      await page.getByText('Connection lost').waitFor()
    },
    after: (_, { scene }) => (scene.dead = false),
    expectErrors: ['net::ERR'],
  }),
  { name: 'portal', path: '/demo/portal', sizes: ALL, whole: true, prepare: ({ scene }) => Object.assign(scene, { availability: 'open', auth: undefined }), act: (page) => page.waitForTimeout(400) },
  {
    name: 'portal-popup',
    path: '/demo/portal',
    sizes: [
      [360, 740],
      [1440, 900],
    ],
    noAxe: true,
    act: async (page) => {
      const launch = page.locator('ringback-call-me').getByRole('button', { name: 'Call me' })
      await launch.click()
      const frame = page.frameLocator('ringback-call-me iframe')
      await frame.getByLabel('Your name').waitFor()
      const name = await frame.getByLabel('Your name').inputValue()
      if (name !== 'Lee Okafor') throw new Error(`the token's name did not arrive: ${name}`)
      await frame.getByLabel('Phone number').press('Escape')
      await page.locator('ringback-call-me dialog').waitFor({ state: 'hidden' })
      const back = await page.evaluate(() => document.querySelector('ringback-call-me').shadowRoot.activeElement?.className)
      if (back !== 'launch') throw new Error(`focus did not return: ${back}`)
      await page.locator('a[data-ringback-open]').click()
      await page.waitForTimeout(300)
    },
  },
  { name: 'login', path: '/login', sizes: [...PHONE.slice(0, 1), [1440, 900]], prepare: ({ scene }) => (scene.login = null) },
  {
    name: 'login-wrong',
    path: '/login',
    sizes: [[360, 740]],
    prepare: ({ scene }) => (scene.login = 'wrong'),
    act: async (page) => {
      await page.getByLabel('User').fill('maria')
      await page.getByLabel('Password').fill('x')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText('not right').waitFor()
    },
    expectErrors: ['401'],
  },
  agent('idle', { sizes: [[320, 460], ...WIDE] }),
  agent('menu', {
    act: (page) => page.getByRole('button', { name: /Status:/ }).click(),
    sizes: [
      [320, 640],
      [1440, 900],
    ],
  }),
  agent('keys', { act: (page) => page.keyboard.press('?') }),
  agent('rona', { prepare: (mock) => reset(mock, { reason: 'RONA' }) }),
  agent('ready', { act: goAvailable, sizes: [[320, 460], [1440, 900]] }),
  agent('elsewhere', { prepare: (mock) => reset(mock, { session: 'other', presence: 'ready', reason: null }), themes: ['light'] }),
  agent('offer', {
    sizes: [[320, 460], [360, 740], ...WIDE],
    act: async (page, { desk }) => {
      await goAvailable(page)
      desk.offer({ context: { question: 'Which papers do I bring to the office?' } })
      await page.getByRole('button', { name: 'Accept' }).waitFor()
    },
  }),
  agent('call', {
    sizes: [[320, 460], [360, 740], ...WIDE],
    act: async (page, { desk }) => {
      await goAvailable(page)
      desk.offer()
      await page.getByRole('button', { name: 'Accept' }).click()
      await page.getByRole('button', { name: 'Mute' }).and(page.locator(':enabled')).waitFor()
    },
  }),
  agent('call-keypad', {
    sizes: [[320, 460], [1440, 900]],
    act: async (page, { desk }) => {
      await goAvailable(page)
      desk.offer()
      await page.getByRole('button', { name: 'Accept' }).click()
      await page.getByRole('button', { name: 'Hold' }).and(page.locator(':enabled')).click()
      await page.getByRole('button', { name: 'Resume' }).waitFor()
      await page.getByRole('button', { name: 'Keypad' }).click()
      await page.keyboard.type('12#')
      await page.getByText('12#').waitFor()
    },
  }),
  agent('wrapup', {
    sizes: [[320, 460], [360, 740], ...WIDE],
    act: async (page, { desk }) => {
      await goAvailable(page)
      desk.offer()
      await page.getByRole('button', { name: 'Accept' }).click()
      await page.getByRole('button', { name: 'Mute' }).and(page.locator(':enabled')).click()
      await page.getByRole('button', { name: 'Unmute' }).waitFor()
      await page.getByRole('button', { name: 'End call' }).click()
      await page.getByRole('button', { name: 'Finish' }).click()
      await page.getByText('Choose how').waitFor()
      await page.getByLabel('Resolved').check()
      await page.getByLabel('Note').fill('Sends the proof of income by Friday.')
    },
  }),
  agent('two', {
    themes: ['light'],
    act: async (page, { desk }) => {
      await goAvailable(page)
      const now = Date.now()
      const talking = contact(now, { state: { state: 'connected', since: now - 86_000 } })
      talking.attempts = [attempt(now, talking.segments[0].id, { answered_at: now - 86_000, ringing_at: now - 90_000, state: { state: 'live' } })]
      desk.show({ presence: 'busy', next: { state: 'not_ready', reason: 'lunch' }, contacts: [talking, contact(now, { name: 'Priya Nair', subject: 'calfresh', state: { state: 'wrap_up', until: now + 52_000 } })] })
      await page.getByText('Priya Nair').waitFor()
    },
  }),
  agent('reconnect', {
    themes: ['light'],
    expectErrors: ['WebSocket', 'net::ERR'],
    act: async (page, mock) => {
      await goAvailable(page)
      mock.desk.offer()
      await page.getByRole('button', { name: 'Accept' }).click()
      await page.getByRole('button', { name: 'Mute' }).and(page.locator(':enabled')).waitFor()
      mock.scene.dead = true
      mock.cut()
      await page.getByText('Your call goes on').waitFor()
      mock.scene.dead = false
      await page.getByText('Your call goes on').waitFor({ state: 'hidden' })
      const offers = mock.desk.log.filter((type) => type === 'phone_offer').length
      if (offers !== 1) throw new Error(`the peer connection should have stayed: ${offers} offers`)
    },
  }),
  agent('reload', {
    themes: ['light'],
    act: async (page, mock) => {
      await goAvailable(page)
      mock.desk.offer()
      await page.getByRole('button', { name: 'Accept' }).click()
      await page.getByRole('button', { name: 'Mute' }).and(page.locator(':enabled')).waitFor()
      page.on('dialog', (dialog) => void dialog.accept())
      await page.reload()
      await page.getByText('Network').waitFor()
      const offers = mock.desk.log.filter((type) => type === 'phone_offer').length
      if (offers !== 2) throw new Error(`the phone should have come back by itself: ${offers} offers`)
    },
  }),
  chat('form', { sizes: [[320, 640], [768, 900]], act: undefined, whole: true }),
  chat('waiting'),
  chat('passed_on', { themes: ['light'] }),
  chat('talking', { sizes: [[320, 640], [768, 900]] }),
  chat('spanish', {
    path: '/t/sacramento/chat?token=a.eyJuYW1lIjoiTGVlIE9rYWZvciJ9.x&lang=es',
    themes: ['light'],
    prepare: ({ scene }) => Object.assign(scene, { availability: 'open', auth: 'none', chat: 'talking', dead: false }),
  }),
  chat('ending', {
    themes: ['dark'],
    prepare: ({ scene }) => Object.assign(scene, { availability: 'open', auth: 'none', chat: 'talking', dead: false }),
    act: async (page) => {
      await chat('talking').act(page)
      await page.getByLabel('Your message').fill('x'.repeat(495))
      await page.getByRole('button', { name: 'End chat' }).click()
    },
  }),
  chat('ended'),
  withChats([{ state: 'connected', since: Date.now() - 200_000 }, { state: 'connected', since: Date.now() - 100_000 }], { name: 'chats', sizes: [[320, 640], [768, 900], [1440, 900]] }),
  withChats([{ state: 'connected', since: Date.now() - 200_000 }, { state: 'offered', until: Date.now() + 600_000 }], { name: 'chat-offer', sizes: [[320, 640], [1440, 900]] }),
  withChats([{ state: 'connected', since: Date.now() - 200_000 }], {
    name: 'chat-canned',
    themes: ['light'],
    then: async (page) => {
      await page.getByLabel(/^Message to/).fill('/h')
      await page.getByRole('tab', { name: 'Chat History' }).click()
      await page.getByRole('button', { name: 'Show transcript' }).click()
    },
  }),
  withChats([{ state: 'connected', since: Date.now() - 200_000 }], {
    name: 'chat-log',
    sizes: [[320, 640], [1440, 900]],
    prepare: (mock) => {
      reset(mock)
      mock.scene.directory = true
    },
    then: (page) => page.getByRole('button', { name: 'Log', exact: true }).click(),
  }),
  withChats([{ state: 'wrap_up', until: Date.now() + 600_000 }], {
    name: 'chat-log-new',
    sizes: [[320, 640], [1440, 900]],
    then: async (page) => {
      await page.getByRole('button', { name: 'Log', exact: true }).click()
      await page.getByLabel('Somebody in the directory').check()
      await page.getByRole('searchbox').fill('whit')
      await page.getByRole('search').getByRole('button', { name: 'Search' }).click()
    },
  }),
  agent('directory', {
    sizes: [[320, 640], [1440, 900]],
    act: async (page) => {
      await page.getByRole('tab', { name: 'Customer' }).click()
      await page.getByRole('searchbox').fill('whit')
      await page.getByRole('button', { name: 'Search' }).click()
    },
  }),
  withChats([{ state: 'wrap_up', until: Date.now() + 600_000 }], { name: 'chat-wrapup', sizes: [[320, 640], [1440, 900]] }),
  supervisor('board', { sizes: ALL, whole: true }),
  supervisor('chats', {
    path: '/supervisor#chats',
    sizes: [[320, 640], [1440, 900]],
    act: async (page) => {
      await page.getByRole('button', { name: 'Dana Whitfield' }).click()
      await page.getByRole('list', { name: 'Transcript' }).waitFor()
    },
  }),
  supervisor('many', { prepare: ({ scene }) => (scene.board = { many: true }), themes: ['light'] }),
  supervisor('empty', { prepare: ({ scene }) => (scene.board = { empty: true, closure: true }), themes: ['dark'] }),
  supervisor('close', {
    act: async (page) => {
      await page.getByRole('button', { name: 'Close now …' }).click()
      await page.getByLabel('Message to customers').fill('Our office is closed because of a power cut.')
      await page.getByLabel('How long').selectOption('2')
    },
  }),
  supervisor('cancel', { themes: ['light'], sizes: [[360, 740]], act: (page) => page.getByRole('button', { name: 'Cancel the callback of Lee Okafor' }).click() }),
  supervisor('recordings', {
    path: '/supervisor#recordings',
    sizes: ALL,
    act: async (page) => {
      await page.getByRole('button', { name: 'Lee Okafor' }).first().click()
      await page.getByRole('button', { name: 'Play' }).waitFor()
      await page.getByRole('slider', { name: 'Position' }).fill('134')
    },
  }),
  supervisor('playing', {
    path: '/supervisor#recordings',
    themes: ['light'],
    act: async (page) => {
      await page.getByRole('button', { name: 'Lee Okafor' }).first().click()
      await page.getByRole('button', { name: 'Play' }).click()
      await page.getByRole('button', { name: 'Pause' }).waitFor()
      await page.keyboard.press('l')
      await page.waitForTimeout(700)
      const at = await page.evaluate(() => document.querySelector('audio').currentTime)
      if (at < 10) throw new Error(`L should go on ten seconds: ${at}`)
      await page.keyboard.press('k')
      await page.getByRole('button', { name: 'Play' }).waitFor()
    },
  }),
  supervisor('recordings-none', { path: '/supervisor#recordings', prepare: ({ scene }) => (scene.recordings = 'none'), themes: ['light'] }),
  supervisor('recordings-error', { path: '/supervisor#recordings', prepare: ({ scene }) => (scene.recordings = 'error'), themes: ['light'], expectErrors: ['503'], act: (page) => page.getByText('Try again').waitFor() }),
  supervisor('audit', { path: '/supervisor#audit', sizes: [[360, 740], [1440, 900]] }),
]
