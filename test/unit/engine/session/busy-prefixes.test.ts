import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BusyPrefixes } from '../../../../src/engine/session/busy-prefixes.js'

/** Prefixes as they are told, by a clock that is set. */
function busy(): { readonly at: (ms: number) => BusyPrefixes; readonly told: () => Record<string, number> } {
  let now = 0
  const prefixes = new BusyPrefixes(() => now)
  return {
    at(ms) {
      now = ms
      return prefixes
    },
    told: () => Object.fromEntries(prefixes.busiest(100).map(({ prefix, perSecond }) => [prefix, perSecond])),
  }
}

describe('the busiest prefixes', () => {
  test('are those where keys differ, up to the next slash, or by a character where there is none', () => {
    const { at, told } = busy()
    at(500).settled('data/2024/01/a', 10)
    at(500).settled('data/2024/02/b', 20)
    at(1000)
    expect(told()).toEqual({ 'data/2024/02/': 20, 'data/2024/01/': 10 })
    at(1000).settled('data/2025/01/c', 5)
    expect(told()).toEqual({ 'data/2024/': 30, 'data/2025/': 5 })
    at(1000).settled('readme', 1)
    expect(told()).toEqual({ 'data/': 35, r: 1 })
    const flat = busy()
    for (const key of ['a1', 'b2', 'a2', '\u{1f600}', '\u{1f601}']) flat.at(1000).settled(key, 1)
    expect(flat.told()).toEqual({ a: 2, b: 1, '\u{1f600}': 1, '\u{1f601}': 1 })
  })

  test('have behind them those that are slowest of the others, the slowest first, and none twice', () => {
    const { at } = busy()
    for (const [index, name] of ['a', 'b', 'c', 'd', 'e'].entries()) at(1000).settled(`${name}/1`, index + 1)
    const names = (all: readonly { readonly prefix: string }[]): string => all.map(({ prefix }) => prefix).join(' ')
    expect(names(at(2000).busiest(2))).toBe('e/ d/')
    expect(names(at(2000).slowest(2, 2))).toBe('a/ b/')
    expect(names(at(2000).slowest(5, 3))).toBe('a/ b/')
    expect(names(at(2000).slowest(2, 5))).toBe('')
  })

  test('are told with the rate of the last five seconds, and those where nothing goes on any more are not', () => {
    const { at, told } = busy()
    at(0).settled('a/1', 100)
    at(0).settled('b/1', 50)
    at(4000).settled('a/2', 300)
    expect(told()).toEqual({ 'a/': 100, 'b/': 12.5 })
    at(5000)
    expect(told()).toEqual({ 'a/': 80, 'b/': 10 })
    at(7500)
    expect(told()).toEqual({ 'a/': 40, 'b/': 5 })
    at(7500).settled('b/2', 500)
    expect(Object.keys(told())).toEqual(['b/', 'a/'])
    at(60_000)
    expect(told()).toEqual({})
  })

  test('keep what failed and what was throttled there, when nothing else goes on too', () => {
    const { at } = busy()
    at(0).settled('a/1', 10)
    at(0).failed('b/1')
    at(0).refused('b/2', 7)
    at(0).refused('c/2', 1)
    expect(at(60_000).busiest(1)).toEqual([{ prefix: 'b/', perSecond: 0, throttled: 7, failed: 1 }])
  })

  test('are of a bounded number, of which the busiest stay', () => {
    const { at, told } = busy()
    for (let n = 0; n < 50_000; n++) {
      at(1000).settled(`folder-${n}/x`, 1)
      at(1000).settled('busy/x', 10)
    }
    const { busy: _, ...rest } = { busy: 0, ...told() }
    expect(Object.keys(rest)).toHaveLength(100)
    expect(Object.entries(told())[0]).toEqual(['busy/', 500_000])
  })

  test('count every object once, whatever the keys and their order', () => {
    const key = fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', '\u{1f600}', '\u{1f601}', '\0'), maxLength: 6 })
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.integer({ min: 1, max: 9 })), { maxLength: 60 }), (settled) => {
        const { at } = busy()
        for (const [name, count] of settled) {
          at(1000).settled(name, count)
          at(1000).failed(name)
        }
        const told = at(1000).busiest(1000)
        expect(told.reduce((sum, { perSecond }) => sum + perSecond, 0)).toBe(settled.reduce((sum, [, n]) => sum + n, 0))
        for (const { prefix } of told) {
          expect(Buffer.from(prefix).toString()).toBe(prefix)
          expect(settled.some(([name]) => name.startsWith(prefix))).toBe(true)
        }
        expect(told.reduce((sum, { failed }) => sum + failed, 0)).toBe(settled.length)
      }),
    )
  })
})
