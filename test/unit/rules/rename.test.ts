import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UserError } from '../../../src/errors.js'
import { collisions, parseRename, renamer, renameProblem } from '../../../src/rules/rename.js'

const renamed = (key: string, ...expressions: string[]) => renamer(expressions)(key)

describe('--map', () => {
  test.each([
    ['s/a/b/', 'aaa', 'baa'],
    ['s/a/b/g', 'aaa', 'bbb'],
    ['s/A/b/gi', 'aAa', 'bbb'],
    ['s/A/b/', 'aaa', 'aaa'],
    ['s|^logs/|archive/|', 'logs/2024/logs/x', 'archive/2024/logs/x'],
    ['s,\\.jpeg$,.jpg,', 'a.jpeg', 'a.jpg'],
    ['s/^logs\\/(\\d+)\\/(\\d+)\\//\\2\\/\\1\\//', 'logs/2024/05/x', '05/2024/x'],
    ['s#(?P<year>\\d+)#<&|\\0|\\1>#', 'a2024b', 'a<2024|2024|2024>b'],
    ['s/a/[\\&]/', 'a', '[&]'],
    ['s/a/\\\\/', 'a', '\\'],
    ['s/a/\\$1$/', 'a', '$1$'],
    ['s/(a)|(b)/[\\1\\2]/g', 'ab', '[a][b]'],
    ['s/a//g', 'banana', 'bnn'],
    // A delimiter behind a backslash is itself, though it would mean something to the regular expression.
    ['s|a\\|b|x|', 'a|b', 'x'],
    ['s|a\\|b|x|', 'a', 'a'],
    ['s.\\..-.g', 'a.b.c', 'a-b-c'],
    ['s/[\\/]/-/g', 'a/b', 'a-b'],
    ['s€\\€€\\€!€', 'a€b', 'a€!b'],
    ['s\u{1f600}a\u{1f600}b\u{1f600}', 'a', 'b'],
    // Characters are whole, in and beside what is found.
    ['s/^./x/', '\u{1f600}a', 'xa'],
    ['s/[^a]/x/g', '\u{1f600}a\u{10ffff}', 'xax'],
    ['s/a/\u{1f600}/', '\u{1f601}a\u{1f602}', '\u{1f601}\u{1f600}\u{1f602}'],
    ['s/(?:)/-/g', '\u{1f600}a', '-\u{1f600}-a-'],
    // As in sed: nothing is found right behind something.
    ['s/a*/x/g', 'baaac', 'xbxcx'],
    ['s/.*/x/g', 'abc', 'x'],
    ['s/a.b/x/', 'a\nb', 'x'],
  ])('%s makes of %j %j', (expression, key, expected) => {
    expect(renamed(key, expression)).toBe(expected)
  })

  test('given several times is applied in that order, each to what the one before made', () => {
    expect(renamed('a', 's/a/b/', 's/b/c/')).toBe('c')
    expect(renamed('a', 's/b/c/', 's/a/b/')).toBe('b')
    expect(renamed('a')).toBe('a')
  })

  test('replaces what JavaScript replaces', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '(a|b)', '(b?)', '\u{1f600}', '\\.')
    const regex = fc
      .array(fc.tuple(atom, fc.constantFrom('', '', '*', '+', '?')), { minLength: 1, maxLength: 3 })
      .map((parts) => parts.flat().join(''))
    const key = fc
      .array(fc.constantFrom('a', 'b', 'c', '.', '\n', '\u{1f600}', '\ue000', '\u{10ffff}'), { maxLength: 8 })
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(regex, key, fc.boolean(), (pattern, subject, all) => {
        let end = -1
        const expected = subject.replace(
          new RegExp(pattern, all ? 'gsu' : 'su'),
          (found: string, ...more: unknown[]) => {
            const at = more.find((one) => typeof one === 'number')!
            if (found === '' && at === end) return ''
            end = at + found.length
            return `<${found}>`
          },
        )
        expect(renamed(subject, `s/${pattern}/<&>/${all ? 'g' : ''}`)).toBe(expected)
      }),
      { numRuns: 3000 },
    )
  })

  test('with any delimiter and any text, escaped, puts exactly that text in place of exactly that text', () => {
    const some = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
    const delimiter = fc.constantFrom('/', '|', ',', '#', '.', '&', '$', '*', '(', '[', '-', ' ', '€', '\u{1f600}')
    fc.assert(
      fc.property(delimiter, some, some, some, (mark, from, to, around) => {
        const escape = (one: string) =>
          Array.from(
            one,
            (character) => (/^[ -/:-@[-`{-~]$/.test(character) || character === mark ? '\\' : '') + character,
          )
        const expression = `s${mark}^${escape(from).join('')}\\z${mark}${escape(to).join('')}${mark}`
        expect(renamed(from, expression)).toBe(to)
        expect(renamed(`${around}${from}${around}`, expression)).toBe(`${around}${from}${around}`)
      }),
    )
  })

  test('takes no longer for a key that it was made to stumble over', () => {
    const key = `${'a'.repeat(1000)}b`
    expect(renamed(key, 's/(a+)+$/x/')).toBe(key)
  })

  test.each([
    ['', /does not begin with s and a delimiter/],
    ['logs/archive', /does not begin with s/],
    ['s', /does not begin with s/],
    ['sxaxbx', /does not begin with s/],
    ['s\\a\\b\\', /does not begin with s/],
    ['s/a', /regular expression has no \/ at its end/],
    ['s/a/b', /replacement has no \/ at its end/],
    ['s/a/b\\/', /replacement has no \/ at its end/],
    ['s/a/b/c/', /more than three \//],
    ['s/a/b/x', /flags are x/],
    ['s/a/b/G', /only g and i/],
    ['s//b/', /is empty/],
    ['s/(a/b/', /missing closing \)/],
    ['s/(?=a)/b/', /not understood/],
    ['s/(a)\\1/b/', /invalid escape/],
    ['s/a/\\1/', /no group 1: the regular expression has 0/],
    ['s/(a)/\\2/', /no group 2/],
    ['s/(a)/$1/', /\$1 is not how a group is written/],
    ['s/(?P<n>a)/${n}/', /\$\{ is not how/],
    ['s/a/\\n/', /means nothing/],
    ['s/\u001b[31m/\u001b/\u001b', /flags are/],
  ])('%j is refused, and it is said why', (expression, message) => {
    expect(() => parseRename(expression)).toThrow(UserError)
    expect(() => parseRename(expression)).toThrow(message)
    try {
      parseRename(expression)
    } catch (error) {
      expect((error as UserError).hint).not.toBe('')
      expect((error as UserError).message).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    }
  })
})

describe('a new name', () => {
  test('is a problem when it is empty, too long with its prefix, or no text', () => {
    expect(renameProblem('a', '')).toBeUndefined()
    expect(renameProblem('', 'p/')?.code).toBe('NoNameLeft')
    expect(renameProblem('é'.repeat(511), 'p/')).toBeUndefined()
    expect(renameProblem(`${'é'.repeat(511)}a`, 'p/')?.code).toBe('KeyTooLongError')
    expect(renameProblem('a\ud800', '')?.code).toBe('InvalidURI')
    expect(renameProblem('\u{10ffff}', '')).toBeUndefined()
  })

  test('that several objects would get is found, at each of them', () => {
    expect(collisions(['a', 'b', 'a', 'c', 'b', 'a'])).toEqual(new Set([0, 1, 2, 4, 5]))
    expect(collisions(['a', 'b', '__proto__', 'constructor'])).toEqual(new Set())
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd', '')), (targets) => {
        const shared = targets.flatMap((one, i) => (targets.some((other, j) => i !== j && one === other) ? [i] : []))
        expect([...collisions(targets)].sort((a, b) => a - b)).toEqual(shared)
      }),
    )
  })
})
