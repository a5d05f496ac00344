import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCalendar } from '../src/admin/ics'

const calendar = (...events: string[]) => ['BEGIN:VCALENDAR', 'VERSION:2.0', ...events.flatMap((event) => ['BEGIN:VEVENT', ...event.split('|'), 'END:VEVENT']), 'END:VCALENDAR'].join('\r\n')
const read = (...events: string[]) => readCalendar(calendar(...events), '2026-01-01')
const dates = (...events: string[]) => read(...events)?.days.map(({ date, name }) => `${date} ${name}`)

test('whole days are read, whatever stands around them', () => {
  assert.deepEqual(dates('DTSTART;VALUE=DATE:20261126|DTEND;VALUE=DATE:20261128|SUMMARY:Thanksgiving\\, and the day after'), [
    '2026-11-26 Thanksgiving, and the day after',
    '2026-11-27 Thanksgiving, and the day after',
  ])
  assert.deepEqual(dates('SUMMARY;LANGUAGE=en:New \r\n Year|DTSTART:20270101T000000Z'), ['2027-01-01 New Year'])
  assert.deepEqual(dates('DTSTART;VALUE=DATE:20261225|SUMMARY:Christmas|BEGIN:VALARM|SUMMARY:Ring|END:VALARM'), ['2026-12-25 Christmas'])
})

test('what comes every year is taken for some years and stops where it says', () => {
  assert.deepEqual(dates('DTSTART;VALUE=DATE:20240704|SUMMARY:Fourth|RRULE:FREQ=YEARLY;UNTIL=20271231'), ['2026-07-04 Fourth', '2027-07-04 Fourth'])
  assert.deepEqual(dates('DTSTART;VALUE=DATE:20280229|SUMMARY:Leap|RRULE:FREQ=YEARLY;COUNT=4'), ['2028-02-29 Leap'])
})

test('what is no whole day is counted, and what is no calendar is none', () => {
  const found = read('DTSTART:20261126T090000|SUMMARY:Meeting', 'DTSTART;VALUE=DATE:20261301|SUMMARY:No month', 'DTSTART;VALUE=DATE:20261126|RRULE:FREQ=WEEKLY|SUMMARY:Weekly', 'SUMMARY:Never')
  assert.deepEqual(found, { days: [], skipped: 4 })
  assert.equal(readCalendar('{"not":"a calendar"}', '2026-01-01'), null)
  assert.deepEqual(dates('DTSTART;VALUE=DATE:20200101|SUMMARY:Long ago'), [])
  assert.deepEqual(read('DTSTART;VALUE=DATE:20260101|DTEND;VALUE=DATE:20270101|SUMMARY:All year'), { days: [], skipped: 1 })
})
