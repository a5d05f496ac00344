import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'svelte/compiler'

/** Where every word comes from a dictionary. */
const AREAS = ['src/agent', 'src/supervisor', 'src/operator', 'src/admin', 'src/login', 'src/lib/ui']

/** Names, units, keys and drawings, the same in every language. */
const ALLOWED = new Set(['Ringback', 'Alt', 'Shift', 'min', 'ms', 's'])

/** Attributes that are read or shown. */
const SPOKEN = new Set(['title', 'alt', 'label', 'text', 'deed', ['place', 'holder'].join(''), 'aria-label', 'aria-description', 'aria-roledescription', 'aria-valuetext'])
/** Attributes that are neither: their literals are not words. */
const SILENT = new Set(['class', 'style', 'id', 'name', 'type', 'role', 'for', 'href', 'src', 'd', 'icon', 'tone', 'lang', 'autocomplete'])

interface Node {
  type: string
  [key: string]: unknown
}
const called = (callee: unknown): string => {
  const { name, property } = callee as { name?: string; property?: { name?: string } }
  return name ?? property?.name ?? ''
}
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'

/** Without entities and paths. */
const letters = (text: string) => text.replace(/&\w+;|(?<!\w)\/\S*/g, ' ').match(/\p{L}+/gu) ?? []
const shown = (text: string) => letters(text).some((word) => !ALLOWED.has(word))
/** A literal in code is taken for words if it has two of them, or begins with a capital and is no name of a key or an event. */
const spoken = (text: string) => /\p{L}{2,}[,.:;]? \p{L}/u.test(text) || /^\p{Lu}\p{Ll}{2,}[ .:…]*$/u.test(text)
/** Calls whose texts are selectors or queries, or nobody reads. */
const SELECTING = new Set(['closest', 'querySelector', 'querySelectorAll', 'matchMedia', 'Error'])
const NAMES = new Set(['Enter', 'Escape', 'Tab', 'Home', 'End', 'Ringback', 'Notification'])

/** Every text of a page's markup that is not from a dictionary. */
export function bare(source: string): string[] {
  const found: string[] = []
  const tree = parse(source, { modern: true }) as unknown as Record<string, unknown>

  function literal(text: unknown): void {
    if (typeof text === 'string' && spoken(text) && !NAMES.has(text.trim())) found.push(text.trim())
  }

  function walk(value: unknown, named: string | null): void {
    if (Array.isArray(value)) return value.forEach((part) => walk(part, named))
    if (!isNode(value)) return
    switch (value.type) {
      case 'Text':
        if (named === null ? shown(String(value.data)) : SPOKEN.has(named) && shown(String(value.data))) found.push(String(value.data).trim())
        return
      case 'Attribute':
        return walk(value.value, String(value.name))
      case 'Comment':
      case 'ImportDeclaration':
      case 'TSTypeAnnotation':
      case 'TSInterfaceDeclaration':
      case 'TSTypeAliasDeclaration':
      case 'TSTypeParameterInstantiation':
      case 'StyleDirective':
        return
      case 'CallExpression':
      case 'NewExpression':
        if (SELECTING.has(called(value.callee))) return
        break
      case 'Literal':
        if (named === null || !SILENT.has(named)) literal(value.value)
        return
      case 'TemplateElement':
        if (named === null || !SILENT.has(named)) literal((value.value as { cooked?: string }).cooked)
        return
    }
    for (const [key, part] of Object.entries(value)) if (key !== 'metadata' && key !== 'loc') walk(part, named)
  }

  walk(tree.fragment, null)
  walk((tree.instance as { content?: unknown } | null)?.content, null)
  walk((tree.module as { content?: unknown } | null)?.content, null)
  return found
}

/** Pages, and the code beside them but for the dictionaries. */
const filesOf = (area: string) =>
  (readdirSync(area, { recursive: true }) as string[]).filter((name) => /\.(svelte|ts)$/.test(name) && !name.startsWith('words/')).map((name) => join(area, name))
const pageOf = (file: string) => {
  const source = readFileSync(file, 'utf8')
  return file.endsWith('.ts') ? `<script lang="ts">${source}</script>` : source
}

test('staff pages have no word that is not in a dictionary', () => {
  const files = AREAS.flatMap(filesOf)
  assert.ok(files.length > 30, 'the pages were found')
  const found = files.flatMap((file) => bare(pageOf(file)).map((text) => `${file}: ${text}`))
  assert.deepEqual(found, [])
})

test('a bare word is found wherever it may stand', () => {
  assert.deepEqual(bare('<p>Hello</p>'), ['Hello'])
  assert.deepEqual(bare('<button aria-label="Close">×</button>'), ['Close'])
  assert.deepEqual(bare('<Dialog title="Call {name}" />'), ['Call'])
  assert.deepEqual(bare('<b>{on ? "Hide" : words.show}</b>'), ['Hide'])
  assert.deepEqual(bare('<b>{`waits ${time} for you`}</b>'), ['for you'])
  assert.deepEqual(bare('<script lang="ts">let wrong = $state("It did not work")</script>'), ['It did not work'])
  assert.deepEqual(bare('<p class="muted small" role="status">{words.none} · {n} ms <kbd>Alt</kbd></p>'), [])
  assert.deepEqual(bare('<script lang="ts">if (event.key === "Escape") post("/api/v1/x", { body })</script>'), [])
})
