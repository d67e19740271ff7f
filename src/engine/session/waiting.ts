import type { LedgerPosition, WaitingState } from '../../checkpoint/checkpoint.js'
import { LateLedger, type ObjectEntry } from '../../checkpoint/object-ledger.js'
import { WAITING } from '../../checkpoint/waiting-ledger.js'
import { StorageError } from '../../errors.js'
import type { Waiting } from '../../job/events.js'
import type { Failure, Outcome, WaitingObject } from '../../job/outcome.js'
import { sleep } from '../../abort.js'
import { connectionHint } from '../../storage/connection-hint.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { addTo } from '../../sources/tally.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'

/** The pause before the first attempt, in milliseconds; each further one is twice as long as the one before, up to the longest. */
const FIRST_PAUSE = 2_000
const LONGEST_PAUSE = 300_000
/** Objects that have their turn at once. */
const AT_ONCE = 64
/** Objects that are held in memory at once; the others wait in the ledger. */
const WINDOW = 10_000
/** Entries of the ledger that are read at once. */
const READ = 1_000

const NOWHERE: LedgerPosition = { bytes: 0, entries: 0 }

/** One attempt at an object: what is known of it now, and what became of it. */
export interface Attempt {
  readonly object: ObjectSummary
  readonly outcome: Outcome
}

/** What is needed to try objects again. */
export interface WaitingOptions {
  /** Of the run. */
  readonly folder: string
  readonly bucket: string
  /** What remained when the checkpoint was saved; absent for nothing. */
  readonly start: WaitingState | undefined
  /** How long an object is tried again, in milliseconds. */
  readonly retryFor: number
  /** Tries once. Undefined: it was given up because the run is ending. Rejects with what ends the run. */
  readonly attempt: (failure: WaitingObject) => Promise<Attempt | undefined>
  /** Told of each outcome, in the order of the ledger. */
  readonly settle: (object: ObjectSummary, outcome: Outcome) => void
  /** Whether the stores answer at all: only then it is an object's own trouble that no answer comes. */
  readonly alive: () => Promise<boolean>
  /** Aborted when nothing further is to be begun. */
  readonly stop: AbortSignal
  /** Called, perhaps several times, with what makes it impossible to go on. */
  readonly fail: (error: unknown) => void
}

/** An object that was read from the ledger and is not settled. */
interface Open extends ObjectEntry<WaitingObject> {
  /** Until when it is tried again. */
  readonly deadline: number
  done?: Attempt
}

/**
 * The objects of a run that went on failing while others succeeded. Lanes settle their keys, so that these hold up nothing; they are held until they are in
 * a ledger on the disk, as failures are, and are tried again at growing intervals until `retryFor` is over. They are settled in the order of the
 * ledger, so that what is left of them is a position in it; what has an outcome and waits for one before it is tried once more after a kill.
 */
export class WaitingObjects {
  private settled: LedgerPosition
  private readonly ledger: LateLedger<WaitingObject>
  /** Settled in the ranges, and not on the disk yet. */
  private held: readonly WaitingObject[] = []
  /** In the order of the ledger. */
  private readonly open: Open[] = []
  private read: number
  /** Until when entries are tried again that begin before `end`, in the order of the ledger. */
  private readonly deadlines: { readonly end: number; readonly deadline: number }[]
  private readonly errors: Record<string, number>
  private readonly slots = new ConcurrencyLimit(AT_ONCE)
  private readonly flights = new Set<Promise<void>>()
  private closed = false
  private listeners: (() => void)[] = []

  constructor(private readonly options: WaitingOptions) {
    const { start = { ...NOWHERE, done: NOWHERE, errors: {} } } = options
    const { bytes, entries, sha256 } = start
    this.ledger = new LateLedger(WAITING, options.folder, {
      bytes,
      entries,
      ...(sha256 === undefined ? {} : { sha256 }),
    })
    this.settled = start.done
    this.read = start.done.bytes
    this.errors = { ...start.errors }
    this.deadlines = [{ end: start.bytes, deadline: performance.now() + options.retryFor }]
  }

  /** Objects that are not settled. */
  get remaining(): number {
    return this.ledger.position.entries - this.settled.entries + this.held.length
  }

  /** Those that are not settled; undefined when there are none. */
  get counts(): Waiting | undefined {
    const { remaining } = this
    return remaining === 0 ? undefined : { objects: remaining, errors: { ...this.errors } }
  }

  /** Objects that have their turn now. */
  get inFlight(): number {
    return this.slots.busy
  }

  /** When the last of those that are there is given up, if it goes on failing. */
  get until(): Date {
    const last = this.deadlines.at(-1)?.deadline ?? 0
    return new Date(Date.now() + Math.max(0, last - performance.now()))
  }

  /** What remains, of the ledger as it is on the disk; undefined when nothing does. */
  state(): WaitingState | undefined {
    return this.remaining === 0
      ? undefined
      : { ...this.ledger.position, done: this.settled, errors: { ...this.errors } }
  }

