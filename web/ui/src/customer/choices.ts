/** A subject as the page offers it. */
export interface Choice {
  id: string
  name: string
  auth: 'required' | 'optional' | 'none'
}

/** What may be asked about: without the portal's word not what needs it. */
export const open = (all: Choice[], token: string | null): Choice[] => all.filter(({ auth }) => token || auth !== 'required')

/** The subject that is asked about; where nothing was chosen the first, named if the very first is not open. */
export const asked = (chosen: string, all: Choice[], open: Choice[]): string | undefined =>
  chosen || (open[0] && open[0].id !== all[0]?.id ? open[0].id : undefined)
