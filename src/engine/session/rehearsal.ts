import type { ListState } from '../../checkpoint/checkpoint.js'
import { UserError } from '../../errors.js'
import { deferredDeletesOf, listOf, type WriteJob } from '../../job/kinds.js'
import { expectedOf, type Snapshot } from '../../job/events.js'
import type { Outcome } from '../../job/outcome.js'
import type { Pace } from '../../job/pace.js'
import { noTotals, type Totals } from '../../job/totals.js'
import type { KeyRange } from '../../keys.js'
import { ListWork, entryNeedsOf } from '../../sources/files-from/files-from-source.js'
import { leasesOver } from '../../sources/listing-source.js'
import { Keyspace } from '../../sources/ranges/keyspace.js'
import { createTally, type Tally } from '../../sources/tally.js'
import { hasHistory } from '../../sources/version-listing.js'
import type { WorkSource } from '../../sources/work-source.js'
import type { OpenStores } from '../../storage/open.js'
import type { Pressure } from '../../storage/retry.js'
import type { ObjectSummary, Storage } from '../../storage/storage.js'
import { decisionOf, listingOf, lookOf, requestsOf } from '../actions/actions.js'
import { allTogether, type Prospect, type Requests, type Stores } from '../actions/context.js'
import { lookingUp, unlessKnown } from '../actions/look-up-listed.js'
import { unclearBetween } from '../actions/manifests.js'
import { stayingFor } from '../actions/not-a-key.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import type { Action, Decide } from '../lanes/lane.js'
import { heldBack, pacersFor } from '../lanes/pacer.js'
import { runLanes } from '../lanes/run-lanes.js'
import { AnswerTimes } from './answer-times.js'
import { ofTheSource, reasonToKeep } from './deferred-deletes.js'
import { isArchivedBy, type PlanCounts } from './plan-counts.js'
import { requestsOfRun, type RunRequests } from './rehearsal-requests.js'
import { timeOfRun, type RunTime } from './run-time.js'
import { stopReason } from './stop-reason.js'

/** What a rehearsal needs. */
export interface RehearsalOptions {
  readonly job: WriteJob
  readonly pace: Pace
  /** How many threads the run would have. */
  readonly threads: number
  readonly ranges: readonly KeyRange[]
  /** What remains of the list of the job. */
  readonly list: ListState | undefined
  readonly ends: OpenStores
  readonly drain: AbortController
  /** Told of each object. */
  readonly tell: (object: ObjectSummary, prospect: Prospect) => void
  /** Counts more of what would be done. */
  readonly counts?: PlanCounts | undefined
  /** Told several times a second how far it has come; its totals are what would be done. */
  readonly progress: (snapshot: Snapshot) => void
}

/** What a run would do with all objects, and what it would send. */
export interface Rehearsal {
  readonly totals: Totals
  /** Of those that it would copy, the ones in an archive by their storage class. */
  readonly archived: number
  /** That it would delete, where it deletes all versions. */
  readonly versions: number
  /** Why nothing would be deleted of what only the destination has, where that is so. */
  readonly kept: string | undefined
  readonly requests: RunRequests
  /** Of those to list and to look at objects, the ones to the destination, where that is another place than the source. */
  readonly destinationReads: Requests
  /** Absent where nothing tells it, and where not all was seen. */
  readonly time: RunTime | undefined
}

