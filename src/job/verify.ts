import { printable } from '../keys.js'
import { CHECKSUM_ALGORITHMS } from './checksums.js'
import type { Compared } from './compared.js'
import { keyListShape } from './files-from.js'
import type { JobKind } from './kind.js'
import { placeShape, placeUrl, prefixAsShape } from './place.js'
import { flag, list, oneOf, shape, text } from './schema.js'
import { selectionShape } from './selection.js'

/** How differences are written by `verify`. */
export type DifferenceFormat = 'text' | 'json'

/** Compare the objects below `source` with those of the same names below `destination`. */
export interface VerifyJob extends Compared {
  readonly kind: 'verify'
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
  /** Annotations too. */
  readonly annotations?: boolean
  /** By checksums that jobs of S3 Batch Operations compute of both sides, with this algorithm, and by nothing else. */
  readonly checksums?: string
  /** The file to write the differences to, an absolute path, or the object, `s3://bucket/key`; standard output when absent. */
  readonly to?: string
  /** How the differences are written. When absent: for people where they go to a terminal, else as JSON. */
  readonly format?: DifferenceFormat
}

/** A comparison by checksums that jobs compute. */
export type ChecksumJob = VerifyJob & { readonly checksums: string }

/** One of these. */
export function checksumJob(
  job: Pick<ChecksumJob, 'source' | 'destination' | 'select' | 'checksums' | 'to' | 'format'>,
): ChecksumJob {
  return { kind: 'verify', deep: false, bytes: false, fix: false, verbose: false, ...job }
}

/** Whether a job compares. */
export function comparesPlaces(job: { readonly kind: string }): job is VerifyJob {
  return job.kind === 'verify'
}

/** Whether a job is one by checksums. */
export function comparesChecksums(job: { readonly kind: string; readonly checksums?: string }): job is ChecksumJob {
  return job.kind === 'verify' && job.checksums !== undefined
}

/** A comparison by what listings tell. */
export const BY_LISTING = { kind: 'verify', deep: false, bytes: false, fix: false, verbose: false } as const

export const VERIFY: JobKind<VerifyJob> = {
  shape: shape<VerifyJob>(
    {
      ...{ kind: oneOf('verify'), source: placeShape, destination: placeShape },
      ...{ deep: flag, bytes: flag, fix: flag, verbose: flag },
    },
    {
      ...{ select: selectionShape, list: keyListShape, map: list(text), prefixAs: prefixAsShape, oneWay: flag },
      ...{ to: text, acl: flag, annotations: flag, format: oneOf('text', 'json') },
      checksums: oneOf(...CHECKSUM_ALGORITHMS),
    },
  ),
  verb: 'comparing',
  adjustable: ['concurrency'],
  inShards: true,
  joined: 'with',
  listsBoth: true,
  parts({ destination, select, map, prefixAs, oneWay = false, to, format, checksums, ...job }) {
    const { deep, acl = false, annotations = false, bytes, fix, verbose } = job
    const folder = prefixAs !== undefined
    const asked = Object.entries({ deep, acl, annotations, bytes, fix, verbose, 'one way': oneWay, folder }).filter(
      ([, given]) => given,
    )
    return [
      ['destination', placeUrl(destination)],
      ['objects', select ?? {}],
      ['names', map ?? []],
      [
        'comparison',
        checksums === undefined ? asked.map(([name]) => name).join(', ') || 'of the listings' : `by ${checksums}`,
      ],
      [
        'output',
        (to === undefined ? 'standard output' : printable(to)) + (format === undefined ? '' : `, as ${format}`),
      ],
    ]
  },
}
