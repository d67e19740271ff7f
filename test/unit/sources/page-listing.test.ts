import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ListFrom, ObjectSummary, Page } from '../../../src/storage/storage.js'
import { Circle, listingAfter } from '../../../src/sources/page-listing.js'

const object = (key: string): ObjectSummary => ({ key, size: 1, etag: 'e', lastModified: '', storageClass: 'STANDARD' })
const keys = (count: number, from = 0): ObjectSummary[] =>
  Array.from({ length: count }, (_, i) => object(String(from + i).padStart(6, '0')))

/** A store of objects that pages as a test says. */
function store(answer: (from: ListFrom) => Page) {
  const asked: ListFrom[] = []
  return { asked, list: (from: ListFrom) => Promise.resolve((asked.push({ ...from }), answer(from))) }
}

async function all(listing: ReturnType<typeof listingAfter>, until?: string): Promise<string[]> {
  const found: string[] = []
  for (let truncated = true; truncated;) {
    const page = await listing.next(until)
    truncated = page.truncated
    found.push(...page.objects.map(({ key }) => key))
  }
  return found
}

describe('a listing', () => {
  test('that ends at a full page is asked once more, and goes on where the store was wrong', async () => {
    const objects = keys(2500)
    for (const lies of [true, false]) {
      const source = store(({ after }) => {
        const rest = objects.filter(({ key }) => after === undefined || key > after)
        return { objects: rest.slice(0, 1000), truncated: !lies && rest.length > 1000 }
      })
      expect(await all(listingAfter(source, undefined))).toEqual(objects.map(({ key }) => key))
      expect(source.asked.length).toBe(3)
    }
  })

  test('costs one request more only where its last page is full and its range goes on', async () => {
    const source = store(({ after }) => ({ objects: after === undefined ? keys(1000) : [], truncated: false }))
    expect((await all(listingAfter(source, undefined))).length).toBe(1000)
    expect(source.asked.length).toBe(2)
    source.asked.length = 0
    await all(listingAfter(source, undefined), '000999')
    expect(source.asked.length).toBe(1)
    const short = store(() => ({ objects: keys(999), truncated: false }))
    await all(listingAfter(short, undefined))
    expect(short.asked.length).toBe(1)
  })

  test('begins with the page that is known already, which is not asked for again', async () => {
    const source = store(({ after }) => ({ objects: after === undefined ? [] : keys(5, 1000), truncated: false }))
    const first = { objects: keys(1000), truncated: true }
    expect((await all(listingAfter(source, undefined, first))).length).toBe(1005)
    expect(source.asked).toEqual([{ after: '000999' }])
  })

  test.each<[string, string[]]>([
    ['one token again and again', ['t']],
    ['two in turn', ['t', 'u']],
    ['many in a circle', Array.from({ length: 37 }, (_, i) => `t${i}`)],
  ])('of empty pages that repeat %s is an error that stops the run', async (_, tokens) => {
    let at = 0
    const source = store(() => ({ objects: [], truncated: true, token: tokens[at++ % tokens.length]! }))
    await expect(all(listingAfter(source, undefined))).rejects.toMatchObject({
      ...{ severity: 'stop-run', code: 'ContradictoryListing' },
    })
    expect(source.asked.length).toBeLessThanOrEqual(4 * tokens.length + 2)
  })

  test('of many empty pages that lead on is none', async () => {
    let at = 0
    const source = store(() =>
      at++ < 500 ? { objects: [], truncated: true, token: `t${at}` } : { objects: keys(3), truncated: false },
    )
    expect((await all(listingAfter(source, undefined))).length).toBe(3)
  })

  test('that goes back behind an empty page is an error that stops the run', async () => {
    const source = store(({ token, after }) =>
      after === undefined && token === undefined
        ? { objects: keys(5, 100), truncated: true }
        : token === undefined
          ? { objects: [], truncated: true, token: 't' }
          : { objects: keys(5), truncated: false },
    )
    await expect(all(listingAfter(source, undefined))).rejects.toMatchObject({ code: 'ContradictoryListing' })
  })
})

test('a circle is noticed within three times its length and its way there, and no way without one is taken for one', () => {
  fc.assert(
    fc.property(fc.nat(60), fc.integer({ min: 1, max: 60 }), (way, length) => {
      const circle = new Circle()
      let steps = 0
      const nameAt = (step: number): string => String(step < way ? step : way + ((step - way) % length))
      while (!circle.closes(nameAt(steps))) steps++
      expect(steps).toBeGreaterThanOrEqual(way > 0 ? length : 1)
      expect(steps).toBeLessThanOrEqual(4 * Math.max(way, length) + length)
      const straight = new Circle()
      for (let i = 0; i < 200; i++) expect(straight.closes(`n${i}`)).toBe(false)
    }),
  )
})
