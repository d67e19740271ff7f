import type { RewriteFields } from './route.js'

/** Objects that are to have the same fields and storage class: what one job can do. */
export interface HeaderSet {
  readonly storageClass: string
  readonly fields: RewriteFields
}

/** A set with what is known of its objects. */
export interface CountedSet extends HeaderSet {
  /** It is never that of another set. */
  readonly number: number
  rows: number
  /** The latest Last-Modified of its objects, ISO 8601. */
  newest: string
}

/** Fewer objects are not worth a job, which takes minutes and a fee; s3move does them in a second. */
export const LEAST_ROWS = 1000

/** Sets that get jobs, at most. */
export const MOST_SETS = 1000

/** Counts objects by what they are to have, in bounded memory: of sets that are rare so far it may forget, and they are rare then. */
export class HeaderSets {
  private readonly sets = new Map<string, CountedSet>()
  private readonly byNumber = new Map<number, CountedSet>()
  private begun = 0
  /** That were added. */
  objects = 0

  /** Adds an object; answers the number of its set, and whether that begins with it. */
  add(set: HeaderSet, lastModified: string): { readonly number: number; readonly begins: boolean } {
    const known = this.sets.get(nameOf(set))
    const counted = known ?? this.begin(set, this.begun + 1, lastModified)
    this.count(counted, lastModified)
    return { number: counted.number, begins: known === undefined }
  }

  /**
   * Adds an object that an earlier session has added, in the order of then, to the set that had this number; `begins` is what that is, where it began with it. Of
   * a set that is not known any more, none is counted: it is rare.
   */
  addAgain(number: number, lastModified: string, begins: HeaderSet | undefined): void {
    const counted = begins === undefined ? this.byNumber.get(number) : this.begin(begins, number, lastModified)
    if (counted === undefined) this.objects++
    else this.count(counted, lastModified)
  }

  /** Those that are worth a job, the largest first. Objects of all others are s3move's own. */
  worthAJob(): readonly CountedSet[] {
    return this.largest().filter(({ rows }) => rows >= LEAST_ROWS)
  }

  private begin({ storageClass, fields }: HeaderSet, number: number, newest: string): CountedSet {
    if (this.sets.size >= 2 * MOST_SETS) this.forget()
    const set = { storageClass, fields, number, rows: 0, newest }
    this.sets.set(nameOf(set), set)
    this.byNumber.set(number, set)
    this.begun = Math.max(this.begun, number)
    return set
  }

  private count(set: CountedSet, lastModified: string): void {
    set.rows++
    this.objects++
    if (lastModified > set.newest) set.newest = lastModified
  }

  private largest(): readonly CountedSet[] {
    return [...this.sets.values()].toSorted((a, b) => b.rows - a.rows).slice(0, MOST_SETS)
  }

  private forget(): void {
    const kept = new Set(this.largest())
    for (const [name, set] of this.sets) {
      if (kept.has(set)) continue
      this.sets.delete(name)
      this.byNumber.delete(set.number)
    }
  }
}

function nameOf({ storageClass, fields }: HeaderSet): string {
  return JSON.stringify([storageClass, fields])
}
