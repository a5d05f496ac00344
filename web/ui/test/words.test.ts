import assert from 'node:assert/strict'
import { test } from 'node:test'
import { en as deskEn } from '../src/agent/words/en'
import { es as deskEs } from '../src/agent/words/es'
import type { WaitingContact } from '../src/lib/api'
import { en } from '../src/lib/i18n/en'
import { es } from '../src/lib/i18n/es'
import { en as adminEn } from '../src/admin/words/en'
import { es as adminEs } from '../src/admin/words/es'
import { en as staffEn } from '../src/lib/i18n/staff/en'
import { es as staffEs } from '../src/lib/i18n/staff/es'
import { en as loginEn } from '../src/login/words/en'
import { es as loginEs } from '../src/login/words/es'
import { en as operatorEn } from '../src/operator/words/en'
import { es as operatorEs } from '../src/operator/words/es'
import { en as portalEn } from '../src/portal/words/en'
import { es as portalEs } from '../src/portal/words/es'
import { tongue } from '../src/lib/i18n.svelte'
import { causeWords } from '../src/supervisor/causes'
import { whyWaiting } from '../src/supervisor/words'
import { en as supervisorEn } from '../src/supervisor/words/en'
import { es as supervisorEs } from '../src/supervisor/words/es'

/** Every text of a dictionary, functions called with plain values. */
function texts(part: unknown, path = ''): [string, string][] {
  if (typeof part === 'string') return [[path, part]]
  if (typeof part === 'function') return [[path, String((part as (...args: unknown[]) => unknown)(2, 3, 4, 5))]]
  return Object.entries(part as object).flatMap(([key, value]) => texts(value, `${path}.${key}`))
}

const DICTIONARIES: Record<string, [unknown, unknown]> = {
  customer: [en, es],
  staff: [staffEn, staffEs],
  desk: [deskEn, deskEs],
  supervisor: [supervisorEn, supervisorEs],
  operator: [operatorEn, operatorEs],
  admin: [adminEn, adminEs],
  login: [loginEn, loginEs],
  portal: [portalEn, portalEs],
}

/** Names, and words that are the same in both languages. */
const SAME = new Set(['Chat', 'Chats', 'Chat.', 'Supervisor', 'supervisor', 'Auditor', 'auditor', 'no', 'No', '—', '2, 3', '2 chats', '≤ 2 min', '2–3 min'])

for (const [name, [english, spanish]] of Object.entries(DICTIONARIES)) {
  test(`${name}: English and Spanish have the same keys, all filled, and differ`, () => {
    const [own, other] = [texts(english), texts(spanish)]
    assert.deepEqual(other.map(([path]) => path), own.map(([path]) => path))
    for (const [path, text] of [...own, ...other]) assert.ok(text.trim(), path)
    const untranslated = own.filter(([, text], at) => text === other[at]?.[1] && !SAME.has(text))
    assert.deepEqual(untranslated, [])
  })
}

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

test('a Spanish time of day brings its own full stop', () => {
  assert.equal(es.closed.nextToday('8:00 a.m.'), 'Abrimos de nuevo hoy a las 8:00 a.m.')
  assert.equal(es.closed.nextToday('8:00'), 'Abrimos de nuevo hoy a las 8:00.')
})

test('why a line is down is said in the language of the page; what the carrier says stays', () => {
  assert.equal(causeWords('OPTIONS is answered by 503 Busy'), 'OPTIONS is answered by 503 Busy')
  tongue.lang = 'es'
  assert.equal(causeWords('OPTIONS is answered by 503 Busy'), 'a OPTIONS contesta 503 Busy')
  assert.equal(causeWords('no answer to REGISTER'), 'no contesta a REGISTER')
  assert.equal(causeWords('something new'), 'something new')
  tongue.lang = 'en'
})
