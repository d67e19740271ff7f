import { AttributesIndex } from './attributes-index.js'

/** Most names that are held, and most folders, beside the one that was asked for last. */
const MOST_NAMES = 300_000
const MOST_FOLDERS = 32

/** What is known of the attributes of objects, by folder (absolute). */
export class AttributesIndexes {
  /** The one that was asked for last at the end. */
  private readonly kept = new Map<string, AttributesIndex>()
  private latest: AttributesIndex | undefined

  of(folder: string): AttributesIndex {
    const index = this.kept.get(folder) ?? new AttributesIndex(folder)
    if (index === this.latest) return index
    this.kept.delete(folder)
    this.kept.set(folder, index)
    this.latest = index
    this.shrink()
    return index
  }

  private shrink(): void {
    let names = 0
    for (const index of this.kept.values()) names += index.size
    for (const [folder, index] of this.kept) {
      if (index === this.latest || (names <= MOST_NAMES && this.kept.size <= MOST_FOLDERS)) return
      this.kept.delete(folder)
      names -= index.size
      void index.drop()
    }
  }
}
