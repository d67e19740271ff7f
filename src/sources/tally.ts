import type { Deferral, DeferredDelete, Failure, LargeObject, Outcome, WaitingObject } from '../job/outcome.js'
import type { Totals } from '../job/totals.js'
import type { ObjectSummary } from '../storage/storage.js'

/** What a tally has gained: plain data, to be sent between threads. */
export interface TallyGain {
  readonly totals: Readonly<Totals>
  readonly added: number
  readonly failures: readonly Failure[]
  readonly deferred: readonly LargeObject[]
  readonly waiting: readonly WaitingObject[]
  readonly deferredDeletes: readonly DeferredDelete[]
}

/** Counts settled objects, and holds failures, deferred deletes and what was put off until somebody has written them down. */
export interface Tally {
  readonly totals: Totals
  /** Objects settled since the tally was made; unlike the totals it also counts those that were counted before, as failed. */
  readonly added: number
  add(object: ObjectSummary, outcome: Outcome | Deferral): void
  /** Counts and holds a failure of before that stands as it is; it is none of this session. */
  keep(failure: Failure): void
  /** Whether a failure is one of before, that was told before. */
  isKept(failure: Failure): boolean
  /** The failures since the last call, in the order in which they were settled. */
  takeFailures(): readonly Failure[]
  /** The objects that were put off since the last call, in the order in which they were settled. They are counted nowhere yet. */
  takeDeferred(): readonly LargeObject[]
  /** The same of the objects that are to be tried again. */
  takeWaiting(): readonly WaitingObject[]
  /** The objects to be deleted since the last call, in that order too. */
  takeDeferredDeletes(): readonly DeferredDelete[]
  /** Takes in what another tally gained. */
  merge(gain: TallyGain): void
}

/** A tally that goes on from `start` and calls `onFailure` at each failure. */
export function createTally(start: Readonly<Totals>, onFailure: (failure: Failure) => void): Tally {
  const totals: Totals = { ...start, skipped: { ...start.skipped }, failed: { ...start.failed } }
  for (const name of BY_CLASS) if (start[name] !== undefined) totals[name] = { ...start[name] }
  let failures: Failure[] = []
  let deferred: LargeObject[] = []
  let waiting: WaitingObject[] = []
  let deferredDeletes: DeferredDelete[] = []
  let added = 0
  const kept = new WeakSet<Failure>()
  return {
    totals,
    get added() {
      return added
    },
    add(object, outcome) {
      if (outcome.kind === 'deferred') {
        deferred.push(outcome.object)
        return
      }
      if (outcome.kind === 'waiting') {
        waiting.push(outcome.object)
        return
      }
      // It is counted when it is deleted.
      if (outcome.kind === 'delete-deferred') {
        deferredDeletes.push(outcome.deferredDelete)
        return
      }
      added++
      switch (outcome.kind) {
        case 'copied':
          totals.copied++
          totals.bytes += object.size
          if (object.storageClass !== 'STANDARD') addOf(totals, 'copiedByClass', object, 1, object.size)
          return
        case 'deleted':
          addDeleted(totals, 1, object.size)
          return
        case 'skipped':
          addTo(totals.skipped, outcome.reason, 1)
          return
        case 'failed':
          if (outcome.restoring === true) addOf(totals, 'restoredByClass', object, 1, object.size)
          addTo(totals.failed, outcome.failure.code, 1)
          failures.push(outcome.failure)
          onFailure(outcome.failure)
      }
    },
    keep(failure) {
      addTo(totals.failed, failure.code, 1)
      failures.push(failure)
      kept.add(failure)
    },
    isKept: (failure) => kept.has(failure),
    takeFailures() {
      const taken = failures
      failures = []
      return taken
    },
    takeDeferred() {
      const taken = deferred
      deferred = []
      return taken
    },
    takeWaiting() {
      const taken = waiting
      waiting = []
      return taken
    },
    takeDeferredDeletes() {
      const taken = deferredDeletes
      deferredDeletes = []
      return taken
    },
    merge(gain) {
      deferred.push(...gain.deferred)
      waiting.push(...gain.waiting)
      added += gain.added
      totals.copied += gain.totals.copied
      totals.bytes += gain.totals.bytes
      for (const of of BY_CLASS) {
        for (const [storageClass, { objects, bytes }] of Object.entries(gain.totals[of] ?? {}))
          addOf(totals, of, { storageClass }, objects, bytes)
      }
      addDeleted(totals, gain.totals.deleted ?? 0, gain.totals.freed ?? 0)
      for (const [reason, count] of Object.entries(gain.totals.skipped)) addTo(totals.skipped, reason, count)
      for (const [code, count] of Object.entries(gain.totals.failed)) addTo(totals.failed, code, count)
      for (const deferredDelete of gain.deferredDeletes) deferredDeletes.push(deferredDelete)
      for (const failure of gain.failures) {
        failures.push(failure)
        onFailure(failure)
      }
    },
  }
}

const BY_CLASS = ['copiedByClass', 'restoredByClass'] as const

function addOf(
  totals: Totals,
  of: (typeof BY_CLASS)[number],
  { storageClass }: Pick<ObjectSummary, 'storageClass'>,
  objects: number,
  bytes: number,
): void {
  const classes = (totals[of] ??= {})
  const before = Object.hasOwn(classes, storageClass) ? classes[storageClass] : undefined
  const value = { objects: (before?.objects ?? 0) + objects, bytes: (before?.bytes ?? 0) + bytes }
  Object.defineProperty(classes, storageClass, { value, writable: true, enumerable: true, configurable: true })
}

function addDeleted(totals: Totals, objects: number, bytes: number): void {
  if (objects === 0) return
  totals.deleted = (totals.deleted ?? 0) + objects
  totals.freed = (totals.freed ?? 0) + bytes
}

/** Adds to a count by name and drops it at zero. A name may be any text, even one that every object has (`constructor`). */
export function addTo(counts: Partial<Record<string, number>>, name: string, change: number): void {
  const total = (Object.hasOwn(counts, name) ? (counts[name] ?? 0) : 0) + change
  if (total > 0)
    Object.defineProperty(counts, name, { value: total, writable: true, enumerable: true, configurable: true })
  else Reflect.deleteProperty(counts, name)
}
