import * as fc from 'fast-check'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkPair, parsePlace } from '../../../../src/commands/options/places.js'
import { checkSlashes } from '../../../../src/commands/options/prefix.js'
import { UserError } from '../../../../src/errors.js'

/** The error of `act`, which must be one line with a hint, free of control characters. */
function refusal(act: () => unknown): UserError {
  try {
    act()
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    expect(error.message).not.toMatch(/[\p{Cc}\p{Zl}\p{Cf}]/u)
    expect(error.hint).toMatch(/\S/)
    return error
  }
  throw new Error('nothing was refused')
}

describe('parsePlace', () => {
  test.each([
    ['s3://bucket', 'bucket', ''],
    ['s3://bucket/', 'bucket', ''],
    ['s3://bucket/a', 'bucket', 'a'],
    ['s3://bucket/a/', 'bucket', 'a/'],
    ['s3://bucket//', 'bucket', '/'],
    ['s3://bucket//a//b', 'bucket', '/a//b'],
    ['s3://bucket/../a', 'bucket', '../a'],
    ['s3://bucket/a b%20c+d?e#f', 'bucket', 'a b%20c+d?e#f'],
    ['s3://bucket/a\nb', 'bucket', 'a\nb'],
    ['s3://bucket/$&.*', 'bucket', '$&.*'],
    ['s3://my.old_Bucket-1/x', 'my.old_Bucket-1', 'x'],
    ['s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/ap', 'arn:aws:s3:eu-west-1:123456789012:accesspoint/ap', ''],
    [
      's3://arn:aws:s3:eu-west-1:123456789012:accesspoint/ap/a/b',
      'arn:aws:s3:eu-west-1:123456789012:accesspoint/ap',
      'a/b',
    ],
    [
      's3://arn:aws:s3:eu-west-1:123456789012:accesspoint:ap/a',
      'arn:aws:s3:eu-west-1:123456789012:accesspoint:ap',
      'a',
    ],
  ])('reads %j as bucket and prefix', (text, bucket, prefix) => {
    expect(parsePlace(text, 'source')).toEqual({ bucket, prefix })
  })

  test('takes any prefix literally', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (prefix) => {
        expect(parsePlace(`s3://bucket/${prefix}`, 'source')).toEqual({ bucket: 'bucket', prefix })
      }),
    )
  })

  test.each([
    ['', /source .* is not an S3 URL/],
    ['bucket', /is not an S3 URL/],
    ['/bucket/a', /is not an S3 URL/],
    ['https://bucket.s3.amazonaws.com/a', /is not an S3 URL/],
    ['S3://bucket', /is not an S3 URL/],
    ['s3:/bucket', /is not an S3 URL/],
    ['s3://', /names no bucket/],
    ['s3:///a', /names no bucket/],
    ['s3://buck et', /cannot have/],
    ['s3://-bucket', /cannot have/],
    ['s3://bücket/a', /cannot have/],
    ['s3://user@bucket', /cannot have/],
    ['s3://bucket\n/a', /cannot have/],
    ['s3://a:b', /cannot have/],
    [`s3://${'b'.repeat(256)}`, /cannot have/],
    [`s3://bucket/${'é'.repeat(513)}`, /1026 bytes/],
    ['\u001b[2Js3://bucket', /is not an S3 URL/],
  ])('refuses %j, and says how to write it', (text, message) => {
    const error = refusal(() => parsePlace(text, 'source'))
    expect(error.message).toMatch(message)
    expect(error.hint).toContain('s3://bucket/prefix')
  })

  test.each([
    ['/backup/a b', "write 'file:///backup/a b' for that folder, or s3://bucket/prefix"],
    ['./photos', `write file://${process.cwd()}/photos for that folder, or s3://bucket/prefix`],
    ['..', `write file://${dirname(process.cwd())} for that folder, or s3://bucket/prefix`],
  ])('shows how to write the folder that %j may be', (text, hint) => {
    expect(refusal(() => parsePlace(text, 'destination')).hint).toBe(hint)
  })

  test('takes a prefix of exactly 1,024 bytes', () => {
    expect(parsePlace(`s3://bucket/${'é'.repeat(512)}`, 'source').prefix).toHaveLength(512)
  })

  test('names the argument that is wrong', () => {
    expect(refusal(() => parsePlace('x', 'destination')).message).toMatch(/^the destination /)
  })
})

