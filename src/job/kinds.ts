import { COPY, type CopyJob } from './copy.js'
import { DELETE, type DeleteJob } from './delete.js'
import { DU, type DuJob } from './du.js'
import type { KeyList } from './files-from.js'
import type { DeferredDeletePlan, JobKind, WriteKind } from './kind.js'
import { LS, type LsJob } from './ls.js'
import { MOVE, type MoveJob } from './move.js'
import { isDirectoryBucket, type Place, type Side } from './place.js'
import { byKind, type Check } from './schema.js'
import type { Selection } from './selection.js'
import type { Shard } from './shard.js'
import { SET_ENCRYPTION, type SetEncryptionJob } from './set-encryption.js'
import { SET_HEADERS, type SetHeadersJob } from './set-headers.js'
import { isSetStorageClass, SET_STORAGE_CLASS, type SetStorageClassJob } from './set-storage-class.js'
import { SET_TAGS, type SetTagsJob } from './set-tags.js'
import { SYNC, type SyncJob } from './sync.js'
import { VERIFY, type VerifyJob } from './verify.js'

/** A job that changes objects. */
export type WriteJob =
  CopyJob | SetHeadersJob | SetTagsJob | SetStorageClassJob | SetEncryptionJob | DeleteJob | SyncJob | MoveJob

/** A job whose result is what was read. */
export type ScanJob = LsJob | DuJob | VerifyJob

/** What is to be done. Fixed for a run: a checkpoint belongs to one job. */
export type Job = WriteJob | ScanJob

const WRITES = {
  copy: COPY,
  sync: SYNC,
  move: MOVE,
  'set-headers': SET_HEADERS,
  'set-tags': SET_TAGS,
  'set-storage-class': SET_STORAGE_CLASS,
  'set-encryption': SET_ENCRYPTION,
  delete: DELETE,
} satisfies { readonly [J in WriteJob as J['kind']]: WriteKind<J> }

const SCANS = { ls: LS, du: DU, verify: VERIFY } satisfies { readonly [J in ScanJob as J['kind']]: JobKind<J> }

const KINDS = { ...WRITES, ...SCANS }

/** Proves that a value is a job. */
export const jobShape: Check<Job> = byKind<Job>(KINDS)

/** What is known of the kind of a job. Only to be asked about that job: which kind it is, the type does not say. */
export function kindOf({ kind }: Job): JobKind<Job> {
  return KINDS[kind] as JobKind<Job>
}

/** The same of a job that changes objects. */
export function writeKindOf({ kind }: WriteJob): WriteKind<WriteJob> {
  return WRITES[kind] as WriteKind<WriteJob>
}

/** Whether a job is one that only reads. */
export function isScanJob(job: Job): job is ScanJob {
  return Object.hasOwn(SCANS, job.kind)
}

/** The storage class that a job gives all that it writes, if it names one. */
export function givenStorageClass(job: WriteJob): string | undefined {
  return isSetStorageClass(job) ? job.storageClass : 'attributes' in job ? job.attributes.storageClass : undefined
}

/** The request by which a job changes objects, where that is no copy. */
export function updatesOf(job: WriteJob): string | undefined {
  return writeKindOf(job).updates?.(job)
}

/** Whether a job does nothing but delete. */
export function onlyDeletes(job: WriteJob): boolean {
  return writeKindOf(job).done === 'deleted'
}

/** What a job deletes behind its checkpoint, if it does. */
export function deferredDeletesOf(job: WriteJob): DeferredDeletePlan | undefined {
  return writeKindOf(job).deferredDeletes?.(job)
}

/** Where what a job deletes is. */
export function deletionPlace(job: WriteJob): Place {
  return 'destination' in job && writeKindOf(job).deletesAt === 'destination' ? job.destination : job.source
}

/** The list that names the objects of a job, if there is one. */
export function listOf(job: Job): KeyList | undefined {
  return 'list' in job ? job.list : undefined
}

/** The inventory that a job goes by in place of a listing of its source, if there is one. */
export function inventoryOf(job: Job): KeyList | undefined {
  return 'inventory' in job ? job.inventory : undefined
}

/** What a job is given to read in place of a listing: the list of its objects, or the inventory of its source. */
export function listFileOf(job: Job): KeyList | undefined {
  return listOf(job) ?? inventoryOf(job)
}

/** The sides that a job lists and that are directory buckets, which list in no order. */
export function unorderedSidesOf(job: Job): readonly Side[] {
  const lists: Readonly<Partial<Record<Side, Place>>> = {
    ...(listFileOf(job) === undefined ? { source: job.source } : {}),
    ...(listOf(job) === undefined && (job.kind === 'sync' || job.kind === 'verify')
      ? { destination: job.destination }
      : {}),
  }
  return (['source', 'destination'] as const).filter((side) => isDirectoryBucket(lists[side]?.bucket ?? ''))
}

/** The job with another one of these in its place. */
export function withList<J extends Job>(job: J, list: KeyList): J {
  if ('inventory' in job) return { ...job, inventory: list }
  return 'list' in job ? { ...job, list } : job
}

/** Which objects a job is for, where it is not for all. */
export function selectionOf(job: Job): Selection | undefined {
  return 'select' in job ? job.select : undefined
}

/** The shard that a job is for, where it is for one of several. */
export function shardIn(job: Job): Shard | undefined {
  return selectionOf(job)?.shard
}

/** The job for this shard, and for all shards where that is undefined. */
export function withShard<J extends Job>(job: J, shard: Shard | undefined): J {
  if (shard === undefined && shardIn(job) === undefined) return job
  const { select: { shard: _, ...rest } = {}, ...all } = job as J & { readonly select?: Selection }
  const select = { ...rest, ...(shard === undefined ? {} : { shard }) }
  return { ...all, ...(Object.keys(select).length === 0 ? {} : { select }) } as unknown as J
}

/** What objects are to be called, where a job gives them other names. */
export function mapOf(job: Job): readonly string[] | undefined {
  return 'map' in job ? job.map : undefined
}

/** Whether a job is for all versions of its objects. */
export function ofAllVersions(job: Job): boolean {
  return 'versions' in job && job.versions
}
