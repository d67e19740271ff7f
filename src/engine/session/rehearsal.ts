import type { ListState } from '../../checkpoint/checkpoint.js'
import type { RehearsalState } from '../../checkpoint/unfinished-rehearsal.js'
import { StoppedError } from '../../errors.js'
import { deferredDeletesOf, listOf, type WriteJob } from '../../job/kinds.js'
import { expectedOf, type Snapshot } from '../../job/events.js'
import type { Outcome } from '../../job/outcome.js'
import type { Pace } from '../../job/pace.js'
import type { PlannedGroup } from '../../job/planned-group.js'
import { noTotals, settled, sum, type Totals } from '../../job/totals.js'
import type { KeyRange } from '../../keys.js'
import { ListWork, entryNeedsOf } from '../../sources/files-from/files-from-source.js'
import { entriesSettled } from '../../sources/files-from/list-progress.js'
import { leasesOver } from '../../sources/listing-source.js'
import { Keyspace } from '../../sources/ranges/keyspace.js'
import { createTally, type Tally } from '../../sources/tally.js'
import { hasHistory } from '../../sources/version-listing.js'
import type { WorkSource } from '../../sources/work-source.js'
import type { OpenStores } from '../../storage/open.js'
import type { Pressure } from '../../storage/retry.js'
import type { ObjectSummary, Storage } from '../../storage/storage.js'
import { decisionOf, listingOf, lookOf, requestsOf } from '../actions/actions.js'
import { allTogether, less, type Prospect, type Requests, type Stores } from '../actions/context.js'
import { lookingUp, unlessKnown } from '../actions/look-up-listed.js'
import { unclearBetween } from '../actions/manifests.js'
import { stayingFor } from '../actions/not-a-key.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import type { Action, Decide } from '../lanes/lane.js'
import { heldBack, pacersFor } from '../lanes/pacer.js'
import { runLanes } from '../lanes/run-lanes.js'
import { AnswerTimes } from './answer-times.js'
import { ofTheSource, reasonToKeep } from './deferred-deletes.js'
import { isArchivedBy, PlanCounts } from './plan-counts.js'
import { requestsOfRun, type RunRequests } from './rehearsal-requests.js'
import { timeOfRun, type RunTime } from './run-time.js'
import { scaling, totalsOf, type SampledFrom } from './scaling.js'
import { stopReason } from './stop-reason.js'

/** What a rehearsal needs. */
export interface RehearsalOptions {
  readonly job: WriteJob
  readonly pace: Pace
  /** How many threads the run would have. */
  readonly threads: number
  /** Where it begins, or goes on. */
  readonly from: RehearsalState
  readonly ends: OpenStores
  readonly drain: AbortController
  /** Told of each object, in the same step in which its state passes it. */
  readonly tell: (object: ObjectSummary, prospect: Prospect) => void
  /** Given, before the first object, what answers how far it has come. */
  readonly keep: (state: () => RehearsalState) => void
  /** What was sent before it that a run sends too, where that is not all. */
  readonly begin?: Requests | undefined
  /** Where the objects are a sample: what it is of. */
  readonly sampled?: SampledFrom | undefined
  /** Told several times a second how far it has come; its totals are what would be done. */
  readonly progress: (snapshot: Snapshot) => void
}

