import type { ListState } from '../../checkpoint/checkpoint.js'
import { jsonText } from '../../checkpoint/json.js'
import { decisionOf, listingOf, type DecideContext, type ActionContext } from '../../engine/actions/actions.js'
import { requestsFor } from '../../engine/actions/copy.js'
import { ofTheSource, reasonToKeep } from '../../engine/session/deferred-deletes.js'
import type { Action, Decide } from '../../engine/lanes/lane.js'
import { lookingUp, unlessKnown } from '../../engine/actions/look-up-listed.js'
import { mayBeManifest, unclearBetween } from '../../engine/actions/manifests.js'
import { looking } from '../../engine/actions/no-clobber.js'
import { stayingFor } from '../../engine/actions/not-a-key.js'
import { pacersFor } from '../../engine/lanes/pacer.js'
import { runLanes } from '../../engine/lanes/run-lanes.js'
import { outcomeOfHead, planned as planOf } from '../../engine/actions/set-headers.js'
import { ConcurrencyLimit } from '../../engine/lanes/concurrency-limit.js'
import { mostChecks, requestsOfCheck } from '../../engine/actions/spot-checks.js'
import { stopReason } from '../../engine/session/stop-reason.js'
import { syncAction } from '../../engine/actions/sync.js'
import { UserError } from '../../errors.js'
import { bytes, count, objects } from '../../report/format.js'
import { listOf, type WriteJob } from '../../job/kinds.js'
import type { Outcome, SkipReason } from '../../job/outcome.js'
import type { Pace } from '../../job/pace.js'
import { isFolder, placeUrl, type Place } from '../../job/place.js'
import type { SyncJob } from '../../job/sync.js'
import { noTotals, sum, type Totals } from '../../job/totals.js'
import { printable, type KeyRange } from '../../keys.js'
import { exampleLine, failedByCode, skippedByReason, skipReason } from '../../report/summary.js'
import { hasHistory } from '../../sources/version-listing.js'
import { Keyspace } from '../../sources/ranges/keyspace.js'
import { leasesOver } from '../../sources/listing-source.js'
import { ListWork, entryNeedsOf } from '../../sources/files-from/files-from-source.js'
import { addTo, createTally } from '../../sources/tally.js'
import type { WorkItem } from '../../sources/work-source.js'
import type { Change } from '../../rules/decide.js'
import { renamer } from '../../rules/rename.js'
import { notOurs } from '../../storage/disk/open-folder.js'
import type { OpenStores } from '../../storage/open.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { endsOf, threadsFor, type Opened } from './open-and-run.js'
import type { Example } from './example.js'
import { EXIT } from '../options/exit.js'
import { unless, type CommandIo } from '../options/io.js'
import type { OutputOptions } from '../options/output-options.js'

/** What a dry run needs. */
export interface DryRunOptions {
  readonly job: WriteJob
  readonly pace: Pace
  readonly ranges: readonly KeyRange[]
  /** What remains of the list of the job. */
  readonly list: ListState | undefined
  /** What is told of names. */
  readonly example?: Example | undefined
  readonly opened: Opened
  readonly telling: OutputOptions
  readonly io: CommandIo
}

