import { describe, expect, test } from 'vitest'
import type { Hand, HandListener } from '../../../src/engine/workers/hand.js'
import type { FromHand, ToHand } from '../../../src/engine/workers/messages.js'
import { inStream } from '../../../src/fleet/broker.js'
import { Hosts } from '../../../src/fleet/hosts.js'
import type { LargeAtHost } from '../../../src/fleet/host-large.js'
import { Membership, type MembershipEnd } from '../../../src/fleet/membership.js'
import type { UploadState } from '../../../src/checkpoint/checkpoint.js'
import type { LargeHand, LargeTask } from '../../../src/engine/workers/large-hand.js'
import { UserError } from '../../../src/errors.js'
import type { Outcome } from '../../../src/job/outcome.js'
import { noTotals } from '../../../src/job/totals.js'
import { createMeter, type Meter } from '../../../src/storage/retry.js'
import { ANY_TASK } from '../../support/keyspace-session.js'
import { MemoryBroker, StandingClock } from '../../support/memory-broker.js'

const announcement = { format: 1, program: 's3move', name: 'run', session: 's', connection: {}, retryFor: 1 }

class FakeHand implements Hand {
  readonly told: ToHand[] = []
  listener: HandListener | undefined
  start(_task: unknown, listener: HandListener): void {
    this.listener = listener
  }
  tell(message: ToHand): void {
    this.told.push(message)
  }
}

/** A run whose hands say what is in `said`, and one host. */
function fleet(hasThreads = true) {
  const clock = new StandingClock()
  const broker = new MemoryBroker(clock)
  const notes: string[] = []
  const said: FromHand[] = []
  const gone: number[] = []
  const failed: string[] = []
  const joined: Hand[] = []
  const hosts = new Hosts({
    ...{ broker, clock, announcement, hasThreads, note: (_, message) => notes.push(message) },
    status: () => Promise.resolve('as ever'),
  })
  const told = { meter: createMeter(), notice: () => undefined }
  const stop = new AbortController()
  const lent: LargeHand[] = []
  const large = {
    join(hand: LargeHand) {
      lent.push(hand)
      return () => void lent.splice(lent.indexOf(hand), 1)
    },
  }
  const work = {
    ...{ task: ANY_TASK, told, large, stop: stop.signal },
    fail: (error: unknown) => failed.push(String(error)),
  }
  const close = hosts.open(work, (hand) => {
    const number = joined.push(hand)
    hand.start(ANY_TASK, { said: (message) => said.push(message), gone: () => gone.push(number) })
  })
  const ends: MembershipEnd[] = []
  const cut = { now: false }
  const append: typeof broker.append = (stream, text) =>
    cut.now ? Promise.reject(new Error('cut off')) : broker.append(stream, text)
  const hostBroker = Object.assign(Object.create(broker) as typeof broker, { append })
  const join = (member: string, instead?: string, atHost?: LargeAtHost) => {
    const hands = [new FakeHand(), new FakeHand()]
    const [leave, abandon] = [new AbortController(), new AbortController()]
    const place = {
      broker: hostBroker,
      clock,
      name: 'run',
      session: 's',
      member,
      host: 'host-b',
      instead,
      task: ANY_TASK,
      hands,
      large: atHost,
    }
    void new Membership({ ...place, leave: leave.signal, abandon: abandon.signal }).run().then((end) => ends.push(end))
    return { hands, leave, abandon }
  }
  return { lent, told, stop, cut, clock, broker, hosts, close, notes, said, gone, failed, joined, ends, join }
}

const failing = (code: string, objects: number): FromHand => ({
  type: 'delivery',
  cursors: [[1, 'k', objects]],
  product: {
    gain: {
      ...{ totals: { ...noTotals(), failed: { [code]: objects } }, added: objects },
      ...{ failures: [], deferred: [], waiting: [], deferredDeletes: [] },
    },
    seen: [],
  },
})

