import { UserError } from '../../errors.js'
import type { WriteJob } from '../../job/kinds.js'
import { backendOf } from '../../storage/backends.js'

const SIDES = ['source', 'destination'] as const

/** Refuses what is asked of copies and a side cannot have, such as an access control list of files. */
export function checkSides(job: WriteJob): void {
  if (!('destination' in job)) return
  for (const backend of new Set(SIDES.map((side) => backendOf(job[side])))) {
    for (const { flag, side, isAsked } of backend.refused) {
      if (!backend.opens(job[side]) || !isAsked(job)) continue
      throw new UserError(`--${flag} is for a bucket, and the ${side} is ${backend.called}`, `leave --${flag} away`)
    }
  }
}