/** Lists, decides about each object, and says what a run would do and which requests it would send. Writes nothing, here or there. */
export async function dryRun({
  job,
  pace,
  ranges,
  list,
  example,
  opened,
  telling,
  io,
}: DryRunOptions): Promise<number> {
  const { ends, drain } = opened
  const { destination } = endsOf(job)
  if (isFolder(destination) && ends.destination?.store.writing === undefined) throw notOurs(destination.bucket)
  if (example !== undefined && !telling.json) io.stderr.write(`${exampleLine(example)}\n`)
  // Those of before were to find out what copies would lose.
  const headsBefore = ends.meter.requests.HeadObject ?? 0
  const tally = createTally(noTotals(), () => undefined)
  const ways = waysOf(ends)
  const slots = new ConcurrencyLimit(pace.concurrency)
  const keyList = listOf(job)
  const lookUps = lookingUp({ job, storeFor: ends.source.storeFor, slots, stop: drain.signal })
  const work =
    keyList === undefined || list === undefined
      ? leasesOver(new Keyspace(ranges), listingOf(job, ways), tally)
      : new ListWork(keyList, entryNeedsOf(job), list, tally, lookUps)
  const requests: Record<string, number> = {}
  let reason: unknown
  let archived = 0
  let versions = 0
  const nameOf = renamer(job.kind === 'copy' || job.kind === 'move' ? job.map : undefined)
  const tell = (object: ObjectSummary, seen: Seen): Outcome => {
    if (seen.outcome.kind === 'copied') {
      if ('destination' in job && ARCHIVES.has(object.storageClass)) archived++
      const needed = 'destination' in job ? requestsFor(job, object, ways.settings.streamed) : { CopyObject: 1 }
      for (const [operation, count] of Object.entries(needed)) addTo(requests, operation, count)
      if ('destination' in job && !ways.settings.streamed && mayBeManifest(ways.source, object))
        addTo(requests, 'HeadObject', 1)
    }
    if (hasHistory(object) && seen.outcome.kind === 'deleted') versions += object.history.length
    const line = lineOf(job, nameOf, object, seen)
    const wanted = telling.verbose || (line.type === 'would-set' && !telling.quiet)
    if (wanted) io.stdout.write(telling.json ? `${jsonText(line)}\n` : `${textOf(job, line)}\n`)
    return seen.outcome
  }
  const lookFor = lookAt(job, ways)
  const act: Action = async (object) => {
    const seen = await lookFor(object)
    return seen === undefined ? undefined : tell(object, seen)
  }
  const decideOn = unlessKnown(decisionOf(job, ways, 'act'))
  const stays = job.kind === 'sync' ? stayingFor(job, ways.source) : undefined
  const decide: Decide = (object, page) => {
    const decided = decideOn(object, page)
    if (decided === undefined || decided.kind === 'deferred' || decided.kind === 'waiting') return undefined
    if (decided.kind === 'delete-deferred' && stays !== undefined) return undefined
    return tell(object, { outcome: decided.kind === 'delete-deferred' ? DELETED : decided, changes: [] })
  }
  const running = runLanes({
    work,
    decide,
    actFor: () => act,
    pacers: pacersFor(pace.lanes),
    slots,
    stop: drain.signal,
    fail(error) {
      reason ??= error
      drain.abort()
    },
  })
  await unless(io.abandon, running)
  tally.takeFailures()
  if (reason !== undefined) {
    const stop = stopReason(reason)
    throw new UserError(stop.reason, stop.hint)
  }
  const { totals } = tally
  const listing = 'versions' in job ? 'ListObjectVersions' : 'ListObjectsV2'
  const lists = ends.meter.requests[listing] ?? 0
  const heads = (ends.meter.requests.HeadObject ?? 0) - headsBefore
  const complete = !drain.signal.aborted
  const gone = job.kind === 'move' ? totals.copied : versions > 0 ? versions : (totals.deleted ?? 0)
  const sent = requestsOf(job, gone, requests, ways.settings.streamed)
  const before = looksBefore(job, ways, gone)
  const checks = mostChecks(totals.copied, { lanes: listLanes(job, pace), threads: Math.max(1, threadsFor(job, pace)) })
  const checking = Object.entries(requestsOfCheck(job)).map(([operation, n]) => [operation, n * checks] as const)
  const checked = checks === 0 ? [] : checking
  const deeper = losslessMoves(job, pace, totals.copied)
  const allHeads = heads + before + (sent['HeadObject'] ?? 0)
  if (telling.json) {
    const plan = {
      type: 'plan',
      complete,
      ...(example === undefined ? {} : { example }),
      ...planned(job, totals),
      skip: totals.skipped,
      fail: totals.failed,
      ...(archived === 0 ? {} : { archived }),
      ...(versions === 0 ? {} : { versions }),
      requests: summed([
        ...(lists === 0 ? [] : ([[listing, lists]] as const)),
        ...Object.entries({ ...sent, ...(allHeads === 0 ? {} : { HeadObject: allHeads }) }),
        ...deeper,
      ]),
      ...(checked.length === 0 ? {} : { checksUpTo: Object.fromEntries(checked) }),
    }
    io.stdout.write(`${JSON.stringify(plan)}\n`)
  } else {
    const lines = [
      complete ? 'dry run: nothing was changed' : 'dry run, interrupted: nothing was changed, and this is a part only',
      ...plannedInWords(job, totals),
    ]
    if (versions > 0) lines.push(`versions     ${count(versions)} in all, delete markers included`)
    if (archived > 0)
      lines.push(
        `archived     ${count(archived)} of them by their storage class: ${ofArchived(job)}, unless restored by now`,
      )
    if (sum(totals.skipped) > 0) lines.push(`would skip   ${skippedByReason(totals.skipped)}`)
    if (sum(totals.failed) > 0) lines.push(`would fail   ${failedByCode(totals.failed)}`)
    const named = Object.entries(sent).map(([operation, n]) => `${count(n)} ${operation}`)
    const looks = heads === 0 ? [] : [`${count(heads)} HeadObject`]
    // Folders are listed without.
    const listed = lists === 0 ? [] : [`about ${count(lists)} ${listing}`]
    const again = [...looks, ...listed].join(', ')
    const looked = before === 0 ? [] : [`${count(before)} HeadObject before deletions`]
    looked.push(...deeper.map(([operation, n]) => `${count(n)} ${operation} before deletions`))
    const sample = checked.map(([operation, n]) => `${count(n)} ${operation}`).join(', ')
    const parts = [
      [...named, ...looked].join(', '),
      sample === '' ? '' : `to look at what was written, up to ${sample}`,
      again === '' ? '' : `as in this dry run, ${again}`,
    ]
    const all = parts.filter((text) => text !== '').join('; ')
    lines.push(
      `requests     ${all === '' ? 'none' : `${all} (copies and lists are in the price class of PUT; see README on cost)`}`,
    )
    io.stdout.write(`${lines.join('\n')}\n`)
  }
  return complete ? EXIT.done : EXIT.interrupted
}

