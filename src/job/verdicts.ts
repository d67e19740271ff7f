import { checkCount, shape } from './schema.js'

/**
 * How two objects of a name compare: `same-size` when no content was compared, `missing` at the destination, `extra` there,
 * `unknown` when they could not be looked at.
 */
export type Verdict = 'same' | 'same-size' | 'different' | 'missing' | 'extra' | 'unknown'

/** A name whose objects do not compare as the same, or of which that is not known. */
export interface Difference {
  /** In full, at the source. */
  readonly key: string
  /** In full, at the destination, where the job gives new names. */
  readonly to?: string | undefined
  readonly verdict: Verdict
  /**
   * In what they differ: `size`, `content`, `changed` (while they were compared), `manifest` (the destination has only one), `tags`, `storage-class`,
   * `encryption`, `lock`, `acl`, or a header.
   */
  readonly differs?: readonly string[] | undefined
  /** Why they could not be compared. */
  readonly problem?: Problem | undefined
  readonly source?: ListedTraits | undefined
  readonly destination?: ListedTraits | undefined
  /** What came of copying the source over the destination: that it is right now, or why it is not. */
  readonly fixed?: true | Problem | undefined
}

/** Why something could not be done. */
export interface Problem {
  readonly code: string
  readonly message: string
}

/** What a listing tells of an object by which it is compared. */
export interface ListedTraits {
  readonly size: number
  readonly etag: string
}

/** How many names had which likeness, and how many of these differences were mended since. */
export type Verdicts = Readonly<Record<Verdict | 'fixed', number>>

/** Likenesses of nothing. */
export const NO_VERDICTS: Verdicts = {
  ...{ same: 0, 'same-size': 0, different: 0, missing: 0, extra: 0, unknown: 0, fixed: 0 },
}

/** The sum of two. */
export function addVerdicts(a: Verdicts, b: Verdicts): Verdicts {
  return {
    same: a.same + b.same,
    'same-size': a['same-size'] + b['same-size'],
    different: a.different + b.different,
    missing: a.missing + b.missing,
    extra: a.extra + b.extra,
    unknown: a.unknown + b.unknown,
    fixed: a.fixed + b.fixed,
  }
}

/** Names that differ, or may: all but those that are the same, have the same size, or were mended. */
export function differing({ different, missing, extra, unknown, fixed }: Verdicts): number {
  return different + missing + extra + unknown - fixed
}

export const verdictsShape = shape<Verdicts>(
  {
    same: checkCount,
    'same-size': checkCount,
    different: checkCount,
    missing: checkCount,
    extra: checkCount,
    unknown: checkCount,
    fixed: checkCount,
  },
  {},
)