/** What a run would do with all objects, and what it would send. */
export interface Rehearsal {
  readonly totals: Totals
  /** By storage class, size class and what becomes of them. */
  readonly groups: readonly PlannedGroup[]
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

/** The state of a rehearsal that has seen nothing yet. */
export function noRehearsal(ranges: readonly KeyRange[], list: ListState | undefined): RehearsalState {
  return {
    ...{ ranges, ...(list === undefined ? {} : { list }), totals: noTotals(), archived: 0, versions: 0, groups: [] },
    ...{ writes: {}, begin: {}, sent: {}, destinationReads: {}, answers: {}, elapsed: 0 },
  }
}

/** Takes the objects as a run does, in its lanes, and only looks where that would act. Rejects with a `StoppedError` when that would stop. */
export async function rehearse(options: RehearsalOptions): Promise<Rehearsal> {
  const { job, pace, threads, from: before, ends, drain, tell, sampled } = options
  const begun = { ...ends.meter.requests }
  // A run begins as the rehearsal first did.
  const begin = sum(before.begin) > 0 ? before.begin : (options.begin ?? begun)
  const { source, destination = source, settings, notice } = ends
  const isUnclear = unclearBetween(source.store, destination.store)
  const times = new AnswerTimes()
  const ofDestination = new AnswerTimes()
  const from = times.around(source.store)
  const to = destination === source ? from : ofDestination.around(destination.store)
  const context = { source: from, destination: to, settings, notice, isUnclear }
  const counts = new PlanCounts(job, Date.now(), before.groups)
  const writes = new Map(Object.entries(before.writes))
  let { archived, versions, heldTo } = before
  const tally = createTally(before.totals, () => undefined)
  // What a look has found out, until the object is settled.
  const looked = new Map<ObjectSummary, Prospect>()
  const settle = (object: ObjectSummary, outcome: Prospect): void => {
    const requests =
      outcome.kind === 'copied' ? allTogether([requestsOf(job, object, context), outcome.requests ?? {}]) : {}
    const stands = sampled?.standsFor(object.key) ?? 1
    for (const operation in requests)
      writes.set(operation, (writes.get(operation) ?? 0) + (requests[operation] ?? 0) * stands)
    if (outcome.kind === 'copied' && isArchivedBy(job, object.storageClass)) archived += stands
    if (outcome.kind === 'deleted' && hasHistory(object)) versions += object.history.length
    counts.add(object, outcome, requests, stands)
    tally.add(object, outcome)
    tell(object, outcome)
  }
  const settling: Pick<Tally, 'add'> = {
    add(object, outcome) {
      const found = looked.get(object)
      looked.delete(object)
      if (outcome.kind === 'deferred' || outcome.kind === 'waiting') throw new Error('a rehearsal puts nothing off')
      settle(object, found ?? outcome)
    },
  }
  const look = lookOf(job, context)
  const act: Action = async (object) => {
    const outcome = look === undefined ? WRITTEN : await look(object)
    if (outcome !== undefined) looked.set(object, atOnce(outcome))
    return outcome && atOnce(outcome)
  }
  const decideOn = unlessKnown(decisionOf(job, context, 'act'))
  const stays = stayingFor(job, context.source)
  const decide: Decide = (object, page) => {
    const decided = decideOn(object, page)
    if (decided === undefined || decided.kind === 'deferred' || decided.kind === 'waiting')
      return look === undefined ? WRITTEN : undefined
    if (decided.kind !== 'delete-deferred') return atOnce(decided)
    return stays === undefined ? DELETED : undefined
  }
  let reason: unknown
  const slots = new ConcurrencyLimit(pace.concurrency)
  const { work, reached, remaining } = workOf(options, context, settling, slots, times)
  const pacers = pacersFor(pace.lanes)
  const began = performance.now()
  const elapsed = (): number => before.elapsed + (performance.now() - began)
  const held = (): number | undefined => (heldTo = heldBack(pacers)?.rate ?? heldTo)
  const sent = (): Requests => allTogether([before.sent, less(ends.meter.requests, begun)])
  const destinationReads = (): Requests => allTogether([before.destinationReads, ofDestination.asked()])
  const answers = (): Readonly<Record<string, number>> => ({
    ...before.answers,
    ...ofDestination.usual(),
    ...times.usual(),
  })
  options.keep(() => ({
    ...{ ...remaining(), totals: structuredClone(tally.totals), archived, versions, groups: counts.groups() },
    ...{ writes: Object.fromEntries(writes), begin, sent: sent(), destinationReads: destinationReads() },
    ...{ answers: answers(), elapsed: elapsed() },
    ...(held() === undefined ? {} : { heldTo }),
  }))
  const progress = setInterval(() => {
    held()
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
    throw new StoppedError(stop.reason, stop.hint)
  }
  const scaled = sampled === undefined ? undefined : scaling(sampled, tally.added)
  const groups = scaled?.groups(counts.groups()) ?? counts.groups()
  const totals = scaled === undefined ? tally.totals : totalsOf(groups)
  const kept = whyKept(job, totals)
  const counted = { job, pace, threads, context, totals, versions, kept: kept !== undefined }
  const reads = (some: Requests): Requests => scaled?.reads(some) ?? some
  const written = Object.fromEntries(writes)
  const requests = requestsOfRun({ ...counted, sent: reads(sent()), begin, writes: scaled?.counts(written) ?? written })
  const listing = scaled?.listing(sum(requests.lists), answers(), pace.lanes) ?? elapsed()
  const seen = { job, pace, settings, totals, requests, elapsed: listing, heldTo }
  const time = drain.signal.aborted ? undefined : timeOfRun({ ...seen, answers: answers() })
  return {
    ...{ totals, groups, archived: scaled?.count(archived) ?? archived, versions, kept, requests, time },
    destinationReads: reads(destinationReads()),
  }
}

// What a run would try again later has not failed for good, and has failed here.
function atOnce(outcome: Prospect): Prospect {
  return outcome.kind === 'failed' ? { kind: 'failed', failure: outcome.failure } : outcome
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
  readonly remaining: () => Pick<RehearsalState, 'ranges' | 'list'>
}

function workOf(
  { job, pace, from, ends, drain }: RehearsalOptions,
  context: Stores,
  tally: Pick<Tally, 'add'>,
  slots: ConcurrencyLimit,
  times: AnswerTimes,
): RehearsedWork {
  const { ranges, list } = from
  const seen = settled(from.totals)
  const keyList = listOf(job)
  if (keyList === undefined || list === undefined) {
    const keyspace = new Keyspace(ranges, { first: ends.source.first })
    const reached = (): ReturnType<RehearsedWork['reached']> => {
      const { listingEnded } = keyspace
      const listed = seen + keyspace.listed
      const inAll = keyspace.expected()
      const estimated = inAll === undefined ? undefined : seen + inAll
      return {
        listed,
        listingEnded,
        ...(listingEnded ? {} : { expected: expectedOf(listed, pace.expect, estimated) }),
      }
    }
    const remaining = (): ReturnType<RehearsedWork['remaining']> => ({ ranges: keyspace.remaining() })
    return { work: leasesOver(keyspace, listingOf(job, context), tally), reached, remaining }
  }
  const storeFor = (pacer: Pressure): Storage => times.around(ends.source.storeFor(pacer))
  const lookUps = lookingUp({ job, storeFor, slots, stop: drain.signal })
  const work = new ListWork(keyList, entryNeedsOf(job, ends.listFiles), list, tally, lookUps)
  const listed = seen + (list.of ?? list.entries) - entriesSettled(list)
  return {
    work,
    reached: () => ({ listed, listingEnded: true }),
    remaining: () => {
      const left = work.remaining()
      return { ranges: [], ...(left === undefined ? {} : { list: left }) }
    },
  }
}
