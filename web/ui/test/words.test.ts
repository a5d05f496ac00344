import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WaitingContact } from '../src/lib/api'
import { en } from '../src/lib/i18n/en'
import { es } from '../src/lib/i18n/es'
import { whyWaiting } from '../src/supervisor/words'

/** Every text of a dictionary, functions called with plain values. */
function texts(part: unknown, path = ''): [string, string][] {
  if (typeof part === 'string') return [[path, part]]
  if (typeof part === 'function') return [[path, String((part as (...args: unknown[]) => unknown)(2, 3))]]
  return Object.entries(part as object).flatMap(([key, value]) => texts(value, `${path}.${key}`))
}

test('English and Spanish have the same keys, all filled', () => {
  const [english, spanish] = [texts(en), texts(es)]
  assert.deepEqual(spanish.map(([path]) => path), english.map(([path]) => path))
  for (const [path, text] of [...english, ...spanish]) assert.ok(text.trim(), path)
})

test('plurals are right', () => {
  assert.match(en.status.lead.unsuccessful(1), /called one time,/)
  assert.match(en.status.lead.unsuccessful(3), /called 3 times,/)
  assert.match(es.status.lead.unsuccessful(1), /una vez,/)
  assert.match(es.status.lead.unsuccessful(2), /2 veces,/)
})

test('why still waiting, from the record', () => {
  const told = { agents: [{ id: 'm', name: 'Maria Ruiz', presence: 'ready', since: 0, reason: null, contacts: [] }] as never[], zone: 'UTC', now: 0 }
  const contact = (why: WaitingContact['why'], state: WaitingContact['state'] = { state: 'queued', since: 0 }) =>
    ({ why, state, position: 2 }) as WaitingContact
  assert.equal(whyWaiting(contact({ why: 'offered_to', agent: 'm' }), told), 'offered to Maria Ruiz')
  assert.equal(whyWaiting(contact({ why: 'no_agent_ready', signed_in: 0 }), told), 'no agent is signed in')
  assert.equal(whyWaiting(contact({ why: 'no_agent_ready', signed_in: 1 }), told), 'nobody who may take it is free; 1 is signed in')
  assert.equal(
    whyWaiting(contact({ why: 'attempt_failed', result: 'busy', attempts: 1 }, { state: 'scheduled', due: 94_000 }), told),
    '1 call made, last one: busy; due in 1:34',
  )
})
