import { stat } from 'node:fs'
import { devNull } from 'node:os'

const INTERVAL = 1_000

/**
 * Asks something of the thread pool of libuv now and then. What that has done (files, names of hosts) is told to the event loop by a wake-up, and one that is
 * lost leaves whoever waits waiting for ever: seen once with Node 20.20.2, as a run that had done everything and stood still before its last save. The next
 * wake-up brings it along.
 */
export function keepThreadPoolAwake(ask: (done: () => void) => void = (done) => stat(devNull, done)): void {
  let asked = false
  setInterval(() => {
    if (asked) return
    asked = true
    ask(() => (asked = false))
  }, INTERVAL).unref()
}
