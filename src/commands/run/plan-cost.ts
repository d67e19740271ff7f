import { readFile } from 'node:fs/promises'
import { reasonOf } from '../../checkpoint/checkpoint-error.js'
import type { PlannedGroup } from '../../job/planned-group.js'
import { isBatchable } from '../../batch/batchable.js'
import { frontOf } from '../../batch/route.js'
import { allTogether, less } from '../../engine/actions/context.js'
import { fateOfDone, replacesSource } from '../../engine/session/plan-counts.js'
import type { Rehearsal } from '../../engine/session/rehearsal.js'
import { isAwsHost } from '../../storage/aws-host.js'
import { StorageError, UserError } from '../../errors.js'
import { connectionOf } from '../../job/connection.js'
import { isCopy } from '../../job/copy.js'
import { deletionPlace, type WriteJob } from '../../job/kinds.js'
import { isFolder, type Place, type Side } from '../../job/place.js'
import { isSetTags } from '../../job/set-tags.js'
import { printable } from '../../keys.js'
import { batchFees } from '../../prices/batch-fees.js'
import { pricesOfOffer } from '../../prices/offer-file.js'
import { PriceList, type PriceTable } from '../../prices/price-list.js'
import { costOfRun, type BilledGroup, type BilledRun, type BilledSide, type CostRow } from '../../prices/run-cost.js'
import type { OpenStore } from '../../storage/backend.js'
import type { OpenStores } from '../../storage/open.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { annotationsOfSample } from './plan-annotations.js'
import { replacementsOfSample, type SampledReplacements } from './plan-sample.js'

/** What a run costs, and by which prices. */
export interface PlannedCost {
  readonly rows: readonly CostRow[]
  readonly prices: readonly Pick<PriceTable, 'source' | 'date'>[]
  /** What it would cost beside that, in US$, to have jobs of S3 Batch Operations do it; absent where they cannot, or nothing is known. */
  readonly batch?: BatchAlternative
}

/** Objects and jobs of S3 Batch Operations, at least so many, and what these cost beside the requests, in US$. */
interface BatchAlternative {
  readonly jobs: number
  readonly objects: number
  readonly usd: number
}

/** The prices of files of the AWS price list, and for what they do not have those that come along. A `UserError` where one cannot be read. */
export async function pricesFrom(files: readonly string[]): Promise<PriceList> {
  const { BUILT_IN_PRICES } = await import('../../prices/built-in-prices.js')
  const given = await Promise.all(files.map(offerIn))
  return new PriceList([...given, BUILT_IN_PRICES])
}

async function offerIn(file: string): Promise<PriceTable> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new UserError(`cannot read ${printable(file)}: ${reasonOf(error)}`, 'name another file with --prices')
  }
  return pricesOfOffer(text, file)
}

/** Whether any side of a job is AWS's, which is to say whether anything is known of its prices. */
export function isOfAws({ source, destination }: OpenStores): boolean {
  return isAwsHost(source.store.host) || isAwsHost(destination?.store.host)
}

/** What is asked of the costs. `anyStore`: the prices are taken for those of whatever store it is. */
interface CostOptions {
  readonly job: WriteJob
  readonly found: Rehearsal
  readonly ends: OpenStores
  readonly prices: PriceList
  readonly anyStore: boolean
  /** A sample of what would be written. */
  readonly sample: readonly ObjectSummary[]
  /** Once it aborts, no more of that is looked at. */
  readonly stop: AbortSignal
}

/** The sides of a job as they are billed, without what only a request tells; `anyStore`: all of them by AWS's prices. */
export function billedSides(
  job: WriteJob,
  ends: OpenStores,
  anyStore: boolean,
): { readonly source: BilledSide | undefined; readonly destination: BilledSide | undefined } {
  const side = (place: Place, open: OpenStore, side: Side): BilledSide | undefined => {
    if (isFolder(place)) return undefined
    const isKnown = anyStore || isAwsHost(open.store.host)
    const { region } = connectionOf(ends.connection, side)
    return { ...(isKnown && region !== undefined ? { region } : {}), versioned: undefined }
  }
  const source = side(job.source, ends.source, 'source')
  const destination =
    'destination' in job && ends.destination !== undefined
      ? side(job.destination, ends.destination, 'destination')
      : source
  return { source, destination }
}

