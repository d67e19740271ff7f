import { RESTORE_REQUESTED, type Failure } from '../../job/outcome.js'
import type { Tally } from '../../sources/tally.js'
import { TooManyFailures } from './stop-reason.js'
import { watchFailures, type FailureWatch, type FailureWatchOptions } from './watch-failures.js'

/** What is needed to end a session that goes on for nothing. */
export interface FutilityOptions extends FailureWatchOptions {
  /** As that of `Pace`. */
  readonly maxErrors: number | undefined
  readonly stop: AbortSignal
}

/** Ends a session in which too many objects fail, or holds it back while all of them fail alike. */
export class Futility {
  private readonly watch: FailureWatch | undefined
  private failures = 0

  constructor(private readonly options: FutilityOptions) {
    // Whoever says how many may fail wants no other end.
    this.watch = options.maxErrors === undefined ? watchFailures(options) : undefined
  }

  /** The code of what the session is paused for. */
  get cause(): string | undefined {
    return this.watch?.cause
  }

  /** Takes in a failure. */
  failed(failure: Failure): void {
    const { maxErrors, fail } = this.options
    this.watch?.failed(failure)
    // Nothing is wrong, and nothing is to be mended.
    if (failure.code === RESTORE_REQUESTED) return
    this.failures++
    if (maxErrors !== undefined && this.failures > maxErrors) fail(new TooManyFailures(maxErrors))
  }

  /** As that of `FailureWatch`. */
  look(tally: Tally): void {
    if (!this.options.stop.aborted) this.watch?.look(tally)
  }
}
