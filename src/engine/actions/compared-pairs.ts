import type { Selection } from '../../job/selection.js'
import type { VerifyJob } from '../../job/verify.js'
import { compareKeys, isBeside } from '../../keys.js'
import { startingWith } from '../../rules/ranges.js'
import { renameProblem, renamer } from '../../rules/rename.js'
import { selector } from '../../rules/selection.js'
import type { ListRange } from '../../sources/listing-source.js'
import { listingAfter } from '../../sources/page-listing.js'
import { pairsAfter, type Pair } from '../../sources/pair-listing.js'
import type { ObjectSummary, Storage } from '../../storage/storage.js'

type Lists = Pick<Storage, 'place' | 'list'>

/** Tells which pairs are no part of a job; undefined where all are. */
export function leavingOutPairs({
  source: { prefix },
  select,
  prefixAs,
  oneWay = false,
}: VerifyJob): ((pair: Pair) => boolean) | undefined {
  if (select === undefined && prefixAs === undefined && !oneWay) return undefined
  const isSelected = select === undefined ? () => true : selector(select, prefix)
  const mayBeCopy = select === undefined ? () => true : selector(ofCopies(select), prefix)
  return ({ key, source, destination, known }) => {
    if (prefixAs !== undefined && isBeside(key)) return true
    if (known !== undefined) return known.kind === 'skipped'
    if (source !== undefined) return !isSelected(source)
    return oneWay || (destination !== undefined && !mayBeCopy(destination))
  }
}

// A copy has the name and the size of its source, and a class and a date of its own.
function ofCopies({ globs, regex, ignoreCase, minSize, maxSize, after, until, shard }: Selection): Selection {
  const kept = Object.entries({ globs, regex, ignoreCase, minSize, maxSize, after, until, shard })
  return Object.fromEntries(kept.filter(([, value]) => value !== undefined))
}

/** How the pairs of a job are listed, from behind a key. */
export function pairsOf(job: VerifyJob, source: Lists, destination: Lists): ListRange<Pair> {
  const { map } = job
  if (map === undefined) return (after) => pairsAfter(source, destination, after)
  const named = naming(job)
  const isLeftOut = leavingOutPairs(job)
  return (after, first) => {
    const listing = listingAfter(source, after, first)
    return {
      async next(until) {
        const page = await listing.next(until)
        const pairs = page.objects.map((object) => named({ key: object.key, source: object, destination: undefined }))
        const asked = pairs.filter((pair) => pair.misnamed === undefined && isLeftOut?.(pair) !== true)
        const there = await lookedUp(
          destination,
          asked.flatMap(({ name }) => name ?? []),
        )
        return { ...page, objects: pairs.map((pair) => withDestination(pair, there)) }
      },
    }
  }
}

/** Gives pairs that were not looked for at the destination the names that they have there. */
export function naming({ map, destination: { prefix } }: VerifyJob): (pair: Pair) => Pair {
  if (map === undefined) return (pair) => pair
  const nameOf = renamer(map)
  return (pair) => {
    const name = nameOf(pair.key)
    const misnamed = pair.key === '' && name === '' ? undefined : renameProblem(name, prefix)
    return misnamed === undefined ? { ...pair, name } : { ...pair, name, misnamed }
  }
}

function withDestination(pair: Pair, there: ReadonlyMap<string, ObjectSummary | undefined>): Pair {
  const { name = pair.key } = pair
  return there.has(name) ? { ...pair, destination: there.get(name) } : { ...pair, unseen: true }
}

/** A LIST costs as much as so many HEADs (https://aws.amazon.com/s3/pricing/). */
const WORTH_A_LIST = 13

/**
 * What a store has under these names. As names that were neighbours mostly still are, they are looked for in its listing, page by page; what no page
 * tells, since they are scattered by now, is missing in the answer.
 */
async function lookedUp(
  store: Lists,
  names: readonly string[],
): Promise<ReadonlyMap<string, ObjectSummary | undefined>> {
  const wanted = [...new Set(names)].sort(compareKeys)
  const known = new Map<string, ObjectSummary | undefined>()
  let next = wanted[0]
  while (next !== undefined) {
    const [range] = startingWith(next)
    const { objects, truncated } = await listingAfter(store, range?.after).next()
    const last = objects.at(-1)?.key
    const found = new Map(objects.map((object) => [object.key, object]))
    const before = known.size
    while (next !== undefined && (!truncated || (last !== undefined && compareKeys(next, last) <= 0))) {
      known.set(next, found.get(next))
      next = wanted[known.size]
    }
    if (known.size - before < WORTH_A_LIST) break
  }
  return known
}
