import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HeaderSets, LEAST_ROWS, MOST_SETS } from '../../../src/batch/header-sets.js'

const NEW_YEAR = '2026-01-01T00:00:00.000Z'
const set = (value: string, storageClass = 'STANDARD') => ({ storageClass, fields: [['content-type', value]] as const })

describe('sets of headers', () => {
  test('are told apart by every header and by storage class, and those with enough objects are worth a job', () => {
    const sets = new HeaderSets()
    const numbers = ['a', 'b'].map((value) => {
      let number = 0
      for (let n = 0; n < LEAST_ROWS; n++) number = sets.add(set(value), NEW_YEAR).number
      return number
    })
    const { number: rare } = sets.add(set('a', 'STANDARD_IA'), NEW_YEAR)
    expect(new Set([...numbers, rare]).size).toBe(3)
    expect(sets.worthAJob().map(({ number, rows }) => [number, rows])).toEqual(numbers.map((one) => [one, LEAST_ROWS]))
    expect(sets.objects).toBe(2 * LEAST_ROWS + 1)
  })

  test('keep when the newest of their objects was written', () => {
    const sets = new HeaderSets()
    sets.add(set('a'), '2025-06-01T00:00:00.000Z')
    for (let n = 1; n < LEAST_ROWS; n++) sets.add(set('a'), n === 7 ? NEW_YEAR : '2024-06-01T00:00:00.000Z')
    expect(sets.worthAJob()[0]).toMatchObject({ newest: NEW_YEAR, rows: LEAST_ROWS })
  })

  test('of which there are too many the largest get jobs', () => {
    const sets = new HeaderSets()
    for (let n = 0; n < MOST_SETS + 5; n++) {
      for (let rows = 0; rows < (n < 5 ? LEAST_ROWS : LEAST_ROWS + 1); rows++) sets.add(set(`${n}`), NEW_YEAR)
    }
    const worth = sets.worthAJob()
    expect([worth.length, new Set(worth.map(({ rows }) => rows))]).toEqual([MOST_SETS, new Set([LEAST_ROWS + 1])])
  })

  test('that are forgotten while they are rare never come back under a number that was given before', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4000), { minLength: 5000, maxLength: 9000 }), (values) => {
        const sets = new HeaderSets()
        const given = new Map<number, number>()
        for (const value of values) {
          const { number } = sets.add(set(String(value)), NEW_YEAR)
          if ((given.get(number) ?? value) !== value) return false
          given.set(number, value)
        }
        return sets.objects === values.length
      }),
      { numRuns: 20 },
    )
  })

  test('that are frequent are kept, however many others there are', () => {
    const sets = new HeaderSets()
    for (let n = 0; n < 20 * MOST_SETS; n++) {
      sets.add(set('same'), NEW_YEAR)
      sets.add(set(`own ${n}`), NEW_YEAR)
    }
    expect(sets.worthAJob().map(({ rows }) => rows)).toEqual([20 * MOST_SETS])
  })

  test('are the same when they are made again from what was written down of them, and go on alike', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4000), { minLength: 5000, maxLength: 9000 }), fc.nat(9000), (values, until) => {
        const sets = new HeaderSets()
        const again = new HeaderSets()
        const dated = values.map((value, at) => [set(String(value)), new Date(at * (value % 7)).toISOString()] as const)
        for (const [one, date] of dated.slice(0, until)) {
          const { number, begins } = sets.add(one, date)
          again.addAgain(number, date, begins ? one : undefined)
        }
        for (const [one, date] of dated.slice(until)) {
          expect(again.add(one, date)).toEqual(sets.add(one, date))
        }
        for (let n = 0; n < LEAST_ROWS; n++) expect(again.add(set('1'), NEW_YEAR)).toEqual(sets.add(set('1'), NEW_YEAR))
        expect(again.worthAJob()).toEqual(sets.worthAJob())
        expect(again.objects).toBe(sets.objects)
      }),
      { numRuns: 20 },
    )
  })

  test('that are not known any more are no job, and what begins anew gets another number', () => {
    const sets = new HeaderSets()
    for (let n = 0; n < LEAST_ROWS; n++) sets.addAgain(7, NEW_YEAR, undefined)
    expect([sets.worthAJob(), sets.objects]).toEqual([[], LEAST_ROWS])
    sets.addAgain(9, NEW_YEAR, set('a'))
    expect(sets.add(set('b'), NEW_YEAR)).toEqual({ number: 10, begins: true })
  })
})
