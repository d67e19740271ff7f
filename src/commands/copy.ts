import { UserError } from '../errors.js'
import type { CopyJob } from '../job/copy.js'
import { placeUrl } from '../job/place.js'
import { readAttributes } from './options/attribute-options.js'
import { begin } from './run/start-write.js'
import type { Opened } from './run/open-and-run.js'
import type { CommandIo } from './run/io.js'
import { readKeyListOf } from './options/files-from-options.js'
import { warningOfLosses } from './run/fidelity-warning.js'
import { readConnection, readFlag, type Flags } from './options/common-options.js'
import { checkPair, parsePlace } from './options/places.js'
import { checkSlashes } from './options/prefix.js'
import { readRestore } from './options/restore-options.js'
import { readNames, readObjects } from './options/selection-options.js'

/** `s3move copy SOURCE DESTINATION`. Resolves with the exit code. */
export async function copy(source: string, destination: string, flags: Flags, io: CommandIo): Promise<number> {
  const job: CopyJob = {
    kind: 'copy',
    source: parsePlace(source, 'source'),
    destination: parsePlace(destination, 'destination'),
    ...readAttributes(flags, io.cwd),
    ...(readFlag(flags, 'all-versions') === true ? { versions: true } : {}),
    ...(readFlag(flags, 'clobber') === false ? { noClobber: true } : {}),
    ...readObjects(flags),
    ...(await readKeyListOf(flags, io.cwd)),
    ...readRestore(flags),
    ...readNames(flags),
  }
  checkSlashes([job.source, job.destination], [source, destination], flags, io)
  checkPair(job.source, job.destination, readConnection(flags, {}))
  if (job.versions === true && job.list !== undefined) {
    throw new UserError(
      '--all-versions does not go with --files-from',
      'name the versions in the list, one JSON object a line: {"key": ..., "versionId": ...}',
    )
  }
  if (job.versions === true && job.noClobber === true) {
    throw new UserError(
      '--all-versions writes each object again and again, and --no-clobber would leave all but its oldest version out',
      'leave one of them away',
    )
  }
  if (job.versions === true && job.restore !== undefined) {
    throw new UserError(
      '--restore and --all-versions do not go together: the versions of an object are copied in one go, in their order',
      'restore what is archived first, then copy with --all-versions',
    )
  }
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
