import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PacerGroup, heldBack, Pacer, together } from '../../../../src/engine/lanes/pacer.js'

/** Lanes on a clock of their own, before a server that refuses what is beyond its rate, as S3 does: a bucket of tokens, a second deep. */
class World {
  now = 0
  readonly pacers: Pacer[]
  readonly done: number[]
  refused = 0
  private busy = 0
  private tokens: number
  private readonly events = new Map<number, (() => void)[]>()
  private state: number

  constructor(
    private readonly options: {
      lanes: number
      rate: number
      /** Requests in flight, and the longest a request takes in milliseconds. */
      slots: number
      latency: number
      /** The part of all requests that is refused whatever the rate is. */
      chance?: number
      /** Of how many requests an object consists, one after the other. */
      requests?: number
      seed: number
    },
  ) {
    const fleet = new PacerGroup(() => this.now)
    this.pacers = Array.from({ length: options.lanes }, () => new Pacer(fleet))
    this.done = this.pacers.map(() => 0)
    this.tokens = options.rate
    this.state = options.seed
  }

  get total(): number {
    return this.done.reduce((sum, one) => sum + one, 0)
  }

  /** Lets time pass at `rate`; answers how many objects were done in it, a second. */
  run(seconds: number, rate = this.options.rate): number {
    const before = this.total
    const wake = this.pacers.map(() => 0)
    for (const end = this.now + seconds * 1000; this.now < end; this.now++) {
      this.tokens = Math.min(rate, this.tokens + rate / 1000)
      for (const act of this.events.get(this.now) ?? []) act()
      this.events.delete(this.now)
      // One CPU begins some 40 requests in a millisecond.
      for (let begun = 0, idle = 0, lane = this.below(wake.length); begun < 40 && idle < wake.length; lane++) {
        const at = lane % wake.length
        const wait = this.busy >= this.options.slots || wake[at]! > this.now ? -1 : this.pacers[at]!.admit()
        if (wait > 0) wake[at] = this.now + wait
        idle = wait === 0 ? 0 : idle + 1
        if (wait !== 0) continue
        begun++
        this.busy++
        this.ask(at, 0)
      }
    }
    return (this.total - before) / seconds
  }

  private ask(lane: number, tries: number, requests = this.options.requests ?? 1): void {
    const pacer = this.pacers[lane]!
    if (this.tokens >= 1 && this.below(10_000) >= 10_000 * (this.options.chance ?? 0)) {
      this.tokens--
      this.after(1 + this.below(this.options.latency), () => {
        pacer.granted()
        if (requests > 1) {
          this.ask(lane, 0, requests - 1)
          return
        }
        this.busy--
        this.done[lane]!++
        pacer.succeeded()
      })
      return
    }
    this.after(1, () => {
      this.refused++
      pacer.refused()
      const backoff = this.below(Math.min(20_000, 100 * 2 ** tries))
      this.after(1 + Math.max(backoff, Math.round(pacer.again())), () => this.ask(lane, tries + 1, requests))
    })
  }

  private after(ms: number, act: () => void): void {
    const at = this.now + ms
    const due = this.events.get(at)
    if (due === undefined) this.events.set(at, [act])
    else due.push(act)
  }

  // A linear congruential generator: the same seed, the same run.
  private below(bound: number): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.state / 2 ** 32) * bound)
  }
}

/** More often than chance explains. */
function refuse(pacer: Pacer): void {
  while (pacer.limit === undefined) pacer.refused()
}

