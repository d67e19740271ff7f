import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = readdirSync(join(ROOT, 'docs/design')).sort()
const OVERVIEW = read('docs/design/overview.md')

/** How a path begins that is named from the root, from `src`, or from a room of it that everybody knows. */
const BEGINNINGS =
  'src|test|engine|sources|storage|s3|disk|checkpoint|commands|job|report|rules|sandbox|docs|bench|torture|findings|scripts'
const A_PATH = new RegExp(`\`((?:${BEGINNINGS})/[a-z0-9./-]*)\``, 'g')

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** The first cells of the table with this heading. */
function firstCells(page: string, heading: string): string[] {
  const lines = page.split('\n')
  const begin = lines.findIndex((line) => line.startsWith(`| ${heading} `))
  expect(begin, heading).toBeGreaterThan(-1)
  const end = lines.findIndex((line, index) => index > begin && !line.startsWith('|'))
  return lines.slice(begin + 2, end).map((line) => (line.split('|')[1] ?? '').replaceAll('`', '').trim())
}

describe('the pages on the design', () => {
  test('name a test for each invariant', () => {
    const invariants = read('docs/design/invariants.md').split('\n### ').slice(1)
    expect(invariants.length).toBeGreaterThan(50)
    for (const text of invariants) expect(text).toMatch(/\n- `[a-z0-9/-]+`:\s_/)
  })

  test('name files that are there, whatever room they are named from', () => {
    const named = PAGES.flatMap((page) =>
      [...read(`docs/design/${page}`).matchAll(A_PATH)].map(([, path = '']) => ({ page, path })),
    )
    expect(named.length).toBeGreaterThan(200)
    const isThere = (path: string): boolean =>
      [path, `src/${path}`, `src/storage/${path}`].some((one) =>
        ['', '.ts'].some((ending) => existsSync(join(ROOT, one + ending))),
      )
    expect(named.filter(({ path }) => !isThere(path))).toEqual([])
  })

  test('are all linked from the overview, which is short', () => {
    for (const page of PAGES) if (page !== 'overview.md') expect(OVERVIEW).toContain(`](${page})`)
    expect(OVERVIEW.trimEnd().split('\n').length).toBeLessThanOrEqual(200)
    expect(read('DESIGN.md').trimEnd().split('\n').length).toBeLessThanOrEqual(15)
  })
})

describe('the overview', () => {
  test('explains words that the source uses', () => {
    const source = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => read(`src/${name}`).toLowerCase())
      .join('\n')
    const words = firstCells(OVERVIEW, 'word').flatMap((cell) => cell.split(', '))
    expect(words.length).toBeGreaterThan(30)
    // Such as `set aside` in a comment, `setAside` in the code.
    const isUsed = (word: string): boolean => [word, word.replaceAll(' ', '')].some((one) => source.includes(one))
    expect(words.filter((word) => !isUsed(word))).toEqual([])
  })

  test('has a row for each room of the source, and no other', () => {
    const rooms = [...read('test/architecture/imports.test.ts').matchAll(/^ {2}'?([a-z0-9/-]+)'?: \[/gm)]
    expect(rooms.length).toBeGreaterThan(20)
    expect(firstCells(OVERVIEW, 'room').sort()).toEqual(rooms.map(([, room = '']) => room).sort())
  })
})
