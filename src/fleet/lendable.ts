import { connectionOf } from '../job/connection.js'
import {
  deferredDeletesOf,
  inventoryOf,
  isScanJob,
  listOf,
  mapOf,
  onlyDeletes,
  unorderedSidesOf,
  type Job,
} from '../job/kinds.js'
import { isFolder, placeUrl, type Place, type Side } from '../job/place.js'
import { printable } from '../keys.js'
import type { Announcement, LentTask } from './announcement.js'

/** What a host was told that it may do. */
export interface Allowed {
  /** Where it may read and write. */
  readonly places: readonly Place[]
  /** Endpoints other than those of AWS. */
  readonly endpoints: readonly string[]
  readonly deletes: boolean
}

/** Why a job is not for several hosts, whatever they are; undefined when it is. */
export function whyAlone(job: Job): string | undefined {
  const folder = Object.values(sidesOf(job)).find(isFolder)
  if (folder !== undefined) return `${placeUrl(folder)} is a folder, which other hosts do not have`
  if (listOf(job) !== undefined) return 'the list of --files-from is dealt out to the threads of one process'
  if (inventoryOf(job) !== undefined) return 'the inventory of --source-inventory is sorted into a file of one machine'
  if (unorderedSidesOf(job).length > 0) return 'the listing of a directory bucket is sorted into a file of one machine'
  if ('attributes' in job && (job.attributes.keyFile ?? job.attributes.sourceKeyFile) !== undefined)
    return 'keys of SSE-C are never given to other hosts'
  return undefined
}

/** Why a job with new names is not for several hosts where the destination may ignore conditions; undefined when it is. */
export function whyTurns(job: Job, conditional: boolean | undefined): string | undefined {
  if (mapOf(job) === undefined || conditional === true) return undefined
  return 'with --map two objects may get one name, and this destination may ignore If-None-Match: only one process can watch over that'
}

/** Why a host may not do what is announced; undefined when it may. */
export function whyNot(
  { task, connection }: Pick<Announcement, 'task' | 'connection'>,
  allowed: Allowed,
): string | undefined {
  const { job } = task
  const alone = whyAlone(job)
  if (alone !== undefined) return alone
  for (const [side, place] of Object.entries(sidesOf(job)) as [Side, Place][]) {
    if (!allowed.places.some((one) => contains(one, place)))
      return `it works on ${placeUrl(place)}, which no --allow names`
    const { endpointUrl } = connectionOf(connection, side)
    if (endpointUrl !== undefined && !allowed.endpoints.some((one) => sameUrl(one, endpointUrl)))
      return `it is done at ${printable(endpointUrl)}, which no --allow-endpoint names`
  }
  if (deletesWith(task) && !allowed.deletes) return 'it deletes objects, which takes --allow-delete'
  return undefined
}

function deletesWith({ job }: LentTask): boolean {
  return !isScanJob(job) && (onlyDeletes(job) || deferredDeletesOf(job) !== undefined)
}

function sidesOf(job: Job): Readonly<Partial<Record<Side, Place>>> {
  return { source: job.source, ...('destination' in job ? { destination: job.destination } : {}) }
}

function contains(outer: Place, { bucket, prefix }: Place): boolean {
  return outer.bucket === bucket && prefix.startsWith(outer.prefix)
}

function sameUrl(one: string, other: string): boolean {
  return URL.canParse(one) && URL.canParse(other) && new URL(one).href === new URL(other).href
}
