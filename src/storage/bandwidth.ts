import { rateOf, type Bandwidth } from '../job/pace.js'

/** Towards this machine, and away from it. */
export type Direction = 'down' | 'up'

/** Time not made use of that may be made up for at once, in microseconds. */
const CREDIT = 100_000n

/** Counts `bytes` that were moved; answers the milliseconds to wait before moving more. */
export function spend(bandwidth: Bandwidth, direction: Direction, bytes: number): number {
  const rate = rateOf(bandwidth)
  if (rate === Infinity) return 0
  const clock = new BigInt64Array(bandwidth.through)
  const at = direction === 'down' ? 0 : 1
  const now = process.hrtime.bigint() / 1000n
  const takes = BigInt(Math.ceil((bytes * 1_000_000) / rate))
  for (;;) {
    const before = Atomics.load(clock, at)
    const idle = now - CREDIT
    const after = (before > idle ? before : idle) + takes
    if (Atomics.compareExchange(clock, at, before, after) === before) return Math.max(0, Number(after - now) / 1000)
  }
}
