import { randomBytes } from 'node:crypto'
import {
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
} from '@aws-sdk/client-s3'
import { onTestFinished } from 'vitest'
import { contentOf, look, makeBucket, type Server } from '../cli-buckets.js'
import { workFolder, type StartOptions } from '../cli-program.js'

const ENDPOINT = process.env.S3MOVE_TEST_ENDPOINT
if (ENDPOINT === undefined) throw new Error('S3MOVE_TEST_ENDPOINT must name a Ceph gateway: .ci/run starts one')
/** Of the gateway. */
export const url: string = ENDPOINT
const KEYS = { accessKeyId: 'test', secretAccessKey: 'testtest' }
/** The gateway's keys, as a process has them. */
export const KEYS_ENV = { AWS_ACCESS_KEY_ID: KEYS.accessKeyId, AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey }

/** Two buckets of the gateway, and a folder to work in. */
export interface Pair {
  readonly ceph: Server
  readonly from: string
  readonly to: string
  readonly as: StartOptions
  readonly cwd: string
}

/** Two new buckets, emptied and deleted when the test ends. */
export async function pair(): Promise<Pair> {
  const cwd = await workFolder()
  const ceph = look(url, 'us-east-1', KEYS)
  const id = randomBytes(4).toString('hex')
  const [from, to] = [`from-${id}`, `to-${id}`]
  for (const bucket of [from, to]) {
    await makeBucket(ceph, bucket)
    onTestFinished(() => deleteBucket(ceph, bucket))
  }
  return { ceph, from, to, cwd, as: { cwd, env: KEYS_ENV } }
}

async function deleteBucket(ceph: Server, Bucket: string): Promise<void> {
  const keys = [...(await contentOf(ceph, Bucket)).keys()]
  // The XML of DeleteObjects cannot name every key.
  const nameable = keys.filter((key) => !/[\p{Cc}\p{Cs}\ufffe\uffff]/u.test(key))
  for (let at = 0; at < nameable.length; at += 1000) {
    const Objects = nameable.slice(at, at + 1000).map((Key) => ({ Key }))
    await ceph.s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
  }
  for (const Key of (await contentOf(ceph, Bucket)).keys()) await ceph.s3.send(new DeleteObjectCommand({ Bucket, Key }))
  const { Versions = [], DeleteMarkers = [] } = await ceph.s3.send(new ListObjectVersionsCommand({ Bucket }))
  for (const { Key, VersionId } of [...Versions, ...DeleteMarkers]) {
    await ceph.s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId }))
  }
  await ceph.s3.send(new DeleteBucketCommand({ Bucket }))
}
