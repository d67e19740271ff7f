import { compareKeys } from '../keys.js'
import type { Page } from '../storage/storage.js'
import { factsOf, type Keyed } from './page-facts.js'
import { upTo, type Listing } from './page-listing.js'
import type { Tally } from './tally.js'
import type { Complete } from './named-object.js'
import type { RangeClaim, ClaimableRanges, WorkItem, WorkSource } from './work-source.js'

/** Lists from behind a key; `first` is what was listed there already. */
export type ListRange<T extends Keyed> = (after: string | undefined, first?: Page) => Listing<T>

/** The objects of a granted range, page by page; undefined at its end. Not to be called again before it has answered. */
export type NextPage<T extends Keyed> = () => Promise<readonly T[] | undefined>

/** Hands out the pages of `listing`, which begins where the grant does, once each is accepted. */
export function pagesOf<T extends Keyed>(listing: Listing<T>, grant: RangeClaim): NextPage<T> {
  let { until } = grant
  let ended = false
  let upcoming: ReturnType<typeof listing.next> | undefined
  return async () => {
    if (ended) return undefined
    const page = await (upcoming ?? listing.next(until))
    upcoming = undefined
    const facts = factsOf(page.objects, page)
    // Most pages are followed by another of the same range, so that is asked for while the verdict is under way.
    if (page.truncated && facts.last !== undefined && (until === undefined || compareKeys(facts.last, until) < 0)) {
      upcoming = listing.next(until)
      // It is awaited with the next page, or not at all.
      upcoming.catch(() => undefined)
    }
    const verdict = await grant.accept(facts)
    ;({ ended, until } = verdict)
    if (!verdict.trim) return page.objects
    const objects = upTo(page.objects, until)
    grant.trimmed(factsOf(objects, { truncated: false }), facts)
    return objects
  }
}

/** Work for lanes: leases on the ranges of `ranges`, listed by `listing` from behind a key. What becomes of objects is told to `tally`. */
export function leasesOver(
  ranges: ClaimableRanges,
  listing: ListRange<WorkItem>,
  tally: Pick<Tally, 'add'>,
): WorkSource {
  return leases(ranges, (grant) => pagesOf(listing(grant.after, grant.first), grant), tally)
}

/** The same of ranges that are what a list names; `complete` finds out what it does not tell. */
export function leasesOnNamed(ranges: ClaimableRanges, complete: Complete, tally: Pick<Tally, 'add'>): WorkSource {
  const once = ({ named = [] }: RangeClaim): NextPage<WorkItem> => {
    let upcoming: typeof named | undefined = named
    return async () => {
      const objects = upcoming
      upcoming = undefined
      return objects && (await complete(objects))
    }
  }
  return leases(ranges, once, tally)
}

function leases(
  ranges: ClaimableRanges,
  pages: (grant: RangeClaim) => NextPage<WorkItem>,
  tally: Pick<Tally, 'add'>,
): WorkSource {
  return {
    async claim() {
      const grant = await ranges.claim()
      if (grant === undefined) return undefined
      return {
        next: pages(grant),
        settle(object, outcome) {
          tally.add(object, outcome)
          grant.settle(object.key, 1)
        },
        release: () => grant.release(),
      }
    },
    close: () => ranges.close(),
  }
}
