import type { CensusData, Group } from '../../job/usage.js'
import { compareKeys } from '../../keys.js'
import type { ObjectSummary } from '../../storage/storage.js'

/** Size classes: each the sizes up to and including its bound that are above the one before. The bounds are those at which S3 bills or works in another way. */
const SIZE_CLASSES: readonly { readonly name: string; readonly most: number }[] = [
  { name: '0', most: 0 },
  // What the infrequent-access classes bill at least.
  { name: '128 KiB', most: 128 * 1024 },
  { name: '1 MiB', most: 1024 ** 2 },
  { name: '8 MiB', most: 8 * 1024 ** 2 },
  { name: '100 MiB', most: 100 * 1024 ** 2 },
  { name: '1 GiB', most: 1024 ** 3 },
  // What one CopyObject copies at most.
  { name: '5 GiB', most: 5 * 1024 ** 3 },
  { name: 'above 5 GiB', most: Infinity },
]

/** A count that grows. */
interface Counter {
  objects: number
  bytes: number
}

/** How a census counts. */
export interface CensusOptions {
  /** By how many folder levels; 0: not by folder. */
  readonly depth: number
  /** The most groups that are kept for each trait. What comes later and is in none of them counts as `other`. */
  readonly mostGroups?: number
}

const MOST_GROUPS = 10_000

/** Counts objects by several traits, in memory that is bounded by the number of groups. */
export class UsageCounts {
  private readonly depth: number
  private readonly total: Counter = counter()
  private readonly sizes: Counter[] = SIZE_CLASSES.map(counter)
  private readonly classes: Groups<string>
  /** Days as numbers, `year * 372 + month * 31 + day`; -1 is what is no date. */
  private readonly days: Groups<number>
  private readonly folders: Groups<string>
  // Neighbours in a listing mostly share these.
  private storageClass = ''
  private ofClass: Counter | undefined
  private day = NaN
  private ofDay: Counter | undefined
  private folder = ''
  private levels = 0
  private ofFolder: Counter | undefined

  constructor({ depth, mostGroups = MOST_GROUPS }: CensusOptions) {
    this.depth = depth
    this.classes = new Groups(mostGroups)
    this.days = new Groups(mostGroups)
    this.folders = new Groups(mostGroups)
  }

  /** Counts objects. */
  add(objects: readonly ObjectSummary[]): void {
    let bytes = 0
    for (const { key, size, lastModified, storageClass } of objects) {
      bytes += size
      count(this.sizes[sizeClass(size)], size)
      if (storageClass !== this.storageClass || this.ofClass === undefined) {
        this.storageClass = storageClass
        this.ofClass = this.classes.of(storageClass)
      }
      count(this.ofClass, size)
      const day = dayOf(lastModified)
      if (day !== this.day || this.ofDay === undefined) {
        this.day = day
        this.ofDay = this.days.of(day)
      }
      count(this.ofDay, size)
      if (this.depth > 0) count(this.inFolder(key), size)
    }
    this.total.objects += objects.length
    this.total.bytes += bytes
  }

  /** What was counted since the last call; nothing is counted any more afterwards. */
  take(): CensusData {
    const data = this.data()
    for (const each of [this.total, ...this.sizes]) each.objects = each.bytes = 0
    for (const groups of [this.classes, this.days, this.folders]) groups.clear()
    this.ofClass = this.ofDay = this.ofFolder = undefined
    return data
  }

  /** Adds what another census counted. */
  merge(data: CensusData): void {
    grow(this.total, data.total.objects, data.total.bytes)
    for (const [name, objects, bytes] of data.sizes) {
      const index = SIZE_CLASSES.findIndex((known) => known.name === name)
      grow(this.sizes[index < 0 ? SIZE_CLASSES.length - 1 : index], objects, bytes)
    }
    for (const [name, objects, bytes] of data.storageClasses) grow(this.classes.of(name), objects, bytes)
    for (const [name, objects, bytes] of data.days) grow(this.days.of(dayOf(name)), objects, bytes)
    for (const [name, objects, bytes] of data.folders) grow(this.folders.of(name), objects, bytes)
    grow(this.classes.other, data.other.storageClasses.objects, data.other.storageClasses.bytes)
    grow(this.days.other, data.other.days.objects, data.other.days.bytes)
    grow(this.folders.other, data.other.folders.objects, data.other.folders.bytes)
    this.ofClass = this.ofDay = this.ofFolder = undefined
  }

