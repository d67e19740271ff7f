import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8')

describe('docs/configuration.md', () => {
  test('names tests that are there', () => {
    const named = [...page.matchAll(/`([a-z0-9/-]+)`: (\*[^|]+\*)/g)].flatMap(([, file = '', titles = '']) =>
      titles.split(', *').map((title) => ({ file, title: title.replaceAll(/^\*|\*$/g, '') })),
    )
    expect(named.length).toBeGreaterThan(30)
    const missing = named.filter(
      ({ file, title }) => !readFileSync(join(ROOT, `test/${file}.test.ts`), 'utf8').includes(title),
    )
    expect(missing).toEqual([])
  })

  test('has a test, or a reason, in every row', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| `') && line.split(' | ').length === 3)
    expect(rows.length).toBeGreaterThan(40)
    for (const row of rows) {
      const [, honoured = '', proof = ''] = row.split(' | ')
      expect(proof, row).toMatch(honoured.startsWith('no') ? /^(?:–|`)/ : /^(?:`|none of its own)/)
    }
  })
})
