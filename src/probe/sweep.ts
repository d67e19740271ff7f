import { StorageError } from '../errors.js'
import type { Sweep, SweepLevel } from '../job/probed.js'
import type { Allowance } from './allowance.js'
import { Backoff } from './backoff.js'
import { percentilesOf } from './percentiles.js'

/** How far a sweep may go. */
export interface SweepOptions {
  readonly operation: string
  /** Most requests at once. */
  readonly most: number
  readonly allowance: Allowance
  readonly stop: AbortSignal
}

/** Answers that tell the rate of a level, at least, and for each request at once. */
const LEAST_ANSWERS = 40
const ANSWERS = 4
/** Of its requests a sweep keeps so many for its last level, which it stays at: what a store lets pass for a moment is no rate that it bears. */
const KEPT = 0.35
/** Milliseconds that it stays there. */
const STAY = 5_000
/** A level twice as large that gives less more than this is no use. */
const GROWTH = 1.1
/** Answers that take so many times as long as those to one request at a time wait for each other. */
const QUEUE = 2
/** Refusals below this share may be chance. */
const CHANCE = 0.05
/** Refusals that must have come before the rate of what is granted tells the limit, the grants that tell it, and those and the time that suffice. */
const TELLING = { refusals: 3, grants: 40, enough: 200, time: 1_000 }
/** A thread that is at work for so much of its time may be what is slow. */
const BUSY = 0.85

/** Sends ever more requests at once, until the store refuses them or more are no use. */
export async function sweep(ask: () => Promise<unknown>, options: SweepOptions): Promise<Sweep> {
  const { operation, most, allowance, stop } = options
  const levels: SweepLevel[] = []
  const kept = Math.floor(allowance.left * KEPT)
  const pause = (): number => levels[0]?.whole.p50 ?? FIRST_PAUSE
  const told = (ended: Sweep['ended'], limit?: number): Sweep => ({
    ...{ operation, levels, ended },
    ...(limit === undefined ? {} : { limit }),
    ...(limit !== undefined && ended === 'knee' && busiest(levels) > BUSY ? { ownLimit: true } : {}),
  })
  let ended: Sweep['ended'] = 'concurrency'
  let limit: number | undefined
  for (let concurrency = 1; concurrency <= most; concurrency *= 2) {
    const answers = Math.max(LEAST_ANSWERS, ANSWERS * concurrency)
    if (answers + 2 * concurrency > allowance.left - kept) {
      ended = 'requests'
      break
    }
    const run = await level(ask, { concurrency, answers, time: STAY, pause: pause(), operation, allowance, stop })
    if (stop.aborted) return told('stopped')
    const before = levels.at(-1)
    levels.push(run.level)
    if (run.level.failed > run.level.requests / 2) return told('failures')
    if (isRefused(run.level)) {
      ended = 'refusals'
      limit = run.limit
      break
    }
    const waits = (run.level.whole.p50 ?? 0) >= QUEUE * pause()
    if (before !== undefined && (run.level.perSecond < before.perSecond * GROWTH || waits)) {
      ended = 'knee'
      break
    }
  }
  const best = levels.toSorted((one, other) => other.perSecond - one.perSecond)[0]
  const last = ended === 'knee' ? best : levels.at(-1)
  if (best === undefined || last === undefined || ended === 'refusals') return told(ended, limit)
  const stay = await level(ask, {
    ...{ concurrency: last.concurrency, answers: allowance.left, time: STAY, pause: pause() },
    ...{ operation, allowance, stop },
  })
  if (stop.aborted) return told('stopped')
  if (stay.level.requests > 0) levels.push(stay.level)
  if (isRefused(stay.level)) return told('refusals', stay.limit)
  if (ended !== 'knee') return told(ended)
  return told(levels.some(({ refused }) => refused > 0) ? 'refusals' : 'knee', best.perSecond)
}

function isRefused({ refused, requests }: SweepLevel): boolean {
  return refused > CHANCE * requests
}

const FIRST_PAUSE = 20

function busiest(levels: readonly SweepLevel[]): number {
  return Math.max(...levels.map(({ busy }) => busy))
}

interface LevelOptions extends Omit<SweepOptions, 'most'> {
  readonly concurrency: number
  /** Answers after which it ends; those of the first moments, while connections are made, are counted apart. */
  readonly answers: number
  readonly time: number
  /** Milliseconds that a line waits after a refusal. */
  readonly pause: number
}

async function level(
  ask: () => Promise<unknown>,
  options: LevelOptions,
): Promise<{ readonly level: SweepLevel; readonly limit?: number }> {
  const { operation, concurrency, answers, time, pause, allowance, stop } = options
  let [sent, refused, failed, granted] = [0, 0, 0, 0]
  const times: number[] = []
  const began = performance.now()
  const before = performance.eventLoopUtilization()
  let first: number | undefined
  let last = began
  let over = false
  const isOver = (): boolean => over
  // Since when the store grants what it bears and no more; how much of what was sent since then, and when it was sent last.
  let pressed: number | undefined
  let grants = 0
  let lastSent = began
  const isEnough = (now: number): boolean =>
    pressed === undefined ? granted >= answers + concurrency : grants >= TELLING.enough && now - pressed >= TELLING.time
  const line = async (): Promise<void> => {
    const backoff = new Backoff(pause, stop)
    while (!isOver() && !stop.aborted && performance.now() < began + time && allowance.take(operation)) {
      sent++
      const from = performance.now()
      lastSent = from
      try {
        await ask()
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        if (error.severity !== 'throttle') failed++
        else {
          if (++refused === TELLING.refusals) pressed = performance.now()
          await backoff.refused()
        }
        continue
      }
      backoff.granted()
      const now = performance.now()
      granted++
      if (pressed !== undefined && from > pressed) grants++
      if (isOver()) continue
      if (granted <= concurrency) first = now
      else {
        times.push(now - from)
        last = now
      }
      over = isEnough(now)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, line))
  const busy = performance.eventLoopUtilization(before).utilization
  const seconds = first === undefined ? 0 : (last - first) / 1000
  const limit = pressed !== undefined && grants >= TELLING.grants ? (grants * 1000) / (lastSent - pressed) : undefined
  return {
    level: {
      ...{ concurrency, requests: sent, refused, failed, whole: percentilesOf(times), busy },
      // What came before the first refusals is more than the store bears.
      perSecond: limit ?? (seconds > 0 ? times.length / seconds : 0),
    },
    ...(limit === undefined ? {} : { limit }),
  }
}
