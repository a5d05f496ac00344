import { mount, type Component } from 'svelte'
import type { Boot } from './api'
import { setAccent } from './accent'
import { clock } from './clock.svelte'
import { theme } from './theme.svelte'

/** Reads what the server wrote into the page and replaces its plain text by the living one. */
export function start<B extends Boot>(page: Component<{ boot: B }>): void {
  const place = document.getElementById('app') ?? document.body
  const boot = JSON.parse(document.getElementById('boot')?.textContent ?? '{}') as B
  // A page without a tenant in its boot data may still carry one's stylesheet.
  const accent =
    (boot as { tenant?: { accent?: string } | null }).tenant?.accent ??
    getComputedStyle(document.documentElement).getPropertyValue('--accent').trim()
  theme.apply()
  if (accent) setAccent(accent)
  if (boot.server_time) clock.sync(boot.server_time)
  place.replaceChildren()
  place.className = ''
  mount(page, { target: place, props: { boot } })
}
