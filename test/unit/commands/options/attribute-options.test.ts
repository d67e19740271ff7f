import { describe, expect, test } from 'vitest'
import { readAttributes } from '../../../../src/commands/options/attribute-options.js'
import { readOnLoss } from '../../../../src/commands/options/pace-options.js'
import { UserError } from '../../../../src/errors.js'

const read = (flags: Record<string, unknown>) => readAttributes(flags, '/here')

describe('the attributes that a command line asks for', () => {
  test('are none when it is silent, so that the job is that of before', () => {
    expect(read({})).toEqual({})
    expect(read({ preserve: ['tags,metadata', 'storage-class'] })).toEqual({})
    expect(readOnLoss({})).toBeUndefined()
  })

  test('are the same job in whatever order they are written', () => {
    const one = read({ preserve: ['redirect,acl', 'lock'], 'no-preserve': ['tags', 'metadata'] })
    expect(one).toEqual({ attributes: { preserve: ['acl', 'lock', 'redirect'], drop: ['metadata', 'tags'] } })
    expect(read({ preserve: ['lock', 'acl,redirect,acl'], 'no-preserve': ['metadata,tags'] })).toEqual(one)
  })

  test('are all there', () => {
    const flags = {
      ...{
        'storage-class': 'STANDARD_IA',
        acl: 'public-read',
        sse: 'aws:kms',
        'sse-kms-key-id': 'k',
        'bucket-key': false,
      },
      ...{ 'checksum-algorithm': 'SHA256', tagging: 'a b=c+d&é=', 'cache-control': 'no-store', metadata: ['Owner=me'] },
      ...{ remove: ['Expires'], 'source-sse-c-key-file': 'key', 'part-size': '64M' },
    }
    expect(read(flags)).toEqual({
      attributes: {
        ...{ storageClass: 'STANDARD_IA', acl: 'public-read', encryption: 'aws:kms', kmsKeyId: 'k', bucketKey: false },
        ...{ checksumAlgorithm: 'SHA256', tagging: 'a%20b=c%20d&%C3%A9=' },
        set: [
          ['cache-control', 'no-store'],
          ['x-amz-meta-owner', 'me'],
        ],
        ...{ remove: ['expires'], sourceKeyFile: '/here/key' },
      },
      partSize: 64 * 1024 ** 2,
    })
  })

  test.each([
    ['5M', 5 * 1024 ** 2],
    ['5242880', 5 * 1024 ** 2],
    ['1g', 1024 ** 3],
    ['5GiB', 5 * 1024 ** 3],
  ])('a part of %s has %d bytes', (given, bytes) => {
    expect(read({ 'part-size': given })).toEqual({ partSize: bytes })
  })

  test.each<[Record<string, unknown>, string]>([
    [{ 'part-size': '4M' }, 'from 5M to 5G'],
    [{ 'part-size': '6G' }, 'from 5M to 5G'],
    [{ 'part-size': 'many' }, 'from 5M to 5G'],
    [{ preserve: ['everything'] }, '--preserve cannot be everything'],
    [{ 'no-preserve': ['acl'] }, '--no-preserve cannot be acl'],
    // What yargs makes of --no-preserve at the end of the line.
    [{ preserve: false }, '--no-preserve needs a value'],
    [{ preserve: ['tags'], 'no-preserve': ['tags'] }, '--preserve tags and --no-preserve tags contradict'],
    [{ preserve: ['acl'], acl: 'private' }, '--preserve acl and --acl contradict'],
    [{ preserve: ['encryption'], sse: 'AES256' }, '--preserve encryption and --sse contradict'],
    [{ preserve: ['encryption'], 'sse-c-key-file': 'k' }, '--preserve encryption and --sse-c-key-file contradict'],
    [{ preserve: ['encryption'], 'source-sse-c-key-file': 'k' }, 'cannot keep a key of yours'],
    [{ preserve: ['storage-class'], 'storage-class': 'GLACIER' }, '--preserve storage-class and --storage-class'],
    [{ preserve: ['tags'], tagging: 'a=b' }, '--preserve tags and --tagging contradict'],
    [{ sse: 'AES256', 'sse-c-key-file': 'k' }, '--sse and --sse-c-key-file contradict'],
    [{ 'sse-kms-key-id': 'k' }, '--sse-kms-key-id is for --sse aws:kms'],
    [{ sse: 'AES256', 'bucket-key': true }, '--bucket-key is for --sse aws:kms'],
    [{ 'cache-control': 'x', remove: ['cache-control'] }, 'both to be set and to be removed'],
    [{ 'no-preserve': ['metadata'], remove: ['expires'] }, 'nothing is left to be removed'],
    [{ 'storage-class': 'standard' }, '--storage-class cannot be standard'],
    [{ tagging: '&' }, 'names no tag'],
    [{ tagging: 'a=1&a=2' }, 'names a tag twice'],
    [{ tagging: Array.from({ length: 11 }, (_, at) => `t${at}=`).join('&') }, 'names 11 tags'],
    [{ tagging: `a=${'x'.repeat(257)}` }, 'too long'],
  ])('%j is refused', (flags, why) => {
    expect(() => read(flags)).toThrow(UserError)
    expect(() => read(flags)).toThrow(why)
  })
})
