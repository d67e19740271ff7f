import { randomUUID } from 'node:crypto'
import { keyBytes, LONGEST_KEY } from '../keys.js'

/**
 * A name, relative to `prefixes`, for an object that nobody has, as long as a key may be there. Where a prefix leaves less than
 * `UNLIKELY` characters somebody may have it.
 */
export function probeName(...prefixes: readonly string[]): string {
  const room = LONGEST_KEY - Math.max(...prefixes.map(keyBytes))
  const random = randomUUID()
  const name = `s3move-probe-${random}`
  return name.length <= room ? name : random.replaceAll('-', '').slice(0, room)
}
