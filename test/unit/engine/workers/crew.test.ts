import { describe, expect, test } from 'vitest'
import { Gate } from '../../../../src/engine/lanes/gate.js'
import { Crew } from '../../../../src/engine/workers/crew.js'
import type { Hand, HandListener, Lenders } from '../../../../src/engine/workers/hand.js'
import type { FromHand, ToHand } from '../../../../src/engine/workers/messages.js'
import type { PoolWork } from '../../../../src/engine/workers/worker-pool.js'
import { factsOf } from '../../../../src/sources/page-facts.js'
import { Keyspace } from '../../../../src/sources/ranges/keyspace.js'
import { createMeter } from '../../../../src/storage/retry.js'
import { ANY_TASK, turn } from '../../../support/keyspace-session.js'

/** A hand that says what the test has it say. */
class SaidHand implements Hand {
  readonly told: ToHand[] = []
  listener: HandListener | undefined

  start(_task: unknown, listener: HandListener): void {
    this.listener = listener
  }

  tell(message: ToHand): void {
    this.told.push(message)
  }

  say(...messages: readonly FromHand[]): void {
    for (const message of messages) this.listener?.said(message)
  }

  /** The numbers of what it was granted. */
  get grants(): number[] {
    return this.told.flatMap((message) => (message.type === 'grant' ? [message.grant] : []))
  }

  /** Lists all there is in one page, and settles it. */
  async finish(grant: number): Promise<void> {
    this.say({ type: 'page', grant, facts: factsOf([{ key: 'z' }], { truncated: false }) })
    await turn()
    this.say({ type: 'delivery', cursors: [[grant, 'z', 1]], product: undefined }, { type: 'release', grant })
    await turn()
  }
}

/** A run of a crew over all keys. */
function running(hands: readonly Hand[], { lends = true, ...more }: Partial<PoolWork> & { lends?: boolean } = {}) {
  const keyspace = new Keyspace([{}])
  const stop = new AbortController()
  const failed: unknown[] = []
  const nobody: (hand: Hand) => void = () => undefined
  const run = { over: false, join: nobody, keyspace, stop, failed }
  const lenders: Lenders = {
    atWork: [],
    open(_work, join) {
      run.join = join
      return () => undefined
    },
  }
  const meter = createMeter()
  const told = { meter, notice: () => undefined }
  const crew = new Crew({ hands, lenders: lends ? lenders : undefined, told, close: () => undefined })
  const deliver: PoolWork['deliver'] = (_product, settle) => settle()
  const work = { task: ANY_TASK, ranges: keyspace, stop: stop.signal, deliver, ...more }
  void crew.run({ ...work, fail: (error) => failed.push(error) }).then(() => (run.over = true))
  return Object.assign(run, { crew, meter })
}

const full = (start: number) =>
  factsOf(
    Array.from({ length: 1000 }, (_, i) => ({ key: `k${String(start + i).padStart(7, '0')}` })),
    { truncated: true },
  )

const pulse: FromHand = {
  ...{ type: 'pulse', meter: { requests: { CopyObject: 3 }, throttled: 1, retried: 2 } },
  ...{ inFlight: 5, held: undefined, refused: undefined },
}

