import { refusal } from '../engine/act.js'
import type { Act } from '../engine/lane.js'
import { runLanes } from '../engine/run.js'
import { Slots } from '../engine/slots.js'
import { stopReason } from '../engine/stop.js'
import { UserError } from '../errors.js'
import { bytes, count, placeUrl } from '../format.js'
import { noTotals, sum, type CopyJob, type Pace } from '../job.js'
import { printable, type KeyRange } from '../keys.js'
import { failedByCode, skippedByReason } from '../summary.js'
import { Keyspace } from '../work/keyspace.js'
import { leasesOver } from '../work/leases.js'
import { createTally } from '../work/tally.js'
import type { Opened } from './drive.js'
import { EXIT } from './exit.js'
import { unless, type CommandIo } from './io.js'
import type { Telling } from './options.js'

/** What a dry run needs. */
export interface DryRunOptions {
  readonly job: CopyJob
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
  const act: Act = (object) => {
    const outcome = refusal(job, object) ?? { kind: 'copied' }
    if (telling.verbose) {
      const from = job.source.prefix + object.key
      const to = job.destination.prefix + object.key
      const line: Line =
        outcome.kind === 'copied'
          ? { type: 'would-copy', key: from, to, bytes: object.size }
          : outcome.kind === 'skipped'
            ? { type: 'would-skip', key: from, reason: outcome.reason }
            : { type: 'would-fail', key: from, code: outcome.failure.code }
      io.stdout.write(telling.json ? `${JSON.stringify(line)}\n` : `${textOf(job, line)}\n`)
    }
    return Promise.resolve(outcome)
  }
  const running = runLanes({
    work,
    act,
    slots: new Slots(pace.concurrency),
    pace,
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
  const complete = !drain.signal.aborted
  if (telling.json) {
    const plan = {
      type: 'plan',
      complete,
      copy: totals.copied,
      bytes: totals.bytes,
      skip: totals.skipped,
      fail: totals.failed,
      requests: { ListObjectsV2: lists, CopyObject: totals.copied },
    }
    io.stdout.write(`${JSON.stringify(plan)}\n`)
  } else {
    const lines = [
      complete ? 'dry run: nothing was changed' : 'dry run, interrupted: nothing was changed, and this is a part only',
      `would copy   ${count(totals.copied)} objects, ${bytes(totals.bytes)}, from ${placeUrl(job.source)} to ${placeUrl(job.destination)}`,
    ]
    if (sum(totals.skipped) > 0) lines.push(`would skip   ${skippedByReason(totals.skipped)}`)
    if (sum(totals.failed) > 0) lines.push(`would fail   ${failedByCode(totals.failed)}`)
    lines.push(
      `requests     ${count(totals.copied)} CopyObject and, again, about ${count(lists)} ListObjectsV2 (both in the price class of PUT; see README on cost)`,
    )
    io.stdout.write(`${lines.join('\n')}\n`)
  }
  return complete ? EXIT.done : EXIT.interrupted
}

type Line =
  | { readonly type: 'would-copy'; readonly key: string; readonly to: string; readonly bytes: number }
  | { readonly type: 'would-skip'; readonly key: string; readonly reason: string }
  | { readonly type: 'would-fail'; readonly key: string; readonly code: string }

function textOf(job: CopyJob, line: Line): string {
  const from = printable(`s3://${job.source.bucket}/${line.key}`)
  switch (line.type) {
    case 'would-copy':
      return `copy ${from} ${printable(`s3://${job.destination.bucket}/${line.to}`)}`
    case 'would-skip':
      return `skip ${from} (${line.reason})`
    case 'would-fail':
      return `fail ${from} (${line.code})`
  }
}