  /** Takes over objects that a checkpoint passes, to be written down before it. */
  hold(objects: readonly WaitingObject[]): void {
    if (objects.length === 0) return
    this.held = [...this.held, ...objects]
    for (const failure of objects) addTo(this.errors, errorOf(failure), 1)
  }

  /** Writes down what is held; from then on it is tried again. Rejects with a CheckpointError, and holds it still. Answers where the ledger ends. */
  async flush(): Promise<LedgerPosition> {
    const { held } = this
    await this.ledger.append(held)
    if (held.length > 0) {
      this.held = this.held.slice(held.length)
      this.deadlines.push({ end: this.ledger.position.bytes, deadline: performance.now() + this.options.retryFor })
      this.wake()
    }
    return this.ledger.position
  }

  /** Tries again what comes, until it was closed and nothing is left, or nothing is in flight after `stop`. Never rejects. */
  async run(): Promise<void> {
    const { stop, fail } = this.options
    const wake = (): void => this.wake()
    stop.addEventListener('abort', wake, { once: true })
    try {
      if (this.ledger.position.bytes > 0) await this.ledger.open()
      while (!stop.aborted && !(this.closed && this.remaining === 0)) {
        const room = WINDOW - this.open.length
        if (room === 0 || this.read >= this.ledger.position.bytes) {
          await this.change()
          continue
        }
        const entries = await this.ledger.read(this.read, Math.min(READ, room))
        for (const entry of entries) {
          this.read = entry.end
          const open: Open = { ...entry, deadline: this.deadlineOf(entry) }
          this.open.push(open)
          const flight = this.tryAgain(open).catch(fail)
          this.flights.add(flight)
          void flight.then(() => this.flights.delete(flight))
        }
      }
    } catch (error) {
      fail(error)
    }
    stop.removeEventListener('abort', wake)
    await Promise.all(this.flights)
  }

  /** Resolves when nothing is left of what there was, or the run ends. */
  async drained(): Promise<void> {
    while (this.remaining > 0 && !this.options.stop.aborted) await this.change()
  }

  /** Nothing more will come. */
  close(): void {
    this.closed = true
    this.wake()
  }

  /** Closes the ledger and, when the run is `saved` without any that remain, removes it. */
  async end(saved: boolean): Promise<void> {
    await this.ledger.end(saved && this.remaining === 0)
  }

  private deadlineOf({ at }: ObjectEntry<WaitingObject>): number {
    for (let first = this.deadlines[0]; first !== undefined && this.deadlines.length > 1; first = this.deadlines[0]) {
      if (at < first.end) break
      this.deadlines.shift()
    }
    return this.deadlines[0]?.deadline ?? 0
  }

  private async tryAgain(open: Open): Promise<void> {
    const { bucket, alive, stop } = this.options
    let failure = open.object
    for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, 2 * pause)) {
      // The last attempt is made when the time is over, however long the pause would be.
      await sleep(Math.max(0, Math.min(pause, open.deadline - performance.now())), stop)
      const last = performance.now() >= open.deadline
      const attempt = await this.inTurn(failure)
      if (attempt === undefined) return
      const { object, outcome } = attempt
      if (outcome.kind === 'failed' && outcome.later === true) {
        const attempts = failure.attempts + outcome.failure.attempts
        failure = { ...outcome.failure, attempts, ...(failure.copy === undefined ? {} : { copy: failure.copy }) }
        if (!last) continue
        if (failure.status === undefined && !(await alive())) throw silence(failure, bucket)
        open.done = { object, outcome: { kind: 'failed', failure: told(failure) } }
      } else {
        open.done = attempt
      }
      this.settle()
      return
    }
  }

  private inTurn(failure: WaitingObject): Promise<Attempt | undefined> {
    const { attempt, stop } = this.options
    return new Promise((resolve, reject) => {
      this.slots.add(async () => {
        try {
          resolve(stop.aborted ? undefined : await attempt(failure))
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)))
        }
        this.slots.ended()
      })
    })
  }

  // What has an outcome and nothing without one before it.
  private settle(): void {
    let entries = 0
    for (const { done, end, object: failure } of this.open) {
      if (done === undefined) break
      entries++
      addTo(this.errors, errorOf(failure), -1)
      this.settled = { bytes: end, entries: this.settled.entries + 1 }
      this.options.settle(done.object, done.outcome)
    }
    if (entries === 0) return
    this.open.splice(0, entries)
    this.wake()
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.listeners.push(resolve))
  }

  private wake(): void {
    const listeners = this.listeners
    this.listeners = []
    for (const resolve of listeners) resolve()
  }
}

/** How an object failed, in two words. */
function errorOf({ status, code }: Failure): string {
  return status === undefined ? code : `${status} ${code}`
}

// As the failure ledger has it.
function told({ copy: _, ...failure }: WaitingObject): Failure {
  return failure
}

// Nothing answers any more, which is nothing to blame an object for.
function silence({ key, code, message, operation }: Failure, bucket: string): StorageError {
  return new StorageError(message, { severity: 'stop-run', code, operation, bucket, key, hint: connectionHint(code) })
}