// Whether they are restored only the copy itself would tell, or a HEAD of each.
const ARCHIVES: ReadonlySet<string> = new Set(['GLACIER', 'DEEP_ARCHIVE'])

function ofArchived(job: WriteJob): string {
  return 'restore' in job ? 'to be restored first (--restore)' : 'skipped'
}

// What would be done, for programs and for people.
function planned({ kind }: WriteJob, { copied, bytes, deleted = 0, freed = 0 }: Totals): object {
  if (kind === 'delete') return { delete: deleted, bytes: freed }
  const what = kind === 'set-headers' ? 'rewrite' : kind === 'move' ? 'move' : 'copy'
  return { [what]: copied, bytes, ...(kind === 'sync' ? { delete: deleted, freed } : {}) }
}

function plannedInWords(job: WriteJob, totals: Totals): string[] {
  const source = placeUrl(job.source)
  const copies = `${objects(totals.copied)}, ${bytes(totals.bytes)}`
  switch (job.kind) {
    case 'copy':
    case 'move':
      return [`would ${job.kind}   ${copies}, from ${source} to ${placeUrl(job.destination)}`]
    case 'sync':
      return [
        `would copy   ${copies}, from ${source} to ${placeUrl(job.destination)}`,
        ...deletionsInWords(job, totals),
      ]
    case 'set-headers':
      return [`would set    headers of ${copies}, in ${source}`]
    case 'delete':
      return [`would delete ${objects(totals.deleted ?? 0)}, ${bytes(totals.freed ?? 0)}, in ${source}`]
  }
}

function deletionsInWords({ source, destination, delete: deletes }: SyncJob, totals: Totals): string[] {
  if (deletes === undefined) return []
  const { deleted = 0, freed = 0 } = totals
  const reason = reasonToKeep(deleted, ofTheSource(source, totals), deletes.most ?? Infinity)
  if (reason !== undefined) return [`would keep   what is extra: ${reason}`]
  return [`would delete ${objects(deleted)}, ${bytes(freed)}, in ${placeUrl(destination)}`]
}

function requestsOf(
  job: WriteJob,
  gone: number,
  writes: Readonly<Record<string, number>>,
  streamed: boolean,
): Record<string, number> {
  const write =
    job.kind === 'delete' || isFolder(endsOf(job).destination) ? {} : { [streamed ? 'PutObject' : 'CopyObject']: 0 }
  return {
    ...write,
    ...writes,
    ...(gone === 0 || isFolder(placeOfDeletion(job)) ? {} : { DeleteObjects: Math.ceil(gone / 1000) }),
  }
}

// What is moved or extra is looked at on both sides before it is deleted, as `deletingDeferred` does; a folder costs nothing.
function looksBefore(job: WriteJob, { destination }: ActionContext, gone: number): number {
  if (job.kind !== 'move' && job.kind !== 'sync') return 0
  const looked = job.kind === 'sync' && destination.conditional === true ? [job.source] : [job.source, job.destination]
  return looked.filter((place) => !isFolder(place)).length * gone
}

// A list is worked on by one lane.
function listLanes(job: WriteJob, { lanes }: Pace): number {
  return listOf(job) === undefined ? lanes : 1
}

// With --on-loss fail the list of each copy is looked at before its source is deleted.
function losslessMoves(job: WriteJob, { onLoss }: Pace, gone: number): (readonly [operation: string, count: number])[] {
  if (job.kind !== 'move' || onLoss !== 'fail' || gone === 0) return []
  return Object.entries(requestsOfCheck(job)).flatMap(([operation, n]) =>
    operation === 'HeadObject' ? [] : [[operation, n * gone] as const],
  )
}

function summed(counts: readonly (readonly [operation: string, count: number])[]): Record<string, number> {
  const all: Record<string, number> = {}
  for (const [operation, n] of counts) addTo(all, operation, n)
  return all
}

