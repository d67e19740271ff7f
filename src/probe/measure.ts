import { StorageError } from '../errors.js'
import type { AnswerTime } from '../storage/timed-requests.js'
import type { Allowance } from './allowance.js'
import { Backoff } from './backoff.js'

/** How often something is measured. */
export interface MeasureOptions {
  readonly operation: string
  /** Answers that are wanted. */
  readonly samples: number
  readonly atOnce: number
  /** Requests that can be sent at all; absent where there is no end of them. */
  readonly most?: number
  /** Milliseconds after which no further request begins. */
  readonly time: number
  readonly allowance: Allowance
  readonly stop: AbortSignal
}

/** What came of requests. */
export interface Measured {
  readonly times: readonly AnswerTime[]
  /** By code. */
  readonly failed: Readonly<Record<string, number>>
  readonly firstError?: StorageError
}

/** Requests at once while times are taken: few, as what is asked together waits for each other. */
export const AT_ONCE = 4
/** Milliseconds for each row. */
export const TIME = 20_000
/** Why there is no row of content of a size. */
export const NONE_AFFORDABLE = '--max-bytes leaves none of it'

/** How often content of `size` bytes may be sent or read for `samples` answers, where no more than `bytes` may be in all; undefined where not even once. */
export function affordableOf(
  samples: number,
  bytes: number,
  size: number,
): Pick<MeasureOptions, 'samples' | 'atOnce' | 'most'> | undefined {
  const affordable = Math.floor(bytes / size)
  const atOnce = Math.max(1, Math.min(AT_ONCE, Math.floor(affordable / AT_ONCE)))
  // The first of each line is not counted.
  const most = Math.min(samples, affordable - atOnce)
  return most < 1 ? undefined : { samples: most, atOnce, most: affordable }
}

/** So many requests that fail, and none that does not: the next will fail as well. */
const HOPELESS = 4
/** Milliseconds that a line waits after a refusal because there were too many. */
const PAUSE = 50

/** Sends requests, so many at once, and takes their times; that of the first of each line is left out, as it may have to wait for its connection. */
export async function measured(
  ask: (index: number) => Promise<AnswerTime>,
  options: MeasureOptions,
): Promise<Measured> {
  const { operation, samples, atOnce, most = Infinity, time, allowance, stop } = options
  const times: AnswerTime[] = []
  const failed: Record<string, number> = {}
  let [index, answered, errors] = [0, 0, 0]
  let firstError: StorageError | undefined
  const until = performance.now() + time
  const line = async (): Promise<void> => {
    const backoff = new Backoff(PAUSE, stop)
    for (let isFirst = true; !stop.aborted && performance.now() < until; isFirst = false) {
      const enough = times.length >= samples || (answered === 0 && errors >= HOPELESS)
      if (enough || index >= most || !allowance.take(operation)) return
      try {
        const answer = await ask(index++)
        answered++
        backoff.granted()
        if (!isFirst && times.length < samples) times.push(answer)
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        if (error.severity === 'throttle') await backoff.refused()
        else errors++
        failed[error.code] = (failed[error.code] ?? 0) + 1
        firstError ??= error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, samples) }, line))
  return { times, failed, ...(firstError === undefined ? {} : { firstError }) }
}
