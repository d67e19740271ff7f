import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { waitingIn, type WaitingState } from '../../../../src/checkpoint/checkpoint.js'
import { StorageError } from '../../../../src/errors.js'
import { WaitingObjects, type Attempt } from '../../../../src/engine/session/waiting.js'
import type { Outcome, WaitingObject } from '../../../../src/job/outcome.js'

const root = mkdtempSync(join(tmpdir(), 's3move-waiting-'))
afterAll(() => rmSync(root, { recursive: true }))

const failure = (key: string, more: Partial<WaitingObject> = {}): WaitingObject => ({
  ...{ key, operation: 'CopyObject', code: 'InternalError', message: 'it failed', status: 500 },
  ...{ attempts: 4, time: '2024-01-01T00:00:00.000Z', ...more },
})

const copied = (key: string): Attempt => ({
  object: { key, size: 1, etag: 'e', lastModified: '', storageClass: 'STANDARD' },
  outcome: { kind: 'copied' },
})
const again = (key: string, more: Partial<WaitingObject> = {}): Attempt => ({
  ...copied(key),
  outcome: { kind: 'failed', failure: failure(key, { attempts: 1, ...more }), later: true },
})

const unanswered = (key: string): Attempt => {
  const { status: _, ...rest } = failure(key, { attempts: 1, code: 'ECONNRESET' })
  return { ...copied(key), outcome: { kind: 'failed', failure: rest, later: true } }
}

/** What a checkpoint holds: objects settled in the ranges, outcomes counted, and what remains of those that wait. */
interface Saved {
  readonly passed: number
  readonly counted: readonly string[]
  readonly waiting: WaitingState | undefined
}

/** A run whose objects were all set aside, that is saved as a keeper saves, can be killed at any save, and goes on from what was saved last. */
async function runOver(
  folder: string,
  keys: readonly string[],
  from: Saved,
  dieAt: number,
  hopeless: ReadonlySet<string>,
) {
  const drain = new AbortController()
  let { passed } = from
  const counted = [...from.counted]
  const tried: string[] = []
  let [last, saves, dead] = [from, 0, false]
  const problems: unknown[] = []
  const waiting = new WaitingObjects({
    ...{ folder, bucket: 'b', start: from.waiting, stop: drain.signal },
    // All attempts are the last ones, so that nobody waits.
    retryFor: 0,
    async attempt({ key }) {
      for (let turn = key.length % 3; turn >= 0; turn--) await new Promise((resolve) => setImmediate(resolve))
      if (dead || drain.signal.aborted) return undefined
      tried.push(key)
      return hopeless.has(key) ? again(key) : copied(key)
    },
    settle({ key }, { kind }) {
      expect(kind).toBe(hopeless.has(key) ? 'failed' : 'copied')
      if (!dead) counted.push(key)
    },
    alive: () => Promise.resolve(true),
    fail: (error) => problems.push(error),
  })
  const save = async (): Promise<void> => {
    if (dead) return
    const held = keys.slice(passed, passed + (saves % 3))
    passed += held.length
    waiting.hold(held.map((key) => failure(key)))
    const state = { passed, counted: [...counted], waiting: waiting.state() }
    const ledger = await waiting.flush()
    // A kill may come between the two, or right behind them.
    if (++saves === dieAt) dead = true
    if (!dead) last = { ...state, waiting: state.waiting === undefined ? undefined : { ...state.waiting, ...ledger } }
    if (saves === dieAt + 1) dead = true
  }
  const running = waiting.run()
  while (!dead && (passed < keys.length || waiting.remaining > 0)) {
    await save()
    await new Promise((resolve) => setImmediate(resolve))
  }
  waiting.close()
  if (dead) drain.abort()
  await running
  await save()
  await waiting.end(!dead)
  return { last, tried, problems }
}

describe('objects that were set aside', () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z\n"]{1,9}$/), { minLength: 1, maxLength: 25 })

  test('are each counted once, in the order in which they came, in whatever moment the run is killed', async () => {
    await fc.assert(
      fc.asyncProperty(
        names,
        fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 4 }),
        fc.func(fc.boolean()),
        async (keys, deaths, isHopeless) => {
          const folder = mkdtempSync(join(root, 'run-'))
          const hopeless = new Set(keys.filter((key) => isHopeless(key)))
          let from: Saved = { passed: 0, counted: [], waiting: undefined }
          for (const dieAt of [...deaths, Infinity]) {
            const { last, problems, tried } = await runOver(folder, keys, from, dieAt, hopeless)
            expect(problems).toEqual([])
            expect(new Set(tried).size).toBe(tried.length)
            // What the checkpoint has passed is counted or remains; nothing is both.
            expect(
              last.counted.length + (last.waiting === undefined ? 0 : waitingIn({ waiting: last.waiting }).objects),
            ).toBe(last.passed)
            from = last
          }
          expect(from).toEqual({ passed: keys.length, counted: keys, waiting: undefined })
          expect(readdirSync(folder)).toEqual([])
        },
      ),
      { numRuns: 60 },
    )
  })

  const settledBy = async (options: {
    readonly retryFor: number
    readonly attempt: (tries: number, key: string) => Attempt
    readonly alive?: boolean
  }) => {
    const folder = mkdtempSync(join(root, 'run-'))
    const outcomes: Outcome[] = []
    const problems: unknown[] = []
    const drain = new AbortController()
    let tries = 0
    const waiting = new WaitingObjects({
      ...{ folder, bucket: 'b', start: undefined, retryFor: options.retryFor, stop: drain.signal },
      attempt: ({ key }) => Promise.resolve(options.attempt(++tries, key)),
      settle: (_, outcome) => outcomes.push(outcome),
      alive: () => Promise.resolve(options.alive ?? true),
      fail(error) {
        problems.push(error)
        drain.abort()
      },
    })
    waiting.hold([failure('p/k', { copy: 'etag of the copy' })])
    await waiting.flush()
    expect(waiting.counts).toEqual({ objects: 1, errors: { '500 InternalError': 1 } })
    waiting.close()
    await waiting.run()
    await waiting.end(true)
    return { outcomes, problems, tries, remaining: waiting.remaining }
  }

  test('are tried a last time when the time is over, and then fail with all attempts told, and nothing that is no part of a failure', async () => {
    const { outcomes, tries } = await settledBy({ retryFor: 0, attempt: (_, key) => again(key, { code: 'Other' }) })
    expect(tries).toBe(1)
    expect(outcomes).toEqual([{ kind: 'failed', failure: failure('p/k', { code: 'Other', attempts: 5 }) }])
  })

  test('have the outcome of the attempt that succeeds', async () => {
    const { outcomes, tries } = await settledBy({
      retryFor: 60_000,
      attempt: (attempt, key) => (attempt === 1 ? copied(key) : again(key)),
    })
    expect([tries, outcomes]).toEqual([1, [{ kind: 'copied' }]])
  })

  test('of which nothing is heard are blamed only where the store answers others; else the run stops, and they remain', async () => {
    const attempt = (_: number, key: string) => unanswered(key)
    const blamed = await settledBy({ retryFor: 0, attempt })
    expect(blamed).toMatchObject({ problems: [], outcomes: [{ kind: 'failed', failure: { code: 'ECONNRESET' } }] })
    const stopped = await settledBy({ retryFor: 0, attempt, alive: false })
    expect(stopped).toMatchObject({ outcomes: [], remaining: 1 })
    expect(stopped.problems).toEqual([expect.any(StorageError)])
    expect(stopped.problems).toEqual([expect.objectContaining({ severity: 'stop-run', code: 'ECONNRESET' })])
  })
})
