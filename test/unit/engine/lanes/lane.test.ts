import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { copyAction, refusal } from '../../../../src/engine/actions/copy-object.js'
import { runLane, type Action } from '../../../../src/engine/lanes/lane.js'
import { Pacer, pacersFor } from '../../../../src/engine/lanes/pacer.js'
import { runLanes } from '../../../../src/engine/lanes/run-lanes.js'
import { ConcurrencyLimit } from '../../../../src/engine/lanes/concurrency-limit.js'
import { StorageError, type Severity } from '../../../../src/errors.js'
import type { CopyJob } from '../../../../src/job/copy.js'
import type { Deferral, Outcome } from '../../../../src/job/outcome.js'
import type { ObjectSummary, Reading, Storage } from '../../../../src/storage/storage.js'
import type { Lease } from '../../../../src/sources/work-source.js'

const COPIED: Outcome = { kind: 'copied' }

const object = (key: string, size = 1): ObjectSummary => ({
  ...{ key, size, etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD' },
})

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

/** A lease over the given pages that writes down what it is told. */
function leaseOf(...pages: (readonly string[] | Error)[]) {
  const log = { asked: 0, settled: [] as string[], outcomes: [] as (Outcome | Deferral)[], released: 0 }
  const lease: Lease = {
    next() {
      const page = pages[log.asked++]
      if (page instanceof Error) return Promise.reject(page)
      return Promise.resolve(page?.map((key) => object(key)))
    },
    settle(settled, outcome) {
      expect(log.released).toBe(0)
      log.settled.push(settled.key)
      log.outcomes.push(outcome)
    },
    release: () => log.released++,
  }
  return { lease, log }
}

/** An act whose ends the test decides. */
function held() {
  const open = new Map<string, (end: Outcome | undefined | Error) => void>()
  const begun: string[] = []
  const act: Action = ({ key }) => {
    begun.push(key)
    return new Promise((resolve, reject) => {
      open.set(key, (end) => {
        open.delete(key)
        if (end instanceof Error) reject(end)
        else resolve(end)
      })
    })
  }
  return {
    act,
    begun,
    open,
    end: (key: string, end: Outcome | 'given up' | Error = COPIED) =>
      open.get(key)!(end === 'given up' ? undefined : end),
  }
}

const pacers = (lanes: number) => Array.from({ length: lanes }, () => new Pacer())

function context(act: Action, concurrency = 100) {
  const stop = new AbortController()
  const errors: unknown[] = []
  return {
    errors,
    controller: stop,
    context: {
      act,
      actFor: () => act,
      pacer: new Pacer(),
      slots: new ConcurrencyLimit(concurrency),
      stop: stop.signal,
      fail: (error: unknown) => {
        errors.push(error)
        stop.abort()
      },
    },
  }
}

const names = (count: number) => Array.from({ length: count }, (_, n) => `k${String(n).padStart(4, '0')}`)

describe('runLane', () => {
  test('ends when the run stops, though its list has not come, and settles what was in flight', async () => {
    const { lease, log } = leaseOf(['a'])
    const { act, end } = held()
    const { context: lanes, controller } = context(act)
    const silent: Lease = { ...lease, next: () => (log.asked === 0 ? lease.next() : new Promise(() => undefined)) }
    const lane = runLane(silent, lanes)
    await turns()
    controller.abort()
    await turns()
    expect(log.released).toBe(0)
    end('a')
    await lane
    expect([log.settled, log.released]).toEqual([['a'], 1])
  })

  test('settles in the order of the listing, in whatever order objects are done', async () => {
    const { lease, log } = leaseOf(['a', 'b'], [], ['c'])
    const { act, begun, end } = held()
    const lane = runLane(lease, context(act).context)
    await turns()
    expect(begun).toEqual(['a', 'b', 'c'])
    end('c')
    end('b')
    await turns()
    expect(log.settled).toEqual([])
    end('a')
    await lane
    expect(log.settled).toEqual(['a', 'b', 'c'])
    expect(log.released).toBe(1)
  })

  test('settles as far as it can inside a page', async () => {
    const { lease, log } = leaseOf(['a', 'b', 'c', 'd'])
    const { act, end } = held()
    const lane = runLane(lease, context(act).context)
    await turns()
    end('a')
    end('b')
    end('d')
    await turns()
    expect(log.settled).toEqual(['a', 'b'])
    end('c')
    await lane
    expect(log.settled).toEqual(['a', 'b', 'c', 'd'])
  })

  test('passes each outcome with its own object', async () => {
    const { lease, log } = leaseOf(['a', 'b'])
    const { act, end } = held()
    const lane = runLane(lease, context(act).context)
    await turns()
    end('b', { kind: 'skipped', reason: 'gone' })
    end('a')
    await lane
    expect(log.outcomes).toEqual([COPIED, { kind: 'skipped', reason: 'gone' }])
  })

  test('never has more in flight than there are slots, and takes no page while it has plenty to do', async () => {
    const { lease, log } = leaseOf(names(100), names(100), names(100), names(100))
    const { act, open, end } = held()
    let most = 0
    const counting: Action = (one) => {
      const ended = act(one)
      most = Math.max(most, open.size)
      return ended
    }
    const lane = runLane(lease, context(counting, 5).context)
    await turns()
    expect(open.size).toBe(5)
    // The page being worked on and the one behind it.
    expect(log.asked).toBe(2)
    while (open.size > 0) {
      end([...open.keys()][0]!)
      await turn()
    }
    await lane
    expect(most).toBe(5)
    expect(log.settled).toHaveLength(400)
  })

  test('settles what is decided without a request in its place, and gives it no slot', async () => {
    const { lease, log } = leaseOf(['a', 'b-', 'c'], ['d-', 'e-'], ['f'])
    const { act, begun, end } = held()
    const decide = ({ key }: ObjectSummary): Outcome | undefined =>
      key.endsWith('-') ? { kind: 'skipped', reason: 'unchanged' } : undefined
    const lane = runLane(lease, { ...context(act).context, decide })
    await turns()
    expect(begun).toEqual(['a', 'c', 'f'])
    end('c')
    end('f')
    await turns()
    expect(log.settled).toEqual([])
    end('a')
    await lane
    expect(log.settled).toEqual(['a', 'b-', 'c', 'd-', 'e-', 'f'])
    expect(log.outcomes.map(({ kind }) => kind)).toEqual([
      ...['copied', 'skipped', 'copied', 'skipped', 'skipped', 'copied'],
    ])
  })

  test('begins nothing more when the run stops, and leaves unsettled what was not done', async () => {
    const { lease, log } = leaseOf(names(50), names(50))
    const { act, begun, open, end } = held()
    const { context: lanes, controller, errors } = context(act, 4)
    const lane = runLane(lease, lanes)
    await turns()
    end('k0000')
    end('k0002')
    await turns()
    const before = begun.length
    controller.abort()
    await turns()
    expect(log.released).toBe(0)
    for (const key of [...open.keys()]) end(key, key === 'k0001' ? 'given up' : COPIED)
    await lane
    expect(begun.length).toBe(before)
    expect(log.settled).toEqual(['k0000'])
    expect(log.released).toBe(1)
    expect(errors).toEqual([])
  })

  test('stops the run when an act throws, waits for what is in flight, and gives the lease back', async () => {
    const { lease, log } = leaseOf(names(50))
    const { act, begun, end } = held()
    const { context: lanes, errors } = context(act, 3)
    const lane = runLane(lease, lanes)
    await turns()
    const defect = new Error('no')
    end('k0001', defect)
    await turns()
    expect(errors).toEqual([defect])
    expect(log.released).toBe(0)
    end('k0000')
    end('k0002')
    await lane
    expect(begun).toEqual(['k0000', 'k0001', 'k0002'])
    expect(log.settled).toEqual(['k0000'])
    expect(log.released).toBe(1)
  })

  test('stops the run when the listing fails, after settling what it had', async () => {
    const defect = new Error('no listing')
    const { lease, log } = leaseOf(['a'], defect)
    const { act, end } = held()
    const { context: lanes, errors } = context(act)
    const lane = runLane(lease, lanes)
    await turns()
    end('a')
    await lane
    expect(errors).toEqual([defect])
    expect(log.settled).toEqual(['a'])
    expect(log.released).toBe(1)
  })

  test('leaves no rejection unheard when the run stops while a listing is about to fail', async () => {
    const { lease, log } = leaseOf(['a'], new Error('late'))
    const { act, end } = held()
    const { context: lanes, controller, errors } = context(act)
    const lane = runLane(lease, lanes)
    await turns()
    controller.abort()
    end('a')
    await lane
    expect(log.released).toBe(1)
    expect(errors.length).toBeLessThanOrEqual(1)
  })
})

describe('runLanes', () => {
  test('lists no further while the first of many pages has an object that is not done, and goes on when it is', async () => {
    const pages = Array.from({ length: 12 }, (_, page) => [`p${String(page).padStart(2, '0')}`])
    const { lease, log } = leaseOf(...pages)
    const { act, begun, end } = held()
    const { context: lane } = context(act)
    const done = runLane(lease, lane)
    await turns()
    expect(begun).toHaveLength(8)
    for (const key of begun.slice(1)) end(key)
    await turns()
    // What is behind it is done, and still nothing more is begun: it would be repeated after a kill.
    expect([begun.length, log.settled]).toEqual([8, []])
    end('p00')
    await turns()
    for (const key of begun.slice(8)) end(key)
    await done
    expect(log.settled).toEqual(pages.flat())
  })

  test('ends while it waits for such an object when the run stops', async () => {
    const { lease, log } = leaseOf(...Array.from({ length: 12 }, (_, page) => [`p${String(page).padStart(2, '0')}`]))
    const { act, begun, end } = held()
    const { context: lane, controller } = context(act)
    const done = runLane(lease, lane)
    await turns()
    controller.abort()
    for (const key of [...begun]) end(key)
    await done
    expect([begun.length, log.released]).toEqual([8, 1])
  })

  test('ends every lane that waits for room when the run stops', async () => {
    const { act, open, end } = held()
    const { context: lanes, controller } = context(act, 1)
    const leases = Array.from({ length: 6 }, () => leaseOf(names(40)))
    const left = leases.map(({ lease }) => lease)
    const work = { claim: () => Promise.resolve(left.shift()), close: () => (left.length = 0) }
    const done = runLanes({ ...lanes, work, pacers: pacers(6) })
    await turns()
    expect(open.size).toBe(1)
    controller.abort()
    end('k0000')
    await done
    expect(leases.map(({ log }) => log.released)).toEqual([1, 1, 1, 1, 1, 1])
  })

  test('lets lanes join while all are held back, at no small rate, and slots are idle: four times as many at most', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const { act, end, open } = held()
    const { context: lanes, controller } = context(act)
    const left = Array.from({ length: 20 }, (_, lane) => leaseOf([String(lane)]).lease)
    const work = { claim: () => Promise.resolve(left.shift()), close: () => (left.length = 0) }
    const pacers = pacersFor(2)
    const done = runLanes({ ...lanes, work, pacers })
    await turns()
    const second = async (objects: number) => {
      await vi.advanceTimersByTimeAsync(500)
      for (const pacer of pacers) {
        for (let i = 0; i < objects; i++) pacer.succeeded()
        do pacer.refused()
        while (pacer.limit === undefined)
      }
      await vi.advanceTimersByTimeAsync(500)
      await turns()
      return [pacers.length, 20 - left.length]
    }
    await vi.advanceTimersByTimeAsync(5_000)
    expect(pacers).toHaveLength(2)
    expect(await second(0)).toEqual([2, 2])
    for (const pacer of pacers) pacer.leave()
    expect(await second(1_000)).toEqual([3, 3])
    for (let i = 0; i < 20; i++) await second(1_000)
    expect([pacers.length, 20 - left.length]).toEqual([8, 8])
    controller.abort()
    for (const key of [...open.keys()]) end(key)
    await done
  })

  test('closes the work at once when it is begun after the stop', async () => {
    const { act, begun } = held()
    const { context: lanes, controller } = context(act)
    controller.abort()
    let closed = false
    const work = {
      claim: () => Promise.resolve(closed ? undefined : leaseOf(['a']).lease),
      close: () => (closed = true),
    }
    await runLanes({ ...lanes, work, pacers: pacers(2) })
    expect(begun).toEqual([])
  })

  test('tells the watcher of each outcome, and of nothing that was given up', async () => {
    const { lease } = leaseOf(['a', 'b', 'c'])
    const { act, end } = held()
    const { context: lanes, controller } = context(act)
    const seen: string[] = []
    const left = [lease]
    const done = runLanes({
      ...lanes,
      work: { claim: () => Promise.resolve(left.shift()), close: () => (left.length = 0) },
      pacers: pacers(1),
      watch: (one, outcome) => seen.push(`${one.key} ${outcome.kind}`),
    })
    await turns()
    controller.abort()
    end('c')
    end('a', { kind: 'skipped', reason: 'gone' })
    end('b', 'given up')
    await done
    expect(seen).toEqual(['c copied', 'a skipped'])
  })
})