describe('hosts of a run', () => {
  test('lend each of their threads, and are told when it is over', async () => {
    const { clock, hosts, close, joined, ends, join, broker } = fleet()
    const { hands } = join('m1')
    await clock.pass(1_000)
    expect([joined.length, hands.every(({ listener }) => listener !== undefined)]).toEqual([2, true])
    expect([...(await broker.announced()).keys()]).toEqual(['run'])
    close()
    await clock.pass(1_000)
    await hosts.ended()
    expect([ends, [...(await broker.announced())]]).toEqual([[{ end: 'over' }], []])
  })

  test('are told of by name with what they do, and how the run does is told at the broker', async () => {
    const { clock, hosts, close, join, broker } = fleet()
    const { hands } = join('m1')
    await clock.pass(1_000)
    hands[1]!.listener!.said(failing('AccessDenied', 40))
    await clock.pass(1_000)
    expect(hosts.atWork).toMatchObject([{ host: 'host-b', threads: 2, settled: 40 }])
    expect(hosts.atWork[0]!.perSecond).toBeGreaterThan(0)
    expect(await broker.published('run')).toBe('as ever')
    close()
    expect(hosts.atWork).toEqual([])
  })

  test('that are silent for 15 seconds are given up, and what they say then is not taken in', async () => {
    const { clock, gone, said, notes, join, broker } = fleet()
    const { hands, abandon } = join('m1')
    await clock.pass(1_000)
    abandon.abort()
    await clock.pass(14_000)
    expect(gone).toEqual([])
    await clock.pass(3_000)
    expect(gone).toEqual([1, 2])
    expect(notes.at(-1)).toContain('nothing was heard of it for 15 seconds')
    await broker.append(inStream('run', 's'), JSON.stringify({ m: 'm1', n: 99, h: 0, d: [[1, { type: 'claim' }]] }))
    await clock.pass(2_000)
    expect([said, hands.length]).toEqual([[], 2])
  })

  test('of whose first thousand objects all failed alike are dismissed, and not let in again', async () => {
    const { clock, gone, notes, failed, ends, join } = fleet()
    const { hands } = join('m1')
    await clock.pass(1_000)
    hands[0]!.listener!.said(failing('AccessDenied', 999))
    await clock.pass(1_000)
    expect(gone).toEqual([])
    hands[1]!.listener!.said(failing('AccessDenied', 1))
    await clock.pass(1_000)
    expect(gone).toEqual([1, 2])
    expect(notes.at(-1)).toContain(
      'host-b was dismissed, and others do what it had: all of its first objects failed with',
    )
    expect(ends).toMatchObject([{ end: 'dismissed' }])
    join('m2')
    await clock.pass(1_000)
    expect(ends).toMatchObject([{ end: 'dismissed' }, { end: 'dismissed' }])
    expect(failed).toEqual([])
  })

  test('that did one of their objects are not, however many fail then', async () => {
    const { clock, gone, join } = fleet()
    const { hands } = join('m1')
    await clock.pass(1_000)
    const good = failing('AccessDenied', 1)
    const { gain } = (good as { product: { gain: { totals: object; added: number } } }).product
    Object.assign(gain.totals, { copied: 1 })
    Object.assign(gain, { added: 2 })
    hands[0]!.listener!.said(good)
    hands[0]!.listener!.said(failing('AccessDenied', 5_000))
    await clock.pass(1_000)
    expect(gone).toEqual([])
  })

  test('whose own trouble ends them do not end the run, unless nobody else is there to do it', async () => {
    for (const hasThreads of [true, false]) {
      const { clock, gone, notes, failed, join } = fleet(hasThreads)
      const { hands } = join('m1')
      await clock.pass(1_000)
      hands[0]!.listener!.said({
        type: 'failed',
        error: { kind: 'user', message: 'the disk is full', hint: undefined },
      })
      await clock.pass(1_000)
      expect(gone).toEqual([1, 2])
      expect(notes.at(-1)).toContain('the disk is full')
      expect(failed.length).toBe(hasThreads ? 0 : 1)
    }
  })

  test('that lose the run hold back what they begin after a second, and end before they are given up', async () => {
    const { clock, ends, join, cut } = fleet()
    const { hands } = join('m1')
    await clock.pass(1_000)
    cut.now = true
    hands[0]!.listener!.said({ type: 'claim' })
    await clock.pass(2_000)
    expect(hands.map(({ told }) => told)).toEqual([0, 1].map(() => [{ type: 'gate', action: 'pause' }]))
    cut.now = false
    await clock.pass(3_000)
    expect(hands[0]!.told.at(-1)).toEqual({ type: 'gate', action: 'resume' })
    cut.now = true
    hands[0]!.listener!.said({ type: 'claim' })
    await clock.pass(8_000)
    expect(ends).toEqual([{ end: 'lost', reason: 'the run has not answered for 6 seconds' }])
  })

  test('that join anew take the place of what they were', async () => {
    const { clock, gone, join } = fleet()
    const { abandon } = join('m1')
    await clock.pass(1_000)
    abandon.abort()
    join('m2', 'm1')
    await clock.pass(1_000)
    expect(gone).toEqual([1, 2])
  })

  test('that are asked to leave drain their threads, and are gone when these have ended', async () => {
    const { clock, gone, said, ends, join } = fleet()
    const { hands, leave } = join('m1')
    await clock.pass(1_000)
    leave.abort()
    expect(hands.map(({ told }) => told)).toEqual([[{ type: 'drain' }], [{ type: 'drain' }]])
    for (const { listener } of hands) listener!.said({ type: 'ended' })
    await clock.pass(1_000)
    expect(ends).toEqual([{ end: 'left' }])
    expect(said).toEqual([{ type: 'ended' }, { type: 'ended' }])
    expect(gone).toEqual([1, 2])
  })
})

