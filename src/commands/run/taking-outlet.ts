import type { OutputWriter } from '../../engine/output/output-writer.js'

/** An outlet whose lines are taken in by the program itself. */
export interface TakingOutlet {
  readonly outlet: OutputWriter
  /** Resolves once all that was written is taken in, or something could not be. */
  readonly taken: () => Promise<void>
}

/**
 * An outlet that gives whole lines, many at a time, to `take`, one call after the other, and calls `taken` in the step in which they count as written. What
 * `take` rejects with is told to `fail`, once, and nothing is taken after it.
 */
export function takingOutlet(
  take: (lines: readonly string[]) => Promise<void>,
  fail: (error: unknown) => void,
  taken: () => void = () => undefined,
): TakingOutlet {
  let broken = false
  let bytes = 0
  let turn: Promise<void> = Promise.resolve()
  const outlet: OutputWriter = {
    get bytes() {
      return bytes
    },
    kept: undefined,
    write(piece, written) {
      turn = turn.then(async () => {
        if (broken) return
        try {
          await take(linesIn(piece))
          bytes += piece.length
          taken()
          written()
        } catch (error) {
          broken = true
          fail(error)
        }
      })
    },
    sync: () => Promise.resolve(),
    finish: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
  return { outlet, taken: () => turn }
}

/** Text that is decoded at once, in bytes: each line of it is parsed while it is still in the cache of the processor. */
const AT_ONCE = 32 * 1024
const LINE_FEED = 10

function linesIn({ buffer, byteOffset, byteLength }: Uint8Array): string[] {
  const bytes = Buffer.from(buffer, byteOffset, byteLength)
  const lines: string[] = []
  for (let at = 0; at < byteLength;) {
    const last = at + AT_ONCE < byteLength ? bytes.lastIndexOf(LINE_FEED, at + AT_ONCE) : -1
    const end = last < at ? byteLength : last
    for (const line of bytes.toString('utf8', at, end).split('\n')) if (line !== '') lines.push(line)
    at = end + 1
  }
  return lines
}
