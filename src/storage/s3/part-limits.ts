import { StorageError } from '../../errors.js'
import type { PartLimits } from '../parts.js'
import type { Channel } from './request.js'
import { responseHeader } from './http.js'

/** What S3 allows. */
const MOST_PARTS = 10_000
/** What every store is known to allow. */
const SURE_PARTS = 1_000
/** No answer of use is longer, in bytes. */
const LONGEST_INFO = 1024 ** 2

/** The name of a limit that a store has, as it is told once. */
const FEWER_PARTS = 'more parts'

const PART_COPY = 'UploadPartCopy'

/** Notes that a store does not know UploadPartCopy, where it says so. */
export function notePartCopy({ aws, unsupported }: Channel, fault: StorageError): boolean {
  if (aws || (fault.status !== 501 && fault.status !== 405)) return false
  unsupported.add(PART_COPY, fault, 'what is too large for one CopyObject passes through this machine, where it can')
  return true
}

/**
 * What a store that is not AWS allows of parts: what it has refused, and what OpenStack Swift tells of itself
 * (https://docs.openstack.org/swift/latest/api/discoverability.html).
 */
export function createPartLimits(channel: Channel): PartLimits {
  const { aws, unsupported } = channel
  let most = MOST_PARTS
  let asked: Promise<void> | undefined
  const learn = (found: number): void => {
    if (!(found >= 1 && found < most)) return
    most = found
    unsupported.told(
      FEWER_PARTS,
      `takes at most ${found} parts an object: large objects are made of larger parts there`,
    )
  }
  return {
    async most(wanted) {
      if (aws || wanted <= SURE_PARTS) return most
      asked ??= tellsOfItself(channel).then(learn)
      await asked
      return most
    },
    learn,
    copies: () => !unsupported.has(PART_COPY),
  }
}

// Asked without a signature, as it is no request of S3's: with one it would be for a bucket of that name.
async function tellsOfItself({ place, request }: Channel): Promise<number> {
  try {
    const response = await request(
      { operation: 'GetInfo', bucket: place.bucket },
      { method: 'GET', path: '/info', fields: [], unsigned: true, most: LONGEST_INFO },
    )
    if (response.status !== 200 || responseHeader(response, 'content-type')?.includes('json') !== true)
      return MOST_PARTS
    const info = JSON.parse(response.body) as { readonly s3api?: { readonly max_upload_part_num?: unknown } } | null
    const found = info?.s3api?.max_upload_part_num
    return typeof found === 'number' && Number.isInteger(found) ? found : MOST_PARTS
  } catch (error) {
    // Whoever tells nothing refuses the part that is one too many.
    if (error instanceof StorageError || error instanceof SyntaxError) return MOST_PARTS
    throw error
  }
}