/** Copies large objects as the test has it. */
function largeAtHost() {
  const under: {
    readonly task: LargeTask
    readonly end: (outcome?: Outcome) => void
    readonly fail: (e: Error) => void
  }[] = []
  const stopped: boolean[] = []
  let meter: Meter | undefined
  const atHost: LargeAtHost = {
    atOnce: 9,
    start: () => ({
      copy: (task) => new Promise((resolve, reject) => under.push({ task, end: resolve, fail: reject })),
      hold: () => undefined,
      stop(kept) {
        stopped.push(kept)
        for (const { end } of under) end()
      },
      takeMeter() {
        const taken = meter
        meter = undefined
        return taken
      },
    }),
  }
  const spent = (requests: Meter['requests']): void => void (meter = { requests, throttled: 0, retried: 1 })
  return { atHost, under, stopped, spent }
}

const OBJECT = { key: 'k', size: 6e9, etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD' }
const UPLOAD = { id: 'u', partSize: 1, etag: 'e', lastModified: '2024-01-01T00:00:00.000Z' }

/** A host that has a large object in hand. */
async function lending() {
  const one = fleet()
  const large = largeAtHost()
  const { leave } = one.join('m1', undefined, large.atHost)
  await one.clock.pass(1_000)
  const [hand] = one.lent
  const begun: string[] = []
  const outcomes: (Outcome | undefined)[] = []
  const saving: { end?: () => void } = {}
  const uploads = {
    before: undefined,
    begun: (upload: UploadState) => {
      begun.push(upload.id)
      return new Promise<void>((resolve) => (saving.end = resolve))
    },
  }
  void hand!.copy({ at: 7, object: OBJECT, uploads }).then((outcome) => outcomes.push(outcome))
  await one.clock.pass(1_000)
  return { ...one, ...large, hand: hand!, leave, begun, outcomes, saving, at: large.under[0]! }
}

describe('large objects of hosts', () => {
  test('are few at once, and an upload is gone on with once the run has saved it', async () => {
    const { hand, at, clock, begun, saving, outcomes } = await lending()
    expect([hand.atOnce, at.task.object]).toEqual([4, OBJECT])
    let goesOn = false
    void at.task.uploads.begun(UPLOAD).then(() => (goesOn = true))
    await clock.pass(5_000)
    expect([begun, goesOn]).toEqual([['u'], false])
    saving.end?.()
    await clock.pass(1_000)
    expect(goesOn).toBe(true)
    at.end({ kind: 'copied', etag: 'c' })
    await clock.pass(1_000)
    expect(outcomes).toEqual([{ kind: 'copied', etag: 'c' }])
  })

  test('are given back when it leaves, is silent, or cannot go on, with the uploads kept for others', async () => {
    const left = await lending()
    left.leave.abort()
    await left.clock.pass(500)
    expect([left.outcomes, left.stopped, left.lent]).toEqual([[undefined], [true], []])

    const silent = await lending()
    silent.cut.now = true
    await silent.clock.pass(20_000)
    expect([silent.outcomes, silent.stopped, silent.lent]).toEqual([[undefined], [true], []])
    expect(silent.ends).toMatchObject([{ end: 'lost' }])

    const broken = await lending()
    broken.at.fail(new UserError('the token has expired', 'renew it'))
    await broken.clock.pass(1_000)
    expect([broken.outcomes, broken.lent]).toEqual([[undefined], []])
    expect(broken.notes.at(-1)).toContain(
      'host-b was dismissed, and others do what it had: the token has expired (renew it)',
    )
  })

  test('are given up when the run is stopped, and their requests count', async () => {
    const { clock, stop, stopped, outcomes, spent, told } = await lending()
    spent({ UploadPartCopy: 3 })
    await clock.pass(1_000)
    expect(told.meter).toEqual({ requests: { UploadPartCopy: 3 }, throttled: 0, retried: 1 })
    stop.abort()
    await clock.pass(1_000)
    expect([stopped, outcomes]).toEqual([[false], [undefined]])
  })
})

describe('an announcement', () => {
  test('of two that have one name one is refused, unless the other ends', async () => {
    const one = fleet()
    await one.clock.pass(1_000)
    const failed: string[] = []
    const two = new Hosts({
      ...{ broker: one.broker, clock: one.clock, hasThreads: true, note: () => undefined },
      announcement: { ...announcement, session: 'other' },
      status: () => Promise.resolve(''),
    })
    const { told, stop } = one
    const work = { task: ANY_TASK, told, stop: stop.signal, fail: (error: unknown) => failed.push(String(error)) }
    two.open(work, () => undefined)
    await one.clock.pass(10_000)
    expect(failed).toEqual([])
    await one.clock.pass(6_000)
    expect(failed).toEqual(['UserError: another run is announced there by the name run'])
  })
})
