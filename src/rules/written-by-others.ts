import type { Follow } from '../job/follow.js'
import { timeOf } from '../times.js'

/** Objects by what tells when they were written; `lastModified` in ISO 8601. */
interface Dated {
  readonly lastModified: string
}

/** Two dates within this many milliseconds are told as one: stores tell seconds, and their clocks are known to a second. */
const RESOLUTION = 2_000
/** By how much, in milliseconds, the machines of one store may disagree on the time. */
const DRIFT = 5_000
/** An ETag of parts. Such an object may bear the date at which its upload began, long before it was there. */
const OF_PARTS = /-\d+$/

/** What dates are worth. */
export interface Dating {
  /** How much later it is by the destination's clock than by the source's, in milliseconds. */
  readonly ahead: number
  /** The source's are those of files, which anybody may set. */
  readonly ofFiles: boolean
}

/**
 * Whether what the destination has in the place of an object, and is different, was written by somebody else since, and is the newer of the two: it is not
 * replaced. What this job may have written itself, from an object that was replaced at the same time, never counts as that.
 */
export function isOthers(
  follow: Follow,
  object: Dated & { readonly etag: string },
  there: Dated,
  { ahead, ofFiles }: Dating,
): boolean {
  const [written, replaced] = [timeOf(object.lastModified), timeOf(there.lastModified)]
  // What has no date is no newer than anything.
  if (!(replaced - ahead > written + RESOLUTION)) return false
  // A round has made the two alike since the source's was written.
  if (isBefore(written, follow.settled) && !ofFiles && !OF_PARTS.test(object.etag)) return true
  return !isInRounds(follow, replaced)
}

/** Whether what only the destination has was written by somebody else, since this job began to write there. */
export function isOthersAlone(follow: Follow, there: Dated): boolean {
  const [first] = follow.rounds ?? []
  const time = timeOf(there.lastModified)
  return first !== undefined && time > timeOf(first.to) && !isInRounds(follow, time)
}

function isBefore(time: number, settled: string | undefined): boolean {
  return settled !== undefined && time < timeOf(settled) - DRIFT
}

function isInRounds({ rounds = [] }: Follow, time: number): boolean {
  return rounds.some(({ from, to }) => time >= timeOf(from) - DRIFT && time <= timeOf(to) + DRIFT)
}

/** Whether the source's object may have been replaced since it was copied, where its date alone can tell. */
export function mayBeReplaced({ settled }: Follow, object: Dated): boolean {
  return settled !== undefined && !isBefore(timeOf(object.lastModified), settled)
}