describe('a pacer', () => {
  test('holds nobody back whom the store has never refused', () => {
    const pacer = new Pacer()
    for (let i = 0; i < 100_000; i++) expect(pacer.admit()).toBe(0)
    expect(pacer.limit).toBeUndefined()
  })

  test('holds nobody back for a few refusals among many requests', () => {
    const pacer = new Pacer()
    for (let i = 0; i < 10_000; i++) {
      if (i % 250 === 0) pacer.refused()
      else pacer.granted()
    }
    expect(pacer.limit).toBeUndefined()
  })

  test.each([
    [0.005, 1],
    [0.01, 1],
    [0.02, 1],
    [0.02, 2],
    [0.02, 4],
    [0.03, 1],
  ])(
    'is not misled by a store that refuses %s of all requests whatever the rate, where an object takes %s of them',
    (chance, requests) => {
      fc.assert(
        fc.property(fc.record({ lanes: fc.integer({ min: 4, max: 64 }), seed: fc.nat() }), ({ lanes, seed }) => {
          const options = { lanes, rate: 1e6, slots: 256, latency: 60, requests, seed }
          const clean = new World(options).run(60)
          expect(new World({ ...options, chance }).run(60)).toBeGreaterThan(clean / 3)
        }),
        { numRuns: 10 },
      )
    },
  )

  test('is not misled by a refusal or two among the first objects of a range', () => {
    let now = 0
    const pacer = new Pacer(new PacerGroup(() => now))
    // Those that chance explains before anything is known.
    for (let i = 0; i < 2; i++) pacer.refused()
    pacer.enter('range')
    now = 150
    for (let i = 0; i < 6; i++) pacer.granted()
    for (let i = 0; i < 3; i++) pacer.refused()
    expect(pacer.limit).toBeUndefined()
    pacer.refused()
    expect(pacer.limit).toBeDefined()
  })

  test.each([1, 2, 3])('lets lanes go that chance alone held back, few or all of them (seed %i)', (seed) => {
    for (const few of [4, 16]) {
      const world = new World({ lanes: 16, rate: 1e6, slots: 256, latency: 60, chance: 0.02, seed })
      for (const [lane, pacer] of world.pacers.entries()) pacer.enter(`range ${lane}`)
      const free = world.run(4)
      for (const pacer of world.pacers.slice(0, few)) refuse(pacer)
      world.run(30)
      const doneBefore = [...world.done]
      world.run(10)
      for (const [lane, done] of world.done.entries())
        expect(done - doneBefore[lane]!).toBeGreaterThan((free * 10) / 16 / 2)
    }
  })

  test('keeps lanes on one partition just below its limit, with few requests refused and no lane starved', () => {
    fc.assert(
      fc.property(
        fc.record({
          lanes: fc.integer({ min: 1, max: 40 }),
          rate: fc.integer({ min: 1_000, max: 6_000 }),
          slots: fc.integer({ min: 150, max: 1_000 }),
          latency: fc.integer({ min: 1, max: 60 }),
          seed: fc.nat(),
        }),
        (options) => {
          // Where the slots are fewer than the limit needs, nothing is refused.
          fc.pre(options.rate / options.lanes > 60)
          fc.pre(options.slots / (options.latency / 2000 + 0.001) > options.rate * 1.5)
          const world = new World(options)
          world.run(10)
          const refusedBefore = world.refused
          const doneBefore = [...world.done]
          const perSecond = world.run(30)
          expect(perSecond).toBeGreaterThan(0.96 * options.rate)
          expect(world.refused - refusedBefore).toBeLessThan(0.02 * 30 * options.rate)
          const share = (perSecond * 30) / options.lanes
          for (const [lane, done] of world.done.entries()) expect(done - doneBefore[lane]!).toBeGreaterThan(share / 20)
        },
      ),
      // In this one the limit is met lane by lane, and what the last of them were refused was once put down to chance for minutes.
      { numRuns: 15, examples: [[{ lanes: 18, rate: 5127, slots: 152, latency: 37, seed: 0 }]] },
    )
  })

  test.each([
    { lanes: 1, rate: 1_001, slots: 711, latency: 19, seed: 22 },
    { lanes: 2, rate: 1_027, slots: 935, latency: 13, seed: 1_915_874_052 },
    { lanes: 2, rate: 1_000, slots: 1_000, latency: 14, seed: 2_147_483_633 },
  ])(
    'is not brought to a standstill by the refusals of all that was under way when the limit was met: %o',
    (options) => {
      const world = new World(options)
      world.run(3)
      const doneBefore = [...world.done]
      expect(world.run(7)).toBeGreaterThan(0.96 * options.rate)
      for (const [lane, done] of world.done.entries())
        expect(done - doneBefore[lane]!).toBeGreaterThan((7 * options.rate) / options.lanes / 20)
    },
  )

  test('reaches a limit that has doubled within ten seconds, and one that was halved at once', () => {
    const world = new World({ lanes: 8, rate: 2_000, slots: 500, latency: 20, seed: 1 })
    world.run(20)
    world.run(10, 4_000)
    expect(world.run(5, 4_000)).toBeGreaterThan(0.96 * 4_000)
    const refusedBefore = world.refused
    expect(world.run(20, 2_000)).toBeGreaterThan(0.96 * 2_000)
    expect(world.refused - refusedBefore).toBeLessThan(0.03 * 20 * 2_000)
  })

  test('gives what was refused its turn at the rate that was borne, and not all at once', () => {
    let now = 0
    const pacer = new Pacer(new PacerGroup(() => now))
    expect(pacer.again()).toBe(0)
    now = 500
    for (let i = 0; i < 50; i++) pacer.succeeded()
    refuse(pacer)
    const rate = pacer.limit!
    expect(rate).toBeCloseTo(50)
    for (let turn = 1; turn <= 20; turn++) expect(pacer.again()).toBeCloseTo((turn * 1000) / rate)
    expect(pacer.admit()).toBeGreaterThan((20 * 1000) / rate)
    for (let i = 0; i < 10_000; i++) expect(pacer.again()).toBeLessThanOrEqual(5_001)
  })

  test('finds its way back within half a minute after a time without any success', () => {
    const world = new World({ lanes: 2, rate: 1_000, slots: 100, latency: 20, seed: 7 })
    world.run(5)
    world.run(30, 0)
    expect(world.pacers.every(({ limit }) => limit !== undefined && limit >= 1)).toBe(true)
    world.run(30)
    expect(world.run(10)).toBeGreaterThan(0.9 * 1_000)
  })
})

