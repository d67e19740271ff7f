import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Declarations } from '../../../../src/commands/options/argv.js'
import { connectionFlags } from '../../../../src/commands/options/connection-options.js'
import { readSelection, selectionFlags } from '../../../../src/commands/options/selection-options.js'
import { UserError } from '../../../../src/errors.js'
import type { Selection } from '../../../../src/job/selection.js'
import { parsed } from '../../../support/parsed-flags.js'

const NOW = new Date('2026-03-10T12:00:00.000Z')

/** The selection of a command line, parsed as the program does. */
async function selection(...args: string[]): Promise<Selection | undefined> {
  const line = ['copy', 's3://a', ...args]
  const declared = new Declarations()
  selectionFlags(connectionFlags(declared), line)
    .positional('source', { type: 'string', describe: '' })
    .positional('more', { type: 'string', array: true, describe: '' })
  const flags = parsed(declared, line, 'copy <source> [more..]')
  return await Promise.resolve(readSelection(flags, NOW))
}

async function refusal(...args: string[]): Promise<string> {
  const error: unknown = await selection(...args).catch((problem: unknown) => problem)
  if (!(error instanceof UserError)) throw new Error('nothing was refused', { cause: error })
  expect(error.hint ?? '').not.toBe('')
  expect(error.message).not.toMatch(/[\p{Cc}\p{Zl}\p{Cf}]/u)
  return error.message
}

