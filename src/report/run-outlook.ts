import { waitingIn, type Checkpoint } from '../checkpoint/checkpoint.js'
import { expectedOf, type Expected } from '../job/events.js'
import { duration, objects } from './format.js'
import { aboutLeft, aboutShare, TimeLeft } from './time-left.js'

/** How far a run has come of all that it has to do, as its checkpoint tells. */
export interface RunOutlook {
  /** Between 0 and 1. */
  readonly share: number
  /** Milliseconds at work until it is done; absent where nothing tells. */
  readonly leftMs?: number
  /** How many objects are expected; absent when their number is known. */
  readonly expected?: Expected
}

/** What else is known of the run. */
interface WorkSoFar {
  readonly done: number
  /** Objects a second of late, or on average; absent when there is none. */
  readonly perSecond: number | undefined
}

/** How many objects a run has to do; undefined as long as they may not all be listed. */
export function totalOf({ ranges, list, listed }: Checkpoint): number | undefined {
  return ranges.length > 0 ? undefined : (list?.of ?? listed)
}

/** Undefined when there is nothing to tell it by, and when something else is told: that it is done, or tries again what failed. */
export function outlookOf(checkpoint: Checkpoint, { done, perSecond = 0 }: WorkSoFar): RunOutlook | undefined {
  const { state, retry } = checkpoint
  if (state === 'finished' || retry !== undefined) return undefined
  const total = totalOf(checkpoint)
  if (total === undefined) return expectedOutlook(checkpoint, { done, perSecond })
  if (total === 0) return undefined
  // How long it takes until what waits succeeds nobody knows.
  const left = total - done - waitingIn(checkpoint).objects
  const moves = perSecond > 0 && left > 0 && checkpoint.paused === undefined
  return { share: Math.min(1, done / total), ...(moves ? { leftMs: Math.round((left * 1000) / perSecond) } : {}) }
}

function expectedOutlook(
  checkpoint: Checkpoint,
  { done, perSecond }: { readonly done: number; readonly perSecond: number },
): RunOutlook | undefined {
  const { activeMs, history, listed, pace } = checkpoint
  const timeLeft = new TimeLeft()
  const look = (elapsed: number, expected: Expected | undefined): ReturnType<TimeLeft['look']> =>
    timeLeft.look({ expected, done, doneHere: done, elapsed, perSecond })
  for (const { activeMs: elapsed, expected } of history) look(elapsed, estimate(expected))
  // What was told is no longer of use once the session reckons by something else.
  const estimated = history.at(-1)?.expected
  const expected =
    estimated === undefined ? expectedOf(listed, pace.expect, undefined) : estimate(Math.max(estimated, listed))
  const found = look(activeMs, expected)
  if (found === undefined || expected === undefined) return undefined
  const { share, left } = found
  return {
    share,
    expected,
    ...(left === undefined || checkpoint.paused !== undefined ? {} : { leftMs: Math.round(left) }),
  }
}

function estimate(objects: number | undefined): Expected | undefined {
  return objects === undefined ? undefined : { objects, told: false }
}

/** The share, for people: `about 12%`, or `47%` of a number that is known. */
export function shareInWords({ share, expected }: RunOutlook): string {
  return expected === undefined ? `${Math.floor(share * 100)}%` : aboutShare({ share })
}

/** Both, as a sentence: `about 12% of about 500,000 objects, about 21 h left`. A run that is not at work will take so long `once it goes on`. */
export function outlookInWords(outlook: RunOutlook, atWork: boolean): string {
  const { leftMs, expected } = outlook
  const of = expected === undefined ? '' : ` of about ${objects(expected.objects)}`
  const left = leftMs === undefined ? '' : `, ${leftInWords(leftMs, expected)}${atWork ? '' : ' once it goes on'}`
  return `${shareInWords(outlook)}${of}${left}`
}

function leftInWords(leftMs: number, expected: Expected | undefined): string {
  return expected === undefined ? `${duration(leftMs)} left` : aboutLeft(leftMs)
}

/** The share alone, for a table: `~12%`, `47%`. */
export function shortShare({ share, expected }: RunOutlook): string {
  return `${expected === undefined ? '' : '~'}${Math.floor(share * 100)}%`
}

/** The time alone, for a table: `21 h`; empty where nothing tells. */
export function shortLeft({ leftMs, expected }: RunOutlook): string {
  return leftMs === undefined
    ? ''
    : leftInWords(leftMs, expected)
        .replace(/^about /, '')
        .replace(/ left$/, '')
}
