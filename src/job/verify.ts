import { printable } from '../keys.js'
import type { JobKind } from './kind.js'
import { placeShape, placeUrl, type Place } from './place.js'
import { flag, oneOf, shape, text } from './schema.js'

/** How differences are written by `verify`. */
export type DifferenceFormat = 'text' | 'json'

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
  /** How the differences are written. When absent: for people where they go to a terminal, else as JSON. */
  readonly format?: DifferenceFormat
}

export const VERIFY: JobKind<VerifyJob> = {
  shape: shape<VerifyJob>(
    {
      ...{ kind: oneOf('verify'), source: placeShape, destination: placeShape },
      ...{ deep: flag, bytes: flag, fix: flag, verbose: flag },
    },
    { to: text, acl: flag, format: oneOf('text', 'json') },
  ),
  verb: 'comparing',
  joined: 'with',
  parts({ destination, deep, acl = false, bytes, fix, verbose, to, format }) {
    const asked = Object.entries({ deep, acl, bytes, fix, verbose }).filter(([, given]) => given)
    return [
      ['destination', placeUrl(destination)],
      ['comparison', asked.map(([name]) => name).join(', ') || 'of the listings'],
      [
        'output',
        (to === undefined ? 'standard output' : printable(to)) + (format === undefined ? '' : `, as ${format}`),
      ],
    ]
  },
}
