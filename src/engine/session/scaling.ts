import type { PlannedGroup } from '../../job/planned-group.js'
import { noTotals, type Totals } from '../../job/totals.js'
import { addTo } from '../../sources/tally.js'
import type { Requests } from '../actions/context.js'

/** What the objects of a rehearsal are a sample of. */
export interface SampledFrom {
  /** How many objects there seem to be. */
  readonly objects: number
  /** In so many places objects were looked at. */
  readonly places: number
  /** For how many an object of the sample stands. */
  readonly standsFor: (key: string) => number
}

/** Makes what was counted of a sample what it would be of all, to three digits. */
interface Scaling {
  readonly count: (n: number) => number
  readonly counts: (some: Requests) => Requests
  readonly groups: (groups: readonly PlannedGroup[]) => readonly PlannedGroup[]
  /** Requests that read, by operation, of requests that the sample took. */
  readonly reads: (some: Requests) => Requests
  /** How long so many requests to list take at least, in milliseconds. */
  readonly listing: (lists: number, answers: Readonly<Record<string, number>>, lanes: number) => number
}

const PAGE = 1_000

/** Scales by a sample of which so many objects were looked at. Counts come with what each object stands for in them already. */
export function scaling({ objects, places }: SampledFrom, looked: number): Scaling {
  const counts = (some: Requests): Requests => mapped(some, rounded)
  return {
    count: rounded,
    counts,
    groups: (groups) =>
      groups.map(({ sizes, ...group }) => ({
        ...group,
        ...{ objects: rounded(group.objects), bytes: rounded(group.bytes), billedBytes: rounded(group.billedBytes) },
        ...{ replacedBytes: counts(group.replacedBytes), writes: counts(group.writes) },
        sizes: sizes.map(([upTo, n, bytes]) => [upTo, rounded(n), rounded(bytes)] as const),
      })),
    reads: (some) =>
      mapped(some, (n, operation) =>
        // A place is one page, of which few objects were taken.
        rounded(operation.startsWith('List') ? (n * objects) / PAGE / places : (n * objects) / Math.max(1, looked)),
      ),
    listing: (lists, answers, lanes) => (lists * (answers.ListObjectsV2 ?? 0)) / lanes,
  }
}

/** The totals of groups. */
export function totalsOf(groups: readonly PlannedGroup[]): Totals {
  const totals = noTotals()
  for (const { fate, objects, bytes } of groups) {
    switch (fate.kind) {
      case 'written':
      case 'updated':
      case 'archived':
        totals.copied += objects
        totals.bytes += bytes
        break
      case 'deleted':
        totals.deleted = (totals.deleted ?? 0) + objects
        totals.freed = (totals.freed ?? 0) + bytes
        break
      case 'skipped':
        addTo(totals.skipped, fate.reason, objects)
        break
      case 'failed':
        addTo(totals.failed, fate.code, objects)
    }
  }
  return totals
}

function rounded(n: number): number {
  return Math.round(Number(n.toPrecision(3)))
}

function mapped(some: Requests, change: (n: number, operation: string) => number): Requests {
  return Object.fromEntries(Object.entries(some).map(([operation, n]) => [operation, change(n, operation)]))
}
