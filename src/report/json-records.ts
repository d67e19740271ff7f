import { jsonText } from '../checkpoint/json.js'
import type { RunEvent, Snapshot, Throttle } from '../job/events.js'
import type { Job } from '../job/kinds.js'
import { exactUrl } from '../job/place.js'
import { sum, type Totals } from '../job/totals.js'
import type { Verdicts } from '../job/verdicts.js'
import { withBytesShown } from '../keys.js'

/** The version of the shape of all that is told as JSON: docs/schema has it. It changes when a field is renamed, removed, or means something else. */
const SCHEMA = 's3move/1'

/** One record: a line of JSON, fit for a terminal, without its newline. */
export function jsonRecord(type: string, fields: object): string {
  return jsonText({ schema: SCHEMA, type, time: new Date().toISOString(), ...fields })
}

/** An event as a record. */
export function eventRecord(event: RunEvent): string {
  const { type, ...fields } = event
  switch (event.type) {
    case 'start': {
      const { job, checkpoint, resumed, pace } = event
      const { retryFor, bandwidth, maxCost, ...rest } = pace
      return jsonRecord(type, {
        ...{ ...placesOf(job), job, checkpoint, resumed },
        pace: { ...rest, retryForMs: retryFor, bandwidthBytesPerSecond: bandwidth, maxCostUsd: maxCost },
      })
    }
    case 'note':
      return jsonRecord(type, { level: event.level, message: withBytesShown(event.message) })
    case 'progress':
      return jsonRecord(type, snapshotFields(event.snapshot))
    case 'summary': {
      const { end, exitCode, snapshot, checkpoint, ledger, reason, hint } = event
      return jsonRecord(type, { end, exitCode, ...snapshotFields(snapshot), checkpoint, ledger, reason, hint })
    }
    case 'example':
    case 'failed':
    case 'waiting':
    case 'only-waiting':
    case 'skipped':
    case 'copied':
    case 'rewritten':
    case 'tagged':
    case 'encrypted':
    case 'deleted':
    case 'moved':
    case 'stopping':
      return jsonRecord(type, fields)
  }
}

/** The sides of a job, as its record has them. */
export function placesOf(job: Job): { readonly source: string; readonly destination?: string } {
  const source = exactUrl(job.source)
  return 'destination' in job ? { source, destination: exactUrl(job.destination) } : { source }
}

/** What was done, as every record has it. */
export function totalsFields({ copied, bytes, deleted = 0, freed = 0, skipped, failed }: Readonly<Totals>): object {
  return { totals: { copied, bytes, deleted, deletedBytes: freed, skipped, failed, failedObjects: sum(failed) } }
}

/** How objects compare, as every record has it. */
export function verdictFields({ 'same-size': sameSize, ...rest }: Verdicts): object {
  return { verdicts: { ...rest, sameSize } }
}

/** What is held back, as every record has it. */
function heldFields({ lanes, rate, prefix }: Throttle): object {
  return { lanes, objectsPerSecond: rate, prefix }
}

/** What was spent, as every record has it. */
export function spentFields(spent: number | undefined): object {
  return spent === undefined ? {} : { spentUsd: Math.round(spent * 1e6) / 1e6 }
}

function snapshotFields({ totals, held, busiest, spent, settledHere, elapsed, ...rest }: Snapshot): object {
  return {
    ...totalsFields(totals),
    ...rest,
    held: held && heldFields(held),
    busiest: busiest?.map(({ perSecond, ...more }) => ({ ...more, objectsPerSecond: perSecond })),
    ...spentFields(spent),
    settledHere,
    elapsedMs: Math.round(elapsed),
    objectsPerSecond: elapsed > 0 ? Math.round((settledHere * 1000) / elapsed) : 0,
  }
}
