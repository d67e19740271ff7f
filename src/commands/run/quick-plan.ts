import { ESTIMATE_PLACES, estimateObjects, ESTIMATE_REQUESTS } from '../../engine/session/estimate-objects.js'
import { samplingOf, type Sampling } from '../../engine/session/object-sampling.js'
import { UserError } from '../../errors.js'
import {
  deferredDeletesOf,
  listFileOf,
  ofAllVersions,
  onlyDeletes,
  writeKindOf,
  type WriteJob,
} from '../../job/kinds.js'
import { isFolder } from '../../job/place.js'
import type { KeyRange } from '../../keys.js'
import { count } from '../../report/format.js'
import { unless } from '../options/io.js'
import type { Opened } from './open-and-run.js'

/** What has no more objects than this is listed wholly: where each has to be looked at by a request, and where not. */
const LOOKED_AT_WHOLLY = 10_000
const LISTED_WHOLLY = 1_000_000
/** More ranges are not worth a sample. */
const MOST_RANGES = 500

/** Refuses what no sample tells. */
export function checkQuick(job: WriteJob): void {
  const why = unsampled(job)
  if (why === undefined) return
  throw new UserError(`--quick: ${why}`, 'leave --quick out: the plan is exact then')
}

function unsampled(job: WriteJob): string | undefined {
  if (listFileOf(job) !== undefined) return 'what a list or an inventory names is counted without a sample'
  if (ofAllVersions(job)) return 'a sample of the keys does not tell how many versions these have'
  if (isFolder(job.source)) return 'a folder of this machine is no key space to sample'
  if ('destination' in job && isFolder(job.destination) && writeKindOf(job).listsBoth === true)
    return 'a folder of this machine is no key space to sample'
  if (deferredDeletesOf(job)?.when === 'at-the-end')
    return 'a sample of the source does not tell what only the destination has (--delete)'
  return undefined
}

/** Draws a sample of the objects of a job; undefined where there are so few that all are to be looked at. A `UserError` where a sample tells nothing. */
export async function drawnSample(
  job: WriteJob,
  { ends, drain }: Opened,
  ranges: readonly KeyRange[],
  told: (message: string) => void,
): Promise<Sampling | undefined> {
  const { source } = ends
  if (source.first?.truncated === false) return undefined
  if (ranges.length > MOST_RANGES) {
    throw new UserError(
      `--quick: the filters name ${count(ranges.length)} ranges of keys, which is more than a sample is drawn from`,
      'leave --quick out: the plan is exact then, and lists only these',
    )
  }
  told(`--quick: sampling the key space, with at most ${count(ESTIMATE_REQUESTS + ESTIMATE_PLACES)} LIST requests`)
  const found = await unless(drain.signal, estimateObjects(source.store, ranges, drain.signal))
  if (found === undefined) {
    throw new UserError(
      `--quick: the keys are such that ${count(ESTIMATE_REQUESTS)} LIST requests do not tell how many there are`,
      'leave --quick out: the plan is exact then',
    )
  }
  const looks = !onlyDeletes(job) && (!('destination' in job) || ('noClobber' in job && job.noClobber))
  if (found.high <= (looks ? LOOKED_AT_WHOLLY : LISTED_WHOLLY)) return undefined
  return samplingOf(found)
}
