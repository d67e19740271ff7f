import { StorageError } from '../../errors.js'
import type { Outcome, SkipReason } from '../../job/outcome.js'
import type { SetEncryptionJob, WantedEncryption } from '../../job/set-encryption.js'
import type { Change } from '../../rules/decide.js'
import {
  able,
  type HeaderFields,
  type ListedEncryption,
  type ObjectSummary,
  type Storage,
} from '../../storage/storage.js'
import type { Action } from '../lanes/lane.js'
import { asOne } from './as-one.js'
import type { ActionContext, KindActions, Look, Requests } from './context.js'
import { actingOnVersions, lookingAtVersions } from './each-version.js'
import { unlessListed } from './gone.js'
import { headOf } from './manifests.js'
import {
  lookAtRewrite,
  outcomeOfHead,
  requestsOfRewrite,
  requestsOfRewriteCheck,
  setHeadersAction,
  type RewriteJob,
} from './set-headers.js'

const ENCRYPTED: Outcome = { kind: 'copied' }
const SSE = 'x-amz-server-side-encryption'
const KEY = `${SSE}-aws-kms-key-id`
const BUCKET_KEY = `${SSE}-bucket-key-enabled`

/** How an object is encrypted, as far as it is known. */
export interface ObjectEncryption {
  /** As `x-amz-server-side-encryption` has it; undefined where it is not. */
  readonly algorithm: string | undefined
  /** Undefined where nobody has told. */
  readonly kmsKeyId?: string | undefined
  readonly bucketKey?: boolean | undefined
  /** A lock of any kind holds it. */
  readonly locked?: boolean
}

/** What is to become of an object. */
export type EncryptionPlan =
  | { readonly kind: 'skip'; readonly reason: SkipReason }
  | { readonly kind: 'update'; readonly bucketKey: boolean }
  /** S3 cannot do it without a copy, for this reason. */
  | { readonly kind: 'rewrite'; readonly reason: SkipReason }

/** Decides what an encryption needs to be the one that is wanted. */
export function encryptionPlan(wanted: WantedEncryption, has: ObjectEncryption): EncryptionPlan {
  const { algorithm, kmsKeyId, bucketKey = false, locked = false } = has
  if (wanted.encryption === 'AES256')
    return algorithm === 'AES256'
      ? skip('unchanged')
      : { kind: 'rewrite', reason: reasonOf(algorithm) ?? 'needs-rewrite' }
  const isRight =
    algorithm === 'aws:kms' && kmsKeyId === wanted.kmsKeyId && (wanted.bucketKey ?? bucketKey) === bucketKey
  if (isRight) return skip('unchanged')
  const reason = reasonOf(algorithm)
  if (reason !== undefined) return { kind: 'rewrite', reason }
  // A rewrite would leave the version that is locked as it is.
  if (locked) return skip('object-lock')
  return { kind: 'update', bucketKey: wanted.bucketKey ?? bucketKey }
}

/** The same by what a list says alone; undefined where it does not say enough. */
export function planByList(wanted: WantedEncryption, listed: ListedEncryption): EncryptionPlan | undefined {
  const { status, kmsKeyArn, bucketKey } = listed
  if (status === 'SSE-C') return skip('sse-c')
  const algorithm = ALGORITHMS[status]
  // Of an object under KMS nobody knows without the key whether it is right.
  if (status === 'SSE-KMS' && wanted.encryption === 'aws:kms') {
    if (kmsKeyArn === undefined) return undefined
    const asksOfBucketKey = (kmsKeyArn === wanted.kmsKeyId) === (wanted.bucketKey !== undefined)
    if (bucketKey === undefined && asksOfBucketKey) return undefined
  }
  return encryptionPlan(wanted, { algorithm, kmsKeyId: kmsKeyArn, bucketKey })
}

const ALGORITHMS: Readonly<Record<Exclude<ListedEncryption['status'], 'SSE-C'>, string | undefined>> = {
  'SSE-S3': 'AES256',
  'SSE-KMS': 'aws:kms',
  'DSSE-KMS': 'aws:kms:dsse',
  'NOT-SSE': undefined,
}

function skip(reason: SkipReason): EncryptionPlan {
  return { kind: 'skip', reason }
}

// Why S3 cannot update it.
function reasonOf(algorithm: string | undefined): SkipReason | undefined {
  if (algorithm === undefined) return 'unencrypted'
  return algorithm === 'aws:kms:dsse' ? 'dsse-kms' : undefined
}

/** How an object is encrypted, by what HEAD tells to be sent again. */
export function encryptionIn(carried: HeaderFields): ObjectEncryption {
  const of = new Map(carried)
  const isOn = (name: string): boolean => of.get(name)?.toUpperCase() === 'ON'
  return {
    algorithm: of.get(SSE),
    kmsKeyId: of.get(KEY),
    bucketKey: of.get(BUCKET_KEY) === 'true',
    locked: of.has(`${LOCK}mode`) || isOn(`${LOCK}legal-hold`) || isOn(`${LOCK}event-hold`),
  }
}

const LOCK = 'x-amz-object-lock-'

/** The fields of a request that ask for an encryption. */
export function encryptionFields({ encryption, kmsKeyId, bucketKey }: WantedEncryption): HeaderFields {
  return [
    [SSE, encryption],
    ...(kmsKeyId === undefined ? [] : [[KEY, kmsKeyId] as const]),
    ...(bucketKey === undefined ? [] : [[BUCKET_KEY, String(bucketKey)] as const]),
  ]
}

