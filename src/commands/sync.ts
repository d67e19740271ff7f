import { UserError } from '../errors.js'
import type { SyncBy, SyncJob } from '../job.js'
import { copyOf } from '../engine/sync.js'
import { readAttributes } from './attribute-options.js'
import { begin } from './begin.js'
import type { CommandIo } from './io.js'
import { warningOfLosses } from './losses.js'
import { readConnection, readFlag, readWhole, type Flags } from './options.js'
import { checkPair, parsePlace } from './place.js'
import { checkSlashes, readPrefixAs } from './prefix.js'
import { readRestore } from './restore-option.js'
import { readObjects } from './selection-options.js'

/** `s3move sync SOURCE DESTINATION`. Resolves with the exit code. */
export async function sync(source: string, destination: string, flags: Flags, io: CommandIo): Promise<number> {
  const deletion = readDeletion(flags)
  const place = parsePlace(source, 'source')
  const job: SyncJob = {
    kind: 'sync',
    source: place,
    destination: parsePlace(destination, 'destination'),
    by: readComparison(flags),
    ...readAttributes(flags, io.cwd),
    ...readObjects(flags),
    ...readRestore(flags),
    ...(deletion === undefined ? {} : { delete: deletion, ...readPrefixAs(place, flags) }),
  }
  const connection = readConnection(flags, {})
  checkSlashes([job.source, job.destination], [source, destination], flags, io)
  checkPair(job.source, job.destination, connection, deletion !== undefined)
  return await begin(job, flags, io, warningOfLosses(copyOf(job), flags))
}

function readComparison(flags: Flags): SyncBy {
  const [size, newer] = ['size-only', 'newer'].map((name) => readFlag(flags, name) === true)
  if (size === true && newer === true) {
    throw new UserError('--size-only and --newer are two ways to compare', 'give one of them')
  }
  return size === true ? 'size' : newer === true ? 'time' : 'content'
}

function readDeletion(flags: Flags): SyncJob['delete'] {
  const most = readWhole(flags, 'max-delete', 0, Number.MAX_SAFE_INTEGER)
  if (readFlag(flags, 'delete') === true) return most === undefined ? {} : { most }
  if (most === undefined) return undefined
  throw new UserError('--max-delete limits --delete, which is missing', 'add --delete, or leave --max-delete away')
}
