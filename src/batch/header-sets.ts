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
  private begun = 0
  /** That were added. */
  objects = 0

  /** Adds an object; answers the number of its set. */
  add({ storageClass, fields }: HeaderSet, lastModified: string): number {
    const name = JSON.stringify([storageClass, fields])
    let set = this.sets.get(name)
    if (set === undefined) {
      if (this.sets.size >= 2 * MOST_SETS) this.forget()
      set = { storageClass, fields, number: ++this.begun, rows: 0, newest: lastModified }
      this.sets.set(name, set)
    }
    set.rows++
    this.objects++
    if (lastModified > set.newest) set.newest = lastModified
    return set.number
  }

  /** Those that are worth a job, the largest first. Objects of all others are s3move's own. */
  worthAJob(): readonly CountedSet[] {
    return this.largest().filter(({ rows }) => rows >= LEAST_ROWS)
  }

  private largest(): readonly CountedSet[] {
    return [...this.sets.values()].toSorted((a, b) => b.rows - a.rows).slice(0, MOST_SETS)
  }

  private forget(): void {
    const kept = new Set(this.largest())
    for (const [name, set] of this.sets) if (!kept.has(set)) this.sets.delete(name)
  }
}
