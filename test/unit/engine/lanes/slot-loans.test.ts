import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConcurrencyLimit } from '../../../../src/engine/lanes/concurrency-limit.js'
import { changePace, openCeiling } from '../../../../src/job/pace.js'
import { sharedSlots, shareOf, SlotLoans } from '../../../../src/engine/lanes/slot-loans.js'

function loans(total: number, threads: number, ceiling = openCeiling(total)): SlotLoans[] {
  const slots = sharedSlots(ceiling, threads)
  return Array.from({ length: threads }, (_, index) => new SlotLoans({ ...slots, index }))
}

describe('the slots of a run', () => {
  test('go to the one thread that has work', () => {
    const [one, other] = loans(256, 2) as [SlotLoans, SlotLoans]
    expect(one.adjust(1000, 0)).toBe(false)
    expect([one.held, other.held]).toEqual([255, 1])
  })

  test('come back to a thread that has work again, as what is in flight elsewhere ends', () => {
    const [one, other] = loans(256, 2) as [SlotLoans, SlotLoans]
    one.adjust(1000, 0)
    expect(other.adjust(500, 1)).toBe(true)
    expect(other.held).toBe(1)
    one.adjust(1000, 200)
    expect(one.held).toBe(200)
    other.adjust(500, 1)
    expect(other.held).toBe(56)
    one.adjust(1000, 128)
    expect(other.adjust(500, 56)).toBe(false)
    expect([one.held, other.held]).toEqual([128, 128])
  })

  test('are never more than there are, and all in use while any thread wants more', () => {
    const step = fc.record({ index: fc.nat(4), want: fc.nat(300), done: fc.nat(300) })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 200 }),
        fc.array(step),
        (n, total, steps) => {
          const all = loans(total, n)
          const most = Math.max(total, n)
          const wants = all.map(() => 0)
          const busy = all.map(() => 0)
          const look = (index: number): void => {
            const [want, inUse] = [wants[index]!, busy[index]!]
            all[index]!.adjust(Math.max(want, inUse), inUse)
            busy[index] = Math.min(want, all[index]!.held)
          }
          for (const { index, want, done } of steps.map((one) => ({ ...one, index: one.index % n }))) {
            wants[index] = want
            busy[index] = Math.min(busy[index]!, done)
            look(index)
            expect(all.reduce((sum, { held }) => sum + held, 0)).toBeLessThanOrEqual(most)
          }
          // Everything ends and is begun anew, twice: what was lent is back then.
          for (let round = 0; round < 2; round++) {
            for (let index = 0; index < n; index++) {
              busy[index] = 0
              look(index)
            }
          }
          const wanted = wants.reduce((sum, want) => sum + Math.max(1, want), 0)
          const held = all.reduce((sum, loan) => sum + loan.held, 0)
          expect(held).toBe(Math.min(most, wanted))
          for (const [index, { held }] of all.entries()) {
            expect(held).toBeGreaterThanOrEqual(Math.min(Math.max(1, wants[index]!), shareOf(total, n, index)))
          }
        },
      ),
    )
  })

  test('follow a ceiling that changes: of what is over nothing is begun anew, and what is more is taken', () => {
    const two = fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 200 }))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), two, (n, [before, after]) => {
        const ceiling = openCeiling(before)
        const all = loans(before, n, ceiling)
        const held = (): number => all.reduce((sum, loan) => sum + loan.held, 0)
        for (const loan of all) loan.adjust(1000, 0)
        for (const loan of all) loan.adjust(1000, loan.held)
        changePace({ ceiling, bandwidth: undefined }, { concurrency: after })
        const most = Math.max(after, n)
        while (held() > most) {
          const was = held()
          for (const loan of all) loan.adjust(1000, loan.held - 1)
          expect(held()).toBeLessThan(was)
        }
        for (let round = 0; round < 2; round++) for (const loan of all) loan.adjust(1000, loan.held)
        expect(held()).toBe(most)
      }),
    )
  })

  test('of one queue that shares with nobody follow it too', async () => {
    const ceiling = openCeiling(2)
    const limit = new ConcurrencyLimit(2, { ceiling })
    const ends: (() => void)[] = []
    const begin = (): void =>
      limit.add(() => new Promise<void>((resolve) => ends.push(resolve)).then(() => limit.ended()))
    for (let n = 0; n < 8; n++) begin()
    expect(limit.busy).toBe(2)
    changePace({ ceiling, bandwidth: undefined }, { concurrency: 4 })
    begin()
    expect(limit.busy).toBe(4)
    changePace({ ceiling, bandwidth: undefined }, { concurrency: 1 })
    for (const end of ends.splice(0, 3)) end()
    await new Promise((resolve) => setImmediate(resolve))
    expect(limit.busy).toBe(1)
  })

  test('in two queues make no more operations at once than there are, and as many', async () => {
    const slots = sharedSlots(openCeiling(10), 2)
    let under = 0
    let most = 0
    let done = 0
    const limits = [0, 1].map((index) => new ConcurrencyLimit(5, { slots: { ...slots, index } }))
    const work = (limit: ConcurrencyLimit, count: number): Promise<unknown> =>
      Promise.all(
        Array.from(
          { length: count },
          () =>
            new Promise<void>((resolve) => {
              limit.add(async () => {
                most = Math.max(most, ++under)
                await new Promise((next) => setTimeout(next, 1))
                under--
                done++
                limit.ended()
                resolve()
              })
            }),
        ),
      )
    const [one, other] = limits as [ConcurrencyLimit, ConcurrencyLimit]
    const first = work(one, 100)
    expect([one.busy, other.busy]).toEqual([9, 0])
    await work(other, 100)
    await first
    expect([most, under, done]).toEqual([10, 0, 200])
  })
})
