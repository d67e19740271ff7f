import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { StorageError, type Severity } from '../../../src/errors.js'
import { FEW_ATTEMPTS, TRIED_LATER, UnlikeOthers } from '../../../src/storage/set-aside.js'
import { unlessAborted } from '../../../src/abort.js'
import { createMeter, retrying, withRetries, type RetryPolicy } from '../../../src/storage/retry.js'
import type { Reading, Storage } from '../../../src/storage/storage.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

type Trouble = { key?: string; status?: number; code?: string }

const fault = (severity: Severity, more: Trouble = { key: 'k', status: 500 }) =>
  new StorageError('it failed', { severity, code: 'Code', operation: 'CopyObject', bucket: 'b', ...more })

const policy = (more: Partial<RetryPolicy> = {}): RetryPolicy => ({
  retryFor: 60_000,
  giveUp: new AbortController().signal,
  // The end of the interval, never reached, so that pauses are round.
  random: () => 1,
  ...more,
})

/** A request that fails with the given errors, then succeeds; `at` are the times at which it was sent. */
function request(...failures: Error[]) {
  const at: number[] = []
  const begin = performance.now()
  const send = (): Promise<string> => {
    at.push(Math.round(performance.now() - begin))
    const failure = failures.shift()
    return failure === undefined ? Promise.resolve('done') : Promise.reject(failure)
  }
  return { at, send }
}

const forever = (severity: Severity, more?: Trouble) =>
  request(...Array.from({ length: 1000 }, () => fault(severity, more)))

/** Runs to its end with the clock turned on; the error stands in place of the value. */
async function ended(promise: Promise<unknown>): Promise<unknown> {
  const settled = promise.catch((error: unknown) => error)
  await vi.runAllTimersAsync()
  return settled
}

describe('withRetries', () => {
  test('sends once what succeeds at once', async () => {
    const meter = createMeter()
    const { at, send } = request()
    expect(await ended(withRetries('HeadObject', send, policy(), meter))).toBe('done')
    expect(at).toEqual([0])
    expect(meter).toEqual({ requests: { HeadObject: 1 }, throttled: 0, retried: 0 })
  })

  test('waits up to 0.1, 0.2, 0.4 seconds and so on, never more than 20, between tries', async () => {
    const { at, send } = forever('retry')
    await ended(withRetries('CopyObject', send, policy({ retryFor: 120_000 }), createMeter()))
    const pauses = at.slice(1).map((time, index) => time - at[index]!)
    expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 20_000, 20_000, 20_000, 20_000])
  })

  test('draws each pause evenly between nothing and its cap', async () => {
    const draws = [0, 0.5, 0.25]
    const { at, send } = request(fault('retry'), fault('throttle'), fault('retry'))
    const random = () => draws.shift() ?? Number.NaN
    expect(await ended(withRetries('CopyObject', send, policy({ random }), createMeter()))).toBe('done')
    expect(at).toEqual([0, 0, 100, 200])
  })

  test('waits for its turn before what was refused is sent again, where one is given', async () => {
    const turns = [700, 50]
    const refused = vi.fn()
    const granted = vi.fn()
    const pressure = { granted, refused, again: () => turns.shift() ?? Number.NaN }
    const { at, send } = request(fault('throttle'), fault('retry'), fault('throttle'))
    await ended(withRetries('CopyObject', send, policy(), createMeter(), pressure))
    // The longest pauses are 100, 200 and 400 ms.
    expect(at).toEqual([0, 700, 900, 1300])
    expect(refused).toHaveBeenCalledTimes(2)
    expect(granted).toHaveBeenCalledTimes(1)
    await withRetries('CopyObject', request().send, policy(), createMeter(), pressure)
    expect(granted).toHaveBeenCalledTimes(2)
  })

  test('draws by chance when it is not told how', async () => {
    const rest: RetryPolicy = { retryFor: 60_000, giveUp: new AbortController().signal }
    const { at, send } = request(fault('retry'))
    expect(await ended(withRetries('CopyObject', send, rest, createMeter()))).toBe('done')
    expect(at[1]).toBeLessThanOrEqual(100)
  })

  test.each<Severity>(['skip', 'fail-object', 'stop-run'])('does not try again after %s', async (severity) => {
    const meter = createMeter()
    const error = fault(severity)
    const { at, send } = request(error)
    expect(await ended(withRetries('CopyObject', send, policy(), meter))).toBe(error)
    expect(at).toEqual([0])
    expect(error.attempts).toBe(1)
    expect(meter.retried).toBe(0)
  })

  test('does not try again after an error that is none of storage', async () => {
    const error = new TypeError('a defect')
    const { at, send } = request(error)
    expect(await ended(withRetries('CopyObject', send, policy(), createMeter()))).toBe(error)
    expect(at).toEqual([0])
  })

  test('stops trying when it has the choice between waiting too long and giving up', async () => {
    const { at, send } = forever('throttle')
    const error = await ended(withRetries('CopyObject', send, policy({ retryFor: 1000 }), createMeter()))
    expect(at).toEqual([0, 100, 300, 700])
    expect(error).toMatchObject({ severity: 'fail-object', code: 'Code', attempts: 4 })
  })

  test('measures its patience from the first failure, not from the first sending', async () => {
    const { at, send } = request(fault('retry'))
    const slow = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5000))
      return send()
    }
    expect(await ended(withRetries('CopyObject', slow, policy({ retryFor: 1000 }), createMeter()))).toBe('done')
    expect(at).toHaveLength(2)
  })

  test.each<[string, Trouble, Severity]>([
    [
      'credentials that have expired, which say nothing of the object',
      { key: 'k', status: 400, code: 'ExpiredToken' },
      'stop-run',
    ],
    ['an object that the store answered for', { key: 'k', status: 503 }, 'fail-object'],
    ['an object that no answer came for', { key: 'k' }, 'stop-run'],
    ['a listing that the store answered', { status: 503 }, 'stop-run'],
    ['a listing without an answer', {}, 'stop-run'],
  ])('judges anew, once patience is over, %s', async (_what, more, severity) => {
    const { send } = forever('retry', more)
    expect(await ended(withRetries('X', send, policy({ retryFor: 500 }), createMeter()))).toMatchObject({ severity })
  })

  test('counts requests by operation, repetitions, and answers that asked for fewer', async () => {
    const meter = createMeter()
    const { send } = request(fault('throttle'), fault('retry'), fault('throttle'))
    await ended(withRetries('CopyObject', send, policy(), meter))
    await ended(withRetries('ListObjectsV2', request(fault('retry')).send, policy(), meter))
    expect(meter).toEqual({ requests: { CopyObject: 4, ListObjectsV2: 2 }, throttled: 2, retried: 4 })
  })

  test('wakes from its wait when the run gives up, sends nothing more and passes no verdict', async () => {
    const giveUp = new AbortController()
    const { at, send } = forever('throttle')
    const end = withRetries('CopyObject', send, policy({ giveUp: giveUp.signal }), createMeter()).catch(
      (error: unknown) => error,
    )
    await vi.advanceTimersByTimeAsync(150)
    expect(at).toEqual([0, 100])
    giveUp.abort()
    expect(await end).toMatchObject({ severity: 'throttle', attempts: 2 })
    expect(vi.getTimerCount()).toBe(0)
    expect(at).toEqual([0, 100])
  })

  test('does not wait at all when the run has given up before', async () => {
    const { at, send } = forever('retry')
    const end = withRetries('CopyObject', send, policy({ giveUp: AbortSignal.abort() }), createMeter())
    await expect(end).rejects.toMatchObject({ severity: 'retry' })
    expect(at).toEqual([0])
  })
})

