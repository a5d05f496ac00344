import type { Bounds } from '../lib/settings'

/** What the operator allows this county at most; as it came with the settings. */
export const bounds = $state<{ now: Bounds | null }>({ now: null })
