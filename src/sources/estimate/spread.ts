/** A mean, and where what it is the mean of lies, most likely. */
interface Spread {
  readonly mean: number
  readonly low: number
  readonly high: number
}

/** No estimate is told to be nearer than this: what is below a closed node is never all alike. */
const LEAST = 0.01

/** What draws of a positive number, of which some may be much larger than most, tell of its mean; of at least two. */
export function spreadOf(all: readonly number[]): Spread {
  const n = all.length
  const whole = meanOf(all)
  // One draw of little chance can be as much as a hundred others, and would be all that the mean tells.
  const draws = all.map((x) => Math.min(x, whole * Math.sqrt(n)))
  const mean = meanOf(draws)
  const deviation = Math.sqrt(draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1))
  const skewness = deviation === 0 ? 0 : draws.reduce((sum, x) => sum + ((x - mean) / deviation) ** 3, 0) / n
  const factor = Math.exp((2 * deviation) / (mean * Math.sqrt(n)))
  // Where few draws are very large, the next may be larger still.
  const unseen = 1 + Math.max(0, skewness) / (2 * Math.sqrt(n))
  return {
    ...{ mean, low: mean / factor / (1 + LEAST) },
    high: Math.max(whole, mean * factor * unseen) * (1 + LEAST),
  }
}

function meanOf(draws: readonly number[]): number {
  return draws.reduce((sum, x) => sum + x, 0) / draws.length
}

/** The standard deviation of the sum of parts that were drawn at even distances, in order, as a share of that sum; 0 where there is none. */
export function relativeDeviation(parts: readonly number[]): number {
  const sum = parts.reduce((all, part) => all + part, 0)
  if (sum === 0 || parts.length < 2) return 0
  let squares = 0
  for (const [i, part] of parts.entries()) if (i > 0) squares += (part - (parts[i - 1] ?? 0)) ** 2
  // Neighbours are alike, so what they differ by is what chance does.
  return Math.sqrt((squares * parts.length) / (2 * (parts.length - 1))) / sum
}
