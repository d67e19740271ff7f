import {
  CreateBucketCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3'
import { expect, onTestFinished } from 'vitest'
import { startSandbox, type Sandbox, type SandboxOptions } from '../../src/sandbox/server.js'
import { CREDENTIALS } from './cli-program.js'

/** A server and an independent client to look into its buckets. */
export interface Server {
  readonly url: string
  readonly s3: S3Client
}

/** A simulated server; `fault` changes what goes wrong while it runs. */
export interface TestSandbox extends Server, Pick<Sandbox, 'stats' | 'port'> {
  fault(kind: string, rate: string, operation?: string): Promise<void>
}

/** An object as a listing shows it. */
export interface Listed {
  readonly size: number
  readonly etag: string
  readonly storageClass: string
}

/** Starts a sandbox in this process, for the time of the test. */
export async function sandbox(options: SandboxOptions): Promise<TestSandbox> {
  const server = await startSandbox(options)
  onTestFinished(() => server.close())
  const scheme = options.tls === undefined ? 'http' : 'https'
  return {
    ...look(server.url, options.region),
    port: server.port,
    stats: () => server.stats(),
    async fault(kind, rate, operation) {
      const query = new URLSearchParams({ kind, rate, ...(operation === undefined ? {} : { op: operation }) })
      if (scheme === 'https') throw new Error('faults are set over http only')
      const answer = await fetch(`${server.url}/_sandbox/faults?${String(query)}`, { method: 'POST' })
      expect(answer.status).toBe(200)
    },
  }
}

/**
 * Asserts that so many objects were copied to `bucket`, each once. A machine that is busy may answer a request so late that it was given up and
 * sent again: a second copy needs a request that got no answer, from the server or from one before it.
 */
export function expectCopiedOnce(
  { stats }: Pick<TestSandbox, 'stats'>,
  bucket: string,
  objects: number,
  before: { readonly unanswered: number } = { unanswered: 0 },
): void {
  const { copies, byStatus } = stats()
  const { total, unique, duplicates } = copies[bucket]!
  expect([unique, total - duplicates]).toEqual([objects, objects])
  expect(duplicates, 'copies of what was copied').toBeLessThanOrEqual((byStatus.none ?? 0) + before.unanswered)
}

/** A client for the server at `url`, for the time of the test. */
export function look(url: string, region = 'us-east-1', credentials = CREDENTIALS): Server {
  const s3 = new S3Client({
    endpoint: url,
    region,
    credentials,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    logger: { debug: silent, info: silent, warn: silent, error: silent },
  })
  onTestFinished(() => s3.destroy())
  return { url, s3 }
}

/** All of a bucket, or of a prefix in it, in the order of the listing. */
export async function contentOf({ s3 }: Server, bucket: string, prefix = ''): Promise<Map<string, Listed>> {
  const found = new Map<string, Listed>()
  let token: string | undefined
  do {
    const page = await s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, EncodingType: 'url', ContinuationToken: token }),
    )
    for (const { Key, Size, ETag, StorageClass } of page.Contents ?? []) {
      const key = decodeURIComponent(Key!.replaceAll('+', ' '))
      found.set(key, { size: Size!, etag: ETag!, storageClass: StorageClass ?? 'STANDARD' })
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined
  } while (token !== undefined)
  return found
}

/** What HEAD says of an object, without what belongs to the copy itself (its date), and its tags. */
export async function traitsOf({ s3 }: Server, Bucket: string, Key: string): Promise<unknown> {
  const { $metadata, LastModified, ...head } = await s3.send(new HeadObjectCommand({ Bucket, Key }))
  expect([$metadata.httpStatusCode, LastModified]).toEqual([200, expect.any(Date)])
  const { TagSet } = await s3.send(new GetObjectTaggingCommand({ Bucket, Key }))
  return { ...head, tags: TagSet }
}

/** What an object can have beside its content, at any store. */
export const RICH = {
  ContentType: 'text/x-test; charset="a b"',
  CacheControl: 'max-age=5',
  ContentDisposition: 'attachment; filename="a b.txt"',
  ContentEncoding: 'gzip',
  ContentLanguage: 'de-CH',
  Metadata: { owner: 'team 1', note: '"100%"; a=b+c' },
  Tagging: 'team=red%20one&sum=1%2B1',
}

/** Stores an object. */
export async function put({ s3 }: Server, Bucket: string, Key: string, more: Partial<PutObjectCommandInput> = {}) {
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: '', ...more }))
}

/** Makes a bucket. */
export async function makeBucket({ s3 }: Server, Bucket: string): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket }))
}

/**
 * Asserts that `actual` holds exactly the objects of `expected` under the names that `rename` gives them, in UTF-8 byte order, each
 * with its size, ETag and storage class.
 */
export function expectSame(
  actual: ReadonlyMap<string, Listed>,
  expected: ReadonlyMap<string, Listed>,
  rename: (key: string) => string = (key) => key,
): void {
  const wanted = [...expected].map(([key, listed]) => [rename(key), listed] as const)
  wanted.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  // Key by key, so that a failure names the first that differs and not thousands.
  const found = [...actual]
  const at = wanted.findIndex((pair, index) => JSON.stringify(pair) !== JSON.stringify(found[index]))
  if (at >= 0) expect(found[at], `object ${at}`).toEqual(wanted[at])
  expect(found.length).toBe(wanted.length)
}

function silent(): void {
  // The SDK's own messages do not belong in the output of the tests.
}
