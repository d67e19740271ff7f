import type { Job } from '../job/kinds.js'
import { shardName, type Shard } from '../job/shard.js'
import { noTotals, sum, type Totals } from '../job/totals.js'
import { addVerdicts, type Verdicts } from '../job/verdicts.js'
import { count, jobTitle, objects, row, shellWord } from './format.js'
import { jsonRecord, placesOf, spentFields, totalsFields, verdictFields } from './json-records.js'
import { PLAIN, type Paint } from './paint.js'
import { doneOfTotal, momentInWords, stateWord, type RunStatus } from './run-status.js'
import { doneRows, failedByCode, skippedByReason, spentInWords } from './summary.js'
import { likenessRows } from './verify-summary.js'

/** The run of a shard. */
export interface ShardRun extends RunStatus {
  readonly shard: Shard
}

/** What the runs of shards of one job come to together. */
export interface MergedRuns {
  /** The job of all of them, as if it were in one part. */
  readonly job: Job
  readonly of: number
  readonly sharing: string
  /** In the order of the shards. */
  readonly runs: readonly ShardRun[]
  /** Shards of which no run was given, by number. */
  readonly missing: readonly number[]
  /** Every shard is there, and its run is finished. */
  readonly complete: boolean
  readonly totals: Totals
  /** Of a comparison. */
  readonly verdicts: Verdicts | undefined
  readonly done: number
  readonly listed: number
  readonly requests: Readonly<Record<string, number>>
  /** US$; undefined where that of one of them is not known. */
  readonly spent: number | undefined
}

/** Adds up runs, each of another shard of `job`, in order. */
export function mergedRuns(job: Job, runs: readonly ShardRun[], { of, sharing }: Shard): MergedRuns {
  const there = new Set(runs.map(({ shard }) => shard.number))
  const missing = Array.from({ length: of }, (_, at) => at + 1).filter((number) => !there.has(number))
  const spent = runs.map(({ spentUsd }) => spentUsd)
  return {
    ...{ job, of, sharing, runs, missing },
    complete: missing.length === 0 && runs.every(({ state }) => state === 'finished'),
    totals: runs.reduce(addTotals, noTotals()),
    verdicts: runs.reduce<Verdicts | undefined>(
      (all, { verdicts }) =>
        all === undefined ? (verdicts ?? undefined) : verdicts === null ? all : addVerdicts(all, verdicts),
      undefined,
    ),
    done: runs.reduce((all, run) => all + run.done, 0),
    listed: runs.reduce((all, run) => all + run.listed, 0),
    requests: runs.reduce<Record<string, number>>((all, run) => added(all, run.requests), {}),
    spent: spent.includes(null) ? undefined : spent.reduce<number>((all, one) => all + (one ?? 0), 0),
  }
}

function addTotals(all: Totals, { copied, bytes, deleted, freed, skipped, failed }: RunStatus): Totals {
  return {
    ...{ copied: all.copied + copied, bytes: all.bytes + bytes },
    ...{ deleted: (all.deleted ?? 0) + deleted, freed: (all.freed ?? 0) + freed },
    ...{ skipped: added(all.skipped, skipped), failed: added(all.failed, failed) },
  }
}

function added(
  all: Readonly<Record<string, number | undefined>>,
  some: Readonly<Record<string, number | undefined>>,
): Record<string, number> {
  const sums = new Map(Object.entries(all).map(([name, n]) => [name, n ?? 0]))
  for (const [name, n = 0] of Object.entries(some)) sums.set(name, (sums.get(name) ?? 0) + n)
  return Object.fromEntries(sums)
}

/** For people, in lines. */
export function mergedLines(merged: MergedRuns, now: number, paint: Paint = PLAIN): string[] {
  const { job, of, sharing, runs, missing, complete, totals, verdicts } = merged
  const finished = runs.filter(({ state }) => state === 'finished').length
  const [skipped, failed] = [sum(totals.skipped), sum(totals.failed)]
  const state = complete
    ? `complete: the ${count(of)} shards have every key once between them, and all are finished`
    : `incomplete: ${count(finished)} of ${count(of)} shards are finished`
  const saved = runs
    .map(({ savedAt }) => savedAt)
    .sort()
    .at(-1)
  return [
    `${jobTitle(job)}, in ${count(of)} shards`,
    paint(complete ? 'good' : 'warning', row('state', state)),
    ...(missing.length === 0 ? [] : [paint('bad', row('missing', missingInWords(missing, of)))]),
    ...runs.flatMap((run) => shardRows(run, paint)),
    row('cut', `by the plan whose shards are ${sharing}`),
    ...(saved === undefined ? [] : [row('saved', momentInWords(saved, now))]),
    row('done', complete ? objects(merged.done) : `${objects(merged.done)} of ${count(merged.listed)} listed so far`),
    ...doneRows(totals, job),
    ...(verdicts === undefined ? [] : likenessRows(verdicts)),
    ...(skipped === 0 ? [] : [row('skipped', `${objects(skipped)}: ${skippedByReason(totals.skipped)}`)]),
    ...(failed === 0 ? [] : [paint('bad', row('failed', `${objects(failed)}: ${failedByCode(totals.failed)}`))]),
    ...(merged.spent === undefined ? [] : [row('cost', spentInWords(merged.spent))]),
  ]
}

function missingInWords(missing: readonly number[], of: number): string {
  const [only] = missing
  const which =
    missing.length === 1 && only !== undefined ? shardName({ number: only, of }) : `shards ${spans(missing)}`
  return `${which}: in none of these folders`
}

// Numbers in order as `2, 5-9`.
function spans(numbers: readonly number[]): string {
  const found: [first: number, last: number][] = []
  for (const number of numbers) {
    const last = found.at(-1)
    if (last?.[1] === number - 1) last[1] = number
    else found.push([number, number])
  }
  return found.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(', ')
}

// Nothing of those that are done.
function shardRows(run: ShardRun, paint: Paint): string[] {
  const name = `shard ${run.shard.number}`
  const failed = sum(run.failed)
  if (run.state === 'unfinished') {
    const next = run.next === null ? shellWord(run.folder) : run.next
    return [paint('warning', row(name, `${stateWord(run)}, ${doneOfTotal(run)}; ${next}`))]
  }
  return failed === 0
    ? []
    : [paint('bad', row(name, `${count(failed)} failed; s3move failures ${shellWord(run.folder)}`))]
}

/** For programs, as a record. */
export function mergedRecord(merged: MergedRuns): string {
  const { job, of, sharing, runs, missing, complete, totals, verdicts, done, listed, requests, spent } = merged
  return jsonRecord('merged', {
    ...placesOf(job),
    ...{ job, complete, shards: of, sharing, missing },
    ...totalsFields(totals),
    ...(verdicts === undefined ? {} : verdictFields(verdicts)),
    ...{ done, listed, requests, ...spentFields(spent) },
    runs: runs.map(({ shard, folder, state, heldBy, failed, ...run }) => ({
      ...{ shard: shard.number, folder, state, heldBy, done: run.done, failedObjects: sum(failed) },
    })),
  })
}
