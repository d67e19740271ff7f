import { describe, expect, test } from 'vitest'
import { readDuResult, readResult } from '../../../../src/commands/options/result-options.js'
import { UserError } from '../../../../src/errors.js'

describe('readResult', () => {
  test.each([
    [{}, { format: 'text' }],
    [{ to: '-' }, { format: 'text' }],
    [{ to: '-', json: true }, { format: 'json' }],
    [{ to: 'x.csv' }, { format: 'csv', to: '/here/x.csv' }],
    [{ to: 'x.CSV.GZ' }, { format: 'csv', to: '/here/x.CSV.GZ' }],
    [{ to: '/a/x.json' }, { format: 'json', to: '/a/x.json' }],
    [{ to: 'x.jsonl.zst' }, { format: 'json', to: '/here/x.jsonl.zst' }],
    [{ to: 'x.ndjson.zstd' }, { format: 'json', to: '/here/x.ndjson.zstd' }],
    [{ to: 'x.txt' }, { format: 'text', to: '/here/x.txt' }],
    [{ to: 'x.gz' }, { format: 'text', to: '/here/x.gz' }],
    [{ to: 'csv' }, { format: 'text', to: '/here/csv' }],
    [{ to: 'a.csv/list' }, { format: 'text', to: '/here/a.csv/list' }],
    [
      { to: 'list.gz', format: 'csv' },
      { format: 'csv', to: '/here/list.gz' },
    ],
    [
      { to: 'x.json', format: 'jsonl' },
      { format: 'json', to: '/here/x.json' },
    ],
    [{ format: 'ndjson' }, { format: 'json' }],
    [{ format: 'json', json: true }, { format: 'json' }],
  ] as const)('the flags %j make %j', (flags, result) => {
    expect(readResult(flags, '/here')).toEqual(result)
  })

  test.each([
    [{ to: 'x.csv', format: 'json' }, '--to /here/x.csv is named as a file of csv, and was to be written as json'],
    [{ to: 'x.json.gz', format: 'csv' }, '--to /here/x.json.gz is named as a file of json'],
    [{ to: 'x.txt', json: true }, '--to /here/x.txt is named as a file of text'],
    [{ json: true, format: 'csv' }, '--json and --format csv contradict each other'],
    [{ format: 'xml' }, '--format cannot be xml'],
  ])('the flags %j are refused', (flags, message) => {
    const reading = (): unknown => readResult(flags, '/here')
    expect(reading).toThrow(UserError)
    expect(reading).toThrow(message)
  })
})

describe('readDuResult', () => {
  test('is a page by its name or by its format, and else what every result is', () => {
    expect(readDuResult({ to: 'usage.html' }, '/here')).toEqual({ format: 'html', to: '/here/usage.html' })
    expect(readDuResult({ to: 'usage.htm.gz' }, '/here')).toEqual({ format: 'html', to: '/here/usage.htm.gz' })
    expect(readDuResult({ format: 'html' }, '/here')).toEqual({ format: 'html' })
    expect(readDuResult({ to: 'usage.csv' }, '/here')).toEqual({ format: 'csv', to: '/here/usage.csv' })
  })

  test.each([
    [{ to: 'usage.html', format: 'csv' }, 'named as a file of html'],
    [{ to: 'usage.html', json: true }, 'named as a file of html'],
    [{ to: 'usage.csv', format: 'html' }, 'named as a file of csv'],
    [{ format: 'html', json: true }, 'contradict each other'],
    [{ format: 'xml' }, '--format cannot be xml'],
  ])('refuses %j', (flags, why) => {
    expect(() => readDuResult(flags, '/here')).toThrow(why)
  })
})
