import { printable } from '../keys.js'
import { keyListShape, type KeyList } from './files-from.js'
import type { JobKind } from './kind.js'
import { placeShape, type Place } from './place.js'
import { flag, oneOf, shape, text } from './schema.js'
import { selectionShape, type Selection } from './selection.js'

/** How keys are written by `ls`. */
export type LineFormat = 'text' | 'json' | 'csv'

/** How the result of `ls` is written. */
export type LsFormat = LineFormat | 'parquet'

/** Write every key below `source`, with what a listing tells of it. */
export interface LsJob {
  readonly kind: 'ls'
  readonly source: Place
  readonly select?: Selection
  readonly list?: KeyList
  readonly format: LsFormat
  /** In byte order; else as they come. */
  readonly sorted: boolean
  /** One level of names only, in byte order. */
  readonly folders?: boolean
  /** The file to write, an absolute path, or the object, `s3://bucket/key`; standard output when absent. */
  readonly to?: string
}

/** The listing of what another job is for, as JSON, as it comes. */
export function lsOf({ source, select, list }: Pick<LsJob, 'source' | 'select' | 'list'>): LsJob {
  return {
    ...{ kind: 'ls', source, format: 'json', sorted: false },
    ...(select === undefined ? {} : { select }),
    ...(list === undefined ? {} : { list }),
  }
}

export const LS: JobKind<LsJob> = {
  shape: shape<LsJob>(
    { kind: oneOf('ls'), source: placeShape, format: oneOf('text', 'json', 'csv', 'parquet'), sorted: flag },
    { select: selectionShape, list: keyListShape, folders: flag, to: text },
  ),
  verb: 'listing',
  inShards: true,
  inventoried: ['size', 'etag', 'lastModified', 'storageClass'],
  parts: ({ select, format, sorted, folders = false, to }) => [
    ['objects', select ?? {}],
    ['format', format],
    ['level', folders ? 'one' : 'all'],
    ['order', sorted ? 'sorted' : 'as it comes'],
    ['output', to === undefined ? 'standard output' : printable(to)],
  ],
}
