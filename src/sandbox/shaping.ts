import { UserError } from '../errors.js'
import { fraction } from './wire/hash.js'
import { latencyClasses, operations, type LatencyClass, type Operation } from './wire/operation-names.js'

const latencyExample = 'For example: list=50-150,copy=20-60 (milliseconds)'
const rateExample = 'For example: write=3500,read=5500 (requests a second for each bucket and first folder)'

function readPairs(what: string, text: string, names: readonly string[], example: string): [string, string][] {
  return text.split(',').map((pair) => {
    const equals = pair.indexOf('=')
    const name = pair.slice(0, equals).trim()
    if (equals === -1 || !names.includes(name)) {
      throw new UserError(
        `${what} ${JSON.stringify(text)}: NAME=VALUE with a NAME of ${names.join(', ')} expected, got ${JSON.stringify(pair)}.`,
        example,
      )
    }
    return [name, pair.slice(equals + 1).trim()]
  })
}

/** How long answers are held back. */
export class Latency {
  private readonly bounds = new Map<LatencyClass, readonly [least: number, most: number]>()
  private drawn = 0

  /** `text` as `list=50-150,copy=20`, in milliseconds; undefined: no latency. Throws UserError. */
  constructor(
    text: string | undefined,
    private readonly seed: number,
  ) {
    if (text === undefined) return
    for (const [name, value] of readPairs('Latency', text, [...latencyClasses, 'all'], latencyExample)) {
      const match = /^(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?$/.exec(value)
      const least = Number(match?.[1])
      const most = Number(match?.[2] ?? match?.[1])
      if (!(least <= most)) {
        throw new UserError(
          `Latency ${JSON.stringify(text)}: MIN-MAX expected, got ${JSON.stringify(value)}.`,
          latencyExample,
        )
      }
      for (const one of latencyClasses) if (name === one || name === 'all') this.bounds.set(one, [least, most])
    }
  }

  /** Milliseconds to hold the next answer back. */
  next(operation: Operation): number {
    if (this.bounds.size === 0) return 0
    const bounds = this.bounds.get(operations[operation])
    if (bounds === undefined) return 0
    return bounds[0] + (bounds[1] - bounds[0]) * fraction(this.seed, this.drawn++, 101)
  }
}

interface Tokens {
  left: number
  /** When `left` was right, in milliseconds. */
  at: number
}

const writing: readonly LatencyClass[] = ['put', 'delete', 'copy']
const mostPartitions = 10_000

/** S3's request rates: a token bucket, one second deep, for each bucket and first folder of the keys. */
export class Rate {
  private readonly limits: { read: number; write: number } = { read: Infinity, write: Infinity }
  private readonly limited: boolean
  private readonly partitions = new Map<string, Tokens>()

  /** `text` as `write=3500,read=5500`, requests a second; undefined: no limit. Throws UserError. */
  constructor(text: string | undefined) {
    this.limited = text !== undefined
    if (text === undefined) return
    for (const [name, value] of readPairs('Rate', text, ['read', 'write'], rateExample)) {
      const limit = /^\d+(\.\d+)?$/.test(value) ? Number(value) : 0
      if (limit <= 0) {
        throw new UserError(
          `Rate ${JSON.stringify(text)}: a number above 0 expected, got ${JSON.stringify(value)}.`,
          rateExample,
        )
      }
      this.limits[name === 'read' ? 'read' : 'write'] = limit
    }
  }

  /** Takes a token for a request that begins now (milliseconds); false when there is none. */
  admits(operation: Operation, bucket: string, key: string, now: number): boolean {
    if (!this.limited) return true
    const kind = writing.includes(operations[operation]) ? 'write' : 'read'
    const limit = this.limits[kind]
    if (limit === Infinity) return true
    const name = `${kind} ${bucket}/${key.slice(0, Math.max(key.indexOf('/'), 0))}`
    const depth = Math.max(limit, 1)
    let tokens = this.partitions.get(name)
    if (tokens === undefined) {
      if (this.partitions.size >= mostPartitions) this.partitions.clear()
      this.partitions.set(name, (tokens = { left: depth, at: now }))
    }
    tokens.left = Math.min(depth, tokens.left + ((now - tokens.at) / 1000) * limit)
    tokens.at = now
    if (tokens.left < 1) return false
    tokens.left--
    return true
  }
}
