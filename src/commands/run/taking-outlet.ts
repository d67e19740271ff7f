import type { OutputWriter } from '../../engine/output/output-writer.js'

/** An outlet whose lines are taken in by the program itself. */
export interface TakingOutlet {
  readonly outlet: OutputWriter
  /** Resolves once all that was written is taken in, or something could not be. */
  readonly taken: () => Promise<void>
}

/** An outlet that gives whole lines, many at a time, to `take`, one call after the other. What `take` rejects with is told to `fail`, once, and nothing is taken after it. */
export function takingOutlet(take: (lines: string) => Promise<void>, fail: (error: unknown) => void): TakingOutlet {
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
          await take(Buffer.from(piece).toString())
          bytes += piece.length
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
