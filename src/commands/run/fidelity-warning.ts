import { keepsHeaders } from '../../engine/actions/copy-attributes.js'
import { foresee, lossesOfCopies, type FidelityReport } from '../../engine/actions/fidelity.js'
import { stopReason } from '../../engine/session/stop-reason.js'
import { StorageError, UserError } from '../../errors.js'
import { placeUrl } from '../../job/place.js'
import type { Transfer } from '../../job/transfer.js'
import type { BucketTraits } from '../../storage/storage.js'
import type { Prepare } from './start-write.js'
import type { Flags } from '../options/flag-values.js'
import { readOnLoss } from '../options/pace-options.js'

/** Says before the first copy what copies would lose, so that whoever wants to keep it knows; with `--on-loss fail` that is a `UserError`. */
export function warningOfLosses(job: Transfer, flags: Flags): Prepare {
  const onLoss = readOnLoss(flags)
  return async ({ ends: { source, destination, settings } }, warn) => {
    const { streamed } = settings
    const { attributes = {} } = job
    const sides = [
      { bucket: job.source.bucket, software: source.software },
      { bucket: job.destination.bucket, software: destination?.software },
    ] as const
    for (const loss of lossesOfCopies(...sides, !streamed && keepsHeaders(attributes))) warn(loss)
    const traits = (locks: boolean): Promise<BucketTraits> => destination?.traits(locks) ?? Promise.resolve(NO_TRAITS)
    let seen: FidelityReport | undefined
    try {
      // Within one store the tags that there are can be kept.
      const keepsTags = async (): Promise<boolean | undefined> => (streamed ? await destination?.keepsTags() : true)
      const { software, keepsAnnotations } = destination ?? {}
      const receiving = { traits, keepsTags, software, streamed, keepsAnnotations }
      seen = await foresee(job, source.store, receiving, source.first)
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
    const url = placeUrl({ ...job.source, prefix: seen.key })
    const [first] = seen.losses
    if (first !== undefined && onLoss === 'fail') {
      throw new UserError(
        `the copy of ${url} would lose something: ${seen.losses.join('; ')}`,
        'keep it as said, leave the option away that asks for it, or go on without: --on-loss warn; only the first object was looked at',
      )
    }
    const told = [...seen.losses, ...seen.notes]
    if (told.length > 0) warn(`of ${url}, the first object, the only one that was looked at: ${told.join('; ')}`)
  }
}

const NO_TRAITS: BucketTraits = { acls: undefined, versioned: undefined }
