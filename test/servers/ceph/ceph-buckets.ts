import {
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
} from '@aws-sdk/client-s3'
import { onTestFinished } from 'vitest'
import { contentOf, type Server } from '../../support/cli-buckets.js'
import { gateway, newBuckets, type Buckets } from '../../support/gateway.js'

const CEPH = gateway('a Ceph gateway', 'test', 'testtest')
/** Of the gateway. */
export const url: string = CEPH.url
/** The gateway's keys, as a process has them. */
export const KEYS_ENV = CEPH.env

/** Two buckets of the gateway, and a folder to work in. */
export interface Pair extends Omit<Buckets, 'server'> {
  readonly ceph: Server
}

/** Two new buckets, emptied and deleted when the test ends. */
export async function pair(): Promise<Pair> {
  const { server: ceph, ...buckets } = await newBuckets(CEPH)
  for (const bucket of [buckets.from, buckets.to]) onTestFinished(() => deleteBucket(ceph, bucket))
  return { ceph, ...buckets }
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
