import * as fc from 'fast-check'
import { expect } from 'vitest'
import { ConcurrencyLimit } from '../../src/engine/lanes/concurrency-limit.js'
import { Pacer } from '../../src/engine/lanes/pacer.js'
import { runLanes } from '../../src/engine/lanes/run-lanes.js'
import { Crew } from '../../src/engine/workers/crew.js'
import type { Hand, HandListener, Lenders } from '../../src/engine/workers/hand.js'
import type { FromHand, ToHand } from '../../src/engine/workers/messages.js'
import type { WriteProduct } from '../../src/engine/workers/tasks.js'
import type { Task } from '../../src/engine/workers/worker-pool.js'
import type { SetHeadersJob } from '../../src/job/set-headers.js'
import type { Failure, Outcome } from '../../src/job/outcome.js'
import { noTotals, type Totals } from '../../src/job/totals.js'
import { compareKeys, contains, type KeyRange } from '../../src/keys.js'
import { leasesOver } from '../../src/sources/listing-source.js'
import { listingAfter } from '../../src/sources/page-listing.js'
import { Keyspace } from '../../src/sources/ranges/keyspace.js'
import { PortRanges } from '../../src/sources/ranges/remote-ranges.js'
import { createTally, type Tally } from '../../src/sources/tally.js'
import type { WorkSource } from '../../src/sources/work-source.js'
import { createMeter } from '../../src/storage/retry.js'
import type { ListFrom, ObjectSummary, Page, Storage } from '../../src/storage/storage.js'

/** Decides by a seed which of the answers under way comes next. */
export class Scheduler {
  private readonly pending: (() => void)[] = []

  constructor(private state: number) {}

  /** A whole number below `bound`. */
  below(bound: number): number {
    // mulberry32, whose period is all of 32 bits: a scheduler that is stuck would starve an answer for ever.
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }

  answer<T>(value: () => T): Promise<T> {
    return new Promise((resolve) => this.pending.push(() => resolve(value())))
  }

  /** A way on which messages keep their order, and each takes its time. */
  pipe<T>(deliver: (message: T) => void, copy: (message: T) => T = structuredClone): (message: T) => void {
    const under: T[] = []
    return (message) => {
      under.push(copy(message))
      this.pending.push(() => deliver(under.shift() as T))
    }
  }

  /** Does something when its turn comes. */
  later(act: () => void): void {
    this.pending.push(act)
  }

  /** Lets one answer come and its consequences happen. False when nothing is under way. */
  async step(): Promise<boolean> {
    for (let patience = 0; this.pending.length === 0; patience++) {
      if (patience === 4) return false
      await turn()
    }
    const [next] = this.pending.splice(this.below(this.pending.length), 1)
    next?.()
    await turn()
    return true
  }
}

/** Lets what was begun happen. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

export interface World {
  /** In order. */
  readonly keys: readonly string[]
  readonly pageSize: number
  readonly lanes: number
  readonly concurrency: number
  /** Whether there are pages that are empty and yet truncated. */
  readonly emptyPages: boolean
  /** Of 4 keys, how many fail. */
  readonly failing: number
  readonly seed: number
  /** Threads that list, beside the one that keeps the ranges; 0: it lists by itself, unless there are lent hands. */
  readonly threads: number
  /** Hands that others lend. */
  readonly lent: readonly Stay[]
}

/** How long a hand is lent. */
export interface Stay {
  /** The step before which it joins. */
  readonly from: number
  /** The step before which it goes. */
  readonly until?: number | undefined
  /** A lost one goes on working, and nobody takes in what it says once it is missed. */
  readonly how: 'drained' | 'lost'
}

const sizeOf = (key: string) => key.length + 1

/** Lists a store from behind a key. */
export const over = (store: Pick<Storage, 'list'>) => (after: string | undefined) => listingAfter(store, after)

