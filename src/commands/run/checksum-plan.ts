import { finished } from 'node:stream/promises'
import { listedRow, ManifestWriter, type SendManifest } from '../../batch/manifest.js'
import { checksumPolicy } from '../../batch/role-policy.js'
import type { RoutedObject } from '../../batch/route.js'
import type { BatchJobState, BatchParty } from '../../checkpoint/batch-state.js'
import { UserError } from '../../errors.js'
import { lsOf } from '../../job/ls.js'
import { DEFAULT_RETRY_FOR } from '../../job/pace.js'
import { placeUrl, type Side } from '../../job/place.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import type { ChecksumJob } from '../../job/verify.js'
import { printable } from '../../keys.js'
import { batchFees } from '../../prices/batch-fees.js'
import { bytes, count, objects, usd } from '../../report/format.js'
import { openObjectUpload } from '../../storage/object-upload.js'
import { Interrupted } from '../options/io.js'
import { partyOf, progressOf, SIDES } from './checksum-setup.js'
import type { ChecksumCheckpoint, ChecksumSetup, OpenedSides } from './checksum-setup.js'
import { listLines } from './list-lines.js'
import { takingOutlet } from './taking-outlet.js'
import { wantedRanges } from './wanted-ranges.js'

/** What is to be listed, and where manifests go, if anywhere. */
export interface ChecksumPlanOptions {
  readonly checkpoint: ChecksumCheckpoint
  readonly opened: OpenedSides
  /** As it was asked for: the buckets of the manifests may be elsewhere. */
  readonly reached: Connection
  /** Nothing is written. */
  readonly dry: boolean
}

/** What jobs are to read. */
export interface ChecksumPlan {
  /** With their manifests written; in a rehearsal none has. */
  readonly jobs: readonly BatchJobState[]
  /** Objects and their bytes, by side. */
  readonly sides: Readonly<Record<Side, { readonly objects: number; readonly bytes: number }>>
}

/**
 * Lists both sides, one after the other, into manifests. Rejects with a `UserError` or `Interrupted` where that did not come to its end: nothing of it counts
 * then.
 */
export async function planChecksums(setup: ChecksumSetup, options: ChecksumPlanOptions): Promise<ChecksumPlan> {
  const from = await planSide(setup, options, 'source')
  const to = await planSide(setup, options, 'destination')
  return { jobs: [...from.jobs, ...to.jobs], sides: { source: from.listed, destination: to.listed } }
}

async function planSide(
  setup: ChecksumSetup,
  { checkpoint, opened, reached, dry }: ChecksumPlanOptions,
  side: Side,
): Promise<{ readonly jobs: readonly BatchJobState[]; readonly listed: { objects: number; bytes: number } }> {
  const { io, warn } = setup
  const { job, batch } = checkpoint
  const place = job[side]
  const { manifests } = partyOf(batch, side)
  const listing = lsOf({ source: place, ...(job.select === undefined ? {} : { select: job.select }) })
  const send = dry ? nowhere : sending(setup, connectionOf(reached, side), manifests.bucket)
  const writer = new ManifestWriter<Side>(`${manifests.prefix}${batch.id}/${side}/`, batch.rowsAJob, send)
  const listed = { objects: 0, bytes: 0 }
  let taken: (() => Promise<void>) | undefined
  const take = async (lines: readonly string[]): Promise<void> => {
    for (const line of lines) {
      const object = JSON.parse(line) as RoutedObject
      listed.objects++
      listed.bytes += object.size
      await writer.add(side, listedRow(place.bucket, object.key, object), object.size)
    }
  }
  const progress = progressOf(setup, `listing the ${side}`)
  try {
    const ended = await listLines(listing, {
      ...{ checkpoint: { ...checkpoint, ranges: wantedRanges(listing) }, opened: opened[side], warn, io },
      outlet(fail) {
        const taking = takingOutlet(take, fail)
        taken = taking.taken
        return taking.outlet
      },
      progress: (listed, elapsed, expected) => progress.update(listed, elapsed, expected),
    })
    if (ended.stop !== undefined) throw new UserError(ended.stop.reason, ended.stop.hint)
    if (ended.end !== 'finished') throw new Interrupted('interrupted')
    await taken?.()
    await writer.finish()
  } finally {
    progress.close()
    await writer.close()
    await taken?.()
  }
  return { jobs: writer.written.map(({ kind, ...manifest }) => ({ ...manifest, side: kind })), listed }
}

// What would be written is counted alone.
const nowhere: SendManifest = async (_key, body) => {
  await finished(body.resume())
  return 'none'
}

function sending({ pace, io, warn }: ChecksumSetup, connection: Connection, bucket: string): SendManifest {
  return async (key, body, signal) => {
    const policy = { retryFor: pace.retryFor ?? DEFAULT_RETRY_FOR, giveUp: io.stop }
    const upload = await openObjectUpload({ bucket, prefix: key }, { connection, policy, warn })
    try {
      return await upload.send(body, { contentType: 'text/csv', signal })
    } finally {
      upload.close()
    }
  }
}

/** Tells what jobs are to read, and what is known of its price. */
export function tellChecksumPlan({ say }: ChecksumSetup, job: ChecksumJob, { jobs, sides }: ChecksumPlan): void {
  for (const side of SIDES) {
    const { objects: n, bytes: size } = sides[side]
    const made = jobs.filter((one) => one.side === side).length
    const inJobs = made === 1 ? 'one job' : `${count(made)} jobs`
    say(`${side} ${placeUrl(job[side])}: ${objects(n)}, ${bytes(size)}, for ${inJobs} of S3 Batch Operations`)
  }
  if (jobs.length === 0) return
  const all = sides.source.objects + sides.destination.objects
  const size = sides.source.bytes + sides.destination.bytes
  say(
    `price: about ${usd(batchFees(jobs.length, all))} for ${objects(all)} in ${count(jobs.length)} jobs; what S3 bills for reading ${bytes(size)} is not known here (https://aws.amazon.com/s3/pricing/, Management & insights)`,
  )
}

/** Tells what the roles of the jobs must be allowed, and by whom they must be trusted. */
export function tellChecksumPolicies(
  { say }: ChecksumSetup,
  job: ChecksumJob,
  batch: BatchParty & { readonly source?: BatchParty },
): void {
  for (const side of SIDES) {
    const party = partyOf(batch, side)
    const { permissions, trust } = checksumPolicy(job[side], party)
    say(`${printable(party.role)} must be trusted, for the ${side}, with: ${JSON.stringify(trust)}`)
    say(`and allowed: ${JSON.stringify(permissions)}`)
  }
}
