import fc from 'fast-check'
import { marked } from 'marked'
import { expect, test } from 'vitest'
import { markdownTable } from '../../../../src/report/pages/report-markdown.js'

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"' }

/** The text of the only cell of the body of a table, as a reader of the HTML made of it sees it; undefined where the cell holds more than text. */
function shown(markdown: string): string | undefined {
  const html = marked.parse(markdown, { gfm: true, async: false })
  const cell = /<tbody><tr>\n<td>([^<>]*)<\/td>\n<\/tr>\n<\/tbody>/.exec(html)?.[1]
  return cell?.replace(/&(?:#(\d+)|#x([\da-f]+)|([a-z]+));/gi, (whole, decimal, hex, name) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(String(hex), 16))
    return ENTITIES[String(name)] ?? whole
  })
}

const MARKUP = [
  ...[
    '*a*',
    '_a_',
    '`a`',
    '[a](http://b)',
    '![a](b)',
    '<b>a</b>',
    'a|b',
    '~~a~~',
    '&amp;',
    '\\',
    '\\|',
    '<script>',
    '#',
  ],
  ...[
    'http://a.example/b',
    'www.a.example',
    'mailto:a@b.example',
    'a@b.example',
    '- a',
    '1. a',
    '> a',
    '| --- |',
    '$a$',
  ],
]

test('whatever a cell of a table holds is shown as it is, and is no markup', () => {
  const text = fc
    .array(fc.oneof(fc.constantFrom(...MARKUP), fc.string({ unit: 'grapheme-ascii', maxLength: 5 })), { minLength: 1 })
    .map((parts) => parts.join('').trim())
    .filter((joined) => joined !== '')
  fc.assert(
    fc.property(text, (cell) => {
      expect(shown(markdownTable(['x'], [[cell]]))).toBe(cell)
    }),
    { examples: MARKUP.map((one) => [one]), numRuns: 300 },
  )
})
