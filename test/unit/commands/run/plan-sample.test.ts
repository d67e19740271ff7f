import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ObjectSample } from '../../../../src/commands/run/plan-sample.js'
import type { ObjectSummary } from '../../../../src/storage/storage.js'

const objectOf = (at: number): ObjectSummary => {
  return { key: String(at).padStart(6, '0'), size: at, etag: 'e', lastModified: '', storageClass: 'STANDARD' }
}

test('a sample has as many different objects as were asked for, or all, in the order of their keys', () => {
  fc.assert(
    fc.property(
      fc.nat(50),
      fc.nat(200),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      (most, all, random) => {
        const sample = new ObjectSample(most, undefined, () => random.next().value as number)
        for (let at = 0; at < all; at++) sample.add(objectOf(at))
        const keys = sample.objects().map(({ key }) => key)
        expect(new Set(keys).size).toBe(Math.min(most, all))
        expect(keys).toEqual([...keys].sort())
      },
    ),
  )
})

test('a sample is spread over all objects, and not of the first ones', () => {
  let state = 1
  const random = (): number => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
  const sample = new ObjectSample(100, undefined, random)
  for (let at = 0; at < 100_000; at++) sample.add(objectOf(at))
  const inTenths = new Array<number>(10).fill(0)
  for (const { size } of sample.objects()) inTenths[Math.floor(size / 10_000)]!++
  expect(Math.min(...inTenths)).toBeGreaterThan(2)
  expect(Math.max(...inTenths)).toBeLessThan(25)
})
