import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyDraft, order } from '../src/admin/draft'
import { lists, sheets } from '../src/admin/kinds'
import { remedy, unfilled } from '../src/admin/remedy'
import { tongue } from '../src/lib/i18n.svelte'

const draft = () => ({ ...emptyDraft(), look: { languages: ['en'], language: 'en', public_phone: null, accent: '#fff' } })

test('every field of every section has something to say about a fault, or a hint that says it', () => {
  for (const lang of ['en', 'es'] as const) {
    tongue.lang = lang
    for (const [name, specs] of Object.entries(sheets)) {
      for (const { key, kind } of specs) {
        const sheet = { ...draft(), [name]: {} }
        // Nothing is wrong with a tick.
        if (kind !== 'check') assert.ok(remedy(`${name}.${key}`, sheet) !== '', `${lang}: ${name}.${key}`)
      }
    }
    for (const [name, { fields, fresh }] of Object.entries(lists)) {
      for (const { key, kind } of fields) {
        const entry = fresh(draft())
        if (kind !== 'check') assert.ok(remedy(`${name}.0.${key}`, { ...draft(), [name]: [entry] }) !== '', `${lang}: ${name}.${key}`)
      }
    }
  }
  tongue.lang = 'en'
})

test('what is asked for is named: a range, a number of a telephone, another choice', () => {
  assert.equal(remedy('calls.max_attempts', { ...draft(), calls: { max_attempts: 0 } }), 'It takes a whole number from 1 to 50.')
  assert.match(remedy('look.public_phone', draft()), /like \+19168743100\. Or leave it empty\.$/)
  assert.equal(remedy('subjects.0.queue', { ...draft(), subjects: [{ queue: 'gone' }], queues: [{ id: 'here', name: 'Here' }] }), 'What was chosen is not there any more: choose another.')
  assert.equal(remedy('subjects.0.queue', { ...draft(), subjects: [{ queue: '' }] }), 'Choose one.')
  assert.equal(remedy('nothing.0.known', draft()), '')
  assert.equal(remedy('subjects.7.queue', draft()), '', 'an entry that is not there')
})

test('what the server could not read is found before it is sent', () => {
  const calls = Object.fromEntries(sheets.calls.map(({ key }) => [key, 1]))
  assert.equal(unfilled({ ...draft(), calls }), '')
  for (const bad of [null, 1.5, -1, Number.NaN, 1e12]) assert.equal(unfilled({ ...draft(), calls: { ...calls, max_attempts: bad } }), 'calls.max_attempts', String(bad))
  assert.equal(unfilled({ ...draft(), calls: { ...calls, longest_wait_minutes: null } }), '', 'what may be empty')
  const subject = lists.subjects.fresh(draft())
  assert.equal(unfilled({ ...draft(), subjects: [subject, { ...subject, rona: 256 }] }), 'subjects.1.rona')
  assert.equal(unfilled({ ...draft(), holidays: [{ date: '', name: 'x', open: [] }] }), 'holidays.')
  assert.equal(unfilled({ ...draft(), look: { languages: [] } }), 'look.languages')
})

test('days of a week are told in their order, and everything else as it came', () => {
  const what = ['calls.x', 'hours.fri', 'hours.mon', 'hours.tue'].map((what) => ({ what, before: null, after: null }))
  assert.deepEqual(what.toSorted(order).map((one) => one.what), ['calls.x', 'hours.mon', 'hours.tue', 'hours.fri'])
})
