import type { Permission } from './permissions.js'
import type { Side } from './place.js'

/** What was found out of one thing. */
export interface Finding {
  /** Absent for what concerns both sides together. */
  readonly side?: Side
  /** `reach` is what every request needs; `permission` an action; `trait` what the store or folder can, or how it is set. */
  readonly about: 'reach' | 'permission' | 'trait'
  /** What it is of: `credentials`, `s3:ListBucket`, `versioning`. */
  readonly what: string
  readonly state: 'ok' | 'no' | 'unknown'
  /** In words, with what the store said: not fit to be shown as it is. '' where there is nothing to add. */
  readonly told: string
  /** What a person can do. */
  readonly hint?: string | undefined
  /** Of an action: the code with which it was refused. */
  readonly code?: string | undefined
  readonly permission?: Permission | undefined
}
