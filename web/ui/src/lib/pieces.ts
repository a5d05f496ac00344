/** A message's text cut into plain pieces and links. Only https becomes a link; everything else stays the text it is. */
export interface Piece {
  text: string
  href?: string
}

const ADDRESS = /https:\/\/[^\s<>"'`]+/gi
/** What ends a sentence does not belong to the address before it. */
const TAIL = /[.,;:!?)\]}’”]+$/

export function pieces(text: string): Piece[] {
  const found: Piece[] = []
  let from = 0
  for (const match of text.matchAll(ADDRESS)) {
    const address = match[0].replace(TAIL, '')
    const href = https(address)
    if (!href) continue
    if (match.index > from) found.push({ text: text.slice(from, match.index) })
    found.push({ text: address, href })
    from = match.index + address.length
  }
  if (from < text.length) found.push({ text: text.slice(from) })
  return found
}

function https(address: string): string | null {
  try {
    const url = new URL(address)
    return url.protocol === 'https:' && url.hostname && !url.username && !url.password ? url.href : null
  } catch {
    return null
  }
}

/** Length as people and the server count it: Unicode scalar values. */
export const letters = (text: string): number => [...text].length
