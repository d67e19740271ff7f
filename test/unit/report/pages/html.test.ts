import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  contentSecurityPolicy,
  escaped,
  htmlDocument,
  htmlFacts,
  htmlTable,
} from '../../../../src/report/pages/html.js'

const hostile = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('<script>', '</td>', '"', "'", '&lt;', '<!--', ']]>', '\0', '\u202e', '\ud800', '\n', '\u{e0001}'),
  ),
  { maxLength: 6 },
)

/** What a browser makes of references to characters. */
const decoded = (markup: string): string =>
  markup.replace(/&#(\d+);/g, (_, digits: string) => String.fromCharCode(Number(digits)))

describe('text in a page', () => {
  test('is shown as it is, whatever it holds, but for what nobody can see', () => {
    fc.assert(
      fc.property(hostile, (parts) => {
        const text = parts.join('')
        const markup = escaped(text)
        expect(markup).not.toMatch(/[<>"']|&(?!#\d+;)/)
        expect(decoded(markup)).toBe(text.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, (one) => (one === '\n' ? one : '\ufffd')))
      }),
    )
  })

  test('makes no markup as a cell, a name or a title', () => {
    const text = '</title><img src=x onerror=alert(1)>'
    for (const markup of [
      htmlTable([[text, { number: text }], [text]], text),
      htmlFacts([[text, text]]),
      htmlDocument({ title: text, body: [] }),
    ]) {
      expect(markup).not.toContain('<img')
    }
  })
})

describe('the policy of a page', () => {
  const hashes = (policy: string, of: string): string[] => {
    const [, sources = ''] = new RegExp(`${of} ([^;]*)`).exec(policy) ?? []
    return [...sources.matchAll(/'sha256-([^']+)'/g)].map(([, hash = '']) => hash)
  }
  const hashOf = (text = ''): string => createHash('sha256').update(text).digest('base64')

  test('lets its own style and script in, by what they are, and nothing else', () => {
    const script = 'let x = 1'
    const policy = contentSecurityPolicy({ script })
    const markup = htmlDocument({ title: 'a', body: [], script })
    expect(markup).toContain(`content="${policy}"`)
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    expect(hashes(policy, 'style-src')).toEqual([hashOf(/<style>(.*)<\/style>/s.exec(markup)?.[1])])
    expect(hashes(policy, 'script-src')).toEqual([hashOf(/<script>(.*)<\/script>/s.exec(markup)?.[1])])
  })

  test('of a page without a script lets none run, and no connection be made', () => {
    const policy = contentSecurityPolicy({})
    expect(policy).not.toMatch(/script-src|connect-src/)
    expect(htmlDocument({ title: 'a', body: [] })).not.toContain('<script')
  })
})
