import { Counter, Gauge, Registry } from 'prom-client'
import type { Waiting } from '../job/events.js'
import { printable } from '../keys.js'
import { timeOf } from '../times.js'

/** What is measured of a run. All counts are over all of its sessions, but for `throttled`. */
export interface MeasuredRun {
  /** The name of its folder. */
  readonly name: string
  /** The kind of its job. */
  readonly kind: string
  readonly state: string
  readonly startedAt: string
  readonly savedAt: string
  readonly activeMs: number
  readonly sessions: number
  readonly copied: number
  readonly bytes: number
  readonly deleted: number
  readonly freed: number
  readonly skipped: Readonly<Partial<Record<string, number>>>
  readonly failed: Readonly<Record<string, number>>
  readonly listed: number
  /** Objects in all, known or expected; null where nobody knows. */
  readonly total: number | null
  /** How much is done, between 0 and 1. */
  readonly share: number | null
  readonly leftMs: number | null
  readonly rangesRemaining: number
  readonly large: number
  readonly waiting: Waiting
  readonly requests: Readonly<Record<string, number>>
  /** Of the latest session. */
  readonly throttled: number
  readonly spentUsd: number | null
}

/** All that a run can be at, in words. */
const RUN_STATES = ['at work', 'paused', 'stopped', 'killed', 'finished'] as const

/** Error codes are the store's words: so many have a label of their own, the most frequent ones, and the rest is `other`. */
const MOST_CODES = 20

/**
 * The metrics of runs, in the text format of Prometheus (0.0.4), as the textfile collector of node_exporter reads it. Names, units and types follow Prometheus's conventions (prometheus.io/docs/practices/naming): seconds, bytes, `_total` for
 * what only grows. Labels are the name of the run and words of small sets, never a key.
 */
export async function metricsOf(runs: readonly MeasuredRun[], unreadable: readonly string[]): Promise<string> {
  const registry = new Registry()
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
  const throttled = counter('s3move_throttled_requests_total', 'Answers of the latest session that ask for fewer.')
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
    if (one.spentUsd !== null) cost.inc({ run }, one.spentUsd)
  }
  return await registry.metrics()
}

function mostFrequent(failed: Readonly<Record<string, number>>): [code: string, number: number][] {
  const all = Object.entries(failed).sort(([, one], [, other]) => other - one)
  const rest = all.slice(MOST_CODES).reduce((sum, [, number]) => sum + number, 0)
  return [...all.slice(0, MOST_CODES), ...(rest === 0 ? [] : [['other', rest] as [string, number]])]
}