/** What a run would do with one object, and to which headers. */
interface Seen {
  readonly outcome: Outcome
  readonly changes: readonly Change[]
}

const WRITTEN: Outcome = { kind: 'copied' }
const DELETED: Outcome = { kind: 'deleted' }

function waysOf({ source, destination = source, settings, notice }: OpenStores): ActionContext & DecideContext {
  const isUnclear = unclearBetween(source.store, destination.store)
  return { source: source.store, destination: destination.store, settings, notice, isUnclear }
}

// At what is not decided without a request.
function lookAt(job: WriteJob, ways: ActionContext): (object: ObjectSummary) => Promise<Seen | undefined> {
  if (job.kind === 'copy' && job.noClobber === true) {
    const look = looking(job, ways.destination)
    return async (object) => {
      const outcome = await look(object)
      return outcome === undefined ? undefined : { outcome: outcome === 'absent' ? WRITTEN : outcome, changes: [] }
    }
  }
  if (job.kind === 'copy' || job.kind === 'move') return () => Promise.resolve({ outcome: WRITTEN, changes: [] })
  if (job.kind === 'delete') return () => Promise.resolve({ outcome: DELETED, changes: [] })
  if (job.kind === 'sync') {
    const look = syncAction(job, ways, () => Promise.resolve(WRITTEN))
    const stays = stayingFor(job, ways.source)
    return async (object: WorkItem) => {
      if (object.extra === true) {
        const outcome: Outcome = (await stays?.(object.key)) === true ? { kind: 'skipped', reason: 'extra' } : DELETED
        return { outcome, changes: [] }
      }
      const outcome = await look(object)
      return outcome === undefined
        ? undefined
        : { outcome: outcome.kind === 'delete-deferred' ? DELETED : outcome, changes: [] }
    }
  }
  return async (object) => {
    try {
      const plan = await planOf(job, ways.source, object)
      return plan.outcome === undefined
        ? { outcome: WRITTEN, changes: plan.changes }
        : { outcome: plan.outcome, changes: [] }
    } catch (error) {
      const outcome = outcomeOfHead(error, job.source.prefix, object)
      return outcome === undefined ? undefined : { outcome, changes: [] }
    }
  }
}

type Line =
  | { readonly type: 'would-copy' | 'would-move'; readonly key: string; readonly to: string; readonly bytes: number }
  | { readonly type: 'would-delete'; readonly key: string; readonly bytes: number }
  | { readonly type: 'would-set'; readonly key: string; readonly changes: readonly Change[] }
  | { readonly type: 'would-skip'; readonly key: string; readonly reason: SkipReason }
  | { readonly type: 'would-fail'; readonly key: string; readonly code: string }

function lineOf(
  job: WriteJob,
  nameOf: (key: string) => string,
  object: ObjectSummary,
  { outcome, changes }: Seen,
): Line {
  const key = job.source.prefix + object.key
  switch (outcome.kind) {
    case 'copied':
      return 'destination' in job
        ? {
            type: job.kind === 'move' ? 'would-move' : 'would-copy',
            key,
            to: job.destination.prefix + nameOf(object.key),
            bytes: object.size,
          }
        : { type: 'would-set', key, changes }
    case 'deleted':
    case 'delete-deferred':
      return { type: 'would-delete', key: placeOfDeletion(job).prefix + object.key, bytes: object.size }
    case 'skipped':
      return { type: 'would-skip', key, reason: outcome.reason }
    case 'failed':
      return { type: 'would-fail', key, code: outcome.failure.code }
  }
}

function placeOfDeletion(job: WriteJob): Place {
  return job.kind === 'sync' ? job.destination : job.source
}

function textOf(job: WriteJob, line: Line): string {
  const { bucket } = line.type === 'would-delete' ? placeOfDeletion(job) : job.source
  const from = placeUrl({ bucket, prefix: line.key })
  switch (line.type) {
    case 'would-copy':
    case 'would-move':
      return `${line.type.slice('would-'.length)} ${from} ${placeUrl({ ...endsOf(job).destination, prefix: line.to })}`
    case 'would-delete':
      return `delete ${from}`
    case 'would-set':
      return [
        `set ${from}`,
        ...line.changes.map(({ name, from, to }) => `  ${printable(name)}: ${value(from)} -> ${value(to)}`),
      ].join('\n')
    case 'would-skip':
      return `skip ${from} (${skipReason(line.reason)})`
    case 'would-fail':
      return `fail ${from} (${line.code})`
  }
}

function value(text: string | undefined): string {
  return text === undefined ? '(none)' : `"${printable(text)}"`
}
