import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { run, workFolder } from '../support/cli-program.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FENCE = /^```.*?^```$/gms

/** Every document but CHANGELOG.md, which tells what was, by its path from the root. */
const documents = new Map(
  [
    ...['README.md', 'DESIGN.md', 'CONTRIBUTING.md', 'findings/README.md'],
    ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join('docs', name)),
  ].map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]),
)
const each = [...documents.keys()]
const textOf = (path: string): string => documents.get(path)!
const sentencesOf = (path: string): string => textOf(path).replaceAll(FENCE, '')

describe('the documents', () => {
  test.each([
    'copy',
    'sync',
    'move',
    'delete',
    'set-headers',
    'set-tags',
    'set-storage-class',
    'set-encryption',
    'ls',
    'du',
    'head',
    'verify',
    'check',
    'probe',
    'resume',
    'run',
    'status',
    'watch',
    'report',
    'worker',
    'sandbox',
  ])('the options at the end of docs/%s.md are what the program says; if not, run: npm run docs', async (command) => {
    const { stdout } = await run([command, '--help'], { cwd: await workFolder() })
    const [, told] =
      /<!-- options of [a-z-]+: npm run docs -->\n\n```text\n(.*)```\n\n<!-- end of options -->\n$/s.exec(
        textOf(`docs/${command}.md`),
      ) ?? []
    expect(told).toBe(stdout)
  })

  test('the README is read in a few minutes', () => {
    expect(textOf('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(150)
  })

  test('README links to every page for users', () => {
    const linked = new Set(linksOf('README.md').map((link) => link.replace(/#.*/, '')))
    const pages = each.filter((path) => /^docs\/[a-z-]+\.md$/.test(path))
    expect(pages.filter((path) => !linked.has(path))).toEqual([])
  })

  test.each(each.filter((path) => !path.startsWith('findings')))('no line of %s is over 120 characters', (path) => {
    // A row of a table cannot be broken: these two have columns that tests read.
    const rows = path === 'docs/error-codes.md' || path === 'docs/configuration.md'
    const long = textOf(path)
      .split('\n')
      .filter((line) => line.length > 120 && !(rows && line.startsWith('| ')))
    expect(long).toEqual([])
  })

  test.each(each)('every link of %s leads to a file, and to a heading in it', (path) => {
    const broken = linksOf(path).filter((link) => {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? path : relative(ROOT, join(ROOT, dirname(path), file))
      if (!existsSync(join(ROOT, target))) return true
      return anchor !== undefined && !anchorsOf(target).includes(anchor)
    })
    expect(broken).toEqual([])
  })

  test.each(each)('every file that %s names is there', (path) => {
    const named = [...sentencesOf(path).matchAll(/`((?:src|test|scripts|bench|torture|findings|docs)\/[\w./-]*)`/g)]
    expect(named.map(([, file = '']) => file).filter((file) => !existsSync(join(ROOT, file)))).toEqual([])
  })

  test('every test that they cite exists, by its file and by its title or how that begins', () => {
    const cited = each.flatMap(citationsOf)
    expect(cited.length).toBeGreaterThan(100)
    expect(cited.filter(({ file, title }) => !testsOf(file).includes(title))).toEqual([])
  })
})

/** Where the relative links of a document lead. */
function linksOf(path: string): string[] {
  const links = [...sentencesOf(path).matchAll(/\]\(([^()\s]+)\)/g)].map(([, link = '']) => link)
  return links.filter((link) => !/^[a-z]+:/.test(link))
}

/** What GitHub calls the headings of a document. */
function anchorsOf(path: string): string[] {
  const text = documents.has(path) ? sentencesOf(path) : readFileSync(join(ROOT, path), 'utf8')
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** A list such as `cli/copy`: _one title_, _another_. */
function citationsOf(path: string): { path: string; file: string; title: string }[] {
  const text = sentencesOf(path).replaceAll(/\s+/g, ' ')
  return [...text.matchAll(/`([a-z0-9][a-z0-9/-]*)`: (?=[_*])/g)].flatMap(({ 1: file = '', 0: head, index }) => {
    const titles: string[] = []
    const title = /(?:, )?([_*])(?=\S)(.*?\S)\1(?=[,.;)|\s]|$)/y
    title.lastIndex = index + head.length
    for (let found = title.exec(text); found !== null; found = title.exec(text)) titles.push(found[2] ?? '')
    return titles.map((title) => ({ path, file, title: title.replaceAll(/\\([_*])/g, '$1') }))
  })
}

function testsOf(file: string): string {
  const path = join(ROOT, `test/${file}.test.ts`)
  return existsSync(path) ? readFileSync(path, 'utf8').replaceAll("\\'", "'") : ''
}
