const dates = new Map<number, string>()

function dateOf(day: number): string {
  let date = dates.get(day)
  if (date === undefined) {
    if (dates.size >= 20_000) dates.clear()
    dates.set(day, (date = new Date(day * 86_400_000).toISOString().slice(0, 11)))
  }
  return date
}

/** Builds a document as bytes: a page of a listing is a quarter of a megabyte, which strings would make slow. */
export class ByteWriter {
  private bytes = Buffer.allocUnsafe(1 << 19)
  private at = 0

  /** Empties it and makes it ready for another document. */
  reset(): void {
    this.at = 0
  }

  /** What was written, as bytes of its own. */
  finish(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.at))
  }

  /** Writes bytes that stay the same. */
  constant(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.at)
    this.at += bytes.length
  }

  /** Writes text whose characters are all ASCII. */
  ascii(text: string): void {
    this.reserve(text.length)
    const { bytes } = this
    let { at } = this
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i)
    this.at = at
  }

  /** Writes text encoded by `encode`; `ascii` holds what that makes of each ASCII character, by its code. */
  encoded(text: string, ascii: readonly string[], encode: (text: string) => string): void {
    this.reserve(text.length * 6)
    const { bytes } = this
    let { at } = this
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      const encoded = ascii[code]
      if (encoded === undefined) {
        this.utf8(encode(text))
        return
      }
      if (encoded.length === 1) bytes[at++] = encoded.charCodeAt(0)
      else for (let n = 0; n < encoded.length; n++) bytes[at++] = encoded.charCodeAt(n)
    }
    this.at = at
  }

  /** Writes any text. */
  utf8(text: string): void {
    this.reserve(text.length * 3)
    this.at += this.bytes.write(text, this.at, 'utf8')
  }

  /** Writes seconds since 1970 as `2024-05-25T13:00:00.000Z`. */
  time(seconds: number): void {
    this.ascii(dateOf(Math.floor(seconds / 86_400)))
    this.reserve(13)
    const { bytes, at } = this
    const second = seconds % 86_400
    const minute = Math.floor(second / 60)
    this.two(at, Math.floor(minute / 60))
    this.two(at + 3, minute % 60)
    this.two(at + 6, second % 60)
    bytes[at + 2] = bytes[at + 5] = 58
    bytes[at + 8] = 46
    bytes[at + 9] = bytes[at + 10] = bytes[at + 11] = 48
    bytes[at + 12] = 90
    this.at += 13
  }

  private two(at: number, n: number): void {
    const tens = Math.floor(n / 10)
    this.bytes[at] = 48 + tens
    this.bytes[at + 1] = 48 + n - tens * 10
  }

  private reserve(length: number): void {
    if (this.at + length <= this.bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + length))
    larger.set(this.bytes.subarray(0, this.at))
    this.bytes = larger
  }
}
