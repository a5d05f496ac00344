/**
 * The key of this tab's chat: it outlives a reload, and a closed window forgets it. A frame without storage keeps it
 * behind the `#` of its address, which no server sees.
 */
const name = (tenant: string) => `ringback-chat-${tenant}`

export function keptChat(tenant: string): string | null {
  try {
    const kept = sessionStorage.getItem(name(tenant))
    if (kept) return kept
  } catch {
    // Looked for in the address then.
  }
  return /^#chat=([\w-]{43})$/.exec(location.hash)?.[1] ?? null
}

export function keepChat(tenant: string, key: string): void {
  try {
    sessionStorage.setItem(name(tenant), key)
  } catch {
    history.replaceState(history.state, '', `#chat=${key}`)
  }
}

export function forgetChat(tenant: string): void {
  try {
    sessionStorage.removeItem(name(tenant))
  } catch {
    // It was kept in the address then.
  }
  if (location.hash.startsWith('#chat=')) history.replaceState(history.state, '', location.pathname + location.search)
}
