import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { largeRemaining, type LargeState } from '../../../../src/checkpoint/checkpoint.js'
import { partSizeFor } from '../../../../src/engine/actions/multipart.js'
import { LargeObjects } from '../../../../src/engine/session/large-objects.js'
import type { LargeHand, LargeTask } from '../../../../src/engine/workers/large-hand.js'
import type { LargeObject, Outcome } from '../../../../src/job/outcome.js'

const root = mkdtempSync(join(tmpdir(), 's3move-large-'))
afterAll(() => rmSync(root, { recursive: true }))

const object = (key: string): LargeObject => ({
  ...{ key, size: 6e9, etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD' },
})

/** What a checkpoint holds: objects settled in the ranges, outcomes counted, and what remains of the large ones. */
interface Saved {
  readonly passed: number
  readonly counted: readonly string[]
  readonly large: LargeState | undefined
}

/** Who helps, each for so many objects: then it is gone, and another one comes. */
interface Help {
  /** Whether the run copies some by itself. */
  readonly own: boolean
  readonly helpers: readonly number[]
}

const ALONE: Help = { own: true, helpers: [] }

/**
 * A run over large objects that is saved as a keeper saves, can be killed at any save, and goes on from what was saved last, with others that help and
 * go in the middle of what they do.
 */
function runOver(folder: string, keys: readonly string[], from: Saved, dieAt: number, { own, helpers }: Help = ALONE) {
  const drain = new AbortController()
  let { passed } = from
  const counted = [...from.counted]
  const acted: string[] = []
  const begunHere = new Set<string>()
  const resumed: string[] = []
  let [last, saves, dead] = [from, 0, false]
  const problems: unknown[] = []
  let mostAtOnce = 0
  const begin = (): LargeHand => {
    let atOnce = 0
    const copy = async ({ object: { key }, uploads: { before, begun } }: LargeTask): Promise<Outcome | undefined> => {
      mostAtOnce = Math.max(mostAtOnce, ++atOnce)
      if (before === undefined) {
        // What was begun is gone on with, whoever began it.
        expect(begunHere).not.toContain(key)
        begunHere.add(key)
        await begun({ id: `upload of ${key}`, partSize: 1, etag: 'e', lastModified: '' })
      } else {
        expect(before.id).toBe(`upload of ${key}`)
        resumed.push(key)
      }
      for (let turn = key.length % 3; turn >= 0; turn--) await new Promise((resolve) => setImmediate(resolve))
      atOnce--
      return dead || drain.signal.aborted ? undefined : { kind: 'copied' }
    }
    return { atOnce: 4, copy }
  }
  /** One that is gone once it has so many, and gives back what it has then. */
  const help = ([most, ...others]: readonly number[]): void => {
    if (most === undefined) return
    const hand = begin()
    let [left, isGone] = [most, false]
    const leave = large.join({
      atOnce: hand.atOnce,
      async copy(task) {
        if (left-- === 0) {
          isGone = true
          leave()
          help(others)
        }
        const outcome = await hand.copy(task)
        return isGone ? undefined : outcome
      },
    })
  }
  const large = new LargeObjects({
    ...{ folder, start: from.large, prefix: 'p/', own: own ? begin() : undefined, stop: drain.signal },
    pass: () => Promise.resolve(),
    settle: ({ key }) => {
      acted.push(key)
      if (!dead) counted.push(key)
    },
    save: () => save(),
    fail: (error) => problems.push(error),
  })
  let busy = Promise.resolve()
  const save = (): Promise<void> =>
    (busy = busy.then(async () => {
      if (dead) return
      const held = keys.slice(passed, passed + (saves % 3))
      passed += held.length
      large.hold(
        held.map((key) => object(`p/${key}`)),
        passed === keys.length,
      )
      const state = { passed, counted: [...counted], large: large.state() }
      const gone = large.remaining === 0
      const ledger = await large.flush()
      // A kill may come between the two, or right behind them.
      if (++saves === dieAt) dead = true
      if (!dead) last = { ...state, large: gone ? undefined : { ...state.large, ledger } }
      if (saves === dieAt + 1) dead = true
    }))
  const whole = async () => {
    const running = large.run()
    help(helpers)
    const end = { come: false }
    void running.then(() => (end.come = true))
    while (!end.come && !dead) {
      await save()
      await new Promise((resolve) => setImmediate(resolve))
    }
    drain.abort()
    await running
    await save()
    await large.end(!dead)
    return { last, acted, resumed, problems, mostAtOnce, dead }
  }
  return whole()
}

describe('large objects of a run', () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z\n"]{1,9}$/), { minLength: 1, maxLength: 25 })

  test('are each counted once, in whatever moment the run is killed, and what was saved of an upload is gone on with', async () => {
    let runs = 0
    await fc.assert(
      fc.asyncProperty(names, fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 4 }), async (keys, deaths) => {
        const folder = mkdtempSync(join(root, 'run-'))
        let from: Saved = { passed: 0, counted: [], large: undefined }
        for (const dieAt of [...deaths, Infinity]) {
          runs++
          const { last, problems, mostAtOnce, acted, resumed } = await runOver(folder, keys, from, dieAt)
          expect(problems).toEqual([])
          expect(mostAtOnce).toBeLessThanOrEqual(4)
          const open = from.large?.open.filter(({ upload }) => upload !== undefined) ?? []
          if (dieAt === Infinity) expect(resumed).toHaveLength(open.length)
          expect(new Set(acted).size).toBe(acted.length)
          // What the checkpoint has passed is counted or remains; nothing is both.
          expect(last.counted.length + (last.large === undefined ? 0 : largeRemaining(last.large))).toBe(last.passed)
          from = last
        }
        expect([...from.counted].sort()).toEqual([...keys].sort())
        expect(from).toMatchObject({ passed: keys.length, large: undefined })
      }),
      { numRuns: 60 },
    )
    expect(runs).toBeGreaterThan(60)
  })

  test('are each counted once where others help, who go in the middle of them: those after them go on with their uploads', async () => {
    const help: fc.Arbitrary<Help> = fc.record({ own: fc.boolean(), helpers: fc.array(fc.nat(9), { maxLength: 4 }) })
    await fc.assert(
      fc.asyncProperty(
        names,
        help,
        fc.option(fc.integer({ min: 1, max: 12 })),
        async (keys, { own, helpers }, kill) => {
          const folder = mkdtempSync(join(root, 'run-'))
          // Some one is there until the end.
          const help = { own, helpers: [...helpers, ...(own ? [] : [Infinity])] }
          let from: Saved = { passed: 0, counted: [], large: undefined }
          for (const dieAt of [...(kill === null ? [] : [kill]), Infinity]) {
            const { last, problems, mostAtOnce, acted } = await runOver(folder, keys, from, dieAt, help)
            expect(problems).toEqual([])
            expect(mostAtOnce).toBeLessThanOrEqual(4)
            expect(new Set(acted).size).toBe(acted.length)
            expect(last.counted.length + (last.large === undefined ? 0 : largeRemaining(last.large))).toBe(last.passed)
            from = last
          }
          expect([...from.counted].sort()).toEqual([...keys].sort())
          expect(from).toMatchObject({ passed: keys.length, large: undefined })
        },
      ),
      { numRuns: 60 },
    )
  })

  test('go to who has least to do', async () => {
    const folder = mkdtempSync(join(root, 'run-'))
    const taken: Record<string, number> = {}
    const hand = (name: string): LargeHand => ({
      atOnce: 4,
      copy() {
        taken[name] = (taken[name] ?? 0) + 1
        return new Promise(() => undefined)
      },
    })
    const large = new LargeObjects({
      ...{ folder, start: undefined, prefix: 'p/', own: hand('own'), stop: new AbortController().signal },
      ...{
        pass: () => Promise.resolve(),
        settle: () => undefined,
        save: () => Promise.resolve(),
        fail: () => undefined,
      },
    })
    for (const name of ['b', 'c']) large.join(hand(name))
    large.hold(['1', '2', '3', '4', '5', '6'].map(object), true)
    void large.run()
    await large.flush()
    while (Object.values(taken).reduce((sum, n) => sum + n, 0) < 6)
      await new Promise((resolve) => setImmediate(resolve))
    expect(taken).toEqual({ own: 2, b: 2, c: 2 })
    await large.end(false)
  })

  test('stay in the ledger when nothing of them was begun, and are none when there were none', async () => {
    const folder = mkdtempSync(join(root, 'run-'))
    const none = await runOver(folder, [], { passed: 0, counted: [], large: undefined }, Infinity)
    expect(none.last).toEqual({ passed: 0, counted: [], large: undefined })
    expect(none.acted).toEqual([])
  })
})

describe('the parts of an object', () => {
  test('are at most 10,000, and none is larger than S3 takes, up to 50 TB', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 5 * 1024 ** 2, max: 5 * 1024 ** 3 }),
        (share, wanted) => {
          const size = 1 + Math.floor(share * 50e12)
          const part = partSizeFor(size, wanted)
          expect(Math.ceil(size / part)).toBeLessThanOrEqual(10_000)
          expect(part).toBeGreaterThanOrEqual(wanted)
          expect(part).toBeLessThanOrEqual(5 * 1024 ** 3)
        },
      ),
    )
    expect(partSizeFor(6 * 1024 ** 3, 512 * 1024 ** 2)).toBe(512 * 1024 ** 2)
  })
})
