import { foresee, type Foresight } from '../engine/losses.js'
import { stopReason } from '../engine/stop.js'
import { StorageError, UserError } from '../errors.js'
import type { CopyJob } from '../job.js'
import { placeUrl } from '../format.js'
import { printable } from '../keys.js'
import type { BucketTraits } from '../storage/storage.js'
import { readAttributes, readOnLoss } from './attribute-options.js'
import { begin, type Prepare } from './begin.js'
import type { Opened } from './drive.js'
import type { CommandIo } from './io.js'
import { readFlag, type Flags } from './options.js'
import { checkPair, parsePlace } from './place.js'

/** `s3move copy SOURCE DESTINATION`. Resolves with the exit code. */
export async function copy(source: string, destination: string, flags: Flags, io: CommandIo): Promise<number> {
  const job: CopyJob = {
    kind: 'copy',
    source: parsePlace(source, 'source'),
    destination: parsePlace(destination, 'destination'),
    ...readAttributes(flags, io.cwd),
    ...(readFlag(flags, 'all-versions') === true ? { versions: true } : {}),
  }
  checkPair(job.source, job.destination)
  const losses = preparation(job, readOnLoss(flags))
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

// Whoever wants to keep what would be lost must know it before the first copy.
function preparation(job: CopyJob, onLoss: 'warn' | 'fail'): Prepare {
  return async ({ ends: { source, destination } }, warn) => {
    const traits = (): Promise<BucketTraits> => destination?.traits() ?? Promise.resolve(NO_TRAITS)
    let seen: Foresight | undefined
    try {
      seen = await foresee(job, source.store, traits)
    } catch (error) {
      // What is wrong with the bucket is for the run to tell, as far as it comes.
      if (!(error instanceof StorageError)) throw error
      // The run ends with that by itself, before anything is copied.
      if (error.severity === 'stop-run') return
      const { reason, hint } = stopReason(error)
      if (onLoss === 'fail') throw new UserError(`what copies would lose could not be found out: ${reason}`, hint)
      warn(`what copies would lose could not be found out: ${reason}`)
    }
    if (seen === undefined) return
    const url = printable(`s3://${job.source.bucket}/${seen.key}`)
    const [first] = seen.losses
    if (first !== undefined && onLoss === 'fail') {
      throw new UserError(
        `the copy of ${url} would lose something: ${seen.losses.join('; ')}`,
        'keep it, as said, or leave --on-loss fail away; only the first object was looked at',
      )
    }
    const told = [...seen.losses, ...seen.notes]
    if (told.length > 0) warn(`of ${url}, the first object, the only one that was looked at: ${told.join('; ')}`)
  }
}

const NO_TRAITS: BucketTraits = { acls: undefined, versioned: undefined }
