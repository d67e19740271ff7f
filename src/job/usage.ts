import { checkCount, list, shape, text, tuple } from './schema.js'

/** A group of objects: its name, how many, and their bytes. */
export type Group = readonly [name: string, objects: number, bytes: number]

/** A number of objects, and their bytes. */
export interface Amount {
  readonly objects: number
  readonly bytes: number
}

/** Objects counted by several traits. Plain data: survives JSON and structured clone. */
export interface CensusData {
  readonly total: Amount
  /** By storage class, as listed. */
  readonly storageClasses: readonly Group[]
  /** By size class, named by its upper bound. */
  readonly sizes: readonly Group[]
  /** By the day of last modification, `YYYY-MM-DD`; `unknown` for what is no date. */
  readonly days: readonly Group[]
  /** By the first folders of the key, each ending in a slash; '' for keys without a folder. */
  readonly folders: readonly Group[]
  /** By trait: what had no place among the groups once they were as many as are kept. */
  readonly other: { readonly storageClasses: Amount; readonly days: Amount; readonly folders: Amount }
}

export const amountShape = shape<Amount>({ objects: checkCount, bytes: checkCount }, {})
const groups = list(tuple<Group>(text, checkCount, checkCount))

export const censusShape = shape<CensusData>(
  {
    total: amountShape,
    storageClasses: groups,
    sizes: groups,
    days: groups,
    folders: groups,
    other: shape<CensusData['other']>({ storageClasses: amountShape, days: amountShape, folders: amountShape }, {}),
  },
  {},
)
