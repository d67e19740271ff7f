import type { Place } from './place.js'

/** How the result of `du` is told. */
export interface DuReport {
  readonly format: 'text' | 'json' | 'csv'
  readonly dates: 'year' | 'month' | 'day'
}

/** Count the objects below `source` and their bytes, by several traits. */
export interface DuJob {
  readonly kind: 'du'
  readonly source: Place
  /** By how many folder levels; 0: not by folder. */
  readonly depth: number
  readonly report: DuReport
}
