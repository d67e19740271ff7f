import { StorageError } from '../../errors.js'
import type { Outcome } from '../../job/outcome.js'
import type { SetHeadersJob } from '../../job/set-headers.js'
import { decide, decideByListing, type Change, type Headers, type Untouched } from '../../rules/decide.js'
import { able, type HeaderFields, type ObjectHead, type ObjectSummary, type Storage } from '../../storage/storage.js'
import { failed, isArchived, outcomeOf } from './outcome.js'
import { annotationsOf, NOT_ANNOTATED } from './annotations.js'
import { carriedWith, changesBeside } from './carried.js'
import type { KindActions, Look, Requests } from './context.js'
import { lookingAgain } from './as-one.js'
import { unlessListed } from './gone.js'
import { copyInParts, LIMITS, partSizeFor, type Limits } from './multipart.js'
import type { Action } from '../lanes/lane.js'
import { headOf, largeObject } from './manifests.js'
import { checkingRewrites, type LaneChecks } from './spot-checks.js'
import { keepTags } from './tags.js'

/** What objects are to be rewritten with, in place. */
export interface RewriteJob extends Pick<SetHeadersJob, 'source' | 'rules' | 'guess' | 'folderMarkers' | 'acl'> {
  /** What takes the place of what an object has beside its headers: its storage class or its encryption, as fields of a request. */
  readonly carried?: HeaderFields
}

/** What would become of an object: an outcome, or the changes that it needs. `head` has what it is to have beside its headers. */
export type Plan =
  | { readonly outcome: Outcome }
  | {
      readonly outcome: undefined
      readonly head: ObjectHead
      readonly headers: ReadonlyMap<string, string>
      readonly changes: readonly Change[]
    }

/** How often an object is looked at anew because somebody wrote to it between HEAD and copy. */
const RACES = 5

/** The action of `set-headers` on one object, and of what rewrites objects for another reason: HEAD, and a copy onto itself only when something is to change. */
export function setHeadersAction(
  job: RewriteJob,
  store: Storage,
  limits: Limits = LIMITS,
  checks?: LaneChecks,
): Action {
  const check = checks === undefined ? undefined : checkingRewrites(job, store, checks)
  const attempt = async (object: ObjectSummary): Promise<Outcome | undefined> => {
    for (let race = 0; ; race++) {
      const plan = await planned(job, store, object, limits)
      if (plan.outcome !== undefined) return plan.outcome
      try {
        const written = await rewrite(job, store, object, plan.head, plan.headers, limits)
        return check?.isDue(object) === true
          ? await check.outcome(object, { ...written, before: plan.head })
          : REWRITTEN
      } catch (error) {
        if (!(error instanceof StorageError) || error.code !== 'PreconditionFailed' || race >= RACES) throw error
      }
    }
  }
  const { prefix } = job.source
  const once = async (object: ObjectSummary): Promise<Outcome | undefined> => {
    try {
      return await attempt(object)
    } catch (error) {
      return outcomeOfHead(error, prefix, object)
    }
  }
  return async (object) => {
    try {
      return await attempt(object)
    } catch (error) {
      return await unlessListed(store, prefix, object, outcomeOfHead(error, prefix, object), once)
    }
  }
}

/** As `outcomeOf`, for an object that may be encrypted with a customer's key. */
export function outcomeOfHead(error: unknown, prefix: string, object: ObjectSummary): Outcome | undefined {
  if (error instanceof StorageError && error.code === 'SSE-C') return { kind: 'skipped', reason: 'sse-c' }
  if (error instanceof StorageError && isArchived(error)) return { kind: 'skipped', reason: 'archived' }
  return outcomeOf(error, prefix, object)
}

const REWRITTEN: Outcome = { kind: 'copied' }

/** Looks at an object, with one HEAD at most and, where it is larger than `limits` let one request copy, the list of its annotations, and decides. Rejects as `Reading.head` does. */
export async function planned(
  job: RewriteJob,
  store: Storage,
  object: ObjectSummary,
  limits: Limits = LIMITS,
): Promise<Plan> {
  const { prefix } = job.source
  const full = prefix === '' ? object : { ...object, key: prefix + object.key }
  const early = decideByListing(job, full)
  if (early !== undefined) return { outcome: outcomeFor(early) }
  const head = await headOf(store, object)
  const decision = decide(job, full, head.headers)
  // Ceph shows the class of a copy in a listing or to HEAD.
  const storageClass = store.conditional === true ? head.storageClass : object.storageClass || head.storageClass
  const beside = changesBeside({ ...head, storageClass }, job.carried)
  if (decision.kind !== 'rewrite' && (decision.reason !== 'unchanged' || beside.length === 0))
    return { outcome: outcomeFor(decision) }
  if (head.manifest === true) throw largeObject(store, object.key, REWRITTEN_ALONE)
  if (head.archived) return { outcome: { kind: 'skipped', reason: 'archived' } }
  if (head.locked) return { outcome: { kind: 'skipped', reason: 'locked' } }
  if (head.unshown > 0) {
    const message = `it has metadata that HTTP cannot show (${head.unshown} of them), so a rewrite would lose it`
    const cause = { code: 'MetadataNotShown', message, operation: 'HeadObject' } as const
    return { outcome: failed(prefix, object, cause) }
  }
  // Parts have none: whatever breaks off between them and the annotations would lose these for good.
  const annotations = head.size > limits.copy ? await annotationsOf(store, object) : []
  if (annotations.length > 0) {
    const message = `it has ${annotations.length} annotations, which a rewrite in parts, as its size takes, would lose: copy it with these headers to another name, which keeps them`
    const cause = { code: NOT_ANNOTATED, message, operation: 'ListObjectAnnotations' } as const
    return { outcome: failed(prefix, object, cause) }
  }
  const { headers, changes } = decision.kind === 'rewrite' ? decision : { headers: head.headers, changes: [] }
  const carried = carriedWith(head.carried, job.carried)
  return { outcome: undefined, head: { ...head, carried }, headers, changes: [...changes, ...beside] }
}

