import type { Failure, Outcome, Totals } from '../job.js'
import type { Named } from './named.js'

/** What a tally has gained: plain data, to be sent between threads. */
export interface TallyGain {
  readonly totals: Readonly<Totals>
  readonly added: number
  readonly failures: readonly Failure[]
}

/** Counts settled objects, and holds their failures until somebody has written them down. */
export interface Tally {
  readonly totals: Totals
  /** Objects settled since the tally was made; unlike the totals it also counts those that were counted before, as failed. */
  readonly added: number
  add(object: Pick<Named, 'size'>, outcome: Outcome): void
  /** Counts and holds a failure of before that stands as it is; it is none of this session. */
  keep(failure: Failure): void
  /** The failures since the last call, in the order in which they were settled. */
  takeFailures(): readonly Failure[]
  /** Takes in what another tally gained. */
  merge(gain: TallyGain): void
}

/** A tally that goes on from `start` and calls `onFailure` at each failure. */
export function createTally(start: Readonly<Totals>, onFailure: (failure: Failure) => void): Tally {
  const totals: Totals = { ...start, skipped: { ...start.skipped }, failed: { ...start.failed } }
  let failures: Failure[] = []
  let added = 0
  return {
    totals,
    get added() {
      return added
    },
    add(object, outcome) {
      added++
      switch (outcome.kind) {
        case 'copied':
          totals.copied++
          totals.bytes += bytesOf(object, outcome)
          return
        case 'skipped':
          addTo(totals.skipped, outcome.reason, 1)
          return
        case 'failed':
          addTo(totals.failed, outcome.failure.code, 1)
          failures.push(outcome.failure)
          onFailure(outcome.failure)
      }
    },
    keep(failure) {
      addTo(totals.failed, failure.code, 1)
      failures.push(failure)
    },
    takeFailures() {
      const taken = failures
      failures = []
      return taken
    },
    merge(gain) {
      added += gain.added
      totals.copied += gain.totals.copied
      totals.bytes += gain.totals.bytes
      for (const [reason, count] of Object.entries(gain.totals.skipped)) addTo(totals.skipped, reason, count)
      for (const [code, count] of Object.entries(gain.totals.failed)) addTo(totals.failed, code, count)
      for (const failure of gain.failures) {
        failures.push(failure)
        onFailure(failure)
      }
    },
  }
}

/** The size of an object that was copied. */
export function bytesOf({ size }: Pick<Named, 'size'>, { bytes = size }: Outcome & { kind: 'copied' }): number {
  if (bytes === undefined) throw new Error('an object was copied whose size nobody knows')
  return bytes
}

/** Adds to a count by name and drops it at zero. A name may be any text, even one that every object has (`constructor`). */
export function addTo(counts: Partial<Record<string, number>>, name: string, change: number): void {
  const total = (Object.hasOwn(counts, name) ? (counts[name] ?? 0) : 0) + change
  if (total > 0)
    Object.defineProperty(counts, name, { value: total, writable: true, enumerable: true, configurable: true })
  else Reflect.deleteProperty(counts, name)
}
