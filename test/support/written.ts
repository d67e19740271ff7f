import type { PassThrough } from 'node:stream'

/** All that was written to a stream that nobody has read: since Node 26 `read()` is one piece of it (findings/node-26-read.sh). */
export function written(stream: PassThrough): string {
  const pieces: Buffer[] = []
  for (;;) {
    const piece = stream.read() as Buffer | null
    if (piece === null) return Buffer.concat(pieces).toString()
    pieces.push(piece)
  }
}
