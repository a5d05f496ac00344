/** Where ITU-T G.107's classes of listeners begin: satisfied, some dissatisfied, many dissatisfied. */
const GOOD = 4.0
const FAIR = 3.6
const POOR = 3.1

/** A mean opinion score in a word. */
export function verdict(mos: number | null): { word: 'good' | 'fair' | 'poor' | 'bad'; tone: string } | null {
  if (mos === null) return null
  if (mos >= GOOD) return { word: 'good', tone: 'good' }
  if (mos >= FAIR) return { word: 'fair', tone: 'info' }
  if (mos >= POOR) return { word: 'poor', tone: 'warn' }
  return { word: 'bad', tone: 'danger' }
}
