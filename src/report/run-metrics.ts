import { Counter, Gauge, Registry, type RegistryContentType } from 'prom-client'
import { printable } from '../keys.js'
import { timeOf } from '../times.js'
import { stateWord, type RunStatus } from './run-status.js'

/** What is measured of a run. All counts are over all of its sessions. */
export interface MeasuredRun extends Pick<
  RunStatus,
  | 'startedAt'
  | 'savedAt'
  | 'activeMs'
  | 'sessions'
  | 'copied'
  | 'bytes'
  | 'deleted'
  | 'freed'
  | 'skipped'
  | 'failed'
  | 'listed'
  | 'leftMs'
  | 'rangesRemaining'
  | 'large'
  | 'waiting'
  | 'requests'
  | 'throttled'
  | 'spentUsd'
  | 'hosts'
  | 'rounds'
> {
  /** The name of its folder. */
  readonly name: string
  /** The kind of its job. */
  readonly kind: string
  readonly state: string
  /** Objects in all, known or expected; null where nobody knows. */
  readonly total: number | null
  /** How much is done, between 0 and 1. */
  readonly share: number | null
}

/** What is measured of a run as `status` tells of it. */
export function measuredRun(run: RunStatus, name: string): MeasuredRun {
  return {
    ...run,
    ...{ name, kind: run.job.kind, state: stateWord(run) },
    total: run.total ?? run.expected?.objects ?? null,
    share: run.state === 'finished' ? 1 : run.share,
  }
}

/** All that a run can be at, in words. */
const RUN_STATES = ['at work', 'paused', 'stopped', 'killed', 'finished'] as const

/** Error codes are the store's words: so many have a label of their own, the most frequent ones, and the rest is `other`. */
const MOST_CODES = 20

/** Text for a scrape, and its media type. */
export interface Exposition {
  readonly type: string
  readonly text: string
}

/**
 * The metrics of runs, in the text format of Prometheus (0.0.4), as the textfile collector of node_exporter reads it, or in OpenMetrics (1.0.0). Names, units
 * and types follow Prometheus's conventions (prometheus.io/docs/practices/naming): seconds, bytes, `_total` for what only grows. Labels are the name of
 * the run and words of small sets, never a key.
 */
