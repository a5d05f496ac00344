import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contrastOf, fit } from '../src/lib/accent'
import { Backoff } from '../src/lib/backoff'
import { query, NOTHING, daysAgo } from '../src/supervisor/found/search'
import { verdict } from '../src/supervisor/recordings/quality'
import { stretches } from '../src/supervisor/recordings/speech'

test('waits double up to the limit, shortened by chance, and begin anew', () => {
  const full = new Backoff(500, 4000, () => 1)
  assert.deepEqual([1, 2, 3, 4, 5].map(() => full.next()), [500, 1000, 2000, 4000, 4000])
  full.reset()
  assert.equal(full.next(), 500)
  assert.equal(new Backoff(500, 4000, () => 0).next(), 250)
})

test('any tenant colour can be read in both themes', () => {
  for (const colour of ['#1d4ed8', '#ffff00', '#000000', '#ffffff', '#00ff7f', '#808080', '#ff1493']) {
    const accent = fit(colour)
    assert.ok(accent)
    assert.ok(contrastOf(accent.light, '#ffffff') >= 4.5, `${colour} on white`)
    assert.ok(contrastOf(accent.light, accent.softLight) >= 4.5, `${colour} on its soft ground`)
    assert.ok(contrastOf(accent.dark, '#161b22') >= 4.5, `${colour} on dark`)
    assert.ok(contrastOf(accent.dark, accent.softDark) >= 4.5, `${colour} on its dark soft ground`)
    assert.ok(contrastOf(accent.onLight, accent.light) >= 4.5, `text on ${colour}`)
    assert.ok(contrastOf(accent.onDark, accent.dark) >= 4.5, `text on ${colour} in the dark`)
  }
  assert.equal(fit('red'), null)
})

test('a search becomes a query: whole local days, empty fields left out', () => {
  const params = new URLSearchParams(query({ ...NOTHING, from: '2026-11-20', to: '2026-11-20', number: ' 0119 ' }, 'p2'))
  assert.equal(Number(params.get('to')) - Number(params.get('from')), 86_399_999)
  assert.deepEqual([...params.keys()].sort(), ['from', 'number', 'page', 'to'])
  assert.equal(params.get('number'), '0119')
  assert.equal(query(NOTHING, null), '')
})

test('days ago are local days', () => {
  assert.equal(daysAgo(1, new Date(2026, 10, 1, 12).getTime()), '2026-10-31')
})

test('the waveform as figures', () => {
  const loud: [number, number] = [-0.5, 0.5]
  const quiet: [number, number] = [-0.001, 0.001]
  const rows = stretches({ duration_ms: 4000, left: [loud, loud, quiet, quiet], right: [quiet, quiet, quiet, loud], marks: [] }, 2)
  assert.deepEqual(rows, [
    { from_ms: 0, to_ms: 2000, left: 1, right: 0 },
    { from_ms: 2000, to_ms: 4000, left: 0, right: 0.5 },
  ])
  assert.equal(stretches({ duration_ms: 4000, left: [], right: [], marks: [] }, 2)[0]?.left, 0)
})

test('a score in a word', () => {
  assert.deepEqual([4.4, 4, 3.99, 3.6, 3.2, 1].map((mos) => verdict(mos)?.word), ['good', 'good', 'fair', 'fair', 'poor', 'bad'])
  assert.equal(verdict(null), null)
})
