import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { ObjectHead } from '../../storage/storage.js'

/** What the content of an object must come to when it is read. */
export interface ContentDigest {
  /** What it is made by, as people call it. */
  readonly name: string
  add(bytes: Buffer): void
  /** Whether all that was added is what the store says the object holds. To be asked once. */
  matches(): boolean
}

/**
 * The fingerprint by which a store vouches for the content of an object: its ETag where that is an MD5, else a checksum of the whole; undefined
 * where it tells none (objects of parts in most stores).
 */
export function fingerprintOf(head: ObjectHead): ContentDigest | undefined {
  const { etag, checksums } = head
  if (md5Of(head) !== undefined) return byHash('md5', 'hex', etag)
  for (const algorithm of ['sha512', 'sha256', 'sha1', 'md5'] as const) {
    const expected = checksums.get(algorithm)
    if (expected !== undefined) return byHash(algorithm, 'base64', expected)
  }
  const expected = checksums.get('crc32')
  return expected === undefined ? undefined : byCrc32(expected)
}

/** The MD5 of the content of an object, where its ETag is that. */
export function md5Of({ etag, plainEtag }: ObjectHead): Buffer | undefined {
  return plainEtag && /^[0-9a-f]{32}$/.test(etag) ? Buffer.from(etag, 'hex') : undefined
}

function byHash(algorithm: string, form: 'hex' | 'base64', expected: string): ContentDigest {
  const hash = createHash(algorithm)
  return {
    name: algorithm.toUpperCase(),
    add: (bytes) => void hash.update(bytes),
    matches: () => hash.digest(form) === expected,
  }
}

function byCrc32(expected: string): ContentDigest {
  let sum = 0
  return {
    name: 'CRC32',
    add(bytes) {
      sum = crc32(bytes, sum)
    },
    matches() {
      const digest = Buffer.alloc(4)
      digest.writeUInt32BE(sum)
      return digest.toString('base64') === expected
    },
  }
}
