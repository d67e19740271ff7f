import type { RelocateJob } from '../job.js'
import { copyOf } from '../engine/sync.js'
import { readAttributes } from './attribute-options.js'
import { begin } from './begin.js'
import type { CommandIo } from './io.js'
import { readKeyListOf } from './list-options.js'
import { warningOfLosses } from './losses.js'
import { readConnection, type Flags } from './options.js'
import { checkPair, parsePlace } from './place.js'
import { readRestore } from './restore-option.js'
import { readNames, readObjects } from './selection-options.js'

/** `s3move move SOURCE DESTINATION`. Resolves with the exit code. */
export async function move(source: string, destination: string, flags: Flags, io: CommandIo): Promise<number> {
  const job: RelocateJob = {
    kind: 'move',
    source: parsePlace(source, 'source'),
    destination: parsePlace(destination, 'destination'),
    ...readAttributes(flags, io.cwd),
    ...readObjects(flags),
    ...(await readKeyListOf(flags, io.cwd)),
    ...readRestore(flags),
    ...readNames(flags),
  }
  checkPair(job.source, job.destination, readConnection(flags, {}))
  return await begin(job, flags, io, warningOfLosses(copyOf(job), flags))
}
