import { jsonText } from '../checkpoint/json.js'
import { refusal } from '../engine/copy.js'
import type { Act } from '../engine/lane.js'
import { pacersFor } from '../engine/pacer.js'
import { runLanes } from '../engine/run.js'
import { outcomeOfHead, planned } from '../engine/set-headers.js'
import { Slots } from '../engine/slots.js'
import { stopReason } from '../engine/stop.js'
import { UserError } from '../errors.js'
import { bytes, count, objects, placeUrl } from '../format.js'
import { noTotals, sum, type Outcome, type Pace, type SkipReason, type WriteJob } from '../job.js'
import { printable, type KeyRange } from '../keys.js'
import { failedByCode, skippedByReason, skipReason } from '../summary.js'
import { Keyspace } from '../work/keyspace.js'
import { leasesOver } from '../work/leases.js'
import { createTally } from '../work/tally.js'
import type { Change } from '../rules/decide.js'
import type { Ends } from '../storage/open.js'
import type { ObjectSummary } from '../storage/storage.js'
import { endsOf, type Opened } from './drive.js'
import { EXIT } from './exit.js'
import { unless, type CommandIo } from './io.js'
import type { Telling } from './options.js'

/** What a dry run needs. */
export interface DryRunOptions {
  readonly job: WriteJob
  readonly pace: Pace
  readonly ranges: readonly KeyRange[]
  readonly opened: Opened
  readonly telling: Telling
  readonly io: CommandIo
}

/** Lists, decides about each object, and says what a run would do and which requests it would send. Writes nothing, here or there. */
export async function dryRun({ job, pace, ranges, opened, telling, io }: DryRunOptions): Promise<number> {
  const { ends, drain } = opened
  const tally = createTally(noTotals(), () => undefined)
  const work = leasesOver(new Keyspace(ranges), ends.source.store, tally)
  let reason: unknown
  const look = lookAt(job, ends)
  const act: Act = async (object) => {
    const seen = await look(object)
    if (seen === undefined) return undefined
    const line = lineOf(job, object, seen)
    const wanted = telling.verbose || (line.type === 'would-set' && !telling.quiet)
    if (wanted) io.stdout.write(telling.json ? `${jsonText(line)}\n` : `${textOf(job, line)}\n`)
    return seen.outcome
  }
  const running = runLanes({
    work,
    actFor: () => act,
    pacers: pacersFor(pace.lanes),
    slots: new Slots(pace.concurrency),
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
  const lists = ends.meter.requests.ListObjectsV2 ?? 0
  const heads = ends.meter.requests.HeadObject ?? 0
  const complete = !drain.signal.aborted
  if (telling.json) {
    const plan = {
      type: 'plan',
      complete,
      [job.kind === 'copy' ? 'copy' : 'rewrite']: totals.copied,
      bytes: totals.bytes,
      skip: totals.skipped,
      fail: totals.failed,
      requests: {
        ListObjectsV2: lists,
        ...(job.kind === 'copy' ? {} : { HeadObject: heads }),
        CopyObject: totals.copied,
      },
    }
    io.stdout.write(`${JSON.stringify(plan)}\n`)
  } else {
    const source = placeUrl(job.source)
    const what =
      job.kind === 'copy'
        ? `would copy   ${count(totals.copied)} objects, ${bytes(totals.bytes)}, from ${source} to ${placeUrl(job.destination)}`
        : `would set    headers of ${objects(totals.copied)}, ${bytes(totals.bytes)}, in ${source}`
    const lines = [
      complete ? 'dry run: nothing was changed' : 'dry run, interrupted: nothing was changed, and this is a part only',
      what,
    ]
    if (sum(totals.skipped) > 0) lines.push(`would skip   ${skippedByReason(totals.skipped)}`)
    if (sum(totals.failed) > 0) lines.push(`would fail   ${failedByCode(totals.failed)}`)
    const looks = job.kind === 'copy' ? '' : `${count(heads)} HeadObject, `
    lines.push(
      `requests     ${count(totals.copied)} CopyObject and, again, ${looks}about ${count(lists)} ListObjectsV2 (copies and lists are in the price class of PUT; see README on cost)`,
    )
    io.stdout.write(`${lines.join('\n')}\n`)
  }
  return complete ? EXIT.done : EXIT.interrupted
}

/** What a run would do with one object, and to which headers. */
interface Seen {
  readonly outcome: Outcome
  readonly changes: readonly Change[]
}

const WRITTEN: Outcome = { kind: 'copied' }

function lookAt(job: WriteJob, ends: Ends): (object: ObjectSummary) => Promise<Seen | undefined> {
  if (job.kind === 'copy') {
    return (object) =>
      Promise.resolve({
        outcome: refusal(job, object, { through: ends.through, apart: ends.apart }) ?? WRITTEN,
        changes: [],
      })
  }
  return async (object) => {
    try {
      const plan = await planned(job, ends.source.store, object)
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
  | { readonly type: 'would-copy'; readonly key: string; readonly to: string; readonly bytes: number }
  | { readonly type: 'would-set'; readonly key: string; readonly changes: readonly Change[] }
  | { readonly type: 'would-skip'; readonly key: string; readonly reason: SkipReason }
  | { readonly type: 'would-fail'; readonly key: string; readonly code: string }

function lineOf(job: WriteJob, object: ObjectSummary, { outcome, changes }: Seen): Line {
  const key = job.source.prefix + object.key
  switch (outcome.kind) {
    case 'copied':
      return job.kind === 'copy'
        ? { type: 'would-copy', key, to: job.destination.prefix + object.key, bytes: object.size }
        : { type: 'would-set', key, changes }
    case 'skipped':
      return { type: 'would-skip', key, reason: outcome.reason }
    case 'failed':
      return { type: 'would-fail', key, code: outcome.failure.code }
  }
}

function textOf(job: WriteJob, line: Line): string {
  const from = printable(`s3://${job.source.bucket}/${line.key}`)
  switch (line.type) {
    case 'would-copy':
      return `copy ${from} ${printable(`s3://${endsOf(job).destination.bucket}/${line.to}`)}`
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