describe('retrying', () => {
  test('tries each operation of a store again, and keeps its place', async () => {
    const failures = [fault('retry'), fault('retry')]
    const once = <T>(value: T) => (failures.length > 0 ? Promise.reject(failures.pop()!) : Promise.resolve(value))
    const store: Storage = {
      place: { bucket: 'b', prefix: 'p/' },
      list: () => once({ objects: [], truncated: false }),
      copyFrom: () => once('e'),
      reading: { head: () => once('head') } as unknown as Reading,
    }
    const meter = createMeter()
    const patient = retrying(store, policy(), meter)
    expect(patient.place).toBe(store.place)
    expect(await ended(patient.list({}))).toEqual({ objects: [], truncated: false })
    failures.push(fault('throttle'))
    const object = { key: 'k', size: 1, etag: '', lastModified: '', storageClass: 'STANDARD' }
    expect(await ended(patient.copyFrom!(store, object))).toBe('e')
    failures.push(fault('retry'))
    expect(await ended(patient.reading.head('k'))).toBe('head')
    expect(meter).toEqual({ requests: { ListObjectsV2: 3, CopyObject: 2, HeadObject: 2 }, throttled: 1, retried: 4 })
  })
})

describe('unlessAborted', () => {
  test('gives what the work comes to, and leaves no listener behind', async () => {
    const { signal } = new AbortController()
    const removed = vi.spyOn(signal, 'removeEventListener')
    expect(await unlessAborted(Promise.resolve('done'), signal)).toBe('done')
    await expect(unlessAborted(Promise.reject(new Error('it failed')), signal)).rejects.toThrow('it failed')
    expect(removed).toHaveBeenCalledTimes(2)
  })

  test('waits no longer once the signal is aborted, and for nothing when it was before', async () => {
    const controller = new AbortController()
    const never = new Promise<string>(() => undefined)
    const waiting = unlessAborted(never, controller.signal)
    controller.abort()
    expect(await waiting).toBeUndefined()
    expect(await unlessAborted(never, controller.signal)).toBeUndefined()
    expect(await unlessAborted(Promise.resolve('done'), controller.signal)).toBeUndefined()
  })

  test('takes the rejection of work that does not matter any more', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    let fail: ((error: Error) => void) | undefined
    const work = new Promise<string>((_resolve, reject) => (fail = reject))
    expect(await unlessAborted(work, AbortSignal.abort())).toBeUndefined()
    fail!(new Error('too late'))
    vi.useRealTimers()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})

describe('an object whose requests go on failing while others succeed', () => {
  const setAside = async (trouble: Trouble, severity: Severity = 'retry') => {
    const others = new UnlikeOthers(TRIED_LATER)
    const { at, send } = forever(severity, trouble)
    // Others succeed all the time.
    const busy = setInterval(() => others.succeeded('CopyObject', 10), 50)
    setTimeout(() => clearInterval(busy), 120_000)
    const meter = createMeter()
    const error = await ended(withRetries('CopyObject', send, policy(), meter, undefined, others))
    return { error, attempts: at.length }
  }

  test('is set aside after four attempts, whether it is answered or not', async () => {
    for (const trouble of [
      { key: 'k', status: 500 },
      { key: 'k', status: 502 },
      { key: 'k', code: 'ECONNRESET' },
    ]) {
      const { error, attempts } = await setAside(trouble)
      expect([error, attempts]).toEqual([expect.objectContaining({ severity: 'later', attempts: 4, key: 'k' }), 4])
    }
    expect(await setAside({ key: 'k', status: 503 }, 'throttle')).toMatchObject({ error: { severity: 'later' } })
  })

  test('is not, where no object can be blamed: a request on the bucket, a token that expired', async () => {
    expect(await setAside({ status: 500 })).toMatchObject({ error: { severity: 'stop-run' } })
    expect(await setAside({ key: 'k', status: 400, code: 'ExpiredToken' })).toMatchObject({
      error: { severity: 'stop-run' },
    })
  })

  test('is tried on the spot where nobody sets it aside', async () => {
    const error = await ended(withRetries('CopyObject', forever('retry').send, policy(), createMeter()))
    expect(error).toMatchObject({ severity: 'fail-object' })
  })

  test('its refusals are not felt as those of a store that is asked for too much', async () => {
    const others = new UnlikeOthers(TRIED_LATER)
    const pressure = { granted: vi.fn(), refused: vi.fn(), again: () => 0 }
    const busy = setInterval(() => others.succeeded('CopyObject', 100), 10)
    setTimeout(() => clearInterval(busy), 60_000)
    await ended(withRetries('CopyObject', forever('throttle').send, policy(), createMeter(), pressure, others))
    expect(pressure.refused).toHaveBeenCalledTimes(1)
  })

  test('of a DeleteObjects request is told apart from the others of that request', async () => {
    const remove = vi.fn((objects: readonly { readonly key: string }[]) =>
      Promise.resolve(objects.map(({ key }) => (key === 'bad' ? fault('retry', { key, status: 200 }) : undefined))),
    )
    const store = { place: { bucket: 'b', prefix: '' }, reading: {}, removing: { remove } } as unknown as Storage
    const named = 'a b c d e f g h'
      .split(' ')
      .map((key) => ({ key }))
      .concat({ key: 'bad' })
    const { removing } = retrying(store, policy(), createMeter(), undefined, new UnlikeOthers(TRIED_LATER))
    const answers = (await ended(removing!.remove(named))) as readonly (StorageError | undefined)[]
    expect(answers.slice(0, -1).every((error) => error === undefined)).toBe(true)
    expect(answers.at(-1)).toMatchObject({ severity: 'later', attempts: 4 })
    expect(remove.mock.calls.map(([objects]) => objects.length)).toEqual([9, 1, 1, 1])
  })

  test('is found by halves when a DeleteObjects request fails as a whole because of it', async () => {
    const others = new UnlikeOthers(TRIED_LATER)
    const busy = setInterval(() => others.succeeded('DeleteObjects', 100), 50)
    setTimeout(() => clearInterval(busy), 100_000)
    const removed: string[] = []
    const remove = (objects: readonly { readonly key: string }[]) => {
      if (objects.some(({ key }) => key === 'f')) return Promise.reject(fault('retry', { status: 500 }))
      removed.push(...objects.map(({ key }) => key))
      return Promise.resolve(objects.map(() => undefined))
    }
    const store = { place: { bucket: 'b', prefix: '' }, reading: {}, removing: { remove } } as unknown as Storage
    const { removing } = retrying(store, policy(), createMeter(), undefined, others)
    const named = 'a b c d e f g h i j k'.split(' ').map((key) => ({ key }))
    const answers = (await ended(removing!.remove(named))) as readonly (StorageError | undefined)[]
    expect(answers.map((error) => error?.severity)).toEqual(named.map(({ key }) => (key === 'f' ? 'later' : undefined)))
    expect(removed.sort()).toEqual('a b c d e g h i j k'.split(' '))
  })

  test('has three attempts in a turn once it was', async () => {
    const { at, send } = forever('retry')
    const error = await ended(withRetries('CopyObject', send, policy(), createMeter(), undefined, FEW_ATTEMPTS))
    expect([error, at]).toEqual([expect.objectContaining({ severity: 'later' }), [0, 100, 300]])
  })
})
