import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Severity } from '../../src/errors.js'
import { CODE_TEXTS } from '../../src/storage/error-texts.js'
import { ERROR_CODES, meaningOf, statusMeaning } from '../../src/storage/error-codes.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = readFileSync(join(ROOT, 'docs/error-codes.md'), 'utf8')
const [ofStores = '', ofOurs = ''] = PAGE.split('\n## ').slice(1)
const rowsOf = (text: string): string[][] =>
  [...text.matchAll(/^\| `(.+)$/gm)].map(([, row = '']) =>
    row.split('|').map((cell) => cell.trim().replaceAll('`', '')),
  )

const WORDS: Readonly<Record<Severity, RegExp>> = {
  throttle: /^asked again, fewer at once$/,
  retry: /^asked again(?!, fewer)/,
  skip: /^passed over$/,
  // No code of a store is that by itself.
  later: /^$/,
  'fail-object': /this object fails/,
  'stop-run': /the run stops/,
}

describe('the page on error codes', () => {
  test('has a row for each code of the table, in the words of its severity, with what to do and who says it', () => {
    const rows = rowsOf(ofStores)
    expect(rows.map(([code]) => code).sort()).toEqual([...ERROR_CODES.keys()].sort())
    for (const [code = '', meaning, does = '', todo, who] of rows) {
      const { severity, all } = ERROR_CODES.get(code)!
      expect(does, code).toMatch(WORDS[severity])
      expect(does.includes('paused'), code).toBe(all !== undefined)
      expect([meaning, todo, who], code).not.toContain('')
    }
  })

  test('has a row for each code of our own, and none that the program does not have', () => {
    const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    const source = files
      .filter((name) => name.endsWith('.ts') && !name.startsWith('sandbox') && name !== 'storage/error-texts.ts')
      .map((name) => readFileSync(join(ROOT, 'src', name), 'utf8'))
      .join('\n')
    const told = new Set([...rowsOf(ofOurs), ...rowsOf(ofStores)].map(([code]) => code))
    const written = [...source.matchAll(/\bcode: '([A-Z][a-z]\w+)'/g)].map(([, code]) => code)
    expect(written.filter((code) => !told.has(code))).toEqual([])
    expect(rowsOf(ofOurs).filter(([code]) => !source.includes(`'${code}'`))).toEqual([])
  })

  test('says in meaning and to do what ‘s3move failures’ says of each code', () => {
    const plain = (cell = ''): string => cell.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    const told = [...rowsOf(ofStores), ...rowsOf(ofOurs)].map(([code, meaning, , todo]) => [
      code,
      { meaning: plain(meaning), todo: plain(todo?.replace(/ \|$/, '')) },
    ])
    expect(told).toEqual(told.map(([code]) => [code, CODE_TEXTS.get(code as string)]))
    expect(told).toHaveLength(CODE_TEXTS.size)
  })

  test('is linked from the README', () => {
    expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain('(docs/error-codes.md)')
  })
})

describe('a code that nobody has documented', () => {
  test.each<[string, Severity | undefined]>([
    ['SlowDownList', 'throttle'],
    ['ReadThrottled', 'throttle'],
    ['UploadRateLimitExceeded', 'throttle'],
    ['BucketQpsLimitExceeded', 'throttle'],
    ['GatewayTimeout', 'retry'],
    ['BackendUnavailable', 'retry'],
    ['InternalServerError', 'retry'],
    ['CloudTotalAliveSizeQuotaExceeded', 'fail-object'],
    ['LimitExceeded', undefined],
    ['InvalidRate', undefined],
    ['NoSuchKeyUnavailable1', undefined],
  ])('%s is taken as its name says: %s', (code, severity) => {
    expect(meaningOf(code)?.severity).toBe(severity)
  })

  test.each<[number, Severity | undefined]>([
    [408, 'retry'],
    [425, 'retry'],
    [499, 'retry'],
    [429, 'throttle'],
    [503, 'throttle'],
    [502, 'retry'],
    [520, 'retry'],
    [501, undefined],
    [505, undefined],
    [507, undefined],
    [404, undefined],
  ])('of status %i is taken for %s', (status, severity) => {
    expect(statusMeaning(status)).toBe(severity)
  })
})
