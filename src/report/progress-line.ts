import cliProgress from 'cli-progress'
import type { Options } from 'cli-progress'
import { compactCount, compactRate, count, duration, rate, waitingText } from './format.js'
import { PLAIN, type Paint } from './paint.js'
import { settled, sum } from '../job/totals.js'
import type { Snapshot, Throttle, Waiting } from '../job/events.js'
import { printable } from '../keys.js'
import { aboutLeft, aboutShare, type Outlook } from './time-left.js'

/** Objects settled a second over the last ten seconds or so of a session, told by its snapshots. */
export class RecentRate {
  // Oldest first. The first one is the youngest that is at least a window old, so that the span never falls short of it.
  #samples: { readonly elapsed: number; readonly settledHere: number }[] = [{ elapsed: 0, settledHere: 0 }]

  /** Takes in a snapshot, which must be no older than the one before; returns objects a second. */
  add({ elapsed, settledHere }: Snapshot): number {
    this.#samples.push({ elapsed, settledHere })
    const windowStart = this.#samples.findLastIndex((sample) => sample.elapsed <= elapsed - WINDOW)
    if (windowStart > 0) this.#samples.splice(0, windowStart)
    const oldest = this.#samples[0]
    if (oldest === undefined || oldest.elapsed >= elapsed) return 0
    return ((settledHere - oldest.settledHere) * 1000) / (elapsed - oldest.elapsed)
  }
}

const WINDOW = 10_000

/** What a line of progress says. */
export interface LineView {
  /** What is being done: `copying`, `stopping`. */
  readonly verb: string
  /** Nothing is done: the objects are only seen. */
  readonly rehearsal?: boolean
  readonly snapshot: Snapshot
  /** Objects a second of late. */
  readonly perSecond: number
  /** How far it has come, before the total is known. */
  readonly outlook?: Outlook | undefined
}

/** A line of progress with everything in it, for a log. */
export function fullLine(view: LineView): string {
  return `${view.verb} ${segments(view, EVERYTHING, PLAIN).join(SEPARATOR)}`
}

/** A line of progress of at most `width` characters for a terminal, not counting colours: what matters least gives way first. */
export function fittedLine(view: LineView, width: number, bar: Options, paint: Paint = PLAIN): string {
  let detail: Detail = EVERYTHING
  for (const cut of CUTS) {
    const fits = drawn(view, detail, width, bar, PLAIN).length <= width
    if (fits) return drawn(view, detail, width, bar, paint)
    detail = { ...detail, ...cut }
  }
  return drawn(view, detail, width, bar, PLAIN).slice(0, Math.max(0, width))
}

interface Detail {
  readonly verb: boolean
  /** Whether counts that are zero are shown. */
  readonly zeros: boolean
  readonly exact: boolean
  readonly bar: boolean
  readonly inFlight: boolean
  readonly throttled: boolean
  /** The total, or how far the listing has come. */
  readonly total: boolean
  readonly timeLeft: boolean
  readonly rate: boolean
}

const EVERYTHING: Detail = {
  verb: true,
  zeros: true,
  exact: true,
  bar: true,
  inFlight: true,
  throttled: true,
  total: true,
  timeLeft: true,
  rate: true,
}

// What a narrow terminal goes without, first things first. Done and failed are never cut.
const CUTS: readonly Partial<Detail>[] = [
  { verb: false },
  { zeros: false },
  { exact: false },
  { inFlight: false },
  { bar: false },
  { total: false },
  { throttled: false },
  { timeLeft: false },
  { rate: false },
]

const SEPARATOR = ' · '
const SHORTEST_BAR = 10
const LONGEST_BAR = 40

function drawn(view: LineView, detail: Detail, width: number, bar: Options, paint: Paint): string {
  const verb = detail.verb ? `${view.verb} ` : ''
  const text = verb + segments(view, detail, paint).join(SEPARATOR)
  if (!detail.bar || !view.snapshot.listingEnded) return text
  const room = width - (verb + segments(view, detail, PLAIN).join(SEPARATOR)).length - '[] '.length
  const barsize = Math.max(SHORTEST_BAR, Math.min(LONGEST_BAR, room))
  return `[${cliProgress.Format.BarFormat(fractionDone(view.snapshot), { ...bar, barsize })}] ${text}`
}

