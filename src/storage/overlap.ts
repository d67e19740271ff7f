import { UserError } from '../errors.js'
import { placeUrl } from '../job/place.js'
import { areOne, likenessesOf, nestingOf, type BucketsFound } from './same-bucket.js'
import type { Storage } from './storage.js'

/** What is known of two buckets, and what is to be done with them. */
export interface OverlapOptions {
  /** They are reached in one way, so that equal names are one bucket. That unlike names are two is not certain. */
  readonly named: boolean
  /** Objects of either side are to be deleted, because the other has them or has not. */
  readonly deletes: boolean
  readonly mayWrite: boolean
  /** It was asked before, by the same run, when there was more to tell it by. */
  readonly again: boolean
  readonly warn: (message: string) => void
}

/**
 * Whether an object of the source can be one of the destination under its own name. Before anything is deleted that is not left to names: where objects of
 * the one are those of the other though the names do not say so, it is a `UserError`. Rejects as the stores do.
 */
export async function overlap(source: Storage, destination: Storage, options: OverlapOptions): Promise<boolean> {
  const [one, other] = [source.place, destination.place]
  const { named, deletes, mayWrite } = options
  const nesting = nestingOf(one, other)
  const sure = named && one.bucket === other.bucket
  const asked = (deletes ? likenessesOf(one, other) : nesting === undefined || named ? [] : [nesting]).filter(
    (likeness, index) => !(sure && nesting !== undefined && index === 0 && likeness.source === nesting.source),
  )
  let same = sure
  for (const likeness of asked) {
    const found = await areOne(source, destination, likeness, mayWrite)
    const isNesting = likeness.source === nesting?.source && likeness.destination === nesting.destination
    if (found === 'one' && !isNesting) throw oneByTwoNames(source, destination)
    if (found === 'one') same = true
    else if (found !== 'two') judge(found, { isNesting, urls: [placeUrl(one), placeUrl(other)] }, options)
  }
  return nesting !== undefined && same
}

// What is not certain is refused only where nothing but this test tells the two apart; each deletion looks as well.
function judge(
  found: Exclude<BucketsFound, 'one' | 'two'>,
  { isNesting, urls: [one, other] }: { readonly isNesting: boolean; readonly urls: readonly [string, string] },
  { named, mayWrite, again, warn }: OverlapOptions,
): void {
  if (found === 'replicas') {
    warn(
      `an object of ${one} is at ${other} with the same Last-Modified: where one follows what is deleted at the other, as with replication in both directions, what is moved would be lost`,
    )
    return
  }
  if (again) return
  const perhaps = isNesting ? 'may be one bucket, reached in two ways' : 'may be one place with two names'
  if (isNesting && !named && mayWrite) {
    throw new UserError(
      `it cannot be told whether ${one} and ${other} are one bucket, reached in two ways: the objects would be copied onto themselves`,
      'allow the credentials of the source s3:ListMultipartUploadParts, or give prefixes of which neither begins with the other',
    )
  }
  if (found === 'unknown' && (named || !isNesting)) return
  const then = mayWrite ? 'each object is looked at before it is deleted' : 'only a run that writes finds out'
  warn(`${one} and ${other} ${perhaps}: ${then}`)
}

function oneByTwoNames({ place: one }: Storage, { place: other }: Storage): UserError {
  return new UserError(
    `objects of ${placeUrl(one)} are objects of ${placeUrl(other)} under another name: what is deleted at the one would be gone at the other`,
    'name a destination that is none of the source, in any spelling: another bucket, or another prefix',
  )
}
