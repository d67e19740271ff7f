import { givenStorageClass, updatesOf, writeKindOf, type WriteJob } from '../../job/kinds.js'
import type { Fate, PlannedGroup } from '../../job/planned-group.js'
import { isDirectoryBucket } from '../../job/place.js'
import { EXPRESS_ONEZONE, isArchiveClass, isGivenByItself } from '../../job/storage-classes.js'
import type { Group } from '../../job/usage.js'
import type { WorkItem } from '../../sources/work-source.js'
import { timeOf } from '../../times.js'
import type { Prospect, Requests } from '../actions/context.js'
import { SIZE_CLASS_NAMES, sizeClass } from '../output/usage-counts.js'

interface Counts {
  readonly fate: Fate
  readonly storageClass: string
  objects: number
  bytes: number
  billed: number
  early: number
  readonly replaced: Map<string, number>
  readonly writes: Map<string, number>
  readonly sizes: { objects: number; bytes: number }[]
}

// https://aws.amazon.com/s3/storage-classes/
const LEAST_DAYS: ReadonlyMap<string, number> = new Map([
  ...[['STANDARD_IA', 30] as const, ['ONEZONE_IA', 30] as const],
  ...[['GLACIER_IR', 90] as const, ['GLACIER', 90] as const, ['DEEP_ARCHIVE', 180] as const],
])
const LEAST_BILLED = 128 * 1024
const DAY = 86_400_000

/** Counts what a run would do by storage class, size class and fate, in memory that is bounded by how many of these there are. */
export class PlanCounts {
  readonly #groups = new Map<string, Counts>()
  // Neighbours in a listing mostly share these.
  #latest: Counts | undefined
  #kind: Prospect['kind'] | 'updated' | undefined

  /** Goes on from `before`. */
  constructor(
    private readonly job: WriteJob,
    private readonly now: number,
    before: readonly PlannedGroup[] = [],
  ) {
    for (const { fate, storageClass, ...group } of before) {
      const sizes = SIZE_CLASS_NAMES.map((name) => {
        const [, objects = 0, bytes = 0] = group.sizes.find(([upTo]) => upTo === name) ?? []
        return { objects, bytes }
      })
      this.#groups.set(nameOf(fate, storageClass), {
        ...{ fate, storageClass, sizes, objects: group.objects, bytes: group.bytes },
        ...{ billed: group.billedBytes, early: group.earlyByteDays },
        ...{ replaced: new Map(Object.entries(group.replacedBytes)), writes: new Map(Object.entries(group.writes)) },
      })
    }
  }

  /** Counts one object, with the requests of its write; as so many objects as it stands for. */
  add(object: WorkItem, prospect: Prospect, writes: Requests = {}, standsFor = 1): void {
    const counts = this.#of(object.storageClass, prospect)
    const size = object.size * standsFor
    counts.objects += standsFor
    counts.bytes += size
    const billed = Math.max(object.size, LEAST_BILLED) * standsFor
    counts.billed += billed
    const ofSize = counts.sizes[sizeClass(object.size)]
    if (ofSize !== undefined) {
      ofSize.objects += standsFor
      ofSize.bytes += size
    }
    const days = LEAST_DAYS.get(object.storageClass)
    if (days !== undefined) {
      const missing = days - (this.now - timeOf(object.lastModified)) / DAY
      if (missing > 0) counts.early += missing * billed
    }
    const { there } = object
    if (there !== undefined) add(counts.replaced, there.storageClass, there.size * standsFor)
    for (const operation in writes) add(counts.writes, operation, (writes[operation] ?? 0) * standsFor)
  }

  /** What was counted so far. */
  groups(): readonly PlannedGroup[] {
    return [...this.#groups.values()].map(({ fate, storageClass, objects, bytes, ...rest }) => ({
      ...{ fate, storageClass, writtenClass: writtenClass(this.job, storageClass), objects, bytes },
      ...{ billedBytes: rest.billed, earlyByteDays: rest.early, replacedBytes: Object.fromEntries(rest.replaced) },
      writes: Object.fromEntries(rest.writes),
      sizes: rest.sizes.flatMap((size, at): Group[] =>
        size.objects === 0 ? [] : [[SIZE_CLASS_NAMES[at] ?? '', size.objects, size.bytes]],
      ),
    }))
  }

  #fateOf(storageClass: string, prospect: Prospect): Fate {
    const { kind } = prospect
    return kind === 'copied' && isArchivedBy(this.job, storageClass) ? { kind: 'archived' } : fateOf(prospect)
  }

  #of(storageClass: string, prospect: Prospect): Counts {
    const kind = isUpdate(prospect) ? 'updated' : prospect.kind
    // Of the others there are several.
    const plain = kind === 'copied' || kind === 'deleted' || kind === 'updated'
    if (plain && kind === this.#kind && this.#latest?.storageClass === storageClass) return this.#latest
    const fate = this.#fateOf(storageClass, prospect)
    const key = nameOf(fate, storageClass)
    let counts = this.#groups.get(key)
    if (counts === undefined) {
      counts = { fate, storageClass, objects: 0, bytes: 0, billed: 0, early: 0, ...noSizes() }
      this.#groups.set(key, counts)
    }
    this.#kind = kind
    this.#latest = counts
    return counts
  }
}

function nameOf(fate: Fate, storageClass: string): string {
  return JSON.stringify([fate.kind, 'reason' in fate ? fate.reason : 'code' in fate ? fate.code : '', storageClass])
}

function add(sums: Map<string, number>, name: string, n: number): void {
  sums.set(name, (sums.get(name) ?? 0) + n)
}

function noSizes(): Pick<Counts, 'writes' | 'replaced' | 'sizes'> {
  return { writes: new Map(), replaced: new Map(), sizes: SIZE_CLASS_NAMES.map(() => ({ objects: 0, bytes: 0 })) }
}

// Of one job some objects are updated, and others rewritten.
function isUpdate(prospect: Prospect): boolean {
  return prospect.kind === 'copied' && prospect.requests?.UpdateObjectEncryption !== undefined
}

function fateOf(prospect: Prospect): Fate {
  switch (prospect.kind) {
    case 'copied':
      return { kind: isUpdate(prospect) ? 'updated' : 'written' }
    case 'deleted':
    case 'delete-deferred':
      return { kind: 'deleted' }
    case 'skipped':
      return { kind: 'skipped', reason: prospect.reason }
    case 'failed':
      return { kind: 'failed', code: prospect.failure.code }
  }
}

/** The storage class that a job writes of an object of this one. */
export function writtenClass(job: WriteJob, ofSource: string): string {
  const dropped = 'attributes' in job && job.attributes.drop?.includes('storage-class') === true
  const given = givenStorageClass(job)
  if (given !== undefined) return given
  // Between the two kinds of buckets each gives its own.
  if ('destination' in job && isDirectoryBucket(job.destination.bucket)) return EXPRESS_ONEZONE
  return dropped || isGivenByItself(ofSource) ? 'STANDARD' : ofSource
}

/** Whether the copy of an object of this class is refused, unless it was restored, which only the copy itself would tell, or a HEAD. */
export function isArchivedBy(job: WriteJob, storageClass: string): boolean {
  return 'destination' in job && isArchiveClass(storageClass)
}

/** What an object that a job does is billed as. */
export function fateOfDone(job: WriteJob): 'written' | 'tagged' {
  return updatesOf(job) === undefined ? 'written' : 'tagged'
}

/** Whether what a job writes takes the place of what it read: a rewrite in place, or a move. */
export function replacesSource(job: WriteJob): boolean {
  return !('destination' in job) || writeKindOf(job).done === 'moved'
}