function rewriteOf(job: SetEncryptionJob): RewriteJob {
  const { source, acl } = job
  return {
    ...{ source, folderMarkers: true, rules: [{ set: [], remove: [] }] },
    ...(acl === undefined ? {} : { acl }),
    carried: encryptionFields(job),
  }
}

interface Planned {
  readonly plan: EncryptionPlan
  /** The object as a look shows it. */
  readonly object: ObjectSummary
  readonly changes: readonly Change[]
}

// By what a list says, where that is enough; else by a HEAD. Rejects as `Reading.head` does.
async function planned(job: SetEncryptionJob, store: Storage, object: ObjectSummary, looks = false): Promise<Planned> {
  const listed = looks || object.encryption === undefined ? undefined : planByList(job, object.encryption)
  // What is to be rewritten is looked at anyway.
  if (listed !== undefined && !(listed.kind === 'rewrite' && job.rewriteOthers === true))
    return { plan: listed, object, changes: changesOf(job, { algorithm: object.encryption?.status }) }
  const { carried, size, etag, lastModified, storageClass } = await headOf(store, object)
  const has = encryptionIn(carried)
  const seen = { ...object, size, etag, lastModified, storageClass }
  return { plan: encryptionPlan(job, has), object: seen, changes: changesOf(job, has) }
}

function changesOf({ encryption, kmsKeyId, bucketKey }: WantedEncryption, has: ObjectEncryption): Change[] {
  const rows = [
    ['encryption', has.algorithm, encryption],
    ['KMS key', has.kmsKeyId, kmsKeyId],
    [
      'bucket key',
      has.bucketKey === undefined ? undefined : String(has.bucketKey),
      bucketKey === undefined ? undefined : String(bucketKey),
    ],
  ] as const
  return rows.flatMap(([name, from, to]) => (to === undefined || from === to ? [] : [{ name, from, to }]))
}

// Of an old version no copy onto itself can be made that would not be a new one.
function rewrites(job: SetEncryptionJob, { version }: ObjectSummary): boolean {
  return job.rewriteOthers === true && version === undefined
}

/** The action of `set-encryption` on one object, or on one version of it. */
function encryptOne(job: SetEncryptionJob, { destination: store, checks }: ActionContext): Action {
  const { prefix } = job.source
  const rewrite = setHeadersAction(rewriteOf(job), store, undefined, checks)
  const update = async (object: ObjectSummary, looks: boolean): Promise<Outcome | Planned> => {
    // The answer to an update may have been lost, and then it is seen to be made.
    let sent = false
    return await asOne(store, async (once) => {
      const found = await planned(job, once, object, looks || sent)
      const { plan } = found
      if (plan.kind === 'rewrite') return found
      if (plan.kind === 'skip')
        return sent && plan.reason === 'unchanged' ? ENCRYPTED : { kind: 'skipped', reason: plan.reason }
      sent = true
      const { key, version } = object
      const wanted = { kmsKeyArn: job.kmsKeyId ?? '', bucketKey: plan.bucketKey }
      await able(once.rewriting, 'change encryption').updateEncryption(key, wanted, version)
      return ENCRYPTED
    })
  }
  const attempt = async (object: ObjectSummary, looks: boolean): Promise<Outcome | undefined> => {
    try {
      const outcome = await update(object, looks)
      if (!('plan' in outcome)) return outcome
      if (rewrites(job, object)) return await rewrite(outcome.object)
      return { kind: 'skipped', reason: outcome.plan.kind === 'rewrite' ? outcome.plan.reason : 'unchanged' }
    } catch (error) {
      if (isLock(error)) return { kind: 'skipped', reason: 'object-lock' }
      // The list may tell of what was there before.
      if (!looks && object.encryption !== undefined && isOfObject(error)) return await attempt(object, true)
      return outcomeOfHead(error, prefix, object)
    }
  }
  const once: Action = (object) => attempt(object, false)
  return async (object) => await unlessListed(store, prefix, object, await once(object), once)
}

// Who may not see a lock is told of it by the refusal alone.
function isLock(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'AccessDenied' && /object lock/i.test(error.message)
}

function isOfObject(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'InvalidRequest'
}

function lookAtEncryption(job: SetEncryptionJob, { source }: ActionContext): Look {
  const lookAtOthers = lookAtRewrite(rewriteOf(job), source)
  return async (object) => {
    try {
      const { plan, object: seen, changes } = await planned(job, source, object)
      if (plan.kind === 'skip') return { kind: 'skipped', reason: plan.reason }
      if (plan.kind === 'update') return { ...ENCRYPTED, changes, requests: { UpdateObjectEncryption: 1 } }
      if (!rewrites(job, object)) return { kind: 'skipped', reason: plan.reason }
      const prospect = await lookAtOthers(seen)
      if (prospect?.kind !== 'copied') return prospect
      return { ...prospect, requests: { ...requestsOfRewrite(job, seen), ...prospect.requests } }
    } catch (error) {
      return outcomeOfHead(error, job.source.prefix, object)
    }
  }
}

export const SET_ENCRYPTION_ACTIONS: KindActions<SetEncryptionJob> = {
  look: (job, context) =>
    job.versions === true ? lookingAtVersions(lookAtEncryption(job, context)) : lookAtEncryption(job, context),
  act: (job, context) =>
    job.versions === true
      ? actingOnVersions(encryptOne(job, context), job.source.prefix, context.destination)
      : encryptOne(job, context),
  // Which it is, the look tells.
  requests: (): Requests => ({}),
  checkRequests: (job) => (job.rewriteOthers === true ? requestsOfRewriteCheck(job) : {}),
}