/** A store whose answers come when the scheduler says. */
export function memoryStore(world: World, scheduler: Scheduler): Pick<Storage, 'list'> {
  const { keys, pageSize, emptyPages, seed } = world
  const page = ({ after, token, limit = 1000 }: ListFrom): Page => {
    const first = keys.findIndex((key) => after === undefined || compareKeys(key, after) > 0)
    const [from = 0, empties = 0] = token?.split(' ').map(Number) ?? [first < 0 ? keys.length : first]
    // The token alone leads past the empty pages before a key.
    if (from < keys.length && empties < (from + seed) % 4 && emptyPages) {
      return { objects: [], truncated: true, token: `${from} ${empties + 1}` }
    }
    const to = Math.min(from + Math.min(pageSize, limit), keys.length)
    const objects = keys.slice(from, to).map((key) => ({
      ...{ key, size: sizeOf(key), etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD' },
    }))
    return { objects, truncated: to < keys.length, ...(to < keys.length ? { token: `${to} 0` } : {}) }
  }
  return {
    // What is listed is decided when the answer comes, as with a server far away.
    list: (from) => scheduler.answer(() => page(from)),
  }
}

/** What becomes of a key. */
export function outcomeOf(key: string, failing: number): Outcome {
  const kind = (Buffer.byteLength(key) * 7 + key.length) % 4
  if (kind < failing) return { kind: 'failed', failure: failureOf(key) }
  return key.endsWith('/') ? { kind: 'skipped', reason: 'gone' } : { kind: 'copied' }
}

/** Of a key that fails. */
export function failureOf(key: string): Failure {
  return {
    ...{ key, size: sizeOf(key), etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD' },
    ...{
      operation: 'CopyObject',
      code: `Code${key.length % 3}`,
      message: 'm',
      attempts: 1,
      time: '2024-01-01T00:00:00.000Z',
    },
  }
}

/** More than any run here takes that makes progress. */
const MOST_STEPS = 20_000

/** What a hand is in. */
export interface HandWorld {
  readonly world: World
  readonly scheduler: Scheduler
  /** Told of each key that is acted on. */
  readonly acted: (key: string) => void
  readonly fail: (error: unknown) => void
  readonly stop: AbortSignal
}

/** A hand with nothing between it and its crew but messages: as between threads, or as text. */
export class MemoryHand implements Hand {
  private readonly leaving = new AbortController()
  private hear: ((message: ToHand) => void) | undefined
  private flush: () => void = () => undefined
  private listener: HandListener | undefined
  private isLost = false

  constructor(
    private readonly options: HandWorld,
    private readonly lent: boolean,
  ) {}

  start(_task: Task, listener: HandListener): void {
    const { world, scheduler, acted, fail, stop } = this.options
    this.listener = listener
    const copy = this.lent ? asText : structuredClone
    const say = scheduler.pipe((message: FromHand) => listener.said(message), copy)
    this.hear = scheduler.pipe((message: ToHand) => {
      if (message.type === 'drain') this.leaving.abort()
      else if (message.type === 'grant' || message.type === 'none' || message.type === 'verdict')
        ranges.answered(message)
    }, copy)
    let tally = createTally(noTotals(), () => undefined)
    let keys: string[] = []
    this.flush = (): void => {
      const cursors = ranges.takeCursors()
      if (cursors.length === 0) return
      const gain = {
        ...{ totals: tally.totals, added: tally.added, deferred: tally.takeDeferred() },
        waiting: tally.takeWaiting(),
        ...{ failures: tally.takeFailures(), deferredDeletes: tally.takeDeferredDeletes() },
      }
      const product: WriteProduct = { gain, seen: keys.map((key) => ({ type: 'copied', key, bytes: 0 })) }
      say({ type: 'delivery', cursors, product })
      tally = createTally(noTotals(), () => undefined)
      keys = []
    }
    const ranges = new PortRanges(say, () => this.flush())
    const add = (object: ObjectSummary, outcome: Outcome) => {
      tally.add(object, outcome)
      keys.push(object.key)
    }
    const work = leasesOver(ranges, over(memoryStore(world, scheduler)), { add })
    const lanes = lanesOf({ world, scheduler, acted, fail, stop: AbortSignal.any([stop, this.leaving.signal]) }, work)
    void lanes.then(() => {
      this.flush()
      say({ type: 'ended' })
    })
  }

  tell(message: ToHand): void {
    this.hear?.(message)
  }

  /** Sends what is settled. */
  deliver(): void {
    this.flush()
  }

  /** Goes as one that is asked to, or is missed at some time from now on. */
  leave(how: Stay['how']): void {
    if (how === 'drained') this.leaving.abort()
    else if (!this.isLost) this.options.scheduler.later(() => this.listener?.gone())
    this.isLost = how === 'lost'
  }
}

const asText = <T>(message: T): T => JSON.parse(JSON.stringify(message)) as T

async function lanesOf({ world, scheduler, acted, fail, stop }: HandWorld, work: WorkSource): Promise<void> {
  const act = async (object: ObjectSummary): Promise<Outcome> => {
    acted(object.key)
    return scheduler.answer(() => outcomeOf(object.key, world.failing))
  }
  const slots = new ConcurrencyLimit(world.concurrency)
  const pacers = Array.from({ length: world.lanes }, () => new Pacer())
  await runLanes({ work, actFor: () => act, pacers, slots, stop, fail })
}

const JOB = { kind: 'set-headers', source: { bucket: 'b', prefix: '' }, rules: [] } as unknown as SetHeadersJob

/** Stands for what the hands are told to do, which those of these tests know. */
export const ANY_TASK: Extract<Task, { kind: 'write' }> = { kind: 'write', job: JOB, watched: false }

/** What stands between a run and the hands that are lent to it. */
export interface Between {
  readonly lenders: Lenders
  /** Called before each step. */
  step(): void
  /** Lets time pass, as nothing else is under way; false when nothing waits for it. */
  pass(): boolean
}

/** One run over a world, watched from outside. */
export class Session {
  readonly settled: string[] = []
  readonly acted: string[] = []
  readonly failures: Failure[] = []
  readonly keyspace: Keyspace
  readonly tally: Tally
  readonly stop = new AbortController()
  ended = false
  private steps = 0
  private readonly hands: MemoryHand[] = []
  private readonly stays: { readonly stay: Stay; hand: MemoryHand | undefined; gone: boolean }[]
  private join: ((hand: Hand) => void) | undefined
  private readonly errors: unknown[] = []

  constructor(
    private readonly world: World,
    private readonly scheduler: Scheduler,
    ranges: readonly KeyRange[],
    totals: Totals,
    private readonly between?: Between,
  ) {
    this.tally = createTally(totals, () => undefined)
    this.keyspace = new Keyspace(ranges)
    this.stays = world.lent.map((stay) => ({ stay, hand: undefined, gone: false }))
    const { threads, lent } = world
    const end = (): void => void (this.ended = true)
    void (threads === 0 && lent.length === 0 && between === undefined ? this.work() : this.crew()).then(end)
  }

  private work(): Promise<void> {
    this.stop.signal.addEventListener('abort', () => this.keyspace.close())
    const add = (object: ObjectSummary, outcome: Outcome) => {
      this.settled.push(object.key)
      this.tally.add(object, outcome)
    }
    const store = memoryStore(this.world, this.scheduler)
    return lanesOf(this.handWorld(), leasesOver(this.keyspace, over(store), { add }))
  }

  private crew(): Promise<void> {
    const { threads, lent } = this.world
    const lenders: Lenders = {
      atWork: [],
      open: (_work, join) => {
        this.join = join
        return () => (this.join = undefined)
      },
    }
    return new Crew({
      hands: Array.from({ length: threads }, () => this.hand(false)),
      lenders: this.between?.lenders ?? (lent.length === 0 ? undefined : lenders),
      told: { meter: createMeter(), notice: () => undefined },
      close: () => undefined,
    }).run({
      ...{ task: ANY_TASK, ranges: this.keyspace, stop: this.stop.signal, fail: this.fail },
      deliver: (product, settle) => {
        const { gain, seen } = product as WriteProduct
        this.tally.merge(gain)
        settle()
        this.settled.push(...seen.flatMap((event) => ('key' in event ? [event.key] : [])))
      },
    })
  }

  private readonly fail = (error: unknown): void => void this.errors.push(error)

  private hand(lent: boolean): MemoryHand {
    const hand = new MemoryHand(this.handWorld(), lent)
    this.hands.push(hand)
    return hand
  }

  private handWorld(): HandWorld {
    const { world, scheduler, fail } = this
    return { world, scheduler, acted: (key) => this.acted.push(key), fail, stop: this.stop.signal }
  }

  /** Steps until the end, or until `steps` are done; false when everything waits for nothing or goes round in a circle. */
  async run(steps: number, unsettled: Set<string>): Promise<boolean> {
    let stuck = false
    for (let done = 0; done < Math.min(steps, MOST_STEPS) && !this.ended && !stuck; done++) {
      const before = this.settled.length
      if (this.between === undefined) this.comeAndGo()
      else this.between.step()
      if (this.scheduler.below(3) === 0) this.hands[this.scheduler.below(this.hands.length)]?.deliver()
      stuck = !(await this.scheduler.step()) && !(this.between?.pass() ?? this.lendAnother())
      for (const key of this.settled.slice(before)) unsettled.delete(key)
      checkRanges(this.keyspace.remaining(), this.world.keys, unsettled)
      if (this.scheduler.below(4) === 0) this.takeFailures()
    }
    expect(this.errors).toEqual([])
    return this.ended || (!stuck && steps < MOST_STEPS)
  }

  private comeAndGo(): void {
    this.steps++
    for (const one of this.stays) {
      if (one.hand === undefined && one.stay.from < this.steps && this.join !== undefined) {
        one.hand = this.hand(true)
        this.join(one.hand)
      }
      const until = one.stay.until === undefined ? undefined : Math.max(one.stay.from, one.stay.until)
      if (one.hand === undefined || one.gone || until === undefined || until >= this.steps) continue
      one.hand.leave(one.stay.how)
      one.gone = true
    }
  }

  /** Where all of them went, it waits for another. False where nothing comes of waiting. */
  private lendAnother(): boolean {
    if (this.join === undefined) return this.ended
    const waits = this.stays.some(({ gone, hand }) => hand === undefined || !gone)
    if (!waits) this.stays.push({ stay: { from: 0, how: 'drained' }, hand: undefined, gone: false })
    return !waits || this.stays.some(({ hand }) => hand === undefined)
  }

  takeFailures(): void {
    this.failures.push(...this.tally.takeFailures())
  }
}

/** What is not settled lies in exactly one range, what is settled in none. */
export function checkRanges(
  ranges: readonly KeyRange[],
  keys: readonly string[],
  unsettled: ReadonlySet<string>,
): void {
  for (const key of keys) {
    const holders = ranges.filter((range) => contains(range, key)).length
    const expected = unsettled.has(key) ? 1 : 0
    if (holders !== expected) {
      throw new Error(
        `${JSON.stringify(key)} is ${expected === 1 ? 'not settled' : 'settled'} and lies in ${holders} of ${JSON.stringify(ranges)}`,
      )
    }
  }
}

const piece = fc.constantFrom(
  'a',
  'b',
  'z',
  '0',
  '/',
  '-',
  ' ',
  '\0',
  '\u007f',
  'é',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '\u{1f600}',
)
const key = fc.array(piece, { maxLength: 5 }).map((parts) => parts.join(''))
/** Keys as one meets them: numbered ones below one long prefix, and odd ones. */
const keys = fc
  .oneof(
    fc.uniqueArray(key, { maxLength: 40 }),
    fc
      .integer({ min: 1, max: 60 })
      .map((count) => Array.from({ length: count }, (_, n) => `logs/2024/${String(n * 7).padStart(4, '0')}`)),
    fc.integer({ min: 1, max: 30 }).map((count) => Array.from({ length: count }, (_, n) => 'p'.repeat(n))),
  )
  .map((all) => all.sort(compareKeys))
/** Worlds without lent hands. */
export const world: fc.Arbitrary<World> = fc.record({
  keys,
  pageSize: fc.integer({ min: 1, max: 7 }),
  lanes: fc.integer({ min: 1, max: 8 }),
  concurrency: fc.integer({ min: 1, max: 20 }),
  emptyPages: fc.boolean(),
  failing: fc.integer({ min: 0, max: 2 }),
  seed: fc.integer(),
  threads: fc.constantFrom(0, 1, 2, 3),
  lent: fc.constant([]),
})

/** Hands that are lent, and how long. */
export const stays: fc.Arbitrary<Stay[]> = fc.array(
  fc.record({
    from: fc.integer({ min: 0, max: 60 }),
    until: fc.option(fc.integer({ min: 0, max: 120 }), { nil: undefined }),
    how: fc.constantFrom('drained', 'lost'),
  }),
  { minLength: 1, maxLength: 3 },
)

/** In the order of keys. */
export const sorted = (all: readonly string[]) => [...all].sort(compareKeys)

/** Each key is counted once, and each that fails is told of once. */
export function checkBooks(world: World, totals: Totals, failures: readonly Failure[]): void {
  const expected = noTotals()
  for (const key of world.keys) {
    const outcome = outcomeOf(key, world.failing)
    if (outcome.kind === 'copied') {
      expected.copied++
      expected.bytes += sizeOf(key)
    } else if (outcome.kind === 'skipped') expected.skipped.gone = (expected.skipped.gone ?? 0) + 1
    else if (outcome.kind === 'failed')
      expected.failed[outcome.failure.code] = (expected.failed[outcome.failure.code] ?? 0) + 1
  }
  expect(totals).toEqual(expected)
  const failing = world.keys.filter((key) => outcomeOf(key, world.failing).kind === 'failed')
  expect(sorted(failures.map((failure) => failure.key))).toEqual(failing)
}
