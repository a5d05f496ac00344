/**
 * The keyboard map. Alt and Shift together, so that no single character does anything while someone types (WCAG 2.1.4)
 * and no browser menu is in the way; `?` alone only outside of fields.
 */
export const SHORTCUTS = [
  { deed: 'available', code: 'KeyG', keys: 'G' },
  { deed: 'accept', code: 'KeyA', keys: 'A' },
  { deed: 'reject', code: 'KeyR', keys: 'R' },
  { deed: 'mute', code: 'KeyM', keys: 'M' },
  { deed: 'hold', code: 'KeyH', keys: 'H' },
  { deed: 'keypad', code: 'KeyK', keys: 'K' },
  { deed: 'transfer', code: 'KeyT', keys: 'T' },
  { deed: 'end', code: 'KeyE', keys: 'E' },
] as const

export type Deed = (typeof SHORTCUTS)[number]['deed'] | 'help'

export function shortcut(event: KeyboardEvent): Deed | null {
  if (event.repeat || event.isComposing || event.ctrlKey || event.metaKey) return null
  if (event.altKey && event.shiftKey) return SHORTCUTS.find(({ code }) => code === event.code)?.deed ?? null
  const typing = event.target instanceof Element && event.target.closest('input, textarea, select, [contenteditable]')
  return event.key === '?' && !event.altKey && !typing ? 'help' : null
}
