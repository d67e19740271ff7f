import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  UploadPartCommand,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3'
import { createHash } from 'node:crypto'
import { contentOf, put, RICH, type Server } from '../../support/cli-buckets.js'
import { gateway, newBuckets } from '../../support/gateway.js'
import { oddLayout } from '../../../src/sandbox/buckets/odd-keys.js'

/** The server that .ci/run started. */
export const SWIFT = gateway('OpenStack Swift with s3api', 'test:tester', 'testtest')

/** Two new buckets. They stay: the server is thrown away. */
export const buckets = () => newBuckets(SWIFT)

const MIB = 1024 ** 2
/** By key: how many bytes objects of parts have. */
export const IN_PARTS: ReadonlyMap<string, number> = new Map([
  ['parts/two', 5 * MIB + 77],
  ['parts/ü b+c%20', 6 * MIB],
  ['parts/three', 11 * MIB],
])

// Tags are not of Swift.
const { Tagging: _, ...traits } = RICH

/** Puts objects of odd keys, with headers and metadata, and `IN_PARTS`. */
export async function fill(server: Server, bucket: string, count: number): Promise<readonly string[]> {
  const layout = oddLayout(count, 5, 1024)
  const keys = Array.from({ length: layout.count }, (_, index) => layout.keyAt(index))
  const rest = keys.entries()
  const worker = async (): Promise<void> => {
    for (const [index, key] of rest) {
      const Body = key.endsWith('/') ? '' : `body ${index}`
      const more =
        index % 3 === 0 ? traits : { ContentType: 'text/plain; charset=utf-8', Metadata: { n: `a=b; ${index}` } }
      await put(server, bucket, key, { Body, ...more })
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  for (const [key, size] of IN_PARTS) await putInParts(server, bucket, key, Buffer.alloc(size, key), traits)
  return [...keys, ...IN_PARTS.keys()]
}

/** Puts an object in parts of 5 MiB. */
export async function putInParts(
  { s3 }: Server,
  Bucket: string,
  Key: string,
  content: Buffer,
  more: Partial<PutObjectCommandInput> = {},
): Promise<void> {
  const { ContentType, CacheControl, Metadata } = more
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ Bucket, Key, ContentType, CacheControl, Metadata }),
  )
  const Parts: { ETag: string | undefined; PartNumber: number }[] = []
  for (let at = 0; at < content.length; at += 5 * MIB) {
    const PartNumber = Parts.length + 1
    const Body = content.subarray(at, at + 5 * MIB)
    const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))
    Parts.push({ ETag, PartNumber })
  }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
}

/** What an object is, by key: SHA-256 of its bytes, headers and metadata; without what belongs to the copy itself. */
export async function wholeOf(server: Server, bucket: string): Promise<Map<string, Record<string, unknown>>> {
  const found = new Map<string, Record<string, unknown>>()
  const keys = [...(await contentOf(server, bucket)).keys()]
  const rest = keys.values()
  const worker = async (): Promise<void> => {
    for (const Key of rest) {
      const answer = await server.s3.send(new GetObjectCommand({ Bucket: bucket, Key }))
      const digest = createHash('sha256')
      for await (const bytes of answer.Body as AsyncIterable<Uint8Array>) digest.update(bytes)
      const { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Metadata } = answer
      found.set(Key, {
        ...{ ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, Metadata },
        digest: digest.digest('hex'),
      })
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  return found
}
