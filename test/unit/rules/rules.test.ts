import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UserError } from '../../../src/errors.js'
import type { HeaderRule, ObjectMatch, SetHeadersJob } from '../../../src/job/set-headers.js'
import { typeOf } from '../../../src/rules/content-types.js'
import { decide, decideByListing, type Decision, type ListedObject } from '../../../src/rules/decide.js'
import { globTest, hasOpenBracket, matchesGlob } from '../../../src/rules/glob.js'
import { compileRegex } from '../../../src/rules/regex.js'
import { httpDate, nameProblem, valueProblem } from '../../../src/rules/header-names.js'
import { readRules } from '../../../src/rules/read.js'

describe('a glob', () => {
  test('takes letters in either case, if asked, as a regular expression of RE2 does', () => {
    const letter = fc.constantFrom(
      ...Array.from('aAkK\u212asS\u017fßẞéÉiIıİσςΣωΩ\u2126åÅ\u212bǅǆǄ1/-[\u{10400}\u{10428}'),
    )
    fc.assert(
      fc.property(letter, letter, (one, other) => {
        const escaped = /[[/-]/.test(one) ? `\\${one}` : one
        const expected = compileRegex(`^${escaped}$`, 'x', true).test(other)
        expect([one, other, matchesGlob(one === '[' ? '[[]' : one, other, true)]).toEqual([one, other, expected])
        expect(globTest(`*${one === '[' ? '?' : one}`, true)(`x${other}`)).toBe(expected || one === '[')
      }),
      { numRuns: 3000 },
    )
    expect(matchesGlob('[!a-c]X', 'Bx', true)).toBe(false)
    expect(matchesGlob('[!!a]', 'A', true)).toBe(false)
    expect(matchesGlob('[A-C]*', 'b', true)).toBe(true)
  })

  test.each([
    ['imag[e/*', true],
    ['a[', true],
    ['[]', true],
    ['[!]', true],
    ['[[]x', false],
    ['[]]', false],
    ['[a-z]*]', false],
  ])('%s has a bracket that nothing closes: %s', (glob, open) => {
    expect(hasOpenBracket(glob)).toBe(open)
  })

  test('matches as a regular expression of the same meaning does', () => {
    const token = fc.constantFrom(
      'a',
      'b',
      '/',
      '.',
      '*',
      '**',
      '?',
      '[ab]',
      '[!a]',
      '[a-b]',
      '[[]',
      ']',
      '{a}',
      '\\',
      'é',
    )
    const character = fc.constantFrom('a', 'b', 'c', '/', '.', '\n', '[', ']', '{a}', '\\', 'é', '\u{1f600}')
    const join = (parts: string[]) => parts.join('')
    const glob = fc.array(token, { maxLength: 7 }).map(join)
    const text = fc.array(character, { maxLength: 9 }).map(join)
    const oracle = (pattern: string) =>
      new RegExp(
        `^(?:${pattern.replace(/\[!?\]?[^\]]*\]|[^]/gu, (one) => {
          if (one === '*') return '[^]*'
          if (one === '?') return '[^]'
          if (one.length > 2 && one.startsWith('['))
            return `[${one
              .slice(1, -1)
              .replace(/^!/, '^')
              .replace(/[\\[\]]/g, '\\$&')}]`
          return one.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
        })})$`,
        'u',
      )
    fc.assert(
      fc.property(glob, text, (pattern, subject) => {
        const expected = oracle(pattern).test(subject)
        expect(matchesGlob(pattern, subject)).toBe(expected)
        expect(globTest(pattern)(subject)).toBe(expected)
      }),
      { numRuns: 5000 },
    )
  })

  test('of many stars takes no longer for a text that does not match', () => {
    expect(matchesGlob('*a'.repeat(30), 'a'.repeat(1000) + 'b')).toBe(false)
    expect(globTest('*a'.repeat(30))('a'.repeat(1000) + 'b')).toBe(false)
  })
})

const job = (rules: readonly Partial<HeaderRule>[], more: Partial<SetHeadersJob> = {}): SetHeadersJob => ({
  ...{ kind: 'set-headers', source: { bucket: 'b', prefix: '' }, folderMarkers: false },
  rules: rules.map((rule) => ({ set: [], remove: [], ...rule })),
  ...more,
})
const object = (more: Partial<ListedObject> = {}): ListedObject => ({
  ...{ key: 'site/index.html', size: 10, lastModified: '2024-05-01T00:00:00.000Z', storageClass: 'STANDARD' },
  ...more,
})
const headers = (more: Record<string, string> = {}) => new Map(Object.entries({ 'content-type': 'text/html', ...more }))
const wanted = (decision: Decision) =>
  decision.kind === 'rewrite' ? Object.fromEntries(decision.headers) : (decision as { reason?: string }).reason

describe('what becomes of an object', () => {
  test('is decided by the first rule that matches, and by no other', () => {
    const rules = [
      { match: { key: ['*.html'], has: [['cache-control', 'max-*'] as const] }, set: [['expires', 'x'] as const] },
      { match: { key: ['*.css', '*.html'] }, set: [['cache-control', 'no-cache'] as const] },
      { set: [['cache-control', 'never'] as const] },
    ]
    expect(wanted(decide(job(rules), object(), headers()))).toMatchObject({ 'cache-control': 'no-cache' })
    expect(wanted(decide(job(rules.slice(0, 2)), object({ key: 'a.png' }), headers()))).toBe('no-rule')
  })

  test.each<[string, ObjectMatch, Partial<ListedObject>, Record<string, string>, boolean]>([
    ['a size that is too small', { minSize: 11 }, {}, {}, false],
    ['a size at the limit', { minSize: 10, maxSize: 10 }, {}, {}, true],
    ['a size that is too large', { maxSize: 9 }, {}, {}, false],
    ['the first moment', { modifiedSince: '2024-05-01T00:00:00.000Z' }, {}, {}, true],
    ['the moment that is no more', { modifiedBefore: '2024-05-01T00:00:00.000Z' }, {}, {}, false],
    ['another storage class', { storageClass: ['STANDARD_IA', 'GLACIER_IR'] }, {}, {}, false],
    ['a content type', { contentType: ['text/*'] }, {}, {}, true],
    ['another content type', { contentType: ['image/*'] }, {}, {}, false],
    ['a header that is not there', { lacks: ['cache-control'] }, {}, {}, true],
    ['a header that should not be there', { lacks: ['cache-control'] }, {}, { 'cache-control': 'x' }, false],
    ['metadata beyond ASCII', { has: [['x-amz-meta-a', 'é*']] }, {}, { 'x-amz-meta-a': 'Ã©tÃ©' }, true],
    ['missing metadata', { has: [['x-amz-meta-a', '*']] }, {}, {}, false],
  ])('depends on %s', (_, match, listed, present, matches) => {
    const decision = decide(
      job([{ match, set: [['expires', 'Sun, 31 Jan 2027 12:00:00 GMT']] }]),
      object(listed),
      headers(present),
    )
    expect(decision.kind).toBe(matches ? 'rewrite' : 'skip')
  })

  test('is nothing when all is as it was asked for', () => {
    const asked = job([{ set: [['cache-control', 'a']], remove: ['expires', 'x-amz-meta-old'] }])
    expect(decide(asked, object(), headers({ 'cache-control': 'a' }))).toEqual({ kind: 'skip', reason: 'unchanged' })
    expect(decide(asked, object(), headers({ 'cache-control': 'a', expires: 'x' })).kind).toBe('rewrite')
  })

  test('keeps every header that was not asked for, and says what changes from what to what', () => {
    const asked = job([{ set: [['cache-control', 'b']], remove: ['x-amz-meta-old'] }])
    const before = headers({
      'cache-control': 'a',
      'x-amz-meta-old': 'o',
      'x-amz-meta-k': 'Ã©',
      'content-language': 'de',
    })
    const decision = decide(asked, object(), before)
    expect(wanted(decision)).toEqual({
      ...{ 'content-type': 'text/html', 'cache-control': 'b', 'x-amz-meta-k': 'Ã©', 'content-language': 'de' },
    })
    expect(decision.kind === 'rewrite' && decision.changes).toEqual([
      { name: 'cache-control', from: 'a', to: 'b' },
      { name: 'x-amz-meta-old', from: 'o', to: undefined },
    ])
  })

  test('with ifUnset leaves alone what is there', () => {
    const asked = job([
      {
        set: [
          ['cache-control', 'b'],
          ['content-language', 'en'],
        ],
        ifUnset: true,
      },
    ])
    expect(wanted(decide(asked, object(), headers({ 'cache-control': 'a' })))).toMatchObject({
      ...{ 'cache-control': 'a', 'content-language': 'en' },
    })
  })

  test('guesses a content type only where there is none, unless told to always', () => {
    const guess = (key: string, type: string, mode: 'missing' | 'always') =>
      wanted(decide(job([{}], { guess: mode }), object({ key }), new Map(type === '' ? [] : [['content-type', type]])))
    expect(guess('a.css', 'binary/octet-stream', 'missing')).toEqual({ 'content-type': 'text/css' })
    expect(guess('a.css', '', 'missing')).toEqual({ 'content-type': 'text/css' })
    expect(guess('a.css', 'text/plain', 'missing')).toBe('unchanged')
    expect(guess('a.css', 'text/plain', 'always')).toEqual({ 'content-type': 'text/css' })
    expect(guess('a.unheard-of', 'binary/octet-stream', 'always')).toBe('unchanged')
    expect(['a/b.HTML', 'x.tar.gz', '.css', 'css', 'd.png/none'].map(typeOf)).toEqual([
      ...['text/html', 'application/gzip', undefined, undefined, undefined],
    ])
  })

  test.each(['0', '-1', 'never', 'Thursday', '2023-02-31T99:00', 'caf\u00c3\u00a9'])(
    'keeps an Expires that is no date as it is: %s',
    (expires) => {
      const odd = headers({ expires })
      const decision = decide(job([{ set: [['cache-control', 'a']] }]), object(), odd)
      expect(decision.kind === 'rewrite' && decision.headers.get('expires')).toBe(expires)
      expect(decide(job([{ remove: ['expires'] }]), object(), odd).kind).toBe('rewrite')
      expect(decide(job([{ set: [['expires', 'Sun, 31 Jan 2027 12:00:00 GMT']] }]), object(), odd).kind).toBe('rewrite')
      expect(decide(job([{ set: [['content-type', 'text/html']] }]), object(), odd).kind).toBe('skip')
    },
  )

  test('is clear from the listing for folder markers and objects without a rule, and not by the name of a class', () => {
    const asked = job([{ match: { key: ['*.html'] }, set: [['cache-control', 'a']] }])
    const reason = (more: Partial<ListedObject>, of = asked) => {
      const decision = decideByListing(of, object(more))
      return decision?.kind === 'skip' ? decision.reason : decision
    }
    for (const storageClass of ['DEEP_ARCHIVE', 'GLACIER'])
      expect(reason({ key: 'a.html', storageClass })).toBeUndefined()
    expect(reason({ key: 'a/', size: 0 })).toBe('folder-marker')
    expect(reason({ key: 'a/', size: 1 })).toBe('no-rule')
    expect(reason({ key: 'a.html/', size: 0 }, { ...asked, folderMarkers: true })).toBe('no-rule')
    expect(reason({})).toBeUndefined()
  })
})

describe('names and values of headers', () => {
  test('are refused when S3 could not keep them', () => {
    expect(
      ['cache-control', 'x-amz-meta-a.b_c', 'etag', 'x-amz-meta-', 'x-amz-meta-a b', 'x-amz-acl'].map(
        (one) => nameProblem(one) === undefined,
      ),
    ).toEqual([...[true, true, false, false, false, false]])
    expect(['a b', '', ' a', 'a\r\nb: c', 'é', '\t'].map((one) => valueProblem(one) === undefined)).toEqual([
      ...[true, false, false, false, false, false],
    ])
  })

  test('a date is written as HTTP has it', () => {
    expect(httpDate('2027-01-31')).toBe('Sun, 31 Jan 2027 00:00:00 GMT')
    expect(httpDate('2027-01-31T12:00:00+02:00')).toBe('Sun, 31 Jan 2027 10:00:00 GMT')
    for (const odd of [
      '0',
      '-1',
      'tomorrow',
      '2027',
      '2027-13-01',
      '2027-02-29',
      '2027-02-30T12:00:00Z',
      'Sun, 32 Jan 2027 00:00:00 GMT',
    ])
      expect(httpDate(odd)).toBeUndefined()
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }), (date) => {
        const written = httpDate(date.toUTCString())
        expect(new Date(written ?? '').getTime()).toBe(Math.floor(date.getTime() / 1000) * 1000)
      }),
    )
  })
})

