import { findRuns, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import { UserError } from '../../errors.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import {
  deferredDeletesOf,
  deletionPlace,
  isScanJob,
  kindOf,
  listOf,
  mapOf,
  ofAllVersions,
  onlyDeletes,
  selectionOf,
  type Job,
} from '../../job/kinds.js'
import type { Place, Side } from '../../job/place.js'
import { duration, objects } from '../../report/format.js'
import { timeOf } from '../../times.js'
import { wantedRanges } from './wanted-ranges.js'

/** What a run that is finished has counted. */
export interface EarlierCount {
  readonly objects: number
  /** Undefined where it did not add them up. */
  readonly bytes: number | undefined
  readonly kind: Job['kind']
  /** When it was finished, ISO 8601. */
  readonly savedAt: string
}

/**
 * What the latest run below `cwd` has counted that listed the same as `job` lists: the same key ranges of the same places, whatever it did with the
 * objects. Undefined when there is none, when a later run has added to what is there or deleted some of it, and when the runs cannot be read.
 */
export async function countedEarlier(job: Job, connection: Connection, cwd: string): Promise<EarlierCount | undefined> {
  const wanted = listedBy(job, connection)
  if (wanted === undefined) return undefined
  for (const { checkpoint } of await savedRuns(cwd)) {
    const count = checkpoint.state === 'finished' && listedBy(checkpoint.job, checkpoint.connection) === wanted
    const found = count ? countOf(checkpoint) : undefined
    if (found !== undefined) return found
    if (hasChanged(checkpoint, job, connection)) return undefined
  }
  return undefined
}

/** `copy counted 5 min 07 s ago`. */
export function countedInWords({ kind, savedAt }: EarlierCount): string {
  return `${kind} counted ${duration(Date.now() - timeOf(savedAt))} ago`
}

/** What a person is told when it is taken for what is expected. */
export function expectingInWords(earlier: EarlierCount): string {
  return `expecting about ${objects(earlier.objects)}, as ${countedInWords(earlier)} (--expect N says otherwise)`
}

// What nobody can read is told of by whoever needs it.
async function savedRuns(cwd: string): Promise<readonly SavedRun[]> {
  try {
    return (await findRuns(cwd)).filter((run): run is SavedRun => 'checkpoint' in run)
  } catch (error) {
    if (error instanceof UserError) return []
    throw error
  }
}

// Names what a job lists; undefined where that is no whole range of keys.
function listedBy(job: Job, connection: Connection): string | undefined {
  if (listOf(job) !== undefined || ('folders' in job && job.folders)) return undefined
  const both = kindOf(job).listsBoth === true
  return JSON.stringify([
    sidesListed(job, connection),
    both ? (mapOf(job) ?? null) : null,
    wantedRanges(job),
    ofAllVersions(job),
  ])
}

// Undefined when it has emptied the place.
function countOf({ job, listed, totals, scan, savedAt }: Checkpoint): EarlierCount | undefined {
  if (!isScanJob(job) && (onlyDeletes(job) || deferredDeletesOf(job)?.side === 'source')) return undefined
  const objects = listed - (totals.deleted ?? 0)
  if (objects === 0) return undefined
  const copied = totals.copied === objects ? totals.bytes : undefined
  const bytes = selectionOf(job) === undefined ? (scan?.census?.total.bytes ?? copied) : copied
  return { objects, bytes, kind: job.kind, savedAt }
}

interface End extends Place {
  readonly endpoint: string | null
}

function sideOf({ bucket, prefix }: Place, connection: Connection, side: Side): End {
  return { endpoint: connectionOf(connection, side).endpointUrl ?? null, bucket, prefix }
}

function sidesListed(job: Job, connection: Connection): End[] {
  const source = sideOf(job.source, connection, 'source')
  if (kindOf(job).listsBoth !== true || !('destination' in job)) return [source]
  return [source, sideOf(job.destination, connection, 'destination')]
}

// Whether a run has made the objects that `job` lists more or fewer.
function hasChanged(checkpoint: Checkpoint, job: Job, connection: Connection): boolean {
  const listed = sidesListed(job, connection)
  return sidesChanged(checkpoint).some((changed) => listed.some((side) => overlap(side, changed)))
}

function sidesChanged({ job, connection, totals: { copied, deleted = 0 } }: Checkpoint): End[] {
  const changed: End[] = []
  const written = isScanJob(job) ? 'fix' in job && job.fix : copied > 0
  if (written && 'destination' in job) changed.push(sideOf(job.destination, connection, 'destination'))
  if (isScanJob(job) || !(onlyDeletes(job) || deferredDeletesOf(job) !== undefined)) return changed
  const place = deletionPlace(job)
  // What is moved away counts as copied.
  const side = place === job.source ? 'source' : 'destination'
  if (deleted + (side === 'source' ? copied : 0) > 0) changed.push(sideOf(place, connection, side))
  return changed
}

function overlap(one: End, other: End): boolean {
  if (one.endpoint !== other.endpoint || one.bucket !== other.bucket) return false
  return one.prefix.startsWith(other.prefix) || other.prefix.startsWith(one.prefix)
}
