import type { ObjectSummary } from '../storage/storage.js'

const [KIB, MIB] = [1024, 1024 * 1024]

/** Objects that are read alike: of more than `from` bytes, and at most `upTo`. */
export interface SizeClass {
  readonly from: number
  readonly upTo?: number
}

/** No more of an object is read at once. */
export const MOST_READ_AT_ONCE = 16 * MIB

/** The classes in which sizes are told. What is empty has nothing to read. */
export const SIZE_CLASSES: readonly SizeClass[] = [
  { from: 0, upTo: 4 * KIB },
  { from: 4 * KIB, upTo: 64 * KIB },
  { from: 64 * KIB, upTo: MIB },
  { from: MIB, upTo: MOST_READ_AT_ONCE },
  { from: MOST_READ_AT_ONCE },
]

/** The classes of what is written to see how long that takes. */
export const WRITTEN_CLASSES: readonly Required<SizeClass>[] = SIZE_CLASSES.flatMap(({ from, upTo }) =>
  upTo === undefined ? [] : { from, upTo },
)

/** The size of what is written of a class. */
export function writtenSize({ upTo }: Required<SizeClass>): number {
  return upTo / 4
}

/** Classes of which to read is paid for by the byte, or which must be restored before. */
const NOT_READ: ReadonlySet<string> = new Set(['STANDARD_IA', 'ONEZONE_IA', 'GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE'])

/** Whether an object may be read to see how long that takes. */
export function isReadable({ storageClass, size }: Pick<ObjectSummary, 'storageClass' | 'size'>): boolean {
  return size > 0 && !NOT_READ.has(storageClass)
}

/** The class of a size above 0. */
export function sizeClassOf(size: number): SizeClass | undefined {
  return SIZE_CLASSES.find(({ from, upTo = Infinity }) => size > from && size <= upTo)
}

/** Objects to be read, by class: at most so many of each, spread over those that came. */
export class ReadSample {
  readonly #found = new Map<SizeClass, ObjectSummary[]>()
  readonly #seen = new Map<SizeClass, number>()
  /** Objects that came, and those of them that are not to be read though they have content. */
  seen = 0
  unreadable = 0

  constructor(
    private readonly most: number,
    private readonly random: () => number = Math.random,
  ) {}

  add(object: ObjectSummary): void {
    this.seen++
    if (!isReadable(object)) {
      if (object.size > 0) this.unreadable++
      return
    }
    const sizeClass = sizeClassOf(object.size)
    if (sizeClass === undefined) return
    const found = this.#found.get(sizeClass) ?? []
    const seen = (this.#seen.get(sizeClass) ?? 0) + 1
    this.#found.set(sizeClass, found)
    this.#seen.set(sizeClass, seen)
    if (found.length < this.most) found.push(object)
    else {
      const at = Math.floor(this.random() * seen)
      if (at < this.most) found[at] = object
    }
  }

  /** Those of a class. */
  of(sizeClass: SizeClass): readonly ObjectSummary[] {
    return this.#found.get(sizeClass) ?? []
  }

  /** All of them. */
  all(): readonly ObjectSummary[] {
    return [...this.#found.values()].flat()
  }
}
