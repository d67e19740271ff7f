import { createHash } from 'node:crypto'
import { hex128, hashText, mix } from './hash.js'

/** Bytes that can be read from any offset, held in memory or computed. */
export interface ObjectBytes {
  readonly size: number
  /** The bytes from `start` to `end` (exclusive), in pieces; the pieces may be shared and must not be written to. */
  chunks(start: number, end: number): Iterable<Uint8Array>
  /** 32 hexadecimal digits: the MD5 of the bytes, or for much computed content a stand-in that only depends on them. */
  digest(): string
}

/** Content that was uploaded. */
export class HeldContent implements ObjectBytes {
  readonly size: number
  private md5: string | undefined

  constructor(readonly bytes: Buffer) {
    this.size = bytes.length
  }

  chunks(start: number, end: number): Iterable<Uint8Array> {
    return start < end ? [this.bytes.subarray(start, end)] : []
  }

  digest(): string {
    this.md5 ??= createHash('md5').update(this.bytes).digest('hex')
    return this.md5
  }
}

/**
 * In bytes: computed content up to here has its MD5 as its digest. More would take too long, and is what clients upload in
 * parts, so that its ETag would be no MD5 in S3 either.
 */
export const SINGLE_PART = 8 * 2 ** 20

// A prime length: a window shifted by a round number of bytes (a part size) never shows the same bytes.
const poolLength = 1_048_583
let pool: Buffer | undefined

function poolBytes(): Buffer {
  if (pool === undefined) {
    pool = Buffer.allocUnsafe(poolLength)
    for (let i = 0; i < poolLength; i++) pool[i] = mix(0x5eed, i, 1)
  }
  return pool
}

/** Content that is a function of `seed` and offset and takes no memory. */
export class ComputedContent implements ObjectBytes {
  constructor(
    private readonly seed: number,
    readonly size: number,
  ) {}

  *chunks(start: number, end: number): Generator<Uint8Array> {
    const bytes = poolBytes()
    let at = start
    while (at < end) {
      const from = (this.seed + at) % poolLength
      const length = Math.min(poolLength - from, end - at, 65_536)
      yield bytes.subarray(from, from + length)
      at += length
    }
  }

  digest(): string {
    if (this.size <= SINGLE_PART) return digestOf(this)
    const word = (salt: number) => mix(this.seed, this.size, salt)
    return hex128(word(2), word(3), word(4), word(5))
  }
}

/** A range of other content. */
export class ContentRange implements ObjectBytes {
  constructor(
    private readonly whole: ObjectBytes,
    private readonly start: number,
    readonly size: number,
  ) {}

  chunks(start: number, end: number): Iterable<Uint8Array> {
    return this.whole.chunks(this.start + start, this.start + end)
  }

  digest(): string {
    if (this.whole instanceof HeldContent) return digestOf(this)
    const seed = hashText(this.whole.digest())
    const word = (salt: number) => mix(seed ^ mix(7, this.start, salt), this.size, salt)
    return hex128(word(2), word(3), word(4), word(5))
  }
}

/** Contents one after the other. */
export class JoinedContent implements ObjectBytes {
  readonly size: number

  constructor(private readonly parts: readonly ObjectBytes[]) {
    this.size = parts.reduce((sum, part) => sum + part.size, 0)
  }

  *chunks(start: number, end: number): Generator<Uint8Array> {
    let offset = 0
    for (const part of this.parts) {
      const from = Math.max(start - offset, 0)
      const to = Math.min(end - offset, part.size)
      if (from < to) yield* part.chunks(from, to)
      offset += part.size
    }
  }

  digest(): string {
    if (this.parts.every((part) => part instanceof HeldContent)) return digestOf(this)
    return createHash('md5')
      .update(this.parts.map((part) => part.digest()).join())
      .digest('hex')
  }
}

function digestOf(content: ObjectBytes): string {
  const hash = createHash('md5')
  for (const chunk of content.chunks(0, content.size)) hash.update(chunk)
  return hash.digest('hex')
}
