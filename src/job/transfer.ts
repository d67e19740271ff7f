import type { Attributes } from './object-attributes.js'
import type { Place } from './place.js'
import type { Selection } from './selection.js'

/** What all jobs have that make objects at `destination` of those at `source`. */
export interface Transfer {
  readonly source: Place
  readonly destination: Place
  readonly attributes?: Attributes
  /** Wanted size of the parts of large objects, in bytes. */
  readonly partSize?: number
  readonly select?: Selection
  /** Have archived objects restored; else they are passed over. */
  readonly restore?: Restore
}

/** For how many days the content of archived objects is to be there, and how fast it is to come. */
export interface Restore {
  readonly days: number
  readonly tier: 'standard' | 'bulk' | 'expedited'
}