const REWRITTEN_ALONE =
  'new headers could leave it empty; copy it to another name, which makes it an object of its own, or set them by Swift’s API (POST)'

function outcomeFor({ reason }: Untouched): Outcome {
  return { kind: 'skipped', reason }
}

// Sends everything that the object is to have afterwards: REPLACE drops what is not sent.
async function rewrite(
  job: RewriteJob,
  store: Storage,
  object: ObjectSummary,
  head: ObjectHead,
  headers: ReadonlyMap<string, string>,
  limits: Limits,
): Promise<{ readonly etag: string; readonly fields: HeaderFields }> {
  const { reading } = store
  const rewriting = able(store.rewriting, 'change objects in place')
  const fields: (readonly [string, string])[] = [...headers, ...head.carried]
  const inParts = object.size > limits.copy
  // Parts inherit nothing.
  const tagging = head.tags > 0 && (rewriting.dropsTags || inParts) ? await reading.tagging(object.key) : undefined
  if (tagging !== undefined) fields.push(['x-amz-tagging', tagging.header])
  if (tagging !== undefined && !inParts) fields.push(['x-amz-tagging-directive', 'REPLACE'])
  if (job.acl === 'preserve') fields.push(...(await reading.grants(object.key)))
  else if (job.acl !== undefined && job.acl !== 'reset') fields.push(['x-amz-acl', job.acl])
  const etag = inParts
    ? await copyInParts({
        ...{ source: store, destination: store, key: object.key, fields, partSize: limits.part },
        object: { ...object, size: head.size, etag: head.etag, lastModified: head.lastModified },
        conditions: [['if-match', `"${head.etag}"`]],
      })
    : await rewriteWhole(store, object, { head, headers, carried: job.carried }, fields)
  if (tagging !== undefined && rewriting.dropsTags)
    await keepTags(store, object.key, { etag, tags: head.tags }, tagging)
  return { etag, fields }
}

// In one request. A store that may ignore its condition is looked at again before it is sent again.
async function rewriteWhole(
  store: Storage,
  object: ObjectSummary,
  {
    head,
    headers,
    carried,
  }: { readonly head: ObjectHead; readonly headers: Headers; readonly carried: HeaderFields | undefined },
  fields: HeaderFields,
): Promise<string> {
  const send = ({ rewriting }: Storage): Promise<string> =>
    able(rewriting, 'change objects in place').rewrite(object, head.etag, fields)
  if (store.conditional === true) return await send(store)
  const look = async ({ reading, place: { bucket, prefix } }: Storage): Promise<string | undefined> => {
    const now = await reading.head(object.key)
    if (now.etag === head.etag && now.lastModified === head.lastModified) return undefined
    // As it is to be: by a try whose answer was lost.
    if (now.etag === head.etag && isSame(now.headers, headers) && changesBeside(now, carried).length === 0)
      return now.etag
    throw new StorageError('the object was written by somebody else while its headers were set', {
      ...{ severity: 'fail-object', code: 'PreconditionFailed', operation: 'HeadObject', bucket },
      key: prefix + object.key,
    })
  }
  return await lookingAgain<string>(store, look, send)
}

function isSame(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([name, value]) => other.get(name) === value)
}

// Those of `rewrite`.
function requestsForTags({ rewriting }: Storage, { size }: ObjectSummary, { tags }: ObjectHead): Requests {
  const dropsTags = rewriting?.dropsTags === true
  if (tags === 0 || !(dropsTags || size > LIMITS.copy)) return {}
  return { GetObjectTagging: 1, ...(dropsTags ? { HeadObject: 1 } : {}) }
}

/** What a rewrite sends; without what only a look tells. */
export function requestsOfRewrite({ acl }: Pick<RewriteJob, 'acl'>, { size }: ObjectSummary): Requests {
  const parts = Math.ceil(size / partSizeFor(size, LIMITS.part))
  const rewrite =
    size > LIMITS.copy
      ? { CreateMultipartUpload: 1, UploadPartCopy: parts, HeadObject: 1, CompleteMultipartUpload: 1 }
      : { CopyObject: 1 }
  return { ...rewrite, ...(acl === 'preserve' ? { GetObjectAcl: 1 } : {}) }
}

/** What a rewrite would make of an object. */
export function lookAtRewrite(job: RewriteJob, source: Storage): Look {
  return async (object) => {
    try {
      const plan = await planned(job, source, object)
      return (
        plan.outcome ?? { ...REWRITTEN, changes: plan.changes, requests: requestsForTags(source, object, plan.head) }
      )
    } catch (error) {
      return outcomeOfHead(error, job.source.prefix, object)
    }
  }
}

/** What one spot check of what was rewritten sends. */
export function requestsOfRewriteCheck({ acl = 'reset' }: Pick<RewriteJob, 'acl'>): Requests {
  return { HeadObject: 1, ...(acl === 'reset' ? {} : { GetObjectAcl: 1 }) }
}

export const SET_HEADERS_ACTIONS: KindActions<SetHeadersJob> = {
  look: (job, { source }) => lookAtRewrite(job, source),
  act: (job, { destination, checks }) => setHeadersAction(job, destination, undefined, checks),
  requests: requestsOfRewrite,
  checkRequests: requestsOfRewriteCheck,
}
