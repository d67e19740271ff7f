import type { KeyList } from './files-from.js'
import type { Place } from './place.js'
import type { Selection } from './selection.js'
import type { Transfer } from './transfer.js'

/** Which objects are compared, and by which names. */
export interface Compared {
  readonly source: Place
  readonly destination: Place
  /** Of the objects of the source; of what only the destination has, the names and sizes alone are asked. */
  readonly select?: Selection
  readonly list?: KeyList
  /** As that of a `CopyJob`: what the copies are called. */
  readonly map?: readonly string[]
  /** As that of a `SyncJob`. */
  readonly prefixAs?: 'folder'
  /** What only the destination has is not looked for. */
  readonly oneWay?: boolean
}

/** What is to be compared to prove a job, and what a person should know of that. */
export interface ComparisonPlan {
  readonly compared: Compared
  readonly warnings: readonly string[]
}

/** The objects that a job makes copies of. */
export function comparedOf(
  { source, destination, select }: Transfer,
  more: Omit<Compared, 'source' | 'destination' | 'select'>,
): Compared {
  return { source, destination, ...(select === undefined ? {} : { select }), ...more }
}
