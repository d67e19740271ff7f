import { UserError } from '../errors.js'
import type { CopyJob } from '../job.js'
import { placeUrl } from '../format.js'
import { readAttributes } from './attribute-options.js'
import { begin } from './begin.js'
import type { Opened } from './drive.js'
import type { CommandIo } from './io.js'
import { warningOfLosses } from './losses.js'
import { readConnection, readFlag, type Flags } from './options.js'
import { checkPair, parsePlace } from './place.js'
import { readNames, readObjects } from './selection-options.js'

/** `s3move copy SOURCE DESTINATION`. Resolves with the exit code. */
export async function copy(source: string, destination: string, flags: Flags, io: CommandIo): Promise<number> {
  const job: CopyJob = {
    kind: 'copy',
    source: parsePlace(source, 'source'),
    destination: parsePlace(destination, 'destination'),
    ...readAttributes(flags, io.cwd),
    ...(readFlag(flags, 'all-versions') === true ? { versions: true } : {}),
    ...readObjects(flags),
    ...readNames(flags),
  }
  checkPair(job.source, job.destination, readConnection(flags, {}))
  const losses = warningOfLosses(job, flags)
  return await begin(job, flags, io, async (opened, warn) => {
    if (job.versions === true) await checkVersions(job, opened)
    await losses(opened, warn)
  })
}

// In a bucket without versions each would replace the one before, and a delete marker would remove what is there.
async function checkVersions(job: CopyJob, { ends }: Opened): Promise<void> {
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
