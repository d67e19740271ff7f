import { printable } from '../keys.js'
import { flag, oneOf, positive, shape, text, type Check } from './schema.js'

/** Where a list came from that is no file of this machine. It was copied to one, so that it can be read again. */
export interface ListOrigin {
  /** `s3://bucket/key` with the key as it is, or `-`: standard input. */
  readonly from: string
  /** SHA-256 of the content, in hexadecimal digits, once it was copied: it tells two jobs apart. */
  readonly sha256?: string
  /** That of the object, where there is one. */
  readonly etag?: string
}

/** What a list is written as. */
export type ListFormat = 'keys' | 'ndjson' | 'csv' | 'parquet' | 'inventory'

/** Where a job finds the names of its objects instead of in a listing. */
export interface KeyList {
  /** An absolute path; '' where it was not copied yet from its origin. */
  readonly file: string
  readonly origin?: ListOrigin
  /**
   * - `keys`: one raw key a line, so no key with a line feed, or a carriage return at its end
   * - `ndjson`: one JSON object with a `key` a line
   * - `csv`: with a header, or bucket, key and perhaps version with keys URL-encoded
   * - `parquet`: a file with a column `key`, keys as they are
   * - `inventory`: the `manifest.json` of an S3 Inventory in CSV or Parquet
   *
   * Absent means what a survey finds in a job that was not begun yet.
   */
  readonly format?: ListFormat
  /** What separates the fields of `csv`; a comma when absent. */
  readonly delimiter?: string
  /**
   * How the text of `keys` and `csv` is escaped:
   * - `double`: a quote in quotes is written twice, as RFC 4180 has it; lines of `keys` are as they are
   * - `backslash`: as MySQL and PostgreSQL do it
   *
   * Absent means what a survey finds in a job that was not begun yet, and `double` afterwards.
   */
  readonly escape?: 'double' | 'backslash'
  /** Where a backslash escapes, quotes are characters like others. */
  readonly rawQuotes?: boolean
  /** The column of `csv` that has the keys, by its name in the header, or where there is none by its number, from 1. */
  readonly column?: string | number
}

const columnShape: Check<string | number> = (value, at) =>
  typeof value === 'number' ? positive(value, at) : text(value, at)

export const keyListShape = shape<KeyList>(
  { file: text },
  {
    origin: shape<ListOrigin>({ from: text }, { sha256: text, etag: text }),
    format: oneOf('keys', 'ndjson', 'csv', 'parquet', 'inventory'),
    ...{ delimiter: text, escape: oneOf('double', 'backslash'), rawQuotes: flag, column: columnShape },
  },
)

/** What a list is called where it came from, fit to be shown. */
export function nameOfList({ file, origin }: KeyList): string {
  if (origin === undefined) return printable(file)
  return origin.from === '-' ? 'standard input' : printable(origin.from)
}
