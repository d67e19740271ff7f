import { isAborted, sleep } from '../../abort.js'
import type { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import { pacersFor, type Pacer } from '../lanes/pacer.js'

/** How fast objects are looked at, and how many at once. */
export interface LooksPace {
  readonly pacer: Pacer
  readonly slots: ConcurrencyLimit
  /** Aborted when no further object is to be looked at. */
  readonly stop: AbortSignal
}

/** The pacer of looks: they have a limit of their own, for S3 allows more of them than of copies. */
export function pacerOfLooks(): Pacer {
  const [pacer] = pacersFor(1)
  if (pacer === undefined) throw new Error('there is no pacer')
  return pacer
}

/** Looks at each of the objects, many at a time. Undefined once `stop` is aborted, or `look` says nothing of one. Rejects as `look` does. */
export async function lookAtEach<T extends { readonly key: string }, R>(
  objects: readonly T[],
  look: (object: T) => Promise<R | undefined>,
  { pacer, slots, stop }: LooksPace,
): Promise<R[] | undefined> {
  const flights: Promise<R | undefined>[] = []
  let granted = 0
  for (const object of objects) {
    for (let wait = pacer.admit(); wait > 0; wait = pacer.admit()) {
      pacer.key = object.key
      await sleep(wait, stop)
      if (isAborted(stop)) return undefined
    }
    if (granted === 0) granted = await slots.room()
    if (isAborted(stop)) return undefined
    granted--
    const flight = new Promise<R | undefined>((resolve, reject) => {
      slots.add(async () => {
        try {
          const found = stop.aborted ? undefined : await look(object)
          pacer.succeeded()
          resolve(found)
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)))
        }
        slots.ended()
      })
    })
    // It is awaited below, or not at all when the run stops meanwhile.
    flight.catch(() => undefined)
    flights.push(flight)
  }
  const found = (await Promise.all(flights)).filter((one) => one !== undefined)
  return found.length === objects.length ? found : undefined
}