  /** All that was counted: sizes in the order of their classes, everything else in the order of its names. Groups that are empty are left out. */
  data(): CensusData {
    const sizes = this.sizes.map(({ objects, bytes }, i): Group => [SIZE_CLASSES[i]?.name ?? '', objects, bytes])
    return {
      total: { ...this.total },
      storageClasses: this.classes.list((name) => name, compareKeys),
      sizes: sizes.filter(([, objects]) => objects > 0),
      days: this.days.list(dayName, (a, b) => a - b),
      folders: this.folders.list((name) => name, compareKeys),
      other: {
        storageClasses: { ...this.classes.other },
        days: { ...this.days.other },
        folders: { ...this.folders.other },
      },
    }
  }

  private inFolder(key: string): Counter {
    const { folder } = this
    if (this.ofFolder !== undefined && key.startsWith(folder)) {
      if (this.levels === this.depth || !key.includes('/', folder.length)) return this.ofFolder
    }
    let end = 0
    let levels = 0
    while (levels < this.depth) {
      const slash = key.indexOf('/', end)
      if (slash < 0) break
      end = slash + 1
      levels++
    }
    this.folder = key.slice(0, end)
    this.levels = levels
    this.ofFolder = this.folders.of(this.folder)
    return this.ofFolder
  }
}

class Groups<Name> {
  private readonly counters = new Map<Name, Counter>()
  readonly other = counter()

  constructor(private readonly most: number) {}

  of(name: Name): Counter {
    let found = this.counters.get(name)
    if (found === undefined) {
      if (this.counters.size >= this.most) return this.other
      found = counter()
      this.counters.set(name, found)
    }
    return found
  }

  list(nameOf: (name: Name) => string, compare: (a: Name, b: Name) => number): Group[] {
    return [...this.counters]
      .filter(([, { objects }]) => objects > 0)
      .sort(([a], [b]) => compare(a, b))
      .map(([name, { objects, bytes }]) => [nameOf(name), objects, bytes])
  }

  clear(): void {
    this.counters.clear()
    this.other.objects = this.other.bytes = 0
  }
}

function counter(): Counter {
  return { objects: 0, bytes: 0 }
}

function count(counter: Counter | undefined, size: number): void {
  if (counter === undefined) return
  counter.objects++
  counter.bytes += size
}

function grow(counter: Counter | undefined, objects: number, bytes: number): void {
  if (counter === undefined) return
  counter.objects += objects
  counter.bytes += bytes
}

/** The names of the size classes, the smallest first: each is the most that is in it. */
export const SIZE_CLASS_NAMES = SIZE_CLASSES.map(({ name }) => name)

/** Which of the size classes so many bytes are in. */
export function sizeClass(size: number): number {
  for (let i = 0; i < BOUNDS.length; i++) if (size <= (BOUNDS[i] ?? 0)) return i
  return BOUNDS.length
}

const BOUNDS = SIZE_CLASSES.slice(0, -1).map(({ most }) => most)

// ISO 8601 begins with `YYYY-MM-DD`; anything else is no date.
function dayOf(time: string): number {
  if (time.charCodeAt(4) !== DASH || time.charCodeAt(7) !== DASH) return -1
  const year = digits(time, 0) * 100 + digits(time, 2)
  const month = digits(time, 5)
  const day = digits(time, 8)
  return year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= 31
    ? year * 372 + (month - 1) * 31 + (day - 1)
    : -1
}

const DASH = 0x2d

// Two digits as a number; far below zero when they are none.
function digits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 0x30
  const ones = text.charCodeAt(at + 1) - 0x30
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1e6
}

function dayName(day: number): string {
  if (day < 0) return 'unknown'
  const year = String(Math.floor(day / 372)).padStart(4, '0')
  const month = String((Math.floor(day / 31) % 12) + 1).padStart(2, '0')
  return `${year}-${month}-${String((day % 31) + 1).padStart(2, '0')}`
}
