import { keyListShape, type KeyList } from './files-from.js'
import type { JobKind } from './kind.js'
import { placeShape, type Place } from './place.js'
import { checkCount, oneOf, shape, text } from './schema.js'
import { selectionShape, type Selection } from './selection.js'

/** How the result of `du` is told. */
export interface DuReport {
  readonly format: 'text' | 'json' | 'csv' | 'html'
  readonly dates: 'year' | 'month' | 'day'
}

/** Count the objects below `source` and their bytes, by several traits. */
export interface DuJob {
  readonly kind: 'du'
  readonly source: Place
  readonly select?: Selection
  readonly list?: KeyList
  /** By how many folder levels; 0: not by folder. */
  readonly depth: number
  readonly report: DuReport
  /** The file to write the result to, an absolute path, or the object, `s3://bucket/key`; standard output when absent. */
  readonly to?: string
}

const reportShape = shape<DuReport>(
  { format: oneOf('text', 'json', 'csv', 'html'), dates: oneOf('year', 'month', 'day') },
  {},
)

export const DU: JobKind<DuJob> = {
  shape: shape<DuJob>(
    { kind: oneOf('du'), source: placeShape, depth: checkCount, report: reportShape },
    { select: selectionShape, list: keyListShape, to: text },
  ),
  verb: 'counting',
  inShards: true,
  inventoried: ['size', 'lastModified', 'storageClass'],
  // How the result is told changes nothing of what is counted.
  parts: ({ select, depth }) => [
    ['objects', select ?? {}],
    ['depth', String(depth)],
  ],
}
