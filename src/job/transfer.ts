import type { JobPart } from './kind.js'
import { attributesShape, type Attributes } from './object-attributes.js'
import { placeShape, placeUrl, type Place } from './place.js'
import { oneOf, positive, shape } from './schema.js'
import { selectionShape, type Selection } from './selection.js'

/** What S3 allows for a part that is not the last, in bytes. */
export const SMALLEST_PART = 5 * 1024 ** 2
export const LARGEST_PART = 5 * 1024 ** 3

/** What all jobs have that make objects at `destination` of those at `source`. */
export interface Transfer {
  readonly source: Place
  readonly destination: Place
  readonly attributes?: Attributes
  /** Wanted size of the parts of large objects, in bytes. */
  readonly partSize?: number
  readonly select?: Selection
  /** Have archived objects restored; else they are passed over. */
  readonly restore?: Restore
}

/** For how many days the content of archived objects is to be there, and how fast it is to come. */
export interface Restore {
  readonly days: number
  readonly tier: 'standard' | 'bulk' | 'expedited'
}

const restoreShape = shape<Restore>({ days: positive, tier: oneOf('standard', 'bulk', 'expedited') }, {})

/** What all of them hold: what must be there, and what may. */
export const TRANSFER = {
  required: { source: placeShape, destination: placeShape },
  optional: { attributes: attributesShape, partSize: positive, select: selectionShape, restore: restoreShape },
}

/** What tells two of them apart. `more` is what a kind says beside; what is absent there leaves the names of jobs as they were. */
export function transferParts(
  { destination, attributes, partSize, restore, select }: Transfer,
  {
    versions = false,
    ...more
  }: { readonly versions?: boolean; readonly noClobber?: boolean; readonly prefixAs?: unknown } = {},
): readonly JobPart[] {
  const given = { ...more, ...(restore === undefined ? {} : { restore }) }
  return [
    ['destination', placeUrl(destination)],
    ['attributes', { attributes: attributes ?? null, partSize: partSize ?? null, versions, ...given }],
    ['objects', select ?? {}],
  ]
}
