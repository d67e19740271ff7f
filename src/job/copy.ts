import { comparedOf } from './compared.js'
import { keyListShape, type KeyList } from './files-from.js'
import type { WriteKind } from './kind.js'
import { flag, list, oneOf, shape, text } from './schema.js'
import { TRANSFER, transferParts, type Transfer } from './transfer.js'

/** Copy every object below `source` to `destination`, the source's prefix replaced by the destination's. */
export interface CopyJob extends Transfer {
  readonly kind: 'copy'
  readonly list?: KeyList
  /** `s/regex/replacement/`: what copies are called, one after the other, relative to the prefixes. */
  readonly map?: readonly string[]
  /** Each object with all of its versions, in their order, and not only as it is now. */
  readonly versions?: boolean
  /** Replace nothing: what the destination has under the name is left as it is. */
  readonly noClobber?: boolean
}

export const COPY: WriteKind<CopyJob> = {
  shape: shape<CopyJob>(
    { kind: oneOf('copy'), ...TRANSFER.required },
    { ...TRANSFER.optional, list: keyListShape, map: list(text), versions: flag, noClobber: flag },
  ),
  verb: 'copying',
  adjustable: ['concurrency', 'bandwidth'],
  inShards: true,
  done: 'copied',
  task: 'copy',
  repeats: {
    all: 'copy all of it once more',
    instead: ({ list, map, versions, noClobber }) =>
      [list, map, versions, noClobber].every((asked) => asked === undefined)
        ? 'sync, which copies only what has changed'
        : undefined,
  },
  unnamed: true,
  listsVersions: true,
  parts: (job) => [
    ...transferParts(job, {
      versions: job.versions === true,
      ...(job.noClobber === true ? { noClobber: true } : {}),
    }),
    ['names', job.map ?? []],
  ],
  proof(job) {
    const { list, map, versions = false, noClobber = false } = job
    // What else is at the destination was none of its business.
    const more = { oneWay: true, ...(list === undefined ? {} : { list }), ...(map === undefined ? {} : { map }) }
    return {
      compared: comparedOf(job, more),
      warnings: [
        ...(versions ? ['only the current version of each object is compared, not those before'] : []),
        ...(noClobber ? ['the run replaced nothing: what the destination had before is compared too'] : []),
      ],
    }
  },
}

/** Whether a job is a copy. */
export function isCopy(job: { readonly kind: string }): job is CopyJob {
  return job.kind === 'copy'
}

/** The same as a copy of every object. */
export function copyOf({ source, destination, attributes, partSize, map }: Omit<CopyJob, 'kind'>): CopyJob {
  return {
    ...{ kind: 'copy', source, destination },
    ...(attributes === undefined ? {} : { attributes }),
    ...(partSize === undefined ? {} : { partSize }),
    ...(map === undefined ? {} : { map }),
  }
}
