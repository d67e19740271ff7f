import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Hosts } from '../../../src/fleet/hosts.js'
import { Membership } from '../../../src/fleet/membership.js'
import { Inbox, Outbox, readEntry } from '../../../src/fleet/wire.js'
import { noTotals } from '../../../src/job/totals.js'
import {
  ANY_TASK,
  checkBooks,
  MemoryHand,
  Scheduler,
  Session,
  sorted,
  world,
  type Between,
  type World,
} from '../../support/keyspace-session.js'
import { cutOff, MemoryBroker, NO_TROUBLE, StandingClock, TROUBLE, type Trouble } from '../../support/memory-broker.js'

/** Something that happens to a host before a step. */
interface Blow {
  readonly at: number
  readonly host: number
  /** It hears and says nothing for so many steps, or for ever. */
  readonly cutFor: number
}

const blows = fc.array(
  fc.record({
    at: fc.nat(200),
    host: fc.nat(2),
    cutFor: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant(Infinity)),
  }),
  { maxLength: 3 },
)

const announced = { format: 1, program: 's3move', name: 'run', session: 's', connection: {}, retryFor: 1 }

/** Each host needs some entries in a row for a page: where too many are lost it may take any time, so trouble passes after so many steps. */
const TROUBLED = 10_000

function fleetOver(one: World, scheduler: Scheduler, hosts: number, how: Trouble, hits: readonly Blow[]) {
  const clock = new StandingClock()
  let steps = 0
  const broker = new MemoryBroker(clock, scheduler, () => (steps < TROUBLED ? how : NO_TROUBLE))
  const notes: string[] = []
  const run = new Hosts({
    ...{ broker, clock, announcement: announced, hasThreads: one.threads > 0 },
    note: (_level, message) => notes.push(message),
    status: () => Promise.resolve(''),
  })
  const acted: string[] = []
  const errors: unknown[] = []
  const hands: MemoryHand[] = []
  const cutUntil: number[] = []
  let members = 0
  // A host whose threads were ended is heard no more, whatever they had begun.
  const lend = async (host: number): Promise<void> => {
    for (let instead: string | undefined; ;) {
      const member = `m${++members}`
      const alive = new AbortController()
      const own = [0, 1].map(
        () =>
          new MemoryHand(
            {
              world: one,
              scheduler,
              acted: (key) => acted.push(key),
              fail: (error) => errors.push(error),
              stop: alive.signal,
            },
            false,
          ),
      )
      hands.push(...own)
      const membership = new Membership({
        ...{ broker: cutOff(broker, () => (cutUntil[host] ?? 0) > steps), clock, name: 'run', session: 's', member },
        ...{ host: `h${host}`, instead, task: ANY_TASK, hands: own },
        ...{ leave: new AbortController().signal, abandon: new AbortController().signal },
      })
      const { end } = await membership.run()
      alive.abort()
      if (end !== 'lost') return
      instead = member
      await new Promise<void>((resolve) => clock.after(1_000, resolve))
    }
  }
  const between: Between = {
    lenders: run,
    step() {
      steps++
      for (const { at, host, cutFor } of hits) if (at === steps) cutUntil[host] = steps + cutFor
      if (scheduler.below(3) === 0) hands[scheduler.below(hands.length)]?.deliver()
      if (scheduler.below(4) === 0) clock.next()
    },
    pass: () => clock.next(),
  }
  for (let host = 0; host < hosts; host++) void lend(host)
  return { between, acted, errors, notes }
}

describe('a fleet', () => {
  test('over a broker that loses, repeats, delays and forgets anything at any time: acts on every key, and counts each once', async () => {
    await fc.assert(
      fc.asyncProperty(world, fc.integer({ min: 1, max: 3 }), TROUBLE, blows, async (one, hosts, how, hits) => {
        const scheduler = new Scheduler(one.seed)
        // One of them is never cut off for ever.
        const borne = hits.map((hit) => (hit.host === 0 ? { ...hit, cutFor: Math.min(hit.cutFor, 300) } : hit))
        const fleet = fleetOver(one, scheduler, hosts, how, borne)
        const session = new Session(one, scheduler, [{}], noTotals(), fleet.between)
        const unsettled = new Set(one.keys)
        expect(await session.run(Infinity, unsettled)).toBe(true)
        session.takeFailures()

        expect([...new Set(sorted([...session.acted, ...fleet.acted]))]).toEqual(one.keys)
        expect(sorted(session.settled)).toEqual(one.keys)
        checkBooks(one, session.tally.totals, session.failures)
        expect(session.keyspace.done).toBe(true)
        expect(fleet.errors).toEqual([])
        if (how === NO_TROUBLE && hits.length === 0)
          expect([...session.acted, ...fleet.acted]).toHaveLength(one.keys.length)
      }),
      { numRuns: 150 },
    )
  })
})

describe('entries', () => {
  test('that were taken in are not taken in again, and a number that is missing is noticed', () => {
    const inbox = new Inbox()
    expect([1, 2, 2, 1, 4].map((number) => inbox.receive(number))).toEqual([
      'next',
      'next',
      'again',
      'again',
      'missing',
    ])
  })

  test('have all that was said, in order, and the time since when something was not heard', () => {
    const outbox = new Outbox('m')
    outbox.say(1, { type: 'claim' })
    outbox.say(0, { type: 'leave' })
    expect(readEntry(outbox.seal(7, 100))).toEqual({
      m: 'm',
      n: 1,
      h: 7,
      d: [
        [1, { type: 'claim' }],
        [0, { type: 'leave' }],
      ],
    })
    outbox.seal(7, 200)
    outbox.heard(1)
    expect(outbox.unheardSince).toBe(200)
    outbox.heard(2)
    expect(outbox.unheardSince).toBeUndefined()
  })
})
