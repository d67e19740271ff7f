import type { ListState } from '../../checkpoint/checkpoint.js'
import type { KeyList } from '../../job/files-from.js'
import type { ScanJob } from '../../job/kinds.js'
import type { Failure } from '../../job/outcome.js'
import { addPassedOver, type PassedOver } from '../../job/passed-over.js'
import { placeUrl } from '../../job/place.js'
import { sum } from '../../job/totals.js'
import type { OpenStores } from '../../storage/open.js'
import { GIVEN_UP, UnlikeOthers } from '../../storage/set-aside.js'
import { ListWork, entryNeedsOf } from '../../sources/files-from/files-from-source.js'
import type { Keyed } from '../../sources/page-facts.js'
import type { Pair } from '../../sources/pair-listing.js'
import { addTo } from '../../sources/tally.js'
import type { WorkItem } from '../../sources/work-source.js'
import { naming } from '../actions/compared-pairs.js'
import { lookingUp } from '../actions/look-up-listed.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import { comparingReader, countingReader, lineReader, objectRowReader, type Reader } from '../workers/readers.js'
import type { Task } from '../workers/worker-pool.js'

/** What reading a list needs. */
export interface ScanListOptions {
  readonly job: ScanJob
  readonly list: KeyList
  readonly state: ListState
  /** What was passed over in all of it, if that is known; else before what `state` is settled of it. */
  readonly passedOver: PassedOver
  /** What could not be looked at before, by error code. */
  readonly unread: Readonly<Record<string, number>>
  readonly ends: OpenStores
  /** Told of the first of what cannot be looked at. */
  readonly warn: (message: string) => void
  readonly stop: AbortSignal
  readonly fail: (error: unknown) => void
}

/** So many are told of one by one. */
const MOST_TOLD = 20

/** Reads the objects that a list names. */
export interface ScanNamed {
  /** How far it is settled; undefined once it is wholly. */
  remaining(): ListState | undefined
  /** What was passed over: in all of it where it was read beforehand, else among what is settled. */
  readonly passedOver: PassedOver
  /** What could not be looked at, by error code. */
  readonly unread: Readonly<Record<string, number>>
  /** Objects settled in this session. */
  readonly settled: number
  /** Reads what remains. `deliver` takes in what came of some of it, and settles that. Never rejects. */
  run(task: Task, deliver: (product: unknown, settle: () => void) => void): Promise<void>
}

/** Objects that could not be looked at, told of one by one, the first of them, and counted. */
export class UnreadObjects {
  /** By error code. */
  readonly counts: Record<string, number>

  constructor(private readonly options: Pick<ScanListOptions, 'job' | 'unread' | 'warn'>) {
    this.counts = { ...options.unread }
  }

  add({ key, code, message }: Pick<Failure, 'key' | 'code' | 'message'>): void {
    const told = sum(this.counts)
    addTo(this.counts, code, 1)
    const { job, warn } = this.options
    if (told < MOST_TOLD) warn(`${placeUrl({ ...job.source, prefix: key })}: ${code}: ${message}`)
    if (told === MOST_TOLD) warn('the rest is only counted')
  }
}

/** The objects that a list names, read in its order and in this thread. Each is looked up: what the list tells of it may be of before. */
export class ScanList implements ScanNamed {
  private readonly work: ListWork
  private readonly unreadObjects: UnreadObjects
  settled = 0

  constructor(private readonly options: ScanListOptions) {
    const { job, list, state, ends, stop } = options
    this.unreadObjects = new UnreadObjects(options)
    const slots = new ConcurrencyLimit(ends.settings.concurrency, ends.settings)
    const setAside = new UnlikeOthers(GIVEN_UP)
    const storeFor: Parameters<typeof lookingUp>[0]['storeFor'] = (pacer) => ends.source.storeFor(pacer, setAside)
    const complete = lookingUp({ job, storeFor, slots, stop })
    this.work = new ListWork(list, entryNeedsOf(job, ends.listFiles), state, { add: () => undefined }, complete)
  }

  get unread(): Readonly<Record<string, number>> {
    return this.unreadObjects.counts
  }

  remaining(): ListState | undefined {
    return this.work.remaining()
  }

  get passedOver(): PassedOver {
    const { state, passedOver } = this.options
    return state.of === undefined ? addPassedOver(passedOver, this.work.passedOver) : passedOver
  }

  async run(task: Task, deliver: (product: unknown, settle: () => void) => void): Promise<void> {
    const { ends, fail } = this.options
    const ways = { ...this.options, source: ends.source.storeFor, destination: ends.destination?.storeFor }
    const options = { ...ways, settings: ends.settings }
    try {
      switch (task.kind) {
        case 'usage': {
          await this.read(countingReader(task, options), deliver, (items) => this.found(items))
          return
        }
        case 'lines': {
          await this.read(lineReader(task, options), deliver, (items) => this.found(items))
          return
        }
        case 'rows': {
          await this.read(objectRowReader(task, options), deliver, (items) => this.found(items))
          return
        }
        case 'comparison': {
          const named = naming(task.job)
          await this.read(comparingReader(task, options), deliver, (items) => items.map((item) => named(asPair(item))))
          return
        }
        case 'write':
          throw new Error('a job that writes is no scan')
      }
    } catch (error) {
      fail(error)
    }
  }

  private async read<T extends Keyed>(
    reader: Reader<T>,
    deliver: (product: unknown, settle: () => void) => void,
    asRead: (items: readonly WorkItem[]) => readonly T[],
  ): Promise<void> {
    const { stop } = this.options
    const close = (): void => this.work.close()
    stop.addEventListener('abort', close, { once: true })
    const lease = await this.work.claim()
    for (let items = await lease?.next(); items !== undefined && !stop.aborted; items = await lease?.next()) {
      const objects = asRead(items)
      let done = 0
      if (objects.length > 0) await reader.take(objects, (count) => (done += count))
      // Only who compares leaves the last ones when the run ends, and takes in all of them.
      const whole = done === objects.length
      const settled = whole ? items : items.slice(0, done)
      await new Promise<void>((written) =>
        deliver(reader.collect(), () => {
          for (const item of settled) lease?.settle(item, TAKEN_IN)
          this.settled += settled.length
          written()
        }),
      )
      if (!whole) break
    }
    lease?.release()
    stop.removeEventListener('abort', close)
  }

  // What could be looked at; of the rest, somebody has to be told.
  private found(items: readonly WorkItem[]): readonly WorkItem[] {
    return items.filter(({ known }) => {
      if (known?.kind === 'failed') this.unreadObjects.add(known.failure)
      return known === undefined
    })
  }
}

const TAKEN_IN = { kind: 'copied' } as const

function asPair(source: WorkItem): Pair {
  return { key: source.key, source, destination: undefined, unseen: true, known: source.known }
}