describe('a file of rules', () => {
  const yaml = `
rules:
  - match:
      key: ['*.html', '*.htm']
      content-type: text/*
      size: { min: 1, max: 5M }
      modified: { since: '2024-01-01', before: '2025-01-01T12:00:00Z' }
      storage-class: STANDARD
      header: { cache-control: null, x-amz-meta-owner: 'web*' }
    set:
      Cache-Control: no-cache
      expires: '2027-01-31'
    remove: [x-amz-meta-old]
    if-unset: true
  - remove: expires
`
  const rules: HeaderRule[] = [
    {
      match: {
        ...{ key: ['*.html', '*.htm'], contentType: ['text/*'], storageClass: ['STANDARD'] },
        ...{ minSize: 1, maxSize: 5 * 1024 ** 2 },
        ...{ modifiedSince: '2024-01-01T00:00:00.000Z', modifiedBefore: '2025-01-01T12:00:00.000Z' },
        ...{ has: [['x-amz-meta-owner', 'web*']], lacks: ['cache-control'] },
      },
      set: [
        ['cache-control', 'no-cache'],
        ['expires', 'Sun, 31 Jan 2027 00:00:00 GMT'],
      ],
      ...{ remove: ['x-amz-meta-old'], ifUnset: true },
    },
    { set: [], remove: ['expires'] },
  ]

  test('is YAML, or JSON', () => {
    expect(readRules(yaml, 'f')).toEqual(rules)
    expect(readRules('{"rules": [{"remove": ["expires"]}]}', 'f')).toEqual(rules.slice(1))
  })

  test.each([
    ['nothing', '', /^f: the file is not a map/],
    ['no rule', 'rules: []\n', /^f, line 1: .*at least one rule/],
    ['broken YAML', 'rules:\n  - set: {a: "b\n', /^f, line \d: /],
    ['an unknown field', 'rules:\n  - set: {cache-control: a}\n    foo: 1\n', /^f, line 3: foo is not known in a rule/],
    ['an unknown header', 'rules:\n  - set:\n      etag: x\n', /^f, line 3: etag cannot be named here/],
    ['a rule without a change', 'rules:\n  - match: {key: a}\n', /^f, line 2: .*neither sets nor removes/],
    ['an empty value', "rules:\n  - set:\n      cache-control: ''\n", /^f, line 3: cache-control: the value is empty/],
    ['a value that is a number', 'rules:\n  - set:\n      cache-control: 5\n', /^f, line 3: .*is not text/],
    ['a name twice', 'rules:\n  - set: {expires: a}\n    set: {expires: b}\n', /^f, line 3: /],
    ['a bad date', 'rules:\n  - set: {expires: soon}\n', /^f, line 2: expires is not a date/],
    ['a bad size', 'rules:\n  - match:\n      size: {min: big}\n    remove: expires\n', /^f, line 3: a size is/],
    ['a bad moment', 'rules:\n  - match: {modified: {since: 5}}\n    remove: expires\n', /^f, line 2: a moment is/],
    ['content-type to be removed', 'rules:\n  - remove: content-type\n', /^f, line 2: .*set it instead/],
    [
      'one header set and removed',
      'rules:\n  - set: {expires: 2027-01-01}\n    remove: expires\n',
      /^f, line 2: .*both sets and removes/,
    ],
    ['an anchor to itself', 'rules: &a [*a]\n', /^f/],
  ])('with %s is refused, by line', (_, text, message) => {
    expect(() => readRules(text, 'f')).toThrow(UserError)
    expect(() => readRules(text, 'f')).toThrow(message)
  })
})
