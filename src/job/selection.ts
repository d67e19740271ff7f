import { checkCount, flag, list, oneOf, shape, text, time, tuple } from './schema.js'
import { shardShape, type Shard } from './shard.js'

/** Which objects a job is for: all for which every condition that is there holds. Plain data, kept in the checkpoint. */
export interface Selection {
  /** On keys relative to the source prefix. The last that matches decides, as in the AWS CLI; what none matches is in. */
  readonly globs?: readonly (readonly [verdict: 'include' | 'exclude', glob: string])[]
  /** RE2's syntax, searched in the relative key; all must be found. */
  readonly regex?: readonly string[]
  /** Globs and regular expressions take letters in either case. */
  readonly ignoreCase?: boolean
  /** Least and largest size, in bytes. */
  readonly minSize?: number
  readonly maxSize?: number
  /** ISO 8601: last modified at this moment or later, and before this moment. */
  readonly modifiedSince?: string
  readonly modifiedBefore?: string
  /** One of these, in capitals or not. */
  readonly storageClasses?: readonly string[]
  /** Full keys: those after `after`, which is not among them, up to `until`, which is. */
  readonly after?: string
  readonly until?: string
  /** Those of one shard, where the others are for other processes. */
  readonly shard?: Shard
}

export const selectionShape = shape<Selection>(
  {},
  {
    globs: list(tuple<readonly ['include' | 'exclude', string]>(oneOf('include', 'exclude'), text)),
    ...{
      regex: list(text),
      ignoreCase: flag,
      minSize: checkCount,
      maxSize: checkCount,
      modifiedSince: time,
      modifiedBefore: time,
    },
    ...{ storageClasses: list(text), after: text, until: text, shard: shardShape },
  },
)
