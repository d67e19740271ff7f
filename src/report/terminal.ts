import cliProgress from 'cli-progress'
import type { MultiBar, SingleBar } from 'cli-progress'
import { fittedLine, fullLine } from './progress-line.js'
import type { LineView } from './progress-line.js'

/** Where text for a person goes. */
export interface TextSurface {
  /** Writes whole lines that stay. */
  log(text: string): void
  /** Shows how far the run has come. */
  draw(view: LineView): void
  /** Takes away what does not stay. May be called again, and the surface may be used again. */
  close(): void
}

/**
 * Writes to a stream until that fails, and never throws for it: a stream that cannot be written to must not end a run.
 * `onBroken` hears of it once, unless the reader has merely gone away (EPIPE).
 */
export function writeUntilBroken(
  stream: NodeJS.WritableStream,
  onBroken: (error: Error) => void = () => undefined,
): (text: string) => void {
  let broken = false
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (!broken && error.code !== 'EPIPE') onBroken(error)
    broken = true
  })
  return (text) => {
    if (!broken) stream.write(text)
  }
}

/** A log: a line of progress every ten seconds of the session, told by the snapshots' own time, and the last one at its close. */
export function createLog(write: (text: string) => void): TextSurface {
  let written = 0
  let latest: LineView | undefined
  const writeLatest = (): void => {
    if (latest === undefined) return
    write(`${fullLine(latest)}\n`)
    written = latest.snapshot.elapsed
    latest = undefined
  }
  return {
    log: write,
    draw(view) {
      latest = view
      if (view.snapshot.elapsed - written >= LOG_INTERVAL) writeLatest()
    },
    close() {
      // A session that ends with its tenth second has said it already.
      if (latest !== undefined && latest.snapshot.elapsed > written) writeLatest()
    },
  }
}

const LOG_INTERVAL = 10_000

/** A terminal: one line at its foot that redraws itself, never wider than the terminal, and text above it. */
export function createTerminalBar(stream: NodeJS.WritableStream, write: (text: string) => void): TextSurface {
  let shown: { readonly bars: MultiBar; readonly bar: SingleBar } | undefined
  return {
    log(text) {
      if (shown === undefined) {
        write(text)
        return
      }
      shown.bars.log(text)
      shown.bars.update()
    },
    draw(view) {
      if (shown === undefined) {
        const bars = createBars(stream)
        shown = { bars, bar: bars.create(1, 0, { view }) }
      } else {
        shown.bar.update({ view })
      }
      shown.bars.update()
    },
    close() {
      shown?.bars.stop()
      shown = undefined
    },
  }
}

// MultiBar although there is one bar: it alone can write text above the bar without saving the cursor's position, which
// is another place once the terminal has scrolled.
function createBars(stream: NodeJS.WritableStream): MultiBar {
  return new cliProgress.MultiBar({
    stream,
    fps: 4,
    hideCursor: true,
    clearOnComplete: true,
    // Also after text was written above it, and when somebody has typed into it.
    forceRedraw: true,
    // The line is made to fit, so the terminal's own wrapping can stay on for the text above.
    linewrap: true,
    // Signals belong to the program: the first Ctrl-C is not yet the end.
    gracefulExit: false,
    format: (options, params, payload: { readonly view: LineView }) =>
      // Behind a character in the last column, erasing to the right would take that character away.
      fittedLine(payload.view, params.maxWidth - 1, options),
  })
}
