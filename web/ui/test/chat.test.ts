import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filled, matching } from '../src/agent/canned'
import { letters, pieces } from '../src/lib/pieces'

test('only https becomes a link, and the sentence around it stays text', () => {
  assert.deepEqual(pieces('See https://example.gov/a?b=1. Bye'), [
    { text: 'See ' },
    { text: 'https://example.gov/a?b=1', href: 'https://example.gov/a?b=1' },
    { text: '. Bye' },
  ])
  for (const plain of [
    'javascript:alert(1)',
    'http://example.gov',
    'data:text/html,<b>x</b>',
    'https://',
    'https://user:pass@example.gov/',
    '<a href="x">',
    '',
  ]) {
    assert.ok(pieces(plain).every(({ href }) => href === undefined), plain)
    assert.equal(pieces(plain).map(({ text }) => text).join(''), plain)
  }
  const quoted = pieces('https://a.example/"onmouseover="alert(1)')
  assert.equal(quoted[0]?.href, 'https://a.example/')
  assert.equal(quoted.map(({ text }) => text).join(''), 'https://a.example/"onmouseover="alert(1)')
})

test('length is counted as people and the server count it', () => {
  assert.equal(letters('é'), 1)
  assert.equal(letters('😀😀'), 2)
  assert.equal(letters(''), 0)
})

test('prepared answers are found by word and text, the customer’s language first', () => {
  const all = [
    { word: 'hola', text: 'Hola', language: 'es' },
    { word: 'hello', text: 'Hello', language: 'en' },
    { word: 'bye', text: 'Say hello to all', language: null },
  ]
  assert.deepEqual(matching(all, 'HEL', 'en').map(({ word }) => word), ['hello', 'bye'])
  assert.deepEqual(matching(all, 'h', 'es')[0]?.word, 'hola')
  assert.deepEqual(matching(all, 'nothing', 'en'), [])
})

test('variables are filled in; what is not known stays for the agent to see', () => {
  const contact = { customer: { name: 'Rosa Diaz' } } as Parameters<typeof filled>[1]
  const boot = { user: { name: 'Maria Vega' }, tenant: { name: 'Sacramento County', phone: null, phone_display: null } } as Parameters<typeof filled>[2]
  assert.equal(filled('Hello {name}, {agent} of {county}: {phone} {constructor} {case}', contact, boot), 'Hello Rosa, Maria of Sacramento County: {phone} {constructor} {case}')
})