export async function metricsOf(
  runs: readonly MeasuredRun[],
  unreadable: readonly string[],
  format: 'prometheus' | 'openmetrics' = 'prometheus',
): Promise<Exposition> {
  // A new one each time: asked for OpenMetrics, one takes `_total` off its counters for good.
  const registry = new Registry<RegistryContentType>()
  if (format === 'openmetrics') registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  const registers = [registry]
  const counter = (name: string, help: string, ...labels: readonly string[]): Counter =>
    new Counter({ name, help, labelNames: ['run', ...labels], registers })
  const gauge = (name: string, help: string, ...labels: readonly string[]): Gauge =>
    new Gauge({ name, help, labelNames: ['run', ...labels], registers })
  const info = gauge('s3move_run_info', 'What the job of a run is, always 1.', 'kind')
  const state = gauge('s3move_run_state', '1 for what a run is at, else 0.', 'state')
  const readable = gauge('s3move_run_readable', '0 where the checkpoint of a run cannot be read.')
  const started = gauge('s3move_run_start_time_seconds', 'When a run was started, in seconds since 1970.')
  const saved = gauge('s3move_run_saved_time_seconds', 'When a run was last saved, in seconds since 1970.')
  const active = counter('s3move_active_seconds_total', 'Time at work.')
  const sessions = counter('s3move_sessions_total', 'Starts of a process that worked on a run.')
  const objects = counter('s3move_objects_total', 'Objects that were copied, rewritten or deleted.', 'outcome')
  const bytes = counter('s3move_bytes_total', 'Bytes of these objects.', 'outcome')
  const skipped = counter('s3move_skipped_objects_total', 'Objects that were skipped, by reason.', 'reason')
  const failed = gauge('s3move_failed_objects', 'Objects in the failure ledger, by error code.', 'code')
  const waiting = gauge('s3move_waiting_objects', 'Objects that failed and are to be tried again.')
  const large = gauge('s3move_large_objects_remaining', 'Objects over 5 GiB that are still to be copied.')
  const listed = counter('s3move_listed_objects_total', 'Objects seen in listings.')
  const total = gauge('s3move_expected_objects', 'Objects in all, known or expected.')
  const left = gauge('s3move_remaining_seconds', 'Time at work until a run is done, estimated.')
  const ranges = gauge('s3move_ranges_remaining', 'Key ranges that are not listed to their end.')
  const requests = counter('s3move_requests_total', 'Requests that were sent, by operation.', 'operation')
  const throttled = counter('s3move_throttled_requests_total', 'Answers that ask for fewer.')
  const rounds = counter('s3move_rounds_total', 'Rounds that have ended, where a run follows its source.')
  const settled = gauge('s3move_settled_time_seconds', 'What the source had then is copied, in seconds since 1970.')
  // Of hosts that are started anew each has another name, so none of them is a label.
  const hosts = gauge('s3move_hosts', 'Hosts that lend threads to a run.')
  const lent = gauge('s3move_host_threads', 'Threads that hosts lend to a run.')
  const cost = counter('s3move_cost_usd_total', 'What a run has cost in US dollars, where prices are known.')
  for (const name of unreadable) readable.set({ run: printable(name) }, 0)
  for (const one of runs) {
    const run = printable(one.name)
    readable.set({ run }, 1)
    info.set({ run, kind: one.kind }, 1)
    for (const word of RUN_STATES) state.set({ run, state: word.replace(' ', '_') }, word === one.state ? 1 : 0)
    started.set({ run }, timeOf(one.startedAt) / 1000)
    saved.set({ run }, timeOf(one.savedAt) / 1000)
    active.inc({ run }, one.activeMs / 1000)
    sessions.inc({ run }, one.sessions)
    for (const [outcome, number, size] of [
      ['written', one.copied, one.bytes],
      ['deleted', one.deleted, one.freed],
    ] as const) {
      objects.inc({ run, outcome }, number)
      bytes.inc({ run, outcome }, size)
    }
    for (const [reason, number = 0] of Object.entries(one.skipped)) skipped.inc({ run, reason }, number)
    for (const [code, number] of mostFrequent(one.failed)) failed.set({ run, code: printable(code) }, number)
    waiting.set({ run }, one.waiting.objects)
    large.set({ run }, one.large)
    listed.inc({ run }, one.listed)
    if (one.total !== null) total.set({ run }, one.total)
    if (one.leftMs !== null) left.set({ run }, one.leftMs / 1000)
    ranges.set({ run }, one.rangesRemaining)
    for (const [operation, number] of Object.entries(one.requests)) requests.inc({ run, operation }, number)
    throttled.inc({ run }, one.throttled)
    if (one.rounds !== null) {
      rounds.inc({ run }, one.rounds.ended)
      if (one.rounds.settledAt !== null) settled.set({ run }, timeOf(one.rounds.settledAt) / 1000)
    }
    if (one.hosts !== null) {
      hosts.set({ run }, one.hosts.length)
      lent.set({ run }, sumOf(one.hosts.map(({ threads }) => threads)))
    }
    if (one.spentUsd !== null) cost.inc({ run }, one.spentUsd)
  }
  return { type: registry.contentType, text: await registry.metrics() }
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}

function mostFrequent(failed: Readonly<Record<string, number>>): [code: string, number: number][] {
  const all = Object.entries(failed).sort(([, one], [, other]) => other - one)
  const rest = sumOf(all.slice(MOST_CODES).map(([, number]) => number))
  return [...all.slice(0, MOST_CODES), ...(rest === 0 ? [] : [['other', rest] as [string, number]])]
}
