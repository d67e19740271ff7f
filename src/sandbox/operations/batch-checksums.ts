import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { ObjectBytes } from '../wire/content.js'
import { percentDecode } from '../wire/request.js'
import { accessDenied, S3Error } from '../wire/s3-error.js'
import { textOf, type XmlElement } from '../wire/xml.js'
import type { TaskResult } from './batch-tasks.js'
import { findSource } from './lookup.js'
import { bucketOf, type World } from './world.js'

/** Takes in bytes, and answers the checksum of all of them. */
interface Summing {
  update(bytes: Uint8Array): void
  digest(): Buffer
}

const ALGORITHMS: ReadonlyMap<string, () => Summing> = new Map([
  ...['MD5', 'SHA1', 'SHA256', 'SHA512'].map((name) => [name, () => hashed(name)] as const),
  ['CRC32', summed32],
  ['CRC64NVME', summed64],
])

/** In bytes: the checksum of more takes this machine too long. S3 has no such limit. */
const MOST = 2 ** 30

/** Whether a checksum is known here: of the whole object, by one of some algorithms. */
export function canCompute(operation: XmlElement): boolean {
  const algorithm = textOf(operation, 'ChecksumAlgorithm') ?? ''
  return ALGORITHMS.has(algorithm) && textOf(operation, 'ChecksumType') === 'FULL_OBJECT'
}

/** Computes the checksum of the object of a row, archived or not; the report has it as JSON. */
export function computed(
  world: World,
  [bucket = '', key = '', version = '']: readonly string[],
  operation: XmlElement,
): TaskResult {
  const row = (...rest: readonly string[]): readonly string[] => [bucket, key, version, ...rest]
  const checksumAlgorithm = textOf(operation, 'ChecksumAlgorithm') ?? ''
  try {
    const name = percentDecode(key.replaceAll('+', ' '))
    const { object } = findSource(bucketOf(world, bucket), name, version === '' ? undefined : version)
    if (object.denied) throw accessDenied()
    if (object.size > MOST) throw new S3Error(501, 'NotImplemented', 'The simulation computes no checksum over 1 GiB')
    const checksum = checksumOf(object.content(), checksumAlgorithm)
    const message = {
      ...{ checksum_base64: checksum.toString('base64'), etag: object.etag, checksumAlgorithm },
      ...{ checksumType: 'FULL_OBJECT', checksum_hex: checksum.toString('hex') },
    }
    return { failed: false, row: row('succeeded', '', '200', JSON.stringify(message)) }
  } catch (error) {
    if (!(error instanceof S3Error)) throw error
    return { failed: true, row: row('failed', error.code, String(error.status), error.message) }
  }
}

function checksumOf(content: ObjectBytes, algorithm: string): Buffer {
  const sum = ALGORITHMS.get(algorithm)?.()
  if (sum === undefined) throw new S3Error(501, 'NotImplemented', `The simulation has no ${algorithm}`)
  for (const piece of content.chunks(0, content.size)) sum.update(piece)
  return sum.digest()
}

function hashed(name: string): Summing {
  const hash = createHash(name.toLowerCase())
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() }
}

function summed32(): Summing {
  let sum = 0
  return {
    update: (bytes) => void (sum = crc32(bytes, sum)),
    digest() {
      const digest = Buffer.alloc(4)
      digest.writeUInt32BE(sum)
      return digest
    },
  }
}

// CRC-64/NVME, reflected: the two halves of the polynomial and of the remainder, as numbers of 32 bits are fast.
const HIGH = 0x9a6c9329
const LOW = 0xac4bc9b5
let table: { readonly high: Uint32Array; readonly low: Uint32Array } | undefined

function crcTable(): NonNullable<typeof table> {
  if (table !== undefined) return table
  const [tops, bottoms] = [new Uint32Array(256), new Uint32Array(256)]
  for (let byte = 0; byte < 256; byte++) {
    let [high, low] = [0, byte]
    for (let bit = 0; bit < 8; bit++) {
      const odd = low & 1
      low = (low >>> 1) | (high << 31)
      high >>>= 1
      if (odd === 1) {
        high ^= HIGH
        low ^= LOW
      }
    }
    tops[byte] = high
    bottoms[byte] = low
  }
  return (table = { high: tops, low: bottoms })
}

function summed64(): Summing {
  const { high: tops, low: bottoms } = crcTable()
  let [high, low] = [0xffffffff, 0xffffffff]
  return {
    update(bytes) {
      for (const byte of bytes) {
        const at = (low ^ byte) & 0xff
        low = ((low >>> 8) | (high << 24)) ^ (bottoms[at] ?? 0)
        high = (high >>> 8) ^ (tops[at] ?? 0)
      }
    },
    digest() {
      const digest = Buffer.alloc(8)
      digest.writeUInt32BE(~high >>> 0, 0)
      digest.writeUInt32BE(~low >>> 0, 4)
      return digest
    },
  }
}
