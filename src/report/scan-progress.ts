import cliProgress from 'cli-progress'
import { count, duration, objects, rate } from './format.js'

/** Tells on stderr how far a job has come that only reads. */
export interface ScanProgress {
  /** Takes in the keys listed so far, and the milliseconds that this session has taken. */
  update(listed: number, elapsed: number): void
  /** Writes a line that stays. */
  say(line: string): void
  /** Takes away what does not stay. May be called again. */
  close(): void
}

/** Every so many milliseconds a log gets a line. */
const LOG_INTERVAL = 10_000

/**
 * Progress on a terminal as one line that redraws itself, else as a line every ten seconds; none of either when `quiet`. `verb` is such as
 * `listing`.
 */
export function createScanProgress(
  stderr: NodeJS.WritableStream & { isTTY?: boolean },
  verb: string,
  quiet: boolean,
): ScanProgress {
  let bar: cliProgress.SingleBar | undefined
  let logged = 0
  let before = 0
  const close = (): void => {
    bar?.stop()
    bar = undefined
  }
  return {
    close,
    update(listed, elapsed) {
      before = Math.min(before, listed)
      const perSecond = elapsed > 0 ? ((listed - before) * 1000) / elapsed : 0
      const line = `${verb}: ${count(listed)} objects so far · ${rate(perSecond)} · ${duration(elapsed)}`
      if (quiet) return
      if (stderr.isTTY !== true) {
        if (elapsed - logged < LOG_INTERVAL) return
        logged = elapsed
        stderr.write(`${line}\n`)
        return
      }
      if (bar === undefined) {
        bar = new cliProgress.SingleBar({
          ...{ stream: stderr, fps: 4, hideCursor: true, clearOnComplete: true, linewrap: true, gracefulExit: false },
          format: (_options, params, payload: { readonly line: string }) =>
            payload.line.slice(0, Math.max(0, params.maxWidth - 1)),
        })
        bar.start(1, 0, { line })
      } else bar.update({ line })
    },
    say(line) {
      close()
      stderr.write(`${line}\n`)
    },
  }
}

/** What was listed in a session, and how fast: `1,000 objects in 2.0 s (500/s)`. */
export function scanned(listed: number, elapsed: number): string {
  return `${objects(listed)} in ${duration(elapsed)} (${rate(elapsed > 0 ? (listed * 1000) / elapsed : 0)})`
}
