import { dirname, resolve } from 'node:path'
import { RUNS } from '../../checkpoint/checkpoint-file.js'
import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import { ofAllVersions, type Job, type WriteJob } from '../../job/kinds.js'
import type { Attributes } from '../../job/object-attributes.js'
import { isFolder, placeUrl, type Place } from '../../job/place.js'
import { printable } from '../../keys.js'
import { liesIn } from '../../storage/disk/open-folder.js'

/** Refuses what is asked of copies that only objects of a bucket can have, where a side is a folder. */
export function checkFolders(job: WriteJob): void {
  if (!('destination' in job)) return
  const { source, destination, attributes = {}, partSize, restore } = job
  if (isFolder(destination)) {
    for (const [name, flag] of OF_BUCKETS) if (attributes[name] !== undefined) refuse(flag, 'destination')
    if (partSize !== undefined) refuse('part-size', 'destination')
  }
  if (isFolder(source)) {
    if (attributes.sourceKeyFile !== undefined) refuse('source-sse-c-key-file', 'source')
    if (restore !== undefined) refuse('restore', 'source')
  }
  if (ofAllVersions(job)) {
    if (isFolder(source)) refuse('all-versions', 'source')
    if (isFolder(destination)) refuse('all-versions', 'destination')
  }
}

const OF_BUCKETS: readonly (readonly [name: keyof Attributes, flag: string])[] = [
  ['acl', 'acl'],
  ['encryption', 'sse'],
  ['keyFile', 'sse-c-key-file'],
  ['checksumAlgorithm', 'checksum-algorithm'],
]

/**
 * Refuses to keep a run's checkpoint (in `given`, or in the folder of those that were given none), or what it writes, in a folder that is a side of its
 * job: it would be copied, moved away or deleted like any file there. Nothing is kept where `given` is undefined and `scan` is true.
 */
export async function checkOutsideSides(job: Job, given: string | undefined, cwd: string, scan = false): Promise<void> {
  const folder = given ?? (scan ? undefined : RUNS)
  for (const side of ['source', 'destination'] as const) {
    const place = side === 'source' ? job.source : 'destination' in job ? job.destination : undefined
    if (place === undefined || !isFolder(place)) continue
    if (folder !== undefined && (await liesIn(resolve(cwd, folder), place.bucket))) {
      throw new UserError(
        `the checkpoint folder ${printable(folder)} lies in the ${side}, ${placeUrl(place)}, and would be taken for objects of it`,
        'name a folder outside of it with --checkpoint DIR; one that holds a run can be moved, and resumed there',
      )
    }
    if ('to' in job && (await liesIn(dirname(job.to), place.bucket))) {
      throw new UserError(
        `${printable(job.to)} lies in the ${side}, ${placeUrl(place)}, and would be taken for an object of it`,
        'name a file outside of it with --to',
      )
    }
  }
}

/** Refuses ways to reach a folder. */
export function checkReach(source: Place, destination: Place, connection: Connection): void {
  if (isFolder(source) && connection.source !== undefined) refuse('source-…', 'source')
  if (isFolder(destination) && connection.destination !== undefined) refuse('destination-…', 'destination')
}

function refuse(flag: string, side: string): never {
  throw new UserError(`--${flag} is for a bucket, and the ${side} is a folder`, `leave --${flag} away`)
}
