import type { Peak, Peaks } from '../../lib/api'

/** The greatest swing of some buckets, in the unit they came in. */
export function loudest(lane: Peak[]): number {
  let most = 0
  for (const [low, high] of lane) most = Math.max(most, Math.abs(low), Math.abs(high))
  return most
}

export interface Stretch {
  from_ms: number
  to_ms: number
  /** Share of the time in which that side was heard, 0 to 1. */
  left: number
  right: number
}

/** Below this share of the loudest moment a bucket counts as silence. */
const QUIET = 0.06

/** The chart as figures: who was heard in which stretch. */
export function stretches(peaks: Peaks, count: number): Stretch[] {
  const parts = Math.max(1, Math.min(count, peaks.left.length, Math.ceil(peaks.duration_ms / 1000)))
  const level = QUIET * Math.max(loudest(peaks.left), loudest(peaks.right))
  return Array.from({ length: parts }, (_, part) => ({
    from_ms: (peaks.duration_ms * part) / parts,
    to_ms: (peaks.duration_ms * (part + 1)) / parts,
    left: heard(peaks.left, part, parts, level),
    right: heard(peaks.right, part, parts, level),
  }))
}

function heard(lane: Peak[], part: number, parts: number, level: number): number {
  const slice = lane.slice(Math.floor((lane.length * part) / parts), Math.floor((lane.length * (part + 1)) / parts))
  if (slice.length === 0) return 0
  return slice.filter((bucket) => level > 0 && loudest([bucket]) > level).length / slice.length
}
