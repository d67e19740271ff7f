import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Pacer } from '../../../src/engine/lanes/pacer.js'
import { runLanes } from '../../../src/engine/lanes/run-lanes.js'
import { ConcurrencyLimit } from '../../../src/engine/lanes/concurrency-limit.js'
import { compareKeys, contains, type KeyRange } from '../../../src/keys.js'
import type { Failure, Outcome } from '../../../src/job/outcome.js'
import { noTotals, sum, type Totals } from '../../../src/job/totals.js'
import type { ListFrom, ObjectSummary, Page, Storage } from '../../../src/storage/storage.js'
import type { RangeClaim, WorkSource } from '../../../src/sources/work-source.js'
import { factsOf, type PageFacts } from '../../../src/sources/page-facts.js'
import { Keyspace } from '../../../src/sources/ranges/keyspace.js'
import { leasesOver } from '../../../src/sources/listing-source.js'
import { listingAfter } from '../../../src/sources/page-listing.js'
import {
  PortRanges,
  RangeServer,
  type Cursor,
  type RangeAnswer,
  type RangeRequest,
} from '../../../src/sources/ranges/remote-ranges.js'
import { createTally, type Tally, type TallyGain } from '../../../src/sources/tally.js'

/** Decides by a seed which of the answers under way comes next. */
class Scheduler {
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
  pipe<T>(deliver: (message: T) => void): (message: T) => void {
    const under: T[] = []
    return (message) => {
      under.push(structuredClone(message))
      this.pending.push(() => deliver(under.shift()!))
    }
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

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

interface World {
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
  /** Threads that list, beside the one that keeps the ranges; 0: it lists by itself. */
  readonly threads: number
}

const sizeOf = (key: string) => key.length + 1

/** Lists a store from behind a key. */
const over = (store: Pick<Storage, 'list'>) => (after: string | undefined) => listingAfter(store, after)

function memoryStore(world: World, scheduler: Scheduler): Pick<Storage, 'list'> {
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

function outcomeOf(key: string, failing: number): Outcome {
  const kind = (Buffer.byteLength(key) * 7 + key.length) % 4
  if (kind < failing) return { kind: 'failed', failure: failureOf(key) }
  return key.endsWith('/') ? { kind: 'skipped', reason: 'gone' } : { kind: 'copied' }
}

function failureOf(key: string): Failure {
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

type Told =
  | RangeRequest
  | {
      readonly type: 'delivery'
      readonly cursors: readonly Cursor[]
      readonly gain: TallyGain
      readonly keys: readonly string[]
    }
  | { readonly type: 'ended' }

/** One run over a world, watched from outside. */
class Session {
  readonly settled: string[] = []
  readonly acted: string[] = []
  readonly failures: Failure[] = []
  readonly keyspace: Keyspace
  readonly tally: Tally
  readonly stop = new AbortController()
  private running: number
  private readonly flushes: (() => void)[] = []
  private readonly errors: unknown[] = []

  constructor(
    private readonly world: World,
    private readonly scheduler: Scheduler,
    ranges: readonly KeyRange[],
    totals: Totals,
  ) {
    this.tally = createTally(totals, () => undefined)
    this.keyspace = new Keyspace(ranges)
    this.stop.signal.addEventListener('abort', () => this.keyspace.close())
    this.running = Math.max(1, world.threads)
    if (world.threads === 0) this.work()
    else for (let i = 0; i < world.threads; i++) this.thread()
  }

  get ended(): boolean {
    return this.running === 0
  }

  private work(): void {
    const add = (object: ObjectSummary, outcome: Outcome) => {
      this.settled.push(object.key)
      this.tally.add(object, outcome)
    }
    this.lanes(leasesOver(this.keyspace, over(memoryStore(this.world, this.scheduler)), { add }), () => this.running--)
  }

  // The two sides of a thread, with nothing between them but messages.
  private thread(): void {
    const told = this.scheduler.pipe((message: Told) => {
      if (message.type === 'ended') this.running--
      else if (message.type === 'delivery') {
        this.tally.merge(message.gain)
        server.settle(message.cursors)
        this.settled.push(...message.keys)
      } else server.requested(message)
    })
    const server = new RangeServer(
      this.keyspace,
      this.scheduler.pipe((answer: RangeAnswer) => ranges.answered(answer)),
    )
    let tally = createTally(noTotals(), () => undefined)
    let keys: string[] = []
    const flush = (): void => {
      const cursors = ranges.takeCursors()
      if (cursors.length === 0) return
      const gain = {
        ...{ totals: tally.totals, added: tally.added, deferred: tally.takeDeferred() },
        waiting: tally.takeWaiting(),
        ...{ failures: tally.takeFailures(), deferredDeletes: tally.takeDeferredDeletes() },
      }
      told({ type: 'delivery', cursors, gain, keys })
      tally = createTally(noTotals(), () => undefined)
      keys = []
    }
    this.flushes.push(flush)
    const ranges = new PortRanges(told, flush)
    const add = (object: ObjectSummary, outcome: Outcome) => {
      tally.add(object, outcome)
      keys.push(object.key)
    }
    this.lanes(leasesOver(ranges, over(memoryStore(this.world, this.scheduler)), { add }), () => {
      flush()
      told({ type: 'ended' })
    })
  }

  private lanes(work: WorkSource, ended: () => void): void {
    const { world } = this
    const act = async (object: ObjectSummary): Promise<Outcome> => {
      this.acted.push(object.key)
      return this.scheduler.answer(() => outcomeOf(object.key, world.failing))
    }
    const slots = new ConcurrencyLimit(world.concurrency)
    const pacers = Array.from({ length: world.lanes }, () => new Pacer())
    const fail = (error: unknown) => this.errors.push(error)
    void runLanes({ work, actFor: () => act, pacers, slots, stop: this.stop.signal, fail }).then(ended)
  }

  /** Steps until the end, or until `steps` are done; false when everything waits for nothing or goes round in a circle. */
  async run(steps: number, unsettled: Set<string>): Promise<boolean> {
    let stuck = false
    for (let done = 0; done < Math.min(steps, MOST_STEPS) && !this.ended && !stuck; done++) {
      const before = this.settled.length
      if (this.scheduler.below(3) === 0) this.flushes[this.scheduler.below(this.flushes.length)]?.()
      stuck = !(await this.scheduler.step())
      for (const key of this.settled.slice(before)) unsettled.delete(key)
      checkRanges(this.keyspace.remaining(), this.world.keys, unsettled)
      if (this.scheduler.below(4) === 0) this.takeFailures()
    }
    expect(this.errors).toEqual([])
    return this.ended || (!stuck && steps < MOST_STEPS)
  }

  takeFailures(): void {
    this.failures.push(...this.tally.takeFailures())
  }
}

// What is not settled lies in exactly one range, what is settled in none.
function checkRanges(ranges: readonly KeyRange[], keys: readonly string[], unsettled: ReadonlySet<string>): void {
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
const world: fc.Arbitrary<World> = fc.record({
  keys,
  pageSize: fc.integer({ min: 1, max: 7 }),
  lanes: fc.integer({ min: 1, max: 8 }),
  concurrency: fc.integer({ min: 1, max: 20 }),
  emptyPages: fc.boolean(),
  failing: fc.integer({ min: 0, max: 2 }),
  seed: fc.integer(),
  threads: fc.constantFrom(0, 1, 2, 3),
})

/** Ranges that were split on pages without keys went on splitting for ever here. */
const manyEmptyPages: World = {
  ...{ keys: Array.from({ length: 16 }, (_, n) => `logs/2024/${String(n * 7).padStart(4, '0')}`), pageSize: 3 },
  ...{ lanes: 8, concurrency: 1, emptyPages: true, failing: 0, seed: 2, threads: 0 },
}

const sorted = (all: readonly string[]) => [...all].sort(compareKeys)

function checkBooks(world: World, totals: Totals, failures: readonly Failure[]): void {
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

describe('lanes over a keyspace, in its own thread and in others', () => {
  test('act on every key exactly once, count each once, and hand out failures in the order of settling', async () => {
    await fc.assert(
      fc.asyncProperty(world, async (one) => {
        const session = new Session(one, new Scheduler(one.seed), [{}], noTotals())
        const unsettled = new Set(one.keys)
        expect(await session.run(Infinity, unsettled)).toBe(true)
        session.takeFailures()

        expect(sorted(session.acted)).toEqual(one.keys)
        expect(sorted(session.settled)).toEqual(one.keys)
        expect(unsettled.size).toBe(0)
        checkBooks(one, session.tally.totals, session.failures)
        const order = session.settled.filter((key) => outcomeOf(key, one.failing).kind === 'failed')
        expect(session.failures.map((failure) => failure.key)).toEqual(order)
        expect(session.keyspace.remaining()).toEqual([])
        expect(session.keyspace.listingEnded).toBe(true)
        expect(session.keyspace.listed).toBe(one.keys.length)
        expect(session.tally.added).toBe(one.keys.length)
      }),
      { numRuns: 150, examples: [[manyEmptyPages]] },
    )
  })

  test('lose nothing and count nothing twice when killed again and again and started anew from what remained', async () => {
    const crashes = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(world, crashes, async (one, moments) => {
        const unsettled = new Set(one.keys)
        const acted = new Set<string>()
        const failures: Failure[] = []
        let ranges: readonly KeyRange[] = [{}]
        let totals = noTotals()
        for (const [index, moment] of [...moments, Infinity].entries()) {
          const session = new Session(one, new Scheduler(one.seed + index), ranges, totals)
          const todo = new Set(unsettled)
          expect(await session.run(moment, unsettled)).toBe(true)
          // All that a checkpoint saves, taken in one step; the rest of this session is never heard of again.
          session.takeFailures()
          ranges = structuredClone(session.keyspace.remaining())
          totals = structuredClone(session.tally.totals)
          failures.push(...session.failures)
          for (const key of session.acted) {
            expect(todo.has(key)).toBe(true)
            acted.add(key)
          }
        }
        expect(sorted([...acted])).toEqual(one.keys)
        expect(ranges).toEqual([])
        checkBooks(one, totals, failures)
      }),
      { numRuns: 150 },
    )
  })

  test('end when they are stopped, wherever they were, and leave in the ranges what is not settled', async () => {
    await fc.assert(
      fc.asyncProperty(world, fc.integer({ min: 0, max: 60 }), async (one, moment) => {
        const session = new Session(one, new Scheduler(one.seed), [{}], noTotals())
        const unsettled = new Set(one.keys)
        await session.run(moment, unsettled)
        const begun = session.acted.length
        session.stop.abort()
        expect(await session.run(Infinity, unsettled)).toBe(true)

        expect(session.ended).toBe(true)
        expect(session.acted.length).toBe(begun)
        checkRanges(session.keyspace.remaining(), one.keys, unsettled)
        expect(sum(session.tally.totals.failed) + sum(session.tally.totals.skipped) + session.tally.totals.copied).toBe(
          one.keys.length - unsettled.size,
        )
      }),
      { numRuns: 150 },
    )
  })

  test('give away the far part of a range to a lane that waits, so that more than one lists at once', async () => {
    const many = Array.from({ length: 2000 }, (_, n) => `k${String(n).padStart(5, '0')}`)
    const one = {
      keys: many,
      pageSize: 7,
      lanes: 8,
      concurrency: 20,
      emptyPages: false,
      failing: 0,
      seed: 1,
      threads: 0,
    }
    const session = new Session(one, new Scheduler(1), [{}], noTotals())
    let most = 0
    while (!session.ended) {
      if (!(await session.run(50, new Set(many.filter((key) => !session.settled.includes(key)))))) break
      most = Math.max(most, session.keyspace.remaining().length)
    }
    expect(session.ended).toBe(true)
    expect(most).toBeGreaterThanOrEqual(2)
    expect(sorted(session.acted)).toEqual(many)
  })
})

interface Bulk {
  /** Pages of 1,000 keys. */
  readonly pages: number
  readonly lanes: number
  readonly seed: number
}

/** Lists a keyspace whose pages are written in the order of the keys; answers the key numbers written, and the most that ever waited. */
async function writeInOrder({ pages, lanes, seed }: Bulk) {
  const total = pages * 1000 - 7
  const scheduler = new Scheduler(seed)
  const nameOf = (n: number) => `k/${String(n).padStart(9, '0')}`
  const behind = (name: string | undefined) => {
    if (name === undefined) return 0
    let [low, high] = [0, total]
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareKeys(nameOf(middle), name) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }
  const facts = (from: number, to: number): PageFacts => ({
    ...{ count: to - from, truncated: to < total },
    ...(to > from ? { first: nameOf(from), last: nameOf(to - 1) } : { first: undefined, last: undefined }),
    inDoubt: false,
    samples: to > from ? [nameOf(from), nameOf((from + to) >> 1), nameOf(to - 1)] : [],
  })
  const waiting = new Map<RangeClaim, { readonly pages: [from: number, to: number][]; ended: boolean }>()
  const written: [from: number, to: number][] = []
  const releaseIfDone = (grant: RangeClaim): void => {
    const mine = waiting.get(grant)
    if (mine?.ended !== true || mine.pages.length > 0) return
    waiting.delete(grant)
    grant.release()
  }
  const moved = (): void => {
    const front = keyspace.front()
    const page = front === undefined ? undefined : waiting.get(front)?.pages.shift()
    if (front === undefined || page === undefined) return
    written.push(page)
    front.settle(nameOf(page[1] - 1), page[1] - page[0])
    releaseIfDone(front)
    moved()
  }
  const keyspace = new Keyspace([{}], { inOrder: { lanes, moved } })
  let running = lanes
  const lane = async (): Promise<void> => {
    for (let grant = await keyspace.claim(); grant !== undefined; grant = await keyspace.claim()) {
      const mine = { pages: [] as [number, number][], ended: false }
      waiting.set(grant, mine)
      for (let from = behind(grant.after); !mine.ended;) {
        await scheduler.answer(() => undefined)
        const to = Math.min(total, from + 1000)
        const { ended, until, trim } = await grant.accept(facts(from, to))
        const end = trim ? behind(until) : to
        if (trim) grant.trimmed(facts(from, end), facts(from, to))
        if (end > from) mine.pages.push([from, end])
        mine.ended = ended
        from = to
        moved()
      }
      releaseIfDone(grant)
      moved()
    }
    running--
  }
  for (let i = 0; i < lanes; i++) void lane()
  let most = 0
  for (let stuck = false; running > 0 && !stuck;) {
    stuck = !(await scheduler.step())
    let waits = 0
    for (const { pages: held } of waiting.values()) waits += held.length
    most = Math.max(most, waits)
  }
  return { written, most, total, done: running === 0, remaining: keyspace.remaining() }
}

describe('a keyspace whose keys are settled in order', () => {
  test('hands out work so that everything can be written in order, with a bounded part of it waiting', async () => {
    const bulk = fc.record({
      pages: fc.integer({ min: 1, max: 900 }),
      lanes: fc.integer({ min: 1, max: 64 }),
      seed: fc.integer(),
    })
    await fc.assert(
      fc.asyncProperty(bulk, async (one) => {
        const { written, most, total, done, remaining } = await writeInOrder(one)
        expect(done).toBe(true)
        expect(remaining).toEqual([])
        let at = 0
        for (const [from, to] of written) {
          expect(from).toBe(at)
          at = to
        }
        expect(at).toBe(total)
        expect(most).toBeLessThanOrEqual(2 * 256 + one.lanes)
      }),
      { numRuns: 60 },
    )
  })
})

describe('Keyspace', () => {
  test('answers every claim with nothing once it is closed', async () => {
    const scheduler = new Scheduler(1)
    const one = {
      keys: ['a'],
      pageSize: 1,
      lanes: 1,
      concurrency: 1,
      emptyPages: false,
      failing: 0,
      seed: 1,
      threads: 0,
    }
    const keyspace = new Keyspace([{}])
    const work = leasesOver(
      keyspace,
      over(memoryStore(one, scheduler)),
      createTally(noTotals(), () => undefined),
    )
    const lease = await work.claim()
    const waiting = work.claim()
    work.close()
    expect(await waiting).toBeUndefined()
    expect(await work.claim()).toBeUndefined()
    lease?.release()
    expect(keyspace.remaining()).toEqual([{}])
    expect(keyspace.listingEnded).toBe(false)
  })

  test('gives a range that was released unfinished to whoever waits', async () => {
    const scheduler = new Scheduler(1)
    const one = {
      keys: ['a', 'b'],
      pageSize: 1,
      lanes: 1,
      concurrency: 1,
      emptyPages: false,
      failing: 0,
      seed: 1,
      threads: 0,
    }
    const keyspace = new Keyspace([{}])
    const work = leasesOver(
      keyspace,
      over(memoryStore(one, scheduler)),
      createTally(noTotals(), () => undefined),
    )
    const first = await work.claim()
    const page = first!.next()
    await scheduler.step()
    const [object] = (await page)!
    first!.settle(object!, { kind: 'copied' })
    const waiting = work.claim()
    first!.release()
    const second = await waiting
    expect(keyspace.remaining()).toEqual([{ after: 'a' }])
    const rest = second!.next()
    await scheduler.step()
    expect((await rest)?.map(({ key }) => key)).toEqual(['b'])
  })
})

describe('createTally', () => {
  test('goes on from its start without changing it', () => {
    const start: Totals = { copied: 1, bytes: 10, skipped: { gone: 1 }, failed: { Code1: 2 } }
    const before = structuredClone(start)
    let called = 0
    const tally = createTally(start, () => called++)
    const object = { key: 'x', size: 5, etag: '', lastModified: '', storageClass: 'STANDARD' }
    tally.add(object, { kind: 'copied' })
    tally.add(object, { kind: 'skipped', reason: 'gone' })
    tally.add(object, { kind: 'failed', failure: failureOf('x') })
    expect(start).toEqual(before)
    expect(tally.totals).toEqual({ copied: 2, bytes: 15, skipped: { gone: 2 }, failed: { Code1: 3 } })
    expect([tally.added, called]).toEqual([3, 1])
    expect(tally.takeFailures()).toHaveLength(1)
    expect(tally.takeFailures()).toEqual([])
  })
})

describe('a keyspace whose first page is known', () => {
  const first = { objects: [], truncated: true }

  test('gives it to who begins at the start, and never again: it is old by then', async () => {
    const keyspace = new Keyspace([{ until: 'm' }, { after: 'm' }], { first })
    const [start, rest] = [await keyspace.claim(), await keyspace.claim()]
    expect([start?.after, start?.first, rest?.after, rest?.first]).toEqual([undefined, first, 'm', undefined])
    start?.release()
    expect((await keyspace.claim())?.first).toBeUndefined()
  })

  test('does not cut a range of which the store says that it is at its end, until it is asked once more', async () => {
    const keyspace = new Keyspace([{}])
    const grant = await keyspace.claim()
    let other: unknown
    void keyspace.claim().then((claimed) => (other = claimed))
    const objects = Array.from({ length: 1000 }, (_, i) => ({ key: String(i).padStart(4, '0') }))
    await grant?.accept(factsOf(objects, { truncated: true, inDoubt: true }))
    await new Promise((resolve) => setImmediate(resolve))
    expect(other).toBeUndefined()
    await grant?.accept(factsOf(objects, { truncated: true }))
    await new Promise((resolve) => setImmediate(resolve))
    expect(other).toBeDefined()
  })
})
