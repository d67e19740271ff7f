import { commonLength, type Frame } from './frame.js'
import { family, isDigit, isWordByte, levelAt, Shape, SLASH } from './key-shape.js'

/**
 * What a run has learned of its keys. It grows with their alphabet, their length and the number of their shapes, not with their
 * number.
 */
export class KeyModel {
  private readonly all = new Shape()
  private readonly shapes = new Map<string, Shape>()

  /** Takes in keys that exist, in order and with nothing of importance between them. */
  learn(keys: readonly string[]): void {
    let before = ''
    let last: Shape | undefined
    let bytes = Buffer.alloc(0)
    for (const key of keys) {
      if (before !== '') this.learnEnds(before, key, last)
      const next = Buffer.from(key)
      const old = commonLength(bytes, next)
      const shape = this.of(key)
      this.all.learn(key, next, old)
      shape?.learn(key, next, shape === last ? old : 0)
      ;[before, bytes, last] = [key, next, shape]
    }
  }

  /** Takes in that nothing lies between a key that exists and the end of a range. */
  learnGap(from: string, to: string): void {
    this.learnEnds(from, to, this.of(from))
  }

  // Where two keys part, all folders of the first that lie deeper came to their end.
  private learnEnds(from: string, to: string, shape: Shape | undefined): void {
    let parted = 0
    while (parted < from.length && from[parted] === to[parted]) parted++
    if (from.indexOf('/', parted) < 0) return
    const path = from.split('/')
    const shared = commonLevels(path, to.split('/'))
    for (const known of [this.all, shape]) known?.learnLast(path, shared + 1)
  }

  /** Takes in that nothing lies between a mark that was made up from `model`, and the end of its range. */
  learnNothing(mark: string, until: string | undefined, model: string): void {
    const path = mark.split('/')
    // Only the end of a folder tells of the folder.
    const level = until === undefined ? 0 : until.split('/').length
    if (until !== undefined && !mark.startsWith(`${until.slice(0, -1)}/`)) return
    const name = path[level]
    if (name !== undefined) for (const shape of [this.all, this.of(model)]) shape?.learnBound(name, level)
  }

  /** Whether more may lie behind the name that a key has at a level, in the same folder. */
  mayFollow(key: string, level: number): boolean {
    const last = this.like(key).lastOf(level)
    return last === undefined || (key.split('/')[level] ?? '') < last
  }

  /**
   * A frame in which the keys between `low` and `until` (absent: no bound) can be placed: the bytes that may follow what
   * those two have in common, position by position. Only numbers in the names at which they part may be longer than those seen, and
   * only as long as `cursor` is beyond what folders of their level have shown to be their last.
   */
  frame(low: Buffer, until: Buffer | undefined, cursor: string): Frame {
    let start = until === undefined ? 0 : commonLength(low, until)
    let top = until?.[start] ?? 0
    let open = until === undefined
    // `until` is where the folder (or any prefix) of `low` ends: what matters is what may come inside it.
    if (until?.length === start + 1 && (low[start] ?? 0) + 1 === until[start]) {
      start++
      open = true
    }
    if (open) top = 0x100
    const shape = this.like(cursor)
    const parted = levelAt(low, start)
    const names = cursor.split('/')
    const grows = (level: number): boolean => {
      const last = shape.lastOf(level)
      return last === undefined || (names[level] ?? '') > last
    }
    // Where the pages of the range move on, they may lie deeper than that.
    const growing = [parted, levelAt(low, commonLength(low, Buffer.from(cursor)))].find(grows)
    const digits: (readonly number[])[] = []
    let resolution = 1
    let [level, place] = [parted, start - 1 - low.subarray(0, start).lastIndexOf(SLASH)]
    for (let i = start; i < start + MOST_DIGITS && resolution < FINEST; i++) {
      const before = (names[level] ?? '').slice(0, place)
      const mayGrow = (byte: number): boolean =>
        level === growing && shape.isWithin(before + String.fromCharCode(byte), level)
      const digit =
        i === start
          ? this.parting(shape, level, place, low[i] ?? 0, top, level === growing, mayGrow)
          : shape.plausible(level, place, mayGrow)
      if (digit.length === 0) break
      digits.push(digit)
      resolution *= digit.length
      if (low[i] === SLASH) [level, place] = [level + 1, 0]
      else place++
    }
    return { start, open, digits, resolution }
  }

  // Where the two ends part, nothing may have been seen yet of what lies between them: whatever names of the level are known to
  // use counts, and the bytes of a family always count together.
  private parting(
    shape: Shape,
    level: number,
    place: number,
    least: number,
    top: number,
    grows: boolean,
    mayGrow: (byte: number) => boolean,
  ): number[] {
    const seen = shape.at(level, place)
    const varies = seen === undefined || seen.indexOf(1) !== seen.lastIndexOf(1)
    const wordy = varies || (grows && least !== SLASH && !shape.differInNumbers(level))
    const bytes = [least]
    for (let byte = least + 1; byte < top; byte++) {
      const presumed = family(byte) === family(least) || (wordy && isWordByte(byte) && this.all.inLevel(level, byte))
      if (seen?.[byte] === 1 || (presumed && (!isDigit(byte) || mayGrow(byte)))) bytes.push(byte)
    }
    if (top < 0x100) bytes.push(top)
    return bytes
  }

  // What is known of keys that look like this one, or of all as long as that is too little.
  private like(key: string): Shape {
    const shape = this.of(key)
    return shape !== undefined && shape.keys >= FEW ? shape : this.all
  }

  private of(key: string): Shape | undefined {
    const name = key.replace(WORD, 'x')
    const known = this.shapes.get(name)
    if (known !== undefined || this.shapes.size >= MOST_SHAPES) return known
    const shape = new Shape()
    this.shapes.set(name, shape)
    return shape
  }
}

const WORD = /[0-9A-Za-z\u0080-\uffff]+/g
const MOST_SHAPES = 32
/** So many keys of a shape say more than those of all shapes. */
const FEW = 10
const MOST_DIGITS = 200
/** Places are doubles: beyond this they would no longer tell neighbours apart. */
const FINEST = 2 ** 46

function commonLevels(a: readonly string[], b: readonly string[]): number {
  let level = 0
  while (level < a.length && a[level] === b[level]) level++
  return level
}
