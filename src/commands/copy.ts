import type { CopyJob } from '../job.js'
import { UserError } from '../errors.js'
import { placeUrl } from '../format.js'
import { begin, type Prepare } from './begin.js'
import type { CommandIo } from './io.js'
import { readFlag, type Flags } from './options.js'
import { checkPair, parsePlace } from './place.js'

/** `s3move copy SOURCE DESTINATION`. Resolves with the exit code. */
export async function copy(source: string, destination: string, flags: Flags, io: CommandIo): Promise<number> {
  const job: CopyJob = {
    kind: 'copy',
    source: parsePlace(source, 'source'),
    destination: parsePlace(destination, 'destination'),
    ...(readFlag(flags, 'all-versions') === true ? { versions: true } : {}),
  }
  checkPair(job.source, job.destination)
  return await begin(job, flags, io, job.versions === true ? checkVersions(job) : undefined)
}

// In a bucket without versions each would replace the one before, and a delete marker would remove what is there.
function checkVersions(job: CopyJob): Prepare {
  return async ({ ends }) => {
    const kept = await ends.destination?.traits()
    if (kept?.versioned === true) return
    const url = placeUrl(job.destination)
    throw new UserError(
      kept?.versioned === false
        ? `the bucket of ${url} keeps no versions, so nothing but the newest of each object would be left`
        : `the store does not say whether the bucket of ${url} keeps versions`,
      'turn versioning on for the destination (aws s3api put-bucket-versioning), or leave --all-versions away',
    )
  }
}
