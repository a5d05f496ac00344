/**
 * The keyboard map. Alt and Shift together, so that no single character does anything while someone types (WCAG 2.1.4)
 * and no browser menu is in the way; `?` alone only outside of fields.
 */
export const SHORTCUTS = [
  { deed: 'available', code: 'KeyG', keys: 'G', text: 'Go available' },
  { deed: 'accept', code: 'KeyA', keys: 'A', text: 'Accept the offer' },
  { deed: 'reject', code: 'KeyR', keys: 'R', text: 'Reject the offer' },
  { deed: 'mute', code: 'KeyM', keys: 'M', text: 'Mute or unmute' },
  { deed: 'hold', code: 'KeyH', keys: 'H', text: 'Hold or resume' },
  { deed: 'keypad', code: 'KeyK', keys: 'K', text: 'Show or hide the keypad' },
  { deed: 'transfer', code: 'KeyT', keys: 'T', text: 'Transfer the call' },
  { deed: 'end', code: 'KeyE', keys: 'E', text: 'End the call' },
] as const

export type Deed = (typeof SHORTCUTS)[number]['deed'] | 'help'

export function shortcut(event: KeyboardEvent): Deed | null {
  if (event.repeat || event.isComposing || event.ctrlKey || event.metaKey) return null
  if (event.altKey && event.shiftKey) return SHORTCUTS.find(({ code }) => code === event.code)?.deed ?? null
  const typing = event.target instanceof Element && event.target.closest('input, textarea, select, [contenteditable]')
  return event.key === '?' && !event.altKey && !typing ? 'help' : null
}
