import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareKeys, type KeyRange } from '../../../src/keys.js'
import type { Failure } from '../../../src/job/outcome.js'
import { noTotals, sum, type Totals } from '../../../src/job/totals.js'
import type { RangeClaim } from '../../../src/sources/work-source.js'
import { factsOf, type PageFacts } from '../../../src/sources/page-facts.js'
import { Keyspace } from '../../../src/sources/ranges/keyspace.js'
import { leasesOver } from '../../../src/sources/listing-source.js'
import { createTally } from '../../../src/sources/tally.js'
import {
  checkBooks,
  checkRanges,
  failureOf,
  memoryStore,
  outcomeOf,
  over,
  Scheduler,
  Session,
  sorted,
  stays,
  world,
  type World,
} from '../../support/keyspace-session.js'

/** Ranges that were split on pages without keys went on splitting for ever here. */
const manyEmptyPages: World = {
  ...{ keys: Array.from({ length: 16 }, (_, n) => `logs/2024/${String(n * 7).padStart(4, '0')}`), pageSize: 3 },
  ...{ lanes: 8, concurrency: 1, emptyPages: true, failing: 0, seed: 2, threads: 0, lent: [] },
}

/** Some of the hands are lent, and come and go. */
const fleet: fc.Arbitrary<World> = fc.tuple(world, stays).map(([one, lent]) => ({ ...one, lent }))

describe('lanes over a keyspace, in its own thread, in others, and in hands that are lent', () => {
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

  test('act on every key and count each once, whatever hands join, leave, or are missed and go on', async () => {
    await fc.assert(
      fc.asyncProperty(fleet, async (one) => {
        const session = new Session(one, new Scheduler(one.seed), [{}], noTotals())
        const unsettled = new Set(one.keys)
        expect(await session.run(Infinity, unsettled)).toBe(true)
        session.takeFailures()

        expect([...new Set(sorted(session.acted))]).toEqual(one.keys)
        if (one.lent.every(({ how }) => how === 'drained')) expect(session.acted).toHaveLength(one.keys.length)
        expect(sorted(session.settled)).toEqual(one.keys)
        checkBooks(one, session.tally.totals, session.failures)
        expect(session.keyspace.remaining()).toEqual([])
        expect(session.keyspace.done).toBe(true)
        expect(session.keyspace.listed).toBe(one.keys.length)
      }),
      { numRuns: 300 },
    )
  })

  test('lose nothing and count nothing twice when killed again and again and started anew from what remained', async () => {
    const crashes = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.oneof(world, fleet), crashes, async (one, moments) => {
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
      fc.asyncProperty(fc.oneof(world, fleet), fc.integer({ min: 0, max: 60 }), async (one, moment) => {
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
      lent: [],
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
      lent: [],
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

  test('forgets who waits when they withdraw, and cuts nothing for them', async () => {
    const keyspace = new Keyspace([{}])
    const grant = await keyspace.claim()
    const gone = new AbortController()
    const waiting = [keyspace.claim(gone.signal), keyspace.claim(gone.signal)]
    gone.abort()
    expect(await Promise.all(waiting)).toEqual([undefined, undefined])
    await grant?.accept(pageFrom(0))
    await grant?.accept(pageFrom(1000))
    expect(keyspace.remaining()).toEqual([{}])
    const other = keyspace.claim(new AbortController().signal)
    expect(await other).toBeDefined()
    expect(keyspace.remaining().length).toBeGreaterThan(1)
  })

  test('cuts a range again whose parts were given back before they were listed', async () => {
    const keyspace = new Keyspace([{}])
    const grant = await keyspace.claim()
    await grant?.accept(pageFrom(0))
    const part = await keyspace.claim()
    expect(keyspace.remaining()).toHaveLength(2)
    // Who had it is lost; who has it now finds nothing in it.
    part?.release()
    const again = await keyspace.claim()
    await again?.accept(factsOf([], { truncated: false }))
    again?.release()
    let more: unknown
    void keyspace.claim().then((claimed) => (more = claimed))
    for (let page = 1; page < 12 && more === undefined; page++) {
      await grant?.accept(pageFrom(page * 1000))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(more).toBeDefined()
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
      lent: [],
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

/** A page of a counter. */
function pageFrom(start: number): PageFacts {
  const objects = Array.from({ length: 1000 }, (_, i) => ({ key: `k${String(start + i).padStart(7, '0')}` }))
  return factsOf(objects, { truncated: true })
}

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
