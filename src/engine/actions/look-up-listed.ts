import type { ListState } from '../../checkpoint/checkpoint.js'
import { StorageError } from '../../errors.js'
import { isScanJob, kindOf, listOf, ofAllVersions, selectionOf, writeKindOf, type Job } from '../../job/kinds.js'
import type { Outcome } from '../../job/outcome.js'
import type { Selection } from '../../job/selection.js'
import { selector } from '../../rules/selection.js'
import type { Storage } from '../../storage/storage.js'
import { fromVersion, historyOf } from '../../sources/version-listing.js'
import { bare, type Complete, type Named } from '../../sources/named-object.js'
import type { WorkItem } from '../../sources/work-source.js'
import { failed, FILTERED, outcomeOf } from './outcome.js'
import { unlessListed } from './gone.js'
import { lookAtEach, pacerOfLooks } from './looks-in-flight.js'
import { asTold } from './manifests.js'
import type { Action, Decide } from '../lanes/lane.js'
import type { Pacer } from '../lanes/pacer.js'
import { outcomeOfHead } from './set-headers.js'
import type { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import { deletionFailed } from './deferred-delete.js'

/** What leaves alone what is encrypted with a customer's key. */
const REWRITES: ReadonlySet<string> = new Set(['set-headers', 'set-storage-class', 'set-encryption'])

const GONE: Outcome = { kind: 'skipped', reason: 'gone' }

/** What is needed to look objects up. */
export interface LookUpOptions {
  readonly job: Job
  /** The source, whose requests the pacer feels. */
  readonly storeFor: (
    pacer: Pacer,
  ) => Pick<Storage, 'place' | 'reading' | 'list' | 'unordered' | 'versions' | 'manifests'>
  readonly slots: ConcurrencyLimit
  /** Aborted when no further object is to be looked up. */
  readonly stop: AbortSignal
}

/**
 * Looks up, with one HEAD each, the objects of which something is not known that matters to the job; many at a time. One that cannot be looked at, or is
 * not selected by its name, has its outcome then. Where all versions matter they are listed. Rejects with what ends the run.
 */
export function lookingUp({ job, storeFor, slots, stop }: LookUpOptions): Complete {
  const { prefix } = job.source
  const pacer = pacerOfLooks()
  const pace = { pacer, slots, stop }
  const store = storeFor(pacer)
  const { reading } = store
  const select = selectionOf(job)
  const isNamed = select === undefined ? undefined : selector(byName(select), prefix)
  const versions = ofAllVersions(job)
  const reads = isScanJob(job)
  const trusts = isTrusted(job)
  const byNames = select === undefined || isByName(select)
  const looks = isScanJob(job) || writeKindOf(job).needsNamesOnly !== true || !byNames
  const told = (object: Named): WorkItem | undefined => {
    const { size, etag = '', lastModified, storageClass } = object
    const unknown = bare(object)
    if (isNamed?.(unknown) === false) return { ...unknown, known: FILTERED }
    if (trusts && size !== undefined && (byNames || (lastModified !== undefined && storageClass !== undefined)))
      return { ...unknown, size, etag, lastModified: lastModified ?? '', storageClass: storageClass ?? '' }
    // What only reads would take for granted what the list tells.
    if (versions || reads) return undefined
    if (!looks) return { ...unknown, size: size ?? 0 }
    // Whether it is a manifest, which the listing may have shown, the ledger does not tell.
    if (store.manifests === true && object.failedIn !== undefined && !deletionFailed(unknown)) return undefined
    if (size === undefined || etag === '' || lastModified === undefined || storageClass === undefined) return undefined
    return { ...object, size, etag, lastModified, storageClass }
  }
  // Its newest version may be a delete marker, which no HEAD finds.
  const lookAtHistory = async ({ key, version }: Named, unknown: WorkItem): Promise<WorkItem> => {
    const all = await historyOf(store, key)
    if (all === undefined) return { ...unknown, known: GONE }
    return job.kind === 'copy' && version !== undefined ? fromVersion(all, version) : all
  }
  const look = async (object: Named): Promise<WorkItem | undefined> => {
    const unknown = bare(object)
    try {
      if (versions) return await lookAtHistory(object, unknown)
      // All of it, for what a list tells may be of what was there before.
      const head = await reading.head(object.key, object.version)
      return { ...asTold(unknown, head), storageClass: head.storageClass }
    } catch (error) {
      const judged = (REWRITES.has(job.kind) ? outcomeOfHead : outcomeOf)(error, prefix, unknown)
      const outcome = await unlessListed(store, prefix, unknown, judged, 'named')
      return outcome === undefined ? undefined : { ...unknown, known: namedOutcome(outcome, prefix, unknown, error) }
    }
  }
  return async (objects) => {
    const items = objects.map(told)
    const open = objects.flatMap((object, at) => (items[at] === undefined ? [{ key: object.key, object, at }] : []))
    const found = await lookAtEach(open, async ({ object, at }) => ({ at, item: await look(object) }), pace)
    if (found === undefined) return undefined
    for (const { at, item } of found) items[at] = item
    const known = items.filter((item) => item !== undefined)
    return known.length === items.length ? known : undefined
  }
}

/**
 * Whether a job takes for granted what its list tells of an object: it shows or counts what S3's own inventory has, and to look at each would cost as
 * much as the objects are many. What it does not tell stays open, but for the size, and what the objects are selected by. `fields` are what is told,
 * and all when absent.
 */
export function isTrusted(job: Job, fields?: ReadonlySet<string>): boolean {
  if (listOf(job)?.format !== 'inventory' || kindOf(job).inventoried === undefined) return false
  const select = selectionOf(job)
  const needed = select === undefined || isByName(select) ? ['size'] : ['size', 'lastModified', 'storageClass']
  return needed.every((field) => fields?.has(field) !== false)
}

/** Whether threads read the list of a job themselves, of which `state` is what remains: an inventory that is trusted, and was not read beforehand. */
export function isReadByThreads(job: Job, state: Pick<ListState, 'of'> | undefined): boolean {
  return state !== undefined && state.of === undefined && isTrusted(job)
}

/** `decide`, for objects of which the outcome may be known. */
export function unlessKnown(decide: Decide | undefined): Decide {
  return (object: WorkItem, page) => object.known ?? decide?.(object, page)
}

/** `act` on objects that a list names: one that is not there was not deleted meanwhile, as one that was listed; the list is wrong about it. */
export function actingOnNamed(act: Action, prefix: string): Action {
  return async (object) => {
    const outcome = await act(object)
    return outcome === undefined ? undefined : namedOutcome(outcome, prefix, object)
  }
}

function namedOutcome(outcome: Outcome, prefix: string, object: WorkItem, error?: unknown): Outcome {
  if (outcome.kind !== 'skipped' || outcome.reason !== 'gone') return outcome
  const { status, requestId, attempts, operation } = error instanceof StorageError ? error : {}
  return failed(prefix, object, {
    ...{ code: 'NoSuchKey', message: 'the list names it, and it does not exist' },
    ...{ status, requestId, attempts: attempts ?? 1, operation: operation ?? 'HeadObject' },
  })
}

/** What of a selection is about keys alone. */
export function byName({ globs, regex, ignoreCase, after, until, shard }: Selection): Selection {
  return {
    ...(globs === undefined ? {} : { globs }),
    ...(regex === undefined ? {} : { regex }),
    ...(ignoreCase === undefined ? {} : { ignoreCase }),
    ...(after === undefined ? {} : { after }),
    ...(until === undefined ? {} : { until }),
    ...(shard === undefined ? {} : { shard }),
  }
}

function isByName(select: Selection): boolean {
  return Object.keys(select).length === Object.keys(byName(select)).length
}
