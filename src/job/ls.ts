import type { Place } from './place.js'

/** How keys are written by `ls`. */
export type LineFormat = 'text' | 'json' | 'csv'

/** Write every key below `source`, with what a listing tells of it. */
export interface LsJob {
  readonly kind: 'ls'
  readonly source: Place
  readonly format: LineFormat
  /** In byte order; else as they come. */
  readonly sorted: boolean
  /** The file to write, an absolute path; standard output when absent. */
  readonly to?: string
}