describe('checkPair', () => {
  const pair = (source: string, destination: string) => (): void => {
    checkPair(parsePlace(source, 'source'), parsePlace(destination, 'destination'))
  }

  test.each([
    ['s3://a', 's3://b'],
    ['s3://a/x', 's3://b/x'],
    ['s3://a/x/', 's3://b/y/'],
    ['s3://a/x', 's3://b/y'],
    ['s3://a', 's3://b/y/'],
    ['s3://a/x/', 's3://b'],
    ['s3://a/x/', 's3://a/y/'],
    ['s3://a/x/y/', 's3://a/x/'],
    ['s3://a/x/', 's3://a'],
  ])('lets %s be copied to %s', (source, destination) => {
    expect(pair(source, destination)).not.toThrow()
  })

  test.each([
    ['s3://a', 's3://a', /are the same/],
    ['s3://a/x/', 's3://a/x/', /are the same/],
    ['s3://a/x', 's3://a/x', /are the same/],
    ['s3://a', 's3://a/y/', /lies inside the source/],
    ['s3://a/x/', 's3://a/x/y/', /lies inside the source/],
    ['s3://a/x', 's3://a/xy', /lies inside the source/],
  ])('refuses to copy %s to %s', (source, destination, message) => {
    expect(refusal(pair(source, destination)).message).toMatch(message)
  })

  test('refuses every destination whose copies the listing of the source would find', () => {
    const prefix = fc.array(fc.constantFrom('a', 'b', '/'), { maxLength: 4 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(prefix, prefix, (from, to) => {
        const allowed = !to.startsWith(from)
        const check = pair(`s3://a/${from}`, `s3://a/${to}`)
        if (allowed) expect(check).not.toThrow()
        else refusal(check)
      }),
    )
  })
})

describe('checkSlashes', () => {
  const pair =
    (source: string, destination: string, flags = {}) =>
    (): void => {
      const args = ['copy', source, destination, '-q']
      const places = [parsePlace(source, 'source'), parsePlace(destination, 'destination')] as const
      checkSlashes(places, [source, destination], flags, { args })
    }

  test.each([
    ['s3://a', 's3://b'],
    ['s3://a', 's3://b/'],
    ['s3://a/x', 's3://b/y'],
    ['s3://a', 's3://b/y/'],
    ['s3://a/x/', 's3://b'],
    ['file:///a', 's3://b/y/'],
    ['s3://a/x/', 'file:///b'],
  ])('lets %s be copied to %s', (source, destination) => {
    expect(pair(source, destination)).not.toThrow()
  })

  test.each([
    ['s3://a/x/', 's3://b/y', 's3move copy s3://a/x/ s3://b/y/ -q '],
    ['s3://a/x', 's3://b/y/', 's3move copy s3://a/x/ s3://b/y/ -q '],
    ['s3://a/x', 's3://a/x/', 's3move copy s3://a/x/ s3://a/x/ -q '],
    ['s3://a', 's3://b/y', 's3move copy s3://a s3://b/y/ -q '],
    ['s3://a/x', 's3://b/', 's3move copy s3://a/x/ s3://b/ -q '],
    ['s3://a/x', 'file:///b', 's3move copy s3://a/x/ file:///b -q '],
    ['s3://a/\u001b]x/', 's3://b/\u202ey', "s3move copy $'s3://a/\\033]x/' $'s3://b/\\342\\200\\256y/' -q "],
    ['s3://a', "s3://b/it's $HOME", "s3move copy s3://a 's3://b/it'\\''s $HOME/' -q "],
  ])('refuses to copy %s to %s and says what to write', (source, destination, right) => {
    const error = refusal(pair(source, destination))
    expect(error.message).toMatch(/^one prefix ends in \/ and the other does not/)
    expect(error.hint).toContain(`write: ${right}`)
    expect(pair(source, destination, { 'prefix-as-text': true })).not.toThrow()
  })

  test('refuses two prefixes exactly when one is a folder of keys and the other is none', () => {
    const prefix = fc.array(fc.constantFrom('a', 'b', '/'), { maxLength: 4 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(prefix, prefix, (from, to) => {
        const check = pair(`s3://a/${from}`, `s3://b/${to}`)
        if (/^$|\/$/.test(from) === /^$|\/$/.test(to)) expect(check).not.toThrow()
        else refusal(check)
      }),
    )
  })
})
