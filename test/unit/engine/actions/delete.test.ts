import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { confirm } from '../../../../src/commands/run/deletion-question.js'
import type { CommandIo } from '../../../../src/commands/options/io.js'
import { removingTogether } from '../../../../src/engine/actions/delete-batches.js'
import { StorageError, type Severity } from '../../../../src/errors.js'
import { createMeter, retrying } from '../../../../src/storage/retry.js'
import type { Removal, Removing, Storage } from '../../../../src/storage/storage.js'
import { written } from '../../../support/written.js'

const problem = (severity: Severity, code: string, key?: string) =>
  new StorageError(code, { severity, code, operation: 'DeleteObjects', bucket: 'b', key, status: 200 })

/** A store that keeps every request until it is answered. */
function patient() {
  const asked: {
    readonly objects: readonly Removal[]
    readonly answer: (errors?: (StorageError | undefined)[]) => void
  }[] = []
  const remove: Removing['remove'] = (objects) =>
    new Promise((resolve) => {
      asked.push({ objects, answer: (errors = objects.map(() => undefined)) => resolve(errors) })
    })
  const arrival = async (count: number): Promise<void> => {
    while (asked.length < count) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return { asked, remove, arrival }
}

const named = (count: number, from = 0) => Array.from({ length: count }, (_, index) => ({ key: `k${from + index}` }))

describe('removals of single objects', () => {
  test('go a thousand to a request, and what is fewer goes together, once nothing more comes', async () => {
    const { asked, remove, arrival } = patient()
    const one = removingTogether({ remove })
    const all = Promise.all(named(2_500).map((object) => one(object)))
    expect(asked.map(({ objects }) => objects.length)).toEqual([1_000, 1_000])
    for (const { answer } of asked) answer()
    await arrival(3)
    asked[2]!.answer()
    await all
    expect(asked.flatMap(({ objects }) => objects)).toEqual(named(2_500))
  })

  test('while a request is under way, what is no full batch waits for its answer', async () => {
    const { asked, remove, arrival } = patient()
    const one = removingTogether({ remove })
    const first = one({ key: 'first' })
    await arrival(1)
    const rest = named(10).map((object) => one(object))
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(asked.length).toBe(1)
    asked[0]!.answer()
    await first
    await arrival(2)
    expect(asked[1]!.objects).toEqual(named(10))
    asked[1]!.answer()
    await Promise.all(rest)
  })

  test('each has its own outcome; a request that fails as a whole is that of all', async () => {
    const { asked, remove, arrival } = patient()
    const one = removingTogether({ remove })
    const outcomes = Promise.allSettled(named(3).map((object) => one(object)))
    await arrival(1)
    const denied = problem('fail-object', 'AccessDenied', 'k1')
    asked[0]!.answer([undefined, denied, undefined])
    expect(await outcomes).toEqual([
      { status: 'fulfilled', value: undefined },
      { status: 'rejected', reason: denied },
      { status: 'fulfilled', value: undefined },
    ])
    const gone = problem('stop-run', 'NoSuchBucket')
    const failing = removingTogether({ remove: () => Promise.reject(gone) })
    expect(await Promise.allSettled(named(2).map((object) => failing(object)))).toEqual([
      { status: 'rejected', reason: gone },
      { status: 'rejected', reason: gone },
    ])
  })
})

describe('retries of DeleteObjects', () => {
  const through = (remove: Removing['remove'], retryFor = 60_000, giveUp = new AbortController().signal) => {
    const meter = createMeter()
    const store = { place: { bucket: 'b', prefix: '' }, reading: {}, removing: { remove } } as unknown as Storage
    return { meter, removing: retrying(store, { retryFor, giveUp, random: () => 0 }, meter).removing! }
  }

  test('ask again only for those objects that may succeed', async () => {
    const asked: string[][] = []
    const { meter, removing } = through((objects) => {
      asked.push(objects.map(({ key }) => key))
      return Promise.resolve(
        objects.map(({ key }) =>
          key === 'k1'
            ? problem('fail-object', 'AccessDenied', key)
            : key === 'k2' && asked.length < 3
              ? problem('throttle', 'SlowDown', key)
              : undefined,
        ),
      )
    })
    const errors = await removing.remove(named(4))
    expect(errors.map((error) => error?.code)).toEqual([undefined, 'AccessDenied', undefined, undefined])
    expect(asked).toEqual([['k0', 'k1', 'k2', 'k3'], ['k2'], ['k2']])
    expect(meter).toEqual({ requests: { DeleteObjects: 3 }, throttled: 2, retried: 2 })
  })

  test('at the end of patience it is a failure of the object; when the run ends, nothing is said of it', async () => {
    const failing: Removing['remove'] = (objects) =>
      Promise.resolve(objects.map(({ key }) => (key === 'k0' ? problem('retry', 'InternalError', key) : undefined)))
    const judged = async (retryFor: number, giveUp?: AbortSignal) =>
      (await through(failing, retryFor, giveUp).removing.remove(named(2))).map((error) => error?.severity)
    expect(await judged(0)).toEqual(['fail-object', undefined])
    expect(await judged(60_000, AbortSignal.abort())).toEqual(['retry', undefined])
  })
})

describe('the question before a deletion', () => {
  const io = (stop = new AbortController()) => {
    const [stdin, stderr] = [new PassThrough(), new PassThrough()]
    const abandon = new AbortController().signal
    const told: CommandIo = { stdin, stderr, stdout: new PassThrough(), cwd: '/', args: [], stop: stop.signal, abandon }
    return { told, stdin, stop, said: () => written(stderr) }
  }
  const whole = { kind: 'delete', source: { bucket: 'photos', prefix: '' } } as const

  test('goes on when the name of the bucket is typed', async () => {
    const { told, stdin, said } = io()
    const asked = confirm(whole, ['3 objects, 7 B', 'nobody can bring them back'], told)
    stdin.write('photos\n')
    await asked
    expect(said()).toBe(
      'every object of s3://photos is to be deleted\n  3 objects, 7 B\n  nobody can bring them back\nType the name of the bucket to go on (photos): ',
    )
  })

  test.each(['yes\n', '\n', 'photos2\n', undefined])('refuses any other answer: %j', async (answer) => {
    const { told, stdin } = io()
    const asked = confirm({ ...whole, source: { bucket: 'photos', prefix: 'a\nb' } }, [], told)
    if (answer === undefined) stdin.end()
    else stdin.write(answer)
    await expect(asked).rejects.toThrow('nothing was deleted')
  })

  test('is ended by Ctrl-C', async () => {
    const { told, stop } = io()
    const asked = confirm(whole, [], told)
    stop.abort()
    await expect(asked).rejects.toThrow('interrupted')
  })
})