describe('a crew whose hands come and go', () => {
  test('hands that all leave in the middle: it waits, and ends with one that comes later', async () => {
    const [first, second] = [new SaidHand(), new SaidHand()]
    const run = running([])
    run.join(first)
    first.say({ type: 'claim' })
    await turn()
    first.say({ type: 'page', grant: 1, facts: full(0) })
    await turn()
    first.listener?.gone()
    await turn()
    expect([run.over, run.keyspace.remaining()]).toEqual([false, [{}]])

    run.join(second)
    second.say({ type: 'claim' })
    await turn()
    await second.finish(1)
    second.say({ type: 'ended' })
    await turn()
    expect([run.over, run.keyspace.done, run.failed]).toEqual([true, true, []])
  })

  test('one that ended in good order, and left work to do, does not end it', async () => {
    const hand = new SaidHand()
    const run = running([hand])
    hand.say({ type: 'claim' })
    await turn()
    hand.say({ type: 'release', grant: 1 }, { type: 'ended' })
    await turn()
    expect(run.over).toBe(false)
    run.stop.abort()
    await turn()
    expect(run.over).toBe(true)
  })

  test('without hands, and with nothing to do, it is over at once', async () => {
    const run = running([], { ranges: new Keyspace([]) })
    await turn()
    expect(run.over).toBe(true)
  })

  test('of hands that went while they waited no cut is made for them', async () => {
    const [works, waits] = [new SaidHand(), new SaidHand()]
    const run = running([works, waits])
    works.say({ type: 'claim' })
    await turn()
    waits.say({ type: 'claim' }, { type: 'claim' }, { type: 'claim' })
    await turn()
    waits.listener?.gone()
    await turn()
    for (const start of [0, 1000, 2000]) {
      works.say({ type: 'page', grant: 1, facts: full(start) })
      await turn()
    }
    expect(run.keyspace.remaining()).toEqual([{}])
    expect(waits.grants).toEqual([])
  })

  test('what one says after it went changes nothing', async () => {
    const hand = new SaidHand()
    const run = running([hand])
    hand.say({ type: 'claim' })
    await turn()
    hand.say({ type: 'page', grant: 1, facts: factsOf([{ key: 'a' }, { key: 'b' }], { truncated: false }) })
    await turn()
    hand.listener?.gone()
    hand.say({ type: 'delivery', cursors: [[1, 'b', 2]], product: undefined }, pulse, { type: 'claim' })
    await turn()
    expect(run.keyspace.remaining()).toEqual([{}])
    expect([run.meter.requests, run.crew.inFlight, hand.grants]).toEqual([{}, 0, [1]])
  })

  test('what one delivered before it went is taken in before others are given its ranges', async () => {
    const [goes, stays] = [new SaidHand(), new SaidHand()]
    const written: (() => void)[] = []
    running([goes, stays], { deliver: (_product, settle) => written.push(settle) })
    goes.say({ type: 'claim' })
    await turn()
    stays.say({ type: 'claim' })
    const page = factsOf([{ key: 'a' }, { key: 'b' }], { truncated: false })
    goes.say({ type: 'page', grant: 1, facts: page }, { type: 'delivery', cursors: [[1, 'a', 1]], product: undefined })
    goes.listener?.gone()
    await turn()
    expect(stays.told).toEqual([])
    written[0]!()
    await turn()
    expect(stays.told).toMatchObject([{ type: 'grant', after: 'a' }])
  })

  test('one that joins while all is held back is held back as well, and one that joins at the end is drained', () => {
    const gate = new Gate()
    const hand = new SaidHand()
    const run = running([], { gate })
    gate.pause()
    run.join(hand)
    expect(hand.told).toEqual([{ type: 'gate', action: 'pause' }])
    gate.resume()
    run.stop.abort()
    expect(hand.told.slice(1)).toEqual([{ type: 'gate', action: 'resume' }, { type: 'drain' }])
  })

  test('one whose going is a failure fails the run, as an error does that it tells of', async () => {
    const [dies, fails] = [new SaidHand(), new SaidHand()]
    const run = running([dies, fails], { lends: false })
    dies.listener?.gone(new Error('it died'))
    fails.say({ type: 'failed', error: { kind: 'user', message: 'no', hint: undefined } }, { type: 'ended' })
    await turn()
    expect(run.failed.map(String)).toEqual(['Error: it died', 'UserError: no'])
    expect(run.over).toBe(true)
  })

  test('the meters of all are added up, and what is in flight is that of those who are there', async () => {
    const hands = [new SaidHand(), new SaidHand()]
    const run = running(hands)
    for (const hand of hands) hand.say(pulse)
    expect(run.crew.inFlight).toBe(10)
    hands[0]!.listener?.gone()
    await turn()
    expect(run.crew.inFlight).toBe(5)
    expect(run.meter).toEqual({ requests: { CopyObject: 6 }, throttled: 2, retried: 4 })
  })
})
