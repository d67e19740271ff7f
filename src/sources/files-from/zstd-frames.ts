const MAGIC = 0xfd2fb528
/** The lowest of the sixteen magic numbers of frames that are to be passed over. */
const SKIPPABLE = 0x184d2a50
/** Bytes of the content size and of the dictionary’s name, by what the descriptor says of them. */
const CONTENT_SIZE = [0, 2, 4, 8]
const DICTIONARY = [0, 1, 2, 4]
const RLE_BLOCK = 1
/** Bytes of the parts of a frame that say how long others are. */
const LENGTHS = { magic: 4, skippable: 4, descriptor: 1, block: 3 }

/** Something that is no frame follows a frame. */
export class NoFrame extends Error {
  override readonly name = 'NoFrame'
}

/**
 * Where the frames of a zstd stream end (RFC 8878, section 3.1). Node must be told: of frames that come in one piece the decoder of 22 and 24 takes the
 * first alone, and that of 22 says nothing of one that is cut off (findings/node-22-zstd.sh).
 */
export class ZstdFrames {
  /** What is read next, and what there is of it. */
  private next: keyof typeof LENGTHS = 'magic'
  private header = Buffer.alloc(0)
  /** Bytes until then that need not be looked at. */
  private skip = 0
  private hasChecksum = false
  private isLast = false

  /** Whether all that came so far is whole frames. */
  get whole(): boolean {
    return this.next === 'magic' && this.skip === 0 && this.header.length === 0
  }

  /** The same bytes, in pieces of which none holds more than one frame. Throws a `NoFrame`. */
  *split(piece: Buffer): Generator<Buffer, void, undefined> {
    let from = 0
    for (let at = 0; at < piece.length;) {
      if (this.skip > 0) {
        const passed = Math.min(this.skip, piece.length - at)
        this.skip -= passed
        at += passed
      } else {
        const length = LENGTHS[this.next]
        const more = piece.subarray(at, at + length - this.header.length)
        this.header = Buffer.concat([this.header, more])
        at += more.length
        if (this.header.length === length) this.take()
      }
      if (this.skip > 0 || !this.isLast) continue
      this.next = 'magic'
      this.isLast = false
      yield piece.subarray(from, at)
      from = at
    }
    if (from < piece.length) yield piece.subarray(from)
  }

  private take(): void {
    const { header } = this
    this.header = Buffer.alloc(0)
    switch (this.next) {
      case 'magic':
        this.readMagic(header.readUInt32LE())
        break
      case 'skippable':
        this.skip = header.readUInt32LE()
        this.isLast = true
        break
      case 'descriptor':
        this.readDescriptor(header.readUInt8())
        break
      case 'block':
        this.readBlock(header.readUIntLE(0, 3))
    }
  }

  private readMagic(magic: number): void {
    if (magic === MAGIC) this.next = 'descriptor'
    else if (magic - (magic % 16) === SKIPPABLE) this.next = 'skippable'
    else throw new NoFrame('what follows a frame is none')
  }

  private readDescriptor(descriptor: number): void {
    const oneSegment = (descriptor & 0x20) !== 0
    this.hasChecksum = (descriptor & 0x04) !== 0
    const size = descriptor >> 6 === 0 && oneSegment ? 1 : (CONTENT_SIZE[descriptor >> 6] ?? 0)
    this.skip = (oneSegment ? 0 : 1) + (DICTIONARY[descriptor & 3] ?? 0) + size
    this.next = 'block'
  }

  private readBlock(block: number): void {
    const type = (block >> 1) & 3
    this.skip = type === RLE_BLOCK ? 1 : block >> 3
    this.isLast = (block & 1) !== 0
    if (this.isLast && this.hasChecksum) this.skip += 4
  }
}
