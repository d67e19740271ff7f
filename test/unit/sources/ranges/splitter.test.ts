import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createHash } from 'node:crypto'
import type { Outcome } from '../../../../src/job/outcome.js'
import { noTotals } from '../../../../src/job/totals.js'
import { compareKeys } from '../../../../src/keys.js'
import type { ObjectSummary, Page, Storage } from '../../../../src/storage/storage.js'
import { Keyspace } from '../../../../src/sources/ranges/keyspace.js'
import { leasesOver } from '../../../../src/sources/listing-source.js'
import { listingAfter } from '../../../../src/sources/page-listing.js'
import { Splitter } from '../../../../src/sources/ranges/splitter.js'
import { createTally } from '../../../../src/sources/tally.js'

/** A store whose every LIST takes 50 ms of a clock that only `advance` moves. */
class SlowStore implements Pick<Storage, 'list'> {
  calls = 0
  now = 0
  private readonly pending: { readonly at: number; readonly answer: () => void }[] = []

  constructor(private readonly keys: readonly string[]) {}

  list({ after }: { after?: string | undefined }): Promise<Page> {
    this.calls++
    return new Promise((resolve) => {
      // A little jitter, always the same, so that answers do not come in step.
      const at = this.now + 48 + ((this.calls * 7) % 5)
      this.pending.push({ at, answer: () => resolve(this.page(after)) })
    })
  }

  advance(): void {
    this.pending.sort((a, b) => a.at - b.at)
    const next = this.pending.shift()
    if (next === undefined) return
    this.now = next.at
    next.answer()
  }

  private page(after: string | undefined): Page {
    let low = 0
    let high = after === undefined ? 0 : this.keys.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareKeys(this.keys[middle]!, after!) <= 0) low = middle + 1
      else high = middle
    }
    const objects = this.keys.slice(low, low + 1000).map((key): ObjectSummary => ({ key, ...REST }))
    return { objects, truncated: low + 1000 < this.keys.length }
  }
}

const REST = { size: 1, etag: '', lastModified: '', storageClass: 'STANDARD' }
const COPIED: Outcome = { kind: 'copied' }

/**
 * Lists everything with some lanes; answers LIST calls a page, time against the ideal, and how many times too many keys were expected when
 * a quarter, a half and nine tenths of them were listed.
 */
async function survey(keys: readonly string[], lanes: number) {
  const sorted = [...keys].sort(compareKeys)
  const store = new SlowStore(sorted)
  const keyspace = new Keyspace([{}])
  const moments = [0.25, 0.5, 0.9]
  const expected: number[] = []
  const work = leasesOver(
    keyspace,
    (after) => listingAfter(store, after),
    createTally(noTotals(), () => undefined),
  )
  const found: string[] = []
  let running = lanes
  const lane = async (): Promise<void> => {
    for (let lease = await work.claim(); lease !== undefined; lease = await work.claim()) {
      for (let objects = await lease.next(); objects !== undefined; objects = await lease.next()) {
        for (const object of objects) {
          found.push(object.key)
          lease.settle(object, COPIED)
        }
      }
      lease.release()
    }
    running--
  }
  const all = Array.from({ length: lanes }, lane)
  while (running > 0) {
    await new Promise((resolve) => setImmediate(resolve))
    store.advance()
    if (keyspace.listed < (moments[0] ?? Infinity) * sorted.length) continue
    moments.shift()
    expected.push((keyspace.expected() ?? NaN) / sorted.length)
  }
  await Promise.all(all)
  const pages = Math.ceil(sorted.length / 1000)
  expect(found.sort(compareKeys)).toEqual(sorted)
  return { expected, callsPerPage: store.calls / pages, slowdown: store.now / ((pages * 50) / lanes) }
}

