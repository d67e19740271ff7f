import type { MoveJob } from '../job/move.js'
import { copyOf } from '../engine/actions/sync.js'
import { readAttributes } from './options/attribute-options.js'
import { begin } from './run/start-write.js'
import type { CommandIo } from './run/io.js'
import { readKeyListOf } from './options/files-from-options.js'
import { warningOfLosses } from './run/fidelity-warning.js'
import { readConnection, type Flags } from './options/common-options.js'
import { checkPair, parsePlace } from './options/places.js'
import { checkSlashes, readPrefixAs } from './options/prefix.js'
import { readRestore } from './options/restore-options.js'
import { readNames, readObjects } from './options/selection-options.js'

/** `s3move move SOURCE DESTINATION`. Resolves with the exit code. */
export async function move(source: string, destination: string, flags: Flags, io: CommandIo): Promise<number> {
  const place = parsePlace(source, 'source')
  const job: MoveJob = {
    kind: 'move',
    source: place,
    destination: parsePlace(destination, 'destination'),
    ...readPrefixAs(place, flags),
    ...readAttributes(flags, io.cwd),
    ...readObjects(flags),
    ...(await readKeyListOf(flags, io.cwd)),
    ...readRestore(flags),
    ...readNames(flags),
  }
  checkSlashes([job.source, job.destination], [source, destination], flags, io)
  checkPair(job.source, job.destination, readConnection(flags, {}))
  return await begin(job, flags, io, warningOfLosses(copyOf(job), flags))
}