function segments(
  { snapshot, perSecond, outlook, rehearsal = false }: LineView,
  detail: Detail,
  paint: Paint,
): string[] {
  const [settledWord, failedWord] = rehearsal ? ['seen', 'would fail'] : ['done', 'failed']
  const number = detail.exact ? count : compactCount
  const done = settled(snapshot.totals)
  const failed = sum(snapshot.totals.failed)
  const parts: string[] = []
  if (snapshot.listingEnded) {
    const total = detail.total ? ` of ${number(snapshot.listed)}` : ''
    parts.push(`${Math.floor(fractionDone(snapshot) * 100)}%`, `${number(done)}${total} ${settledWord}`)
  } else {
    if (outlook !== undefined) parts.push(aboutShare(outlook))
    parts.push(`${number(done)} ${settledWord}`)
  }
  if (detail.rate) parts.push((detail.exact ? rate : compactRate)(perSecond))
  // How long it takes until what waits succeeds nobody knows.
  const left = snapshot.listed - done - (snapshot.waiting?.objects ?? 0)
  if (snapshot.listingEnded && detail.timeLeft && perSecond > 0 && (left > 0 || snapshot.waiting === undefined)) {
    parts.push(`${duration((left * 1000) / perSecond)} left`)
  }
  if (!snapshot.listingEnded && detail.timeLeft && outlook?.left !== undefined) parts.push(aboutLeft(outlook.left))
  if (detail.inFlight) parts.push(`${number(snapshot.inFlight)} in flight`)
  if (snapshot.large !== undefined && detail.throttled) parts.push(largeText(snapshot.large))
  if (snapshot.waiting !== undefined) {
    parts.push(
      detail.exact
        ? waitingText(snapshot.waiting)
        : `${compactCount(snapshot.waiting.objects)} waiting${oneError(snapshot.waiting)}`,
    )
  }
  const counted = (tone: 'bad' | 'warning', n: number, text: string): string => (n > 0 ? paint(tone, text) : text)
  if (detail.zeros || failed > 0) parts.push(counted('bad', failed, `${number(failed)} ${failedWord}`))
  if (detail.throttled && (detail.zeros || snapshot.throttled > 0)) {
    parts.push(counted('warning', snapshot.throttled, `${number(snapshot.throttled)} throttled`))
  }
  if (detail.throttled && snapshot.held !== undefined) parts.push(heldText(snapshot.held, detail.exact))
  if (snapshot.paused !== undefined) parts.push(paint('warning', `paused (${printable(snapshot.paused)})`))
  if (!snapshot.listingEnded && detail.total) {
    parts.push(detail.exact ? `listing (${number(snapshot.listed)} so far)` : `${number(snapshot.listed)} listed`)
  }
  return parts
}

function oneError({ errors }: Waiting): string {
  const [name, ...others] = Object.keys(errors)
  return name === undefined || others.length > 0 ? '' : ` (${printable(name)})`
}

// Large objects take so long that a run would seem to stand still.
function largeText({ underWay, waiting }: NonNullable<Snapshot['large']>): string {
  return `${count(underWay)} large in parts${waiting === 0 ? '' : `, ${count(waiting)} waiting`}`
}

// Which part of the bucket is at its limit, and what that is.
function heldText({ lanes, rate: perSecond, prefix }: Throttle, exact: boolean): string {
  if (!exact) return `held to ${compactRate(perSecond)}`
  const where = prefix === '' ? '' : ` at ${printable(prefix)}`
  return `${lanes === 1 ? '1 lane' : `${count(lanes)} lanes`} held to ${rate(perSecond)}${where}`
}

function fractionDone(snapshot: Snapshot): number {
  return snapshot.listed === 0 ? 1 : Math.min(1, settled(snapshot.totals) / snapshot.listed)
}
