import type { CopyJob } from '../job.js'
import { begin } from './begin.js'
import type { CommandIo } from './io.js'
import { readConnection, type Flags } from './options.js'
import { checkPair, parsePlace } from './place.js'

/** `s3move copy SOURCE DESTINATION`. Resolves with the exit code. */
export async function copy(source: string, destination: string, flags: Flags, io: CommandIo): Promise<number> {
  const job: CopyJob = {
    kind: 'copy',
    source: parsePlace(source, 'source'),
    destination: parsePlace(destination, 'destination'),
  }
  checkPair(job.source, job.destination, readConnection(flags, {}))
  return await begin(job, flags, io)
}
