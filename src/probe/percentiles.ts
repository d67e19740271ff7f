import type { Percentiles } from '../job/probed.js'

/** Of a thousand. */
const TOLD = { p50: 500, p90: 900, p99: 990, p999: 999 } as const

/** The percentiles of numbers in any order, by the nearest rank: each only where at least one number lies above it by rank. */
export function percentilesOf(numbers: readonly number[]): Percentiles {
  const sorted = numbers.toSorted((a, b) => a - b)
  const found: { -readonly [Name in keyof Percentiles]: number } = {}
  for (const [name, permille] of Object.entries(TOLD)) {
    if (sorted.length * (1000 - permille) < 1000) continue
    const value = sorted[Math.ceil((sorted.length * permille) / 1000) - 1]
    if (value !== undefined) found[name as keyof typeof TOLD] = value
  }
  return found
}
