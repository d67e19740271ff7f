import { printable } from '../../keys.js'
import { RESTORE_REQUESTED, type Failure } from '../../job/outcome.js'
import type { Tally } from '../../sources/tally.js'
import type { Gate } from '../lanes/gate.js'
import { MassFailure, type Alike } from './mass-failure.js'
import { AllAlike, NearlyAllAlike } from './stop-reason.js'

/** What is needed to hold a session back while every object fails alike. */
export interface FailureWatchOptions {
  readonly gate: Gate
  /** How long a pause may last, in milliseconds. */
  readonly retryFor: number
  /** Whether the store allows still what it allowed at the start. */
  readonly stillAllowed: () => Promise<boolean>
  readonly warn: (message: string) => void
  readonly fail: (error: unknown) => void
}

/** Watches the failures of a session. */
export interface FailureWatch {
  /** Takes in a failure. */
  failed(failure: Failure): void
  /** Looks at what has become of objects since the last time. To be called several times a second. */
  look(tally: Tally): void
  /** The code of what it is paused for. */
  readonly cause: string | undefined
}

/** A watch that begins where the tally stands. */
export function watchFailures(options: FailureWatchOptions): FailureWatch {
  const { gate, retryFor, stillAllowed, warn, fail } = options
  const mass = new MassFailure(retryFor)
  let failures: Failure[] = []
  let before: { readonly added: number; readonly succeeded: number } | undefined
  const obey = (advice: ReturnType<MassFailure['advise']>): void => {
    switch (advice?.kind) {
      case undefined:
        return
      case 'ask':
        stillAllowed().then(
          (answer) => mass.allowed(answer),
          () => mass.allowed(true),
        )
        return
      case 'pause':
        gate.pause()
        if (!advice.quietly) warn(pausedFor(advice.alike))
        return
      case 'probe':
        gate.probe(advice.count)
        return
      case 'resume':
        gate.resume()
        if (!advice.quietly)
          warn(`the run goes on: an object succeeded again after ${Math.round(advice.after / 1000)} s`)
        return
      case 'stop': {
        const { alike, first, after } = advice
        fail(first ? new AllAlike(alike.failed, alike.code) : new NearlyAllAlike(alike, after))
      }
    }
  }
  return {
    failed(failure) {
      // Nothing is wrong, and nothing is to be mended. What is refused without a request costs nothing, and says nothing of the others.
      if (failure.code !== RESTORE_REQUESTED && failure.attempts > 0) failures.push(failure)
    },
    look({ added, totals: { copied, deleted = 0 } }) {
      const succeeded = copied + deleted
      before ??= { added: 0, succeeded: succeeded }
      mass.observe(added - before.added, Math.max(0, succeeded - before.succeeded), failures)
      before = { added, succeeded }
      failures = []
      obey(mass.advise(performance.now()))
    },
    get cause() {
      return mass.cause?.code
    },
  }
}

function pausedFor({ code, failed, of }: Alike): string {
  return (
    `paused: ${failed} of the last ${of} objects failed alike (${printable(code)}); ` +
    'nothing more is begun but a few objects now and then, until one succeeds or --retry-for is over'
  )
}
