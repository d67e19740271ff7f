import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import { ofAllVersions, type WriteJob } from '../../job/kinds.js'
import type { Attributes } from '../../job/object-attributes.js'
import { isFolder, type Place } from '../../job/place.js'

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

/** Refuses ways to reach a folder. */
export function checkReach(source: Place, destination: Place, connection: Connection): void {
  if (isFolder(source) && connection.source !== undefined) refuse('source-…', 'source')
  if (isFolder(destination) && connection.destination !== undefined) refuse('destination-…', 'destination')
}

function refuse(flag: string, side: string): never {
  throw new UserError(`--${flag} is for a bucket, and the ${side} is a folder`, `leave --${flag} away`)
}
