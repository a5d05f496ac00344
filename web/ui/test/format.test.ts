import assert from 'node:assert/strict'
import { test } from 'node:test'
import { duration, hourOf, initials, phone, readable, remaining, sameDay, waitRange } from '../src/lib/format'

test('spans of time', () => {
  assert.equal(duration(134_999), '2:14')
  assert.equal(duration(3_723_000), '1:02:03')
  assert.equal(duration(-5), '0:00')
  assert.equal(remaining(1_001, 0), '0:02', 'what is left is rounded up')
  assert.equal(remaining(0, 10), '0:00')
})

test('an unknown wait stays unknown, a known one is a range of whole minutes', () => {
  assert.equal(waitRange(null, null), null)
  assert.deepEqual(waitRange(0, 9_000), { from: 0, to: 1 }, 'up to one minute')
  assert.deepEqual(waitRange(4.2 * 60_000, 8.6 * 60_000), { from: 4, to: 9 })
  assert.deepEqual(waitRange(5 * 60_000, 5 * 60_000), { from: 5, to: 6 })
})

test('numbers as the country writes them; masked ones as they came', () => {
  assert.equal(phone('+19165550119'), '(916) 555-0119')
  assert.equal(phone('+4930123456'), '+4930123456')
  assert.equal(phone('•••0119'), '•••0119')
})

test('ids as words', () => {
  assert.equal(readable('admin_work'), 'Admin work')
  assert.equal(readable('RONA'), 'RONA')
})

test('initials', () => {
  assert.equal(initials('Dana Whitfield'), 'DW')
  assert.equal(initials('Ana Maria de la Cruz'), 'AC')
  assert.equal(initials('Cher'), 'C')
  assert.equal(initials('  '), '?')
})

test('days are those of the zone', () => {
  const [evening, morning] = [Date.UTC(2026, 10, 21, 6), Date.UTC(2026, 10, 21, 15)]
  assert.equal(sameDay(evening, morning, { zone: 'UTC' }), true)
  assert.equal(sameDay(evening, morning, { zone: 'America/Los_Angeles' }), false)
})

test('opening hours in both languages', () => {
  assert.match(hourOf('17:30', 'en'), /^5:30\sPM$/)
  assert.match(hourOf('08:00', 'es'), /^8:00\sa\.\s?m\.$/)
})