/** Takes the objects as a run does, in its lanes, and only looks where that would act. Rejects with a UserError when that would stop. */
export async function rehearse(options: RehearsalOptions): Promise<Rehearsal> {
  const { job, pace, threads, ends, drain, tell, counts } = options
  const begin = { ...ends.meter.requests }
  const { source, destination = source, settings, notice } = ends
  const isUnclear = unclearBetween(source.store, destination.store)
  const times = new AnswerTimes()
  const ofDestination = new AnswerTimes()
  const from = times.around(source.store)
  const to = destination === source ? from : ofDestination.around(destination.store)
  const context = { source: from, destination: to, settings, notice, isUnclear }
  const tally = createTally(noTotals(), () => undefined)
  const slots = new ConcurrencyLimit(pace.concurrency)
  const writes = new Map<string, number>()
  const count = (requests: Requests): void => {
    for (const operation in requests) writes.set(operation, (writes.get(operation) ?? 0) + (requests[operation] ?? 0))
  }
  let archived = 0
  let versions = 0
  const take = (object: ObjectSummary, outcome: Prospect): Outcome => {
    if (outcome.kind === 'copied') {
      if (isArchivedBy(job, object.storageClass)) archived++
      const requests = requestsOf(job, object, context)
      const all = outcome.requests === undefined ? requests : allTogether([requests, outcome.requests])
      count(all)
      counts?.add(object, outcome, all)
    } else counts?.add(object, outcome)
    if (hasHistory(object) && outcome.kind === 'deleted') versions += object.history.length
    tell(object, outcome)
    return outcome
  }
  const look = lookOf(job, context)
  const act: Action = async (object) => {
    const outcome = look === undefined ? WRITTEN : await look(object)
    return outcome && take(object, outcome)
  }
  const decideOn = unlessKnown(decisionOf(job, context, 'act'))
  const stays = stayingFor(job, context.source)
  const decide: Decide = (object, page) => {
    const decided = decideOn(object, page)
    if (decided === undefined || decided.kind === 'deferred' || decided.kind === 'waiting')
      return look === undefined ? take(object, WRITTEN) : undefined
    if (decided.kind !== 'delete-deferred') return take(object, decided)
    return stays === undefined ? take(object, DELETED) : undefined
  }
  let reason: unknown
  const { work, reached } = workOf(options, context, tally, slots, times)
  const pacers = pacersFor(pace.lanes)
  let heldTo: number | undefined
  const began = performance.now()
  const progress = setInterval(() => {
    heldTo = heldBack(pacers)?.rate ?? heldTo
    const { throttled, retried, requests } = ends.meter
    options.progress({
      ...{ totals: tally.totals, ...reached(), inFlight: slots.busy, throttled, retried, requests },
      ...{ settledHere: tally.added, elapsed: performance.now() - began },
    })
  }, PROGRESS_INTERVAL)
  try {
    await runLanes({
      work,
      decide,
      actFor: () => act,
      pacers,
      slots,
      stop: drain.signal,
      fail(error) {
        reason ??= error
        drain.abort()
      },
    })
  } finally {
    clearInterval(progress)
  }
  tally.takeFailures()
  if (reason !== undefined) {
    const stop = stopReason(reason)
    throw new UserError(stop.reason, stop.hint)
  }
  const { totals } = tally
  const kept = whyKept(job, totals)
  const counted = { job, pace, threads, context, totals, versions, kept: kept !== undefined }
  const requests = requestsOfRun({
    ...counted,
    sent: { ...ends.meter.requests },
    begin,
    writes: Object.fromEntries(writes),
  })
  const seen = { job, pace, settings, totals, requests, elapsed: performance.now() - began, heldTo }
  const answers = { ...ofDestination.usual(), ...times.usual() }
  const time = drain.signal.aborted ? undefined : timeOfRun({ ...seen, answers })
  return { totals, archived, versions, kept, requests, destinationReads: ofDestination.asked(), time }
}

function whyKept(job: WriteJob, totals: Totals): string | undefined {
  const deletes = deferredDeletesOf(job)
  if (deletes?.when !== 'at-the-end') return undefined
  return reasonToKeep(totals.deleted ?? 0, ofTheSource(job.source, totals), deletes.most ?? Infinity)
}

const PROGRESS_INTERVAL = 250

const DELETED: Outcome = { kind: 'deleted' }
const WRITTEN: Outcome = { kind: 'copied' }

/** Objects, and how far they have been listed. */
interface RehearsedWork {
  readonly work: WorkSource
  readonly reached: () => Pick<Snapshot, 'listed' | 'listingEnded' | 'expected'>
}

function workOf(
  { job, pace, ranges, list, ends, drain }: RehearsalOptions,
  context: Stores,
  tally: Tally,
  slots: ConcurrencyLimit,
  times: AnswerTimes,
): RehearsedWork {
  const keyList = listOf(job)
  if (keyList === undefined || list === undefined) {
    const keyspace = new Keyspace(ranges, { first: ends.source.first })
    const reached = (): ReturnType<RehearsedWork['reached']> => {
      const { listed, listingEnded } = keyspace
      return {
        listed,
        listingEnded,
        ...(listingEnded ? {} : { expected: expectedOf(listed, pace.expect, keyspace.expected()) }),
      }
    }
    return { work: leasesOver(keyspace, listingOf(job, context), tally), reached }
  }
  const storeFor = (pacer: Pressure): Storage => times.around(ends.source.storeFor(pacer))
  const lookUps = lookingUp({ job, storeFor, slots, stop: drain.signal })
  const work = new ListWork(keyList, entryNeedsOf(job, ends.listFiles), list, tally, lookUps)
  return { work, reached: () => ({ listed: (list.of ?? list.entries) - list.entries, listingEnded: true }) }
}
