import { UserError } from '../errors.js'
import type { SyncBy, SyncJob } from '../job/sync.js'
import { copyOf } from '../engine/actions/sync.js'
import { readAttributes } from './options/attribute-options.js'
import { begin } from './run/start-write.js'
import type { CommandIo } from './run/io.js'
import { warningOfLosses } from './run/fidelity-warning.js'
import { readConnection, readFlag, readWhole, type Flags } from './options/common-options.js'
import { checkPair, parsePlace } from './options/places.js'
import { checkSlashes, readPrefixAs } from './options/prefix.js'
import { readRestore } from './options/restore-options.js'
import { readObjects } from './options/selection-options.js'

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
