import {
  NO_CLASS,
  routeOf,
  rewriteRouteOf,
  tagRouteOf,
  type RewriteFields,
  type RoutedObject,
} from '../../batch/route.js'
import type { BatchableJob } from '../../batch/batchable.js'
import { lookingAtHeaders, lookingAtTags, type HeaderLooks, type LookAt } from '../../engine/actions/look-at-headers.js'
import { UserError } from '../../errors.js'
import { isCopy, type CopyJob } from '../../job/copy.js'
import type { Outcome } from '../../job/outcome.js'
import type { SetHeadersJob } from '../../job/set-headers.js'
import { isSetTags, type SetTagsJob } from '../../job/set-tags.js'
import { printable } from '../../keys.js'
import { batchFront } from './batch-front.js'
import type { Opened } from './open-and-run.js'

/** What becomes of a listed object: a job does it, or s3move itself for a reason, or it has an outcome already. */
export type BatchDecision = { readonly object: RoutedObject } & (
  | { readonly storageClass: string; readonly fields?: RewriteFields }
  | { readonly reason: string }
  | { readonly outcome: Exclude<Outcome, { readonly kind: 'copied' }> }
)

/** Decides about objects, by their full keys, as they were listed. Undefined once the run is stopped. Rejects with what ends it. */
export type DecideBatch = (objects: readonly RoutedObject[]) => Promise<readonly BatchDecision[] | undefined>

/** Whether each object is looked at first, which takes a request for each. */
export function looksAtEach(job: BatchableJob): boolean {
  return !isCopy(job) && !(isSetTags(job) && job.replace === true)
}

/** How the objects of a job are decided about. */
export function decidingFor(job: BatchableJob, opened: Opened, maxErrors: number | undefined): DecideBatch {
  if (isCopy(job)) return ofCopies(job)
  return isSetTags(job) ? ofTags(job, opened, maxErrors) : ofHeaders(job, opened, maxErrors)
}

function ofCopies(job: CopyJob): DecideBatch {
  const front = batchFront(job)
  return (objects) => Promise.resolve(objects.map((object) => ({ object, ...routeOf(object, job, front) })))
}

function ofHeaders(job: SetHeadersJob, opened: Opened, maxErrors: number | undefined): DecideBatch {
  const look = lookingAtHeaders({ job, ...looksOf(opened) })
  return byLooks(job, look, maxErrors, (object, { head, headers }) => {
    const { size, etag, lastModified, storageClass, carried } = head
    const found = { ...object, size, etag, lastModified, storageClass }
    return { object: found, ...rewriteRouteOf(size, [...headers, ...carried]) }
  })
}

function ofTags(job: SetTagsJob, opened: Opened, maxErrors: number | undefined): DecideBatch {
  // What all are to have does not rest on what they have, so nobody looks.
  if (!looksAtEach(job))
    return (objects) => Promise.resolve(objects.map((object) => ({ object, storageClass: NO_CLASS })))
  const look = lookingAtTags({ job, ...looksOf(opened) })
  return byLooks(job, look, maxErrors, (object, { wanted }) => ({ object, ...tagRouteOf([...wanted]) }))
}

function looksOf({ ends, drain }: Opened): Pick<HeaderLooks, 'storeFor' | 'concurrency' | 'stop'> {
  return { storeFor: ends.source.storeFor, concurrency: ends.settings.concurrency, stop: drain.signal }
}

/** Decides by a look at each object: its outcome, or by what was planned for it. */
function byLooks<P extends { readonly outcome: undefined }>(
  { source: { prefix } }: BatchableJob,
  look: LookAt<P | { readonly outcome: Outcome }>,
  maxErrors: number | undefined,
  decide: (object: RoutedObject, plan: P) => BatchDecision,
): DecideBatch {
  const looks = new Looks(maxErrors)
  return async (objects) => {
    const plans = await look(objects.map((object) => ({ ...object, key: object.key.slice(prefix.length) })))
    return plans?.map((plan, at): BatchDecision => {
      const object = listedAt(objects, at)
      if (plan.outcome !== undefined) return { object, outcome: looks.settled(plan.outcome) }
      looks.took(undefined)
      return decide(object, plan)
    })
  }
}

function listedAt(objects: readonly RoutedObject[], at: number): RoutedObject {
  const object = objects[at]
  if (object === undefined) throw new Error('there is a plan of no object')
  return object
}

/** So many objects in the beginning that fail alike are taken for all. */
const FIRST = 1000

/** What looks came to: it ends a listing of which nothing would come but failures. */
class Looks {
  private count = 0
  private failed = 0
  private code: string | undefined

  constructor(private readonly most: number | undefined) {}

  /** Takes in an outcome, and answers it. */
  settled(outcome: Outcome): Exclude<Outcome, { readonly kind: 'copied' }> {
    if (outcome.kind === 'copied') throw new Error('an object was written by a look')
    this.took(outcome)
    return outcome
  }

  took(outcome: Outcome | undefined): void {
    this.count++
    if (outcome?.kind !== 'failed') return
    this.failed++
    const { code, message } = outcome.failure
    this.code = this.failed === 1 || this.code === code ? code : undefined
    if (this.most !== undefined) {
      if (this.failed <= this.most) return
      throw new UserError(`more than ${this.most} objects failed (--max-errors ${this.most})`, AGAIN)
    }
    if (this.count !== FIRST || this.failed !== FIRST || this.code === undefined) return
    throw new UserError(
      `all of the first ${FIRST} objects failed alike (${printable(code)}): ${printable(message)}`,
      `${AGAIN} (with --max-errors N it goes on whatever fails)`,
    )
  }
}

const AGAIN =
  'once the cause is mended, resume: it goes on where it was, and no job was made; what has failed so far is tried again by ‘s3move resume --only-failed’'
