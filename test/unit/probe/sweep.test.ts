import { setMaxListeners } from 'node:events'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { StorageError } from '../../../src/errors.js'
import { Allowance } from '../../../src/probe/allowance.js'
import { sweep } from '../../../src/probe/sweep.js'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => vi.useRealTimers())

const fault = (severity: 'throttle' | 'fail-object', code: string) =>
  new StorageError('no', { severity, code, operation: 'HeadObject', bucket: 'b', status: 503 })

/** A store in a time of its own: each answer takes `ms`; of a token bucket of `limit` a second, `workers` at once, what is beyond waits. */
function store({
  ms,
  limit = Infinity,
  burst = limit,
  workers = Infinity,
  fails = () => false,
}: {
  ms: number
  limit?: number
  burst?: number
  workers?: number
  fails?: (n: number) => boolean
}) {
  let [tokens, filled, at, sent] = [burst, 0, 0, 0]
  const free: number[] = []
  const wait = (until: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, until - at)))
  const ask = async () => {
    const n = sent++
    tokens = Math.min(burst, tokens + ((at - filled) * limit) / 1000)
    filled = at
    if (fails(n)) throw fault('fail-object', 'AccessDenied')
    if (limit !== Infinity) {
      if (tokens < 1) throw fault('throttle', 'SlowDown')
      tokens--
    }
    free.sort((a, b) => a - b)
    const begins = free.length < workers ? at : Math.max(at, free.shift() ?? 0)
    free.push(begins + ms)
    await wait(begins + ms)
  }
  vi.spyOn(performance, 'now').mockImplementation(() => at)
  const run = async <T>(work: Promise<T>): Promise<T> => {
    const over = { yet: false }
    const ended = work.finally(() => (over.yet = true))
    while (!over.yet) {
      await vi.advanceTimersByTimeAsync(1)
      at++
    }
    return await ended
  }
  return { ask, run, sent: () => sent }
}

const never = new AbortController().signal
setMaxListeners(0, never)

test('the rate that a store bears is found, though it lets more pass for a moment', async () => {
  const { ask, run } = store({ ms: 30, limit: 400, burst: 400 })
  const found = await run(
    sweep(ask, { operation: 'HeadObject', most: 256, allowance: new Allowance(5000), stop: never }),
  )
  expect(found.ended).toBe('refusals')
  expect(found.limit).toBeGreaterThan(360)
  expect(found.limit).toBeLessThan(440)
  expect(found.levels.map(({ concurrency }) => concurrency).slice(0, 4)).toEqual([1, 2, 4, 8])
})

test('where more at once only waits, the knee is found', async () => {
  const { ask, run } = store({ ms: 20, workers: 8 })
  const found = await run(
    sweep(ask, { operation: 'HeadObject', most: 256, allowance: new Allowance(5000), stop: never }),
  )
  expect(found.ended).toBe('knee')
  expect(found.limit).toBeGreaterThan(360)
  expect(found.limit).toBeLessThan(440)
  expect(Math.max(...found.levels.map(({ concurrency }) => concurrency))).toBe(16)
})

test('a knee that the store lets pass for a moment is not what it bears', async () => {
  const { ask, run } = store({ ms: 20, workers: 8, limit: 250, burst: 300 })
  const found = await run(
    sweep(ask, { operation: 'CopyObject', most: 256, allowance: new Allowance(5000), stop: never }),
  )
  expect(found.levels.every(({ concurrency }) => concurrency <= 16)).toBe(true)
  expect(found.ended).toBe('refusals')
  expect(found.limit).toBeGreaterThan(225)
  expect(found.limit).toBeLessThan(275)
})

test('no limit is claimed where none was found, and no more is sent than allowed', async () => {
  const { ask, run, sent } = store({ ms: 20 })
  const allowance = new Allowance(1000)
  const found = await run(sweep(ask, { operation: 'HeadObject', most: 256, allowance, stop: never }))
  expect(found).toMatchObject({ ended: 'requests' })
  expect(found.limit).toBeUndefined()
  expect(sent()).toBeLessThanOrEqual(1000)
  expect(allowance.sent).toEqual({ HeadObject: sent() })
})

test('no more than so many are asked for at once', async () => {
  const { ask, run } = store({ ms: 20 })
  const found = await run(sweep(ask, { operation: 'HeadObject', most: 4, allowance: new Allowance(5000), stop: never }))
  expect(found.ended).toBe('concurrency')
  expect(Math.max(...found.levels.map(({ concurrency }) => concurrency))).toBe(4)
})

test('requests that fail end it, and are no rate', async () => {
  const { ask, run } = store({ ms: 20, fails: () => true })
  const found = await run(
    sweep(ask, { operation: 'HeadObject', most: 256, allowance: new Allowance(500), stop: never }),
  )
  expect(found).toMatchObject({ ended: 'failures', levels: [{ perSecond: 0 }] })
})
