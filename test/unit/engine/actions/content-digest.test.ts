import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { fingerprintOf } from '../../../../src/engine/actions/content-digest.js'
import type { ObjectHead } from '../../../../src/storage/storage.js'

const CONTENT = Buffer.from('what is kept')

function headWith(checksums: Readonly<Record<string, string>>, etag = 'of parts-2'): ObjectHead {
  return { etag, plainEtag: true, checksums: new Map(Object.entries(checksums)) } as unknown as ObjectHead
}

function judged(head: ObjectHead, content: Buffer): readonly [name: string | undefined, matches: boolean | undefined] {
  const digest = fingerprintOf(head)
  digest?.add(content.subarray(0, 5))
  digest?.add(content.subarray(5))
  return [digest?.name, digest?.matches()]
}

const base64 = (algorithm: string): string => createHash(algorithm).update(CONTENT).digest('base64')

describe('the content that was read', () => {
  test.each<readonly [string, string]>([
    ...['sha512', 'sha256', 'sha1', 'md5'].map((name) => [name, base64(name)] as const),
    ['crc32', 'Izmq7w=='],
  ])('is proven by a %s of the whole, and no other content is', (algorithm, checksum) => {
    const head = headWith({ [algorithm]: checksum })
    expect(judged(head, CONTENT)).toEqual([algorithm.toUpperCase(), true])
    expect(judged(head, Buffer.from('what is lost'))).toEqual([algorithm.toUpperCase(), false])
  })

  test('is proven by its MD5 where the ETag is that, and by nothing where the store tells none that can be made here', () => {
    expect(judged(headWith({ sha1: 'other' }, createHash('md5').update(CONTENT).digest('hex')), CONTENT)).toEqual([
      'MD5',
      true,
    ])
    expect(judged(headWith({ crc64nvme: 'AAAA', xxhash3: 'AAAA' }), CONTENT)).toEqual([undefined, undefined])
  })
})
