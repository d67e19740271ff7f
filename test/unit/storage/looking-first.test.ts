import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { asOne, lookingAgain } from '../../../src/engine/actions/as-one.js'
import { removingTogether } from '../../../src/engine/actions/delete-batches.js'
import { StorageError, type Severity } from '../../../src/errors.js'
import { lookingFirst } from '../../../src/storage/looking-first.js'
import { createMeter, retrying } from '../../../src/storage/retry.js'
import type { Removal, Removing, Storage } from '../../../src/storage/storage.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const problem = (severity: Severity, code: string = severity) =>
  new StorageError(code, { severity, code, operation: 'X', bucket: 'b', key: 'k', status: 500 })

const policy = { retryFor: 60_000, giveUp: new AbortController().signal, random: () => 1 }

/** A store that answers each request to remove as it is told, and keeps account of what it was asked. */
function store(...answers: ((objects: readonly Removal[]) => ReturnType<Removing['remove']>)[]) {
  const asked: string[][] = []
  const remove: Removing['remove'] = (objects) => {
    asked.push(objects.map(({ key }) => key))
    return answers.shift()?.(objects) ?? Promise.resolve(objects.map(() => undefined))
  }
  const raw = { place: { bucket: 'b', prefix: '' }, removing: lookingFirst({ remove }), reading: {} } as Storage
  return { asked, raw, meter: createMeter() }
}

async function ended<T>(promise: Promise<T>): Promise<T | Error> {
  const settled = promise.catch((error: unknown) => error as Error)
  await vi.runAllTimersAsync()
  return settled
}

const codes = (answers: readonly (StorageError | undefined)[] | Error) =>
  answers instanceof Error ? answers.message : answers.map((error) => error?.code)

describe('a removal that is looked at before', () => {
  test('is looked at again before each request that names it, and left out when it is not to be removed by then', async () => {
    const { asked, raw, meter } = store(
      () => Promise.reject(problem('throttle', 'SlowDown')),
      (objects) => Promise.resolve(objects.map(({ key }) => (key === 'slow' ? problem('retry') : undefined))),
    )
    const looks: string[] = []
    const stays = new Map([
      ['written', 1],
      ['never', 0],
    ])
    const removal = (key: string): Removal => ({
      key,
      look: () => {
        looks.push(key)
        return Promise.resolve(looks.filter((one) => one === key).length <= (stays.get(key) ?? Infinity))
      },
    })
    const { removing } = retrying(raw, policy, meter)
    const answers = await ended(removing!.remove(['one', 'slow', 'written', 'never'].map(removal)))
    expect(codes(answers)).toEqual([undefined, undefined, undefined, undefined])
    expect(asked).toEqual([['one', 'slow', 'written'], ['one', 'slow'], ['slow']])
    expect(looks.join(' ')).toBe('one slow written never one slow written never slow')
    expect(meter).toMatchObject({ requests: { DeleteObjects: 3 }, retried: 2 })
  })

  test('whose look fails is not asked for; what may pass is looked at again, and what ends the run ends it', async () => {
    const { asked, raw, meter } = store()
    const looking = (...errors: StorageError[]): Removal['look'] => {
      return () => {
        const error = errors.shift()
        return error === undefined ? Promise.resolve(true) : Promise.reject(error)
      }
    }
    const removing = retrying(raw, policy, meter).removing!
    const objects = [{ key: 'denied', look: looking(problem('fail-object', 'AccessDenied')) }, { key: 'free' }]
    const late = { key: 'late', look: looking(problem('retry'), problem('throttle')) }
    expect(codes(await ended(removing.remove([...objects, late])))).toEqual(['AccessDenied', undefined, undefined])
    expect(asked).toEqual([['free'], ['late']])
    const ends = { key: 'x', look: looking(problem('stop-run', 'NoSuchBucket')) }
    expect(codes(await ended(removing.remove([ends])))).toBe('NoSuchBucket')
    expect(asked.length).toBe(2)
  })

  test('does not wait for the slow look of another until its own is long past', async () => {
    const { asked, raw } = store()
    let answer: (may: boolean) => void = () => undefined
    const slow = new Promise<boolean>((resolve) => (answer = resolve))
    const quick = { key: 'quick', look: () => Promise.resolve(true) }
    const done = raw.removing!.remove([{ key: 'slow', look: () => slow }, quick])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked).toEqual([['quick']])
    answer(true)
    expect(codes(await ended(done))).toEqual([undefined, undefined])
    expect(asked).toEqual([['quick'], ['slow']])
  })

  test('a request that fails as a whole is the failure of those it names, and no other is asked for in vain', async () => {
    const { asked, raw } = store(() => Promise.reject(problem('stop-run', 'AccessDenied')))
    const together = removingTogether(raw.removing!)
    const look = () => Promise.resolve(true)
    const all = Promise.allSettled([together({ key: 'a', look }), together({ key: 'b', look })])
    await vi.runAllTimersAsync()
    expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(asked).toEqual([['a', 'b']])
  })
})

describe('several requests as one operation', () => {
  test('are sent again from the first on, each counted, until the last has succeeded', async () => {
    const sent: string[] = []
    const failures = [undefined, problem('retry'), problem('throttle')]
    const send = (name: string) => () => {
      sent.push(name)
      const error = failures.shift()
      return error === undefined ? Promise.resolve(name) : Promise.reject(error)
    }
    const raw = {
      place: { bucket: 'b', prefix: '' },
      reading: { head: send('look') },
      rewriting: { rewrite: send('act') },
    } as unknown as Storage
    const meter = createMeter()
    const store = retrying(raw, policy, meter)
    const work = asOne(store, async (once) => {
      await once.reading.head('k')
      return await once.rewriting!.rewrite({ key: 'k' } as never, '', [])
    })
    expect(await ended(work)).toBe('act')
    // The look may fail as well as the act.
    expect(sent.join(' ')).toBe('look act look look act')
    expect(meter.requests).toEqual({ HeadObject: 3, CopyObject: 2 })
    expect([meter.retried, meter.throttled]).toEqual([2, 1])
  })

  test('what was looked at just now is looked at again before each try but the first, and a look may be the answer', async () => {
    const done: string[] = []
    const store = retrying({ place: { bucket: 'b', prefix: '' }, reading: {} } as Storage, policy, createMeter())
    const look = () => {
      done.push('look')
      return Promise.resolve(done.length > 4 ? 'there already' : undefined)
    }
    const act = () => {
      done.push('act')
      return Promise.reject(problem('retry'))
    }
    expect(await ended(lookingAgain<string>(store, look, act))).toBe('there already')
    expect(done.join(' ')).toBe('act look act look act look')
  })
})
