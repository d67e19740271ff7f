/** After so many milliseconds without an answer a request may be lost as well as slow. */
const LOST = 5_000

/**
 * What `send` comes to. A server of which nothing is known may be slow, and a request may be lost: the first is waited for, and after a while
 * the same is asked a second time. Whichever is answered first counts, and only when both failed is that an error.
 */
export function hedged<T>(send: () => Promise<T>, after = LOST): Promise<T> {
  return new Promise((resolve, reject) => {
    let underWay = 1
    const failed = (error: unknown): void => {
      underWay--
      clearTimeout(timer)
      if (underWay === 0) reject(error instanceof Error ? error : new Error(String(error)))
    }
    const answered = (answer: T): void => {
      clearTimeout(timer)
      resolve(answer)
    }
    const timer = setTimeout(() => {
      underWay++
      send().then(answered, failed)
    }, after)
    send().then(answered, failed)
  })
}
