import { around } from '../../storage/around.js'
import type { Storage } from '../../storage/storage.js'

/** So many answers to an operation count. */
const KEPT = 1_000

/** How long the answers of stores take, in milliseconds, by operation. */
export class AnswerTimes {
  readonly #times = new Map<string, number[]>()
  readonly #asked = new Map<string, number>()

  /** The same store, with the time of each answer taken. */
  around(store: Storage): Storage {
    return around(store, async (operation, send) => {
      this.#asked.set(operation, (this.#asked.get(operation) ?? 0) + 1)
      const began = performance.now()
      const answer = await send()
      this.add(operation, performance.now() - began)
      return answer
    })
  }

  /** How often each operation was asked for. */
  asked(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#asked)
  }

  /** Takes in one answer. */
  add(operation: string, ms: number): void {
    const times = this.#times.get(operation) ?? []
    this.#times.set(operation, times)
    if (times.length < KEPT) times.push(ms)
  }

  /** What is usual when this program does not wait for itself, as it does once it lists as fast as it can: a tenth of the answers came sooner. */
  usual(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#times].map(([operation, times]) => [operation, tenth(times)]))
  }
}

function tenth(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 10)] ?? 0
}
