import type { RelocateJob } from '../job.js'
import { copyOf } from '../engine/sync.js'
import { readAttributes } from './attribute-options.js'
import { begin } from './begin.js'
import type { CommandIo } from './io.js'
import { readKeyListOf } from './list-options.js'
import { warningOfLosses } from './losses.js'
import { readConnection, type Flags } from './options.js'
import { checkPair, parsePlace } from './place.js'
import { checkSlashes, readPrefixAs } from './prefix.js'
import { readRestore } from './restore-option.js'
import { readNames, readObjects } from './selection-options.js'

/** `s3move move SOURCE DESTINATION`. Resolves with the exit code. */
export async function move(source: string, destination: string, flags: Flags, io: CommandIo): Promise<number> {
  const place = parsePlace(source, 'source')
  const job: RelocateJob = {
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
