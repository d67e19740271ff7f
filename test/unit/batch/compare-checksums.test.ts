import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  comparedNames,
  factLine,
  nameInLine,
  type ChecksumFact,
  type ComparedName,
} from '../../../src/batch/compare-checksums.js'
import { compareKeys } from '../../../src/keys.js'
import type { Sortable } from '../../../src/sources/files-from/external-sort.js'

type Result = Exclude<ChecksumFact, { kind: 'listed' }>

interface Known {
  readonly size: number
  readonly etag: string
  readonly result: Result | undefined
}

const etag = fc.constantFrom('a', 'b')
const result: fc.Arbitrary<Result | undefined> = fc.oneof(
  fc.record({ kind: fc.constant('computed' as const), etag, checksum: fc.constantFrom('1', '2') }),
  fc.record({ kind: fc.constant('failed' as const), code: fc.constant('AccessDenied'), message: fc.constant('no') }),
  fc.constant(undefined),
)
const known: fc.Arbitrary<Known> = fc.record({ size: fc.constantFrom(1, 2), etag, result })
const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 })
const side = fc.dictionary(key, known, { maxKeys: 8 })

const untold = (job: number) => ({ code: 'ChecksumNotComputed', message: `job ${job}` })

async function* pages(lines: readonly Sortable[], size: number): AsyncGenerator<readonly Sortable[]> {
  for (let at = 0; at < lines.length; at += size) yield await Promise.resolve(lines.slice(at, at + size))
}

const linesOf = (objects: Readonly<Record<string, Known>>, which: 'source' | 'destination'): Sortable[] =>
  Object.entries(objects).flatMap(([name, { size, etag, result }]) => [
    ...(result === undefined ? [] : [factLine(name, which, result)]),
    factLine(name, which, { kind: 'listed', job: which === 'source' ? 0 : 1, size, etag }),
  ])

async function compared(lines: readonly Sortable[], size = 1): Promise<ComparedName[]> {
  const found: ComparedName[] = []
  const sorted = lines.toSorted((a, b) => compareKeys(a.key, b.key))
  for await (const some of comparedNames(pages(sorted, size), untold)) found.push(...some)
  return found
}

// What a person would say who sees both.
function expected(from: Known | undefined, to: Known | undefined): readonly [string, string | undefined] {
  if (from === undefined) return ['extra', undefined]
  if (to === undefined) return ['missing', undefined]
  if (from.size !== to.size) return ['different', 'size']
  const changed = [from, to].some(({ etag, result }) => result?.kind === 'computed' && result.etag !== etag)
  if (changed) return ['different', 'changed']
  for (const { result } of [from, to]) {
    if (result?.kind === 'failed') return ['unknown', 'AccessDenied']
    if (result === undefined) return ['unknown', 'ChecksumNotComputed']
  }
  const [one, other] = [from, to].map(({ result }) => (result?.kind === 'computed' ? result.checksum : ''))
  return one === other ? ['same', undefined] : ['different', 'content']
}

describe('two sides, compared by what was listed and computed', () => {
  test('each name of either side comes once, in order, with what is true of it, however the facts come', async () => {
    await fc.assert(
      fc.asyncProperty(side, side, fc.integer({ min: 1, max: 5 }), async (source, destination, size) => {
        const found = await compared([...linesOf(destination, 'destination'), ...linesOf(source, 'source')], size)
        const names = [...new Set([...Object.keys(source), ...Object.keys(destination)])].sort(compareKeys)
        expect(found.map(({ key }) => key)).toEqual(names)
        for (const { key, verdict, differs, problem } of found) {
          const why = differs?.join() ?? problem?.code
          expect([verdict, why]).toEqual(expected(source[key], destination[key]))
        }
      }),
    )
  })

  test('a line gives back its name, whatever that is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (name) => {
        const { key, line } = factLine(name, 'source', { kind: 'failed', code: 'c', message: '\n' })
        expect([nameInLine(line), line.includes('\n')]).toEqual([key, false])
      }),
    )
  })

  test('what no manifest has is an error, and a row that is there twice and differs is no checksum', async () => {
    const computed = (checksum: string) => factLine('a', 'source', { kind: 'computed', etag: 'e', checksum })
    await expect(compared([computed('1')])).rejects.toThrow('a report of the source names a, which is in no manifest')
    const listed = (which: 'source' | 'destination') =>
      factLine('a', which, { kind: 'listed', job: 0, size: 1, etag: 'e' })
    const other = factLine('a', 'destination', { kind: 'computed', etag: 'e', checksum: '1' })
    const both = [listed('source'), listed('destination'), other]
    expect(await compared([...both, computed('1'), computed('1')])).toMatchObject([{ verdict: 'same' }])
    expect(await compared([...both, computed('1'), computed('2')])).toMatchObject([
      { verdict: 'unknown', problem: { code: 'ChecksumNotComputed' } },
    ])
  })
})