const N = 200_000
const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
const pad = (n: number, width: number): string => String(n).padStart(width, '0')
const layouts: readonly (readonly [string, (i: number) => string])[] = [
  ['a zero-padded counter', (i) => `avatars/${pad(i, 12)}.jpg`],
  ['hexadecimal hashes', (i) => md5(`k${i}`)],
  [
    'one hot folder among a thousand',
    (i) => `data/tenant=${i % 100 === 0 ? pad(i / 100, 4) : '0042'}/part-${pad(i, 10)}`,
  ],
  [
    'twelve levels of folders',
    (i) => `${Array.from(i.toString(4).padStart(9, '0'), (d, l) => `l${l}-${d}`).join('/')}/f.json`,
  ],
  [
    'hours that fill up towards the end',
    (i) =>
      `logs/2010/${pad(1 + Math.floor(12 * Math.sqrt(i / N)), 2)}/${pad(1 + (i % 28), 2)}/${pad(i % 24, 2)}/${pad(i, 8)}-${md5(`d${i}`).slice(0, 8)}.gz`,
  ],
  ['one prefix of 500 characters', (i) => `${'x'.repeat(500)}/${pad(i, 10)}`],
  ['two clusters with a huge gap', (i) => `a/${pad(i < N / 2 ? i : 900_000_000 + i, 9)}`],
  ['base64url names', (i) => `${createHash('sha1').update(`b${i}`).digest('base64url')}.jpg`],
  ['folders of some pages that are numbered', (i) => `tenant-${pad(Math.floor((i * 80) / N), 4)}/${pad(i, 10)}`],
  ['folders of some pages that are named by hashes', (i) => `${md5(`f${Math.floor((i * 80) / N)}`)}/${pad(i, 10)}`],
  [
    'five kinds of names side by side',
    (i) =>
      [
        `assets/${pad(i, 12)}.jpg`,
        `blobs/${md5(`m${i}`)}`,
        `events/tenant=${i % 1000 === 2 ? pad(i / 1000, 4) : '0042'}/part-${pad(i, 10)}`,
        `logs/2010/${pad(1 + Math.floor((12 * i) / N), 2)}/${pad(1 + (i % 28), 2)}/${pad(i, 8)}.gz`,
        `tree/${Array.from(i.toString(4).padStart(9, '0'), (d, l) => `l${l}-${d}`).join('/')}/f.json`,
      ][i % 5] ?? '',
  ],
  ['Chinese names', (i) => `写真/${String.fromCodePoint(0x4e00 + (i % 3000), 0x4e00 + Math.floor(i / 3000))}.png`],
]

describe('the splitter', () => {
  test.each(layouts)(
    'keeps 16 lanes busy on %s, with few calls more than there are pages, and knows about how many there are',
    async (_name, key) => {
      const { callsPerPage, slowdown, expected } = await survey(
        Array.from({ length: N }, (_, i) => key(i)),
        16,
      )
      // One lane alone would take 16 times the ideal, and bisection two calls a page.
      expect(callsPerPage).toBeLessThan(1.45)
      expect(slowdown).toBeLessThan(2.2)
      // Of keys of five kinds the one that was not looked into yet is taken for small.
      expect(expected).toHaveLength(3)
      expect(Math.min(...expected)).toBeGreaterThan(0.5)
      expect(Math.max(...expected)).toBeLessThan(2.5)
      expect(expected[2]).toBeGreaterThan(0.9)
    },
  )

  test('wastes few calls on a bucket of a few pages', async () => {
    const { callsPerPage } = await survey(
      Array.from({ length: 10_000 }, (_, i) => `a/b/${md5(`t${i}`)}`),
      64,
    )
    expect(callsPerPage).toBeLessThan(2)
  })

  test('spreads the lanes of a job that writes over the whole keyspace, however slowly they go on', async () => {
    const keys = Array.from({ length: 10 * N }, (_, i) => md5(`k${i}`)).sort()
    const store = new SlowStore(keys)
    const work = leasesOver(
      new Keyspace([{}], { spread: true }),
      (after) => listingAfter(store, after),
      createTally(noTotals(), () => undefined),
    )
    const begun: number[] = []
    // Each takes a page with some objects, and is still at it when all is over.
    const lane = async (): Promise<void> => {
      for (let lease = await work.claim(); lease !== undefined; lease = await work.claim()) {
        const first = (await lease.next())?.[0]
        if (first !== undefined) return void begun.push(parseInt(first.key.slice(0, 1), 16))
        lease.release()
      }
    }
    for (let i = 0; i < 32; i++) void lane()
    for (let i = 0; i < 200; i++) {
      await new Promise((resolve) => setImmediate(resolve))
      store.advance()
    }
    const perQuarter = [0, 1, 2, 3].map((q) => begun.filter((digit) => digit >> 2 === q).length)
    expect(begun.length).toBe(32)
    expect(Math.min(...perQuarter), String(perQuarter)).toBeGreaterThan(3)
  })
})

test('a cut into more parts than lanes wait for is refused, and no range is lost', async () => {
  const choose = vi.spyOn(Splitter.prototype, 'choose').mockReturnValue(undefined)
  onTestFinished(() => choose.mockRestore())
  const keyspace = new Keyspace([{}])
  await keyspace.claim()
  choose.mockImplementation(([whole]) => ({ territory: whole!, marks: ['b', 'c'], expected: [], folders: 2 }))
  await expect(keyspace.claim()).rejects.toThrow('2 parts more, for 1 lanes')
  expect(keyspace.remaining()).toEqual([{}])
})