describe('the flags of a selection', () => {
  test('select nothing in particular when none is given', async () => {
    expect(await selection()).toBeUndefined()
    expect(await selection('--region', 'eu-west-1')).toBeUndefined()
  })

  test('are all kept, as plain data that survives JSON', async () => {
    const given = await selection(
      ...['--exclude', '*', '--include=logs/*', '--regex', '\\.gz$', '--regex=a', '--size', '1K..1M'],
      ...['--newer-than', '2025-01-31', '--older-than', '36h', '--storage-class-is', 'STANDARD_IA'],
      ...['--storage-class-is=GLACIER_IR', '--after', 'logs/a', '--until', 'logs/b\n'],
    )
    expect(given).toEqual({
      globs: [
        ['exclude', '*'],
        ['include', 'logs/*'],
      ],
      ...{ regex: ['\\.gz$', 'a'], minSize: 1024, maxSize: 1024 ** 2, storageClasses: ['STANDARD_IA', 'GLACIER_IR'] },
      ...{ modifiedSince: '2025-01-31T00:00:00.000Z', modifiedBefore: '2026-03-09T00:00:00.000Z' },
      ...{ after: 'logs/a', until: 'logs/b\n' },
    })
    expect(JSON.parse(JSON.stringify(given))).toEqual(given)
  })

  test('keep --include and --exclude in the order in which they were given, in either way of writing them, among other flags', async () => {
    const glob = fc
      .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 5 })
      .map((one) => `a${one.replaceAll('[', '(')}`)
    const given = fc.tuple(fc.constantFrom('include', 'exclude'), glob, fc.boolean(), fc.nat({ max: 5 }))
    const others = [['--region', 'include'], ['--path-style'], ['--profile=--exclude=x'], ['s3://include']]
    await fc.assert(
      fc.asyncProperty(fc.array(given, { maxLength: 8 }), async (flags) => {
        // Includes alone are refused.
        const all: typeof flags = [['exclude', 'x', true, 9], ...flags]
        const used = new Set<number>()
        const args = all.flatMap(([name, value, joined, other]) => {
          const beside = used.has(other) ? [] : (others[other] ?? [])
          used.add(other)
          return [...beside, ...(joined ? [`--${name}=${value}`] : [`--${name}`, value])]
        })
        expect((await selection(...args))?.globs).toEqual(all.map(([name, value]) => [name, value]))
      }),
      { numRuns: 100 },
    )
  })

  test('end at --, as all flags do', async () => {
    expect(await selection('--exclude', 'a', '--', '--include', 'b')).toEqual({ globs: [['exclude', 'a']] })
    expect(await selection('--', '--exclude', 'a')).toBeUndefined()
  })

  test('may have values that begin with a hyphen: behind = any, alone those of a number', async () => {
    expect(await selection('--size', '-5G')).toEqual({ maxSize: 5 * 1024 ** 3 })
    expect(await selection('--size=-5G')).toEqual({ maxSize: 5 * 1024 ** 3 })
    expect(await selection('--exclude=-1*', '--include=-a', '--exclude=--include')).toEqual({
      globs: [
        ['exclude', '-1*'],
        ['include', '-a'],
        ['exclude', '--include'],
      ],
    })
    expect(await selection('--after=--a', '--until=-b')).toEqual({ after: '--a', until: '-b' })
    expect(await refusal('--exclude', '-1*')).toMatch(/Not enough arguments following: exclude/)
    expect(await refusal('--after', '-a')).toMatch(/Not enough arguments following: after/)
  })

  test.each<[string, Selection]>([
    ['0', { minSize: 0, maxSize: 0 }],
    ['123', { minSize: 123, maxSize: 123 }],
    ['2kib', { minSize: 2048, maxSize: 2048 }],
    ['+1M', { minSize: 1024 ** 2 }],
    ['-1T', { maxSize: 1024 ** 4 }],
    ['1..1', { minSize: 1, maxSize: 1 }],
    ['1M..5G', { minSize: 1024 ** 2, maxSize: 5 * 1024 ** 3 }],
  ])('read --size=%s', async (size, expected) => {
    expect(await selection(`--size=${size}`)).toEqual(expected)
  })

  test.each([
    '',
    '+',
    '-',
    '1..',
    '..1',
    '1..2..3',
    '+1..2',
    '-1..-2',
    '1..+2',
    'x',
    '1.5M',
    '1X',
    '1e3',
    '\u001b[1m',
    '１',
  ])('refuse --size=%j', async (size) => {
    expect(await refusal(`--size=${size}`)).toMatch(size === '' ? /needs a value/ : /--size is not understood/)
  })

  test('count times back from now, and keep them as dates', async () => {
    expect(await selection('--newer-than', '36h')).toEqual({ modifiedSince: '2026-03-09T00:00:00.000Z' })
    expect(await selection('--newer-than', '1.5d')).toEqual({ modifiedSince: '2026-03-09T00:00:00.000Z' })
    expect(await selection('--older-than', '365d')).toEqual({ modifiedBefore: '2025-03-10T12:00:00.000Z' })
    expect(await selection('--older-than', '2026-01-31T12:00:00+02:00')).toEqual({
      modifiedBefore: '2026-01-31T10:00:00.000Z',
    })
  })

  test.each([
    '2024',
    '7',
    '7w',
    'yesterday',
    '-7d',
    '2024-13-01',
    '2024-02-30',
    '31.12.2024',
    '999999999d',
    '1960-01-01',
    '\u001b[1m',
  ])('refuse --newer-than=%j', async (given) => {
    expect(await refusal(`--newer-than=${given}`)).toMatch(/--newer-than wants a date since 1970 or a time back/)
  })

  test.each<[string, string[], RegExp]>([
    ['a size that none has', ['--size', '2M..1M'], /holds no size/],
    ['newer than what it is older than', ['--newer-than', '1d', '--older-than', '2d'], /nothing is both newer than/],
    ['newer and older than one moment', ['--newer-than', '1d', '--older-than', '1d'], /nothing is both newer than/],
    ['keys after what they end with', ['--after', 'b', '--until', 'a'], /no key is after b and not after a/],
    ['keys in the order of UTF-16', ['--after', '\u{10000}', '--until', '\uffff'], /no key is after/],
    ['a range of none', ['--after', 'a', '--until', 'a'], /no key is after a/],
    ['a key that is too long', ['--after', 'é'.repeat(513)], /--after has 1026 bytes/],
    ['a regular expression that is none', ['--regex', '(a'], /--regex \(a: .*missing closing/],
    ['a regular expression of another kind', ['--regex', '(?!\u001b)'], /not understood/],
    ['everything excluded at last', ['--include', '*.txt', '--exclude', '*'], /--exclude '\*' comes last/],
    ['only includes', ['--include', '*.txt', '--include', '*.jpg'], /--include alone changes nothing/],
    ['an empty glob', ['--exclude='], /Not enough arguments following: exclude/],
    ['no glob', ['--exclude'], /Not enough arguments following: exclude/],
    ['a size twice', ['--size', '1', '--size', '2'], /--size was given 2 times/],
    ['an exclude with a dot', ['--exclude.a', 'b'], /exclude\.a/],
    ['an exclude negated', ['--no-exclude'], /--exclude needs a value/],
    ['a regex negated', ['--no-regex'], /--regex needs a value/],
    ['a regex with a dot', ['--regex.a', 'b'], /regex\.a/],
  ])('are refused when they ask for %s', async (_, args, message) => {
    expect(await refusal(...args)).toMatch(message)
  })

  test('allow --include "*" first, which many write', async () => {
    expect(await selection('--include', '*', '--exclude', '*.tmp')).toEqual({
      globs: [
        ['include', '*'],
        ['exclude', '*.tmp'],
      ],
    })
    expect(await selection('--include', '*')).toEqual({ globs: [['include', '*']] })
  })
})
