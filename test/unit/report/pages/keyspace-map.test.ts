import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareKeys, contains, type KeyRange } from '../../../../src/keys.js'
import { KeyspaceMap, keyspaceStrip, type Piece } from '../../../../src/report/pages/keyspace-map.js'

/** Behind all keys of these tests. */
const LAST = '\u{10ffff}'
const key = fc.string({ unit: fc.constantFrom('a', 'b', '/', '\ue000', '\u{1f600}'), minLength: 1, maxLength: 4 })

/** Ranges as a checkpoint has them: in order, none over another. */
const ranges = fc
  .tuple(fc.uniqueArray(key, { maxLength: 8 }), fc.boolean(), fc.boolean(), fc.array(fc.boolean(), { maxLength: 10 }))
  .map(([keys, fromStart, toEnd, kept]): KeyRange[] => {
    const places = keys.sort(compareKeys)
    const edges = [...(fromStart ? [undefined] : []), ...places, ...(toEnd ? [undefined] : [])]
    return edges.slice(1).flatMap((until, index): KeyRange[] => {
      const after = edges[index]
      const range = { ...(after === undefined ? {} : { after }), ...(until === undefined ? {} : { until }) }
      return kept[index] === false ? [] : [range]
    })
  })

const asRange = (pieces: readonly Piece[], index: number): KeyRange => {
  const until = pieces[index + 1]?.after
  return { after: pieces[index]!.after, ...(until === undefined ? {} : { until }) }
}

/** Whether some key is in both. The last one of one of them is, or none. */
const meet = (one: KeyRange, other: KeyRange): boolean =>
  [one.until ?? LAST, other.until ?? LAST].some((last) => contains(one, last) && contains(other, last))

const states = (pieces: readonly Piece[]): string => pieces.map(({ state }) => state).join(' ')

describe('the map of the key space', () => {
  test('shows what remains and nothing else as not done, in pieces in order, however often it looks', () => {
    fc.assert(
      fc.property(fc.array(ranges, { minLength: 1, maxLength: 4 }), key, (looks, prefix) => {
        const map = new KeyspaceMap()
        for (const remaining of looks) {
          const pieces = map.look(remaining, { prefix })
          expect(pieces[0]?.after).toBe('')
          pieces.forEach(({ after, state }, index) => {
            const piece = asRange(pieces, index)
            if (piece.until !== undefined) expect(compareKeys(after, piece.until)).toBeLessThan(0)
            expect(state === 'done', JSON.stringify([piece, remaining])).toBe(
              !remaining.some((range) => meet(range, piece)),
            )
          })
        }
      }),
    )
  })

  test('tells what comes on from what waits, and what is held back from what is not', () => {
    const map = new KeyspaceMap()
    const before = [{ until: 'd' }, { after: 'd', until: 'm' }, { after: 'm', until: 't' }, { after: 't' }]
    expect(states(map.look(before, undefined))).toBe('left left left left')
    const now = [{ after: 'b', until: 'd' }, { after: 'd', until: 'm' }, { after: 'p/1', until: 't' }, { after: 'z' }]
    expect(states(map.look(now, { prefix: 'p/' }))).toBe('now left held now')
    expect(states(map.look([{ after: 'd', until: 'm' }], undefined))).toBe('done left done done')
  })

  test('does not grow where a range has come to, so that what is done does not seem the larger for being watched', () => {
    const map = new KeyspaceMap()
    const at = (n: number): KeyRange[] => [{ after: String(n).padStart(4, '0'), until: '5' }, { after: '7' }]
    const first = map.look(at(0), undefined).length
    for (let n = 1; n < 500; n++) expect(map.look(at(n), undefined)).toHaveLength(first)
  })

  test('has a bounded number of pieces for any number of ranges', () => {
    const many = Array.from({ length: 5000 }, (_, n) => String(n).padStart(4, '0'))
    const all = many.slice(1).map((until, index) => ({ after: many[index]!, until }))
    const map = new KeyspaceMap()
    for (let look = 0; look < 3; look++) expect(map.look(all, undefined).length).toBeLessThanOrEqual(241)
  })

  test('is a strip with a legend, in words for who cannot see it, in which a key makes no markup', () => {
    const map = new KeyspaceMap()
    const strip = keyspaceStrip(map.look([{ after: '<b>"', until: '<c>\n\u202e' }], undefined))
    expect(strip).toContain('aria-label="3 pieces of the key space in order: 2 done, 1 left"')
    expect(strip).toContain('<span>&#60;b&#62;&#34;</span><span>&#60;c&#62;\\n\\u{202e}</span>')
    expect(strip.match(/<rect /g)).toHaveLength(3)
    expect(keyspaceStrip(new KeyspaceMap().look([{}], undefined))).toBe('')
  })
})
