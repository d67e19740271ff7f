import type { Place } from './place.js'

/** Compare the objects below `source` with those of the same names below `destination`. */
export interface VerifyJob {
  readonly kind: 'verify'
  readonly source: Place
  readonly destination: Place
  /** Headers, metadata and tags too. */
  readonly deep: boolean
  /** Read the content of both. */
  readonly bytes: boolean
  /** Copy what is missing or different. */
  readonly fix: boolean
  /** Tell also of objects of which only the size could be compared. */
  readonly verbose: boolean
  /** Access control lists too. */
  readonly acl?: boolean
  /** The file to write the differences to, an absolute path; standard output when absent. */
  readonly to?: string
}