/** The costs of a run as it was rehearsed. */
export async function plannedCostOf(options: CostOptions): Promise<PlannedCost> {
  const { job, found, ends, prices, anyStore, sample, stop } = options
  const sides = billedSides(job, ends, anyStore)
  const source = sides.source && { ...sides.source, versioned: await versioned(ends.source) }
  const destination =
    sides.destination === sides.source || ends.destination === undefined
      ? source
      : sides.destination && { ...sides.destination, versioned: await versioned(ends.destination) }
  const { begin, lists, looks, beforeDeletions, afterDeletions } = found.requests
  const { destinationReads } = found
  const deletesAt = 'destination' in job && deletionPlace(job) === job.destination ? 'destination' : 'source'
  const seen = less(allTogether([begin, lists, looks]), destinationReads)
  const ofDeletions = allTogether([beforeDeletions, afterDeletions])
  const sampled = await sampledReplacements(job, found, ends, destination, sample, stop)
  const run: BilledRun = {
    ...{ sampled, annotations: await annotationsOfSample(job, sample, ends, stop) },
    ...{ source, destination, deletesAt, replaces: replacesSource(job), streamed: ends.settings.streamed },
    groups: found.groups.map((group) => billedGroup(job, group, found.kept !== undefined)),
    reads: {
      source: deletesAt === 'source' ? allTogether([seen, ofDeletions]) : seen,
      destination: deletesAt === 'source' ? destinationReads : allTogether([destinationReads, ofDeletions]),
    },
    kmsRequests: kmsRequestsOf(job, found.totals.copied),
    restore: 'restore' in job ? job.restore : undefined,
  }
  const batch = destination?.region === undefined ? undefined : batchAlternative(job, found)
  return { rows: costOfRun(run, prices), prices: prices.sources, ...(batch === undefined ? {} : { batch }) }
}

// A job gives all of its objects one storage class; tags have none.
function batchAlternative(job: WriteJob, { groups }: Rehearsal): BatchAlternative | undefined {
  if (!isBatchable(job) || (isCopy(job) && frontOf(job) === undefined)) return undefined
  const written = groups.filter(({ fate }) => fate.kind === 'written')
  const objects = written.reduce((sum, group) => sum + group.objects, 0)
  const jobs = isSetTags(job) ? 1 : new Set(written.map(({ writtenClass }) => writtenClass)).size
  return objects === 0 ? undefined : { jobs, objects, usd: batchFees(jobs, objects) }
}

// A run that lists the destination knows what it replaces; one that does not looks at none of it.
async function sampledReplacements(
  job: WriteJob,
  { destinationReads }: Rehearsal,
  { destination: open }: OpenStores,
  destination: BilledSide | undefined,
  sample: readonly ObjectSummary[],
  stop: AbortSignal,
): Promise<SampledReplacements | undefined> {
  const isListed = Object.keys(destinationReads).some((operation) => operation.startsWith('List'))
  if (!('destination' in job) || open === undefined || destination?.versioned !== true || isListed) return undefined
  if (('noClobber' in job && job.noClobber) || sample.length === 0) return undefined
  return await replacementsOfSample(job, sample, open.store, stop)
}

/** Why `--max-cost` is refused where no price of requests is known. */
export function withoutPrices(): UserError {
  return new UserError(
    '--max-cost needs prices, and there are none of this store and Region',
    'give a file of the AWS price list that has them with --prices FILE, or leave --max-cost away',
  )
}

/** Whether prices tell what requests cost in a Region. */
export function pricesRequests(prices: PriceList, region: string | undefined): region is string {
  return region !== undefined && prices.tiers(region, 'Requests-Tier1') !== undefined
}

async function versioned(open: OpenStore): Promise<boolean | undefined> {
  try {
    return (await open.traits()).versioned
  } catch (error) {
    if (error instanceof StorageError) return undefined
    throw error
  }
}

/** A group as it is billed; `kept`: nothing is deleted. */
export function billedGroup(job: WriteJob, { fate, ...group }: PlannedGroup, kept: boolean): BilledGroup {
  const { kind } = fate
  if (kind === 'skipped' || kind === 'failed' || (kind === 'deleted' && kept)) return { ...group, fate: 'none' }
  if (kind === 'updated') return { ...group, fate: 'tagged' }
  return { ...group, fate: kind === 'written' ? fateOfDone(job) : kind }
}

// How the bucket encrypts by itself, and what its objects have, no listing tells.
function kmsRequestsOf(job: WriteJob, copied: number): number | undefined {
  if (!('attributes' in job)) return undefined
  const { encryption, bucketKey } = job.attributes
  if (encryption === undefined) return undefined
  return encryption.startsWith('aws:kms') && bucketKey !== true ? copied : 0
}