describe('a pacer of a range that was split from another', () => {
  test('shares what that one was held to, and gives it back at its end', () => {
    let now = 0
    const fleet = new PacerGroup(() => now)
    const [one, other] = Array.from({ length: 2 }, () => new Pacer(fleet))
    one!.enter('logs/a')
    for (now = 1; now < 100; now++) one!.succeeded()
    refuse(one!)
    const before = one!.limit!
    expect(before).toBeCloseTo(495)
    other!.enter('logs/b')
    expect([one!.limit, other!.limit]).toEqual([before / 2, before / 2])
    other!.leave()
    expect([one!.limit, other!.limit]).toEqual([before, undefined])
  })

  test('takes it from the range whose keys are nearest, so that one elsewhere is not held back', () => {
    let now = 0
    const fleet = new PacerGroup(() => now)
    const [hot, cold, next, far] = Array.from({ length: 4 }, () => new Pacer(fleet))
    hot!.enter('hot/1')
    cold!.enter('cold/1')
    now = 100
    refuse(hot!)
    far!.enter('cold/7')
    next!.enter('hot/7')
    expect([far!.limit, next!.limit !== undefined]).toEqual([undefined, true])
  })
})

describe('what is held back', () => {
  test('is told with the number of lanes, their rate, and what their keys have in common', () => {
    const held = new World({ lanes: 2, rate: 100, slots: 50, latency: 5, seed: 1 })
    held.run(10)
    const [one, other] = held.pacers
    one!.key = 'logs/2024/a'
    other!.key = 'logs/2025/b'
    expect(heldBack([one!, new Pacer(), other!])).toEqual({
      lanes: 2,
      rate: one!.limit! + other!.limit!,
      prefix: 'logs/202',
    })
  })

  test('is nothing when nothing is held back', () => {
    expect(heldBack([new Pacer()])).toBeUndefined()
    const some = { lanes: 1, rate: 5, prefix: 'a' }
    expect([together(undefined, some), together(some, undefined)]).toEqual([some, some])
  })
})
