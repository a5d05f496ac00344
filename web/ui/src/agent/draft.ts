/** What was entered in a wrap-up and not yet sent, kept over a reload of this tab. */
export interface Draft {
  dispositions: string[]
  note: string
}

const key = (segment: string) => `ringback-draft-${segment}`

export function readDraft(segment: string): Draft {
  try {
    const kept = JSON.parse(sessionStorage.getItem(key(segment)) ?? '{}') as Partial<Draft>
    return { dispositions: kept.dispositions ?? [], note: kept.note ?? '' }
  } catch {
    return { dispositions: [], note: '' }
  }
}

export function keepDraft(segment: string, draft: Draft | null): void {
  try {
    if (draft) sessionStorage.setItem(key(segment), JSON.stringify(draft))
    else sessionStorage.removeItem(key(segment))
  } catch {
    // Without storage a reload forgets the draft; nothing else is lost.
  }
}
