/**
 * Looks at every page: screenshots of many states, narrow and wide, light and dark, and axe on each. Any finding, console
 * error or page wider than its window ends it with status 1. `npm run build && npm run shots [name-part [es]]`; pictures in mock/shots.
 * With `es` staff switch to Spanish before the picture is taken.
 * CHROMIUM names the browser (default /usr/bin/chromium).
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { scenes } from './scenes.mjs'
import { start } from './server.mjs'

const OUT = fileURLToPath(new URL('./shots/', import.meta.url))
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const only = process.argv[2] ?? ''
const spanish = process.argv[3] === 'es'
mkdirSync(OUT, { recursive: true })

const mock = await start(0)
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required'],
})
const peer = await farEnd(browser)
mock.desk.answer = (sdp) => peer.evaluate((offer) => window.answer(offer), sdp)

let findings = 0
const complain = (where, what) => {
  findings += 1
  process.stdout.write(`${where}: ${what}\n`)
}

for (const scene of scenes.filter(({ name }) => name.includes(only))) {
  for (const theme of scene.themes ?? ['light', 'dark']) {
    for (const [width, height] of scene.sizes) await look(scene, theme, width, height)
  }
}
await browser.close()
mock.close()
process.stdout.write(findings === 0 ? 'no findings\n' : `${findings} findings\n`)
process.exit(findings === 0 ? 0 : 1)

async function look(scene, theme, width, height) {
  const where = `${scene.name}-${width}x${height}-${theme}${spanish ? '-es' : ''}`
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, permissions: ['microphone'], locale: 'en-US', reducedMotion: 'reduce', bypassCSP: false })
  const page = await context.newPage()
  const expected = scene.expectErrors ?? []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !expected.some((part) => message.text().includes(part))) complain(where, `console: ${message.text()}`)
  })
  page.on('pageerror', (error) => complain(where, `page: ${error.message}`))
  try {
    await scene.prepare?.(mock)
    await page.goto(mock.url + scene.path)
    await scene.act?.(page, mock)
    if (spanish) await page.evaluate(inSpanish)
    await page.waitForTimeout(250)
    await page.screenshot({ path: `${OUT}${where}.png`, fullPage: scene.whole ?? false })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    if (wide > 0) complain(where, `${wide} px wider than the window`)
    if (!scene.noAxe) await axe(page, where)
  } catch (error) {
    complain(where, error.message.split('\n').slice(0, 6).join(' | '))
    await page.screenshot({ path: `${OUT}${where}-FAILED.png` }).catch(() => {})
  }
  await scene.after?.(page, mock)
  await context.close()
}

/** In the page: the switch in the status menu or at the top, whatever lies over it. */
async function inSpanish() {
  const quick = () => document.querySelector('button[lang=es]')
  const menu = document.querySelector('button[aria-haspopup=menu][aria-expanded=false]')
  if (!quick()) menu?.click()
  await new Promise((drawn) => requestAnimationFrame(drawn))
  quick()?.click()
}

async function axe(page, where) {
  await page.evaluate(AXE)
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
  for (const { id, nodes } of found.violations) complain(where, `axe ${id}: ${nodes.map(({ target, any }) => `${target.join(' ')} ${any[0]?.message ?? ''}`).join(' ; ')}`)
}

/** A page that answers calls with a tone: the server's media side. */
async function farEnd(of) {
  const page = await of.newPage()
  await page.evaluate(() => {
    window.answer = async (sdp) => {
      const connection = new RTCPeerConnection()
      const context = new AudioContext()
      const out = context.createMediaStreamDestination()
      const voice = context.createOscillator()
      voice.connect(out)
      voice.start()
      await connection.setRemoteDescription({ type: 'offer', sdp })
      connection.addTrack(out.stream.getTracks()[0], out.stream)
      await connection.setLocalDescription()
      await new Promise((done) => {
        if (connection.iceGatheringState === 'complete') done()
        connection.onicegatheringstatechange = () => connection.iceGatheringState === 'complete' && done()
      })
      window.last = connection
      return connection.localDescription.sdp
    }
  })
  return page
}