describe('copying', () => {
  const place = (bucket: string, prefix: string) => ({ bucket, prefix })
  const job = (source: string, destination: string, buckets = ['a', 'b']): CopyJob => ({
    kind: 'copy',
    source: place(buckets[0]!, source),
    destination: place(buckets[1]!, destination),
  })
  const failing = (error: Error): Storage => ({
    place: place('b', ''),
    list: () => Promise.reject(error),
    copyFrom: () => Promise.reject(error),
    reading: {} as Reading,
  })
  const fault = (severity: Severity) => {
    const details = {
      severity,
      code: 'Code',
      operation: 'CopyObject',
      bucket: 'b',
      key: 'to/k',
      status: 403,
      requestId: 'R',
    }
    const error = new StorageError('why', details)
    error.attempts = 3
    return error
  }

  test.each<[Severity, Outcome['kind'] | 'given up' | 'thrown']>([
    ['skip', 'skipped'],
    ['fail-object', 'failed'],
    ['retry', 'given up'],
    ['throttle', 'given up'],
    ['stop-run', 'thrown'],
  ])('takes an error of severity %s for: %s', async (severity, expected) => {
    const error = fault(severity)
    const result = await copyAction(job('from/', 'to/'), {
      ...{ source: failing(error), destination: failing(error), settings: { streamed: false } },
    })(object('k', 5)).catch((e: unknown) => e)
    if (expected === 'thrown') expect(result).toBe(error)
    else if (expected === 'given up') expect(result).toBeUndefined()
    else expect(result).toMatchObject({ kind: expected })
    if (expected === 'failed') {
      const { time, ...failure } = (result as Extract<Outcome, { kind: 'failed' }>).failure
      expect(Number.isNaN(Date.parse(time))).toBe(false)
      expect(failure).toEqual({
        ...{ key: 'from/k', size: 5, etag: 'e', storageClass: 'STANDARD', lastModified: '2024-01-01T00:00:00.000Z' },
        ...{ operation: 'CopyObject', status: 403, code: 'Code', message: 'why', requestId: 'R', attempts: 3 },
      })
    }
  })

  test('throws on what is no error of storage', async () => {
    const defect = new TypeError('a defect')
    await expect(
      copyAction(job('', ''), { source: failing(defect), destination: failing(defect), settings: { streamed: false } })(
        object('k'),
      ),
    ).rejects.toBe(defect)
  })

  test('skips the marker of the source folder when nothing is left of its name, and fails an object of that name', () => {
    expect(refusal(job('x/', ''), object('', 0))).toEqual({ kind: 'skipped', reason: 'prefix-marker' })
    expect(refusal(job('x/', ''), object('', 3))).toMatchObject({
      kind: 'failed',
      failure: { code: 'NoNameLeft', key: 'x/' },
    })
    expect(refusal(job('x/', 'y/'), object('', 0))).toBeUndefined()
  })

  test('fails an object whose copy would lie inside the source prefix', () => {
    const within = job('x/y/', '', ['a', 'a'])
    expect(refusal(within, object('x/y/k'))).toMatchObject({ kind: 'failed', failure: { code: 'OverlapsSource' } })
    expect(refusal(within, object('x/z'))).toBeUndefined()
    expect(refusal(job('x/y/', ''), object('x/y/k'))).toBeUndefined()
  })
})
