import { Writable } from 'node:stream'
import cliProgress from 'cli-progress'
import type { MultiBar, Options, SingleBar } from 'cli-progress'
import { inBackground } from '../processes.js'

/** A line that fits `width` columns of a terminal, where colours take none; `bar` is how a bar in it is drawn. */
type FootLine = (width: number, bar: Options) => string

/** How far the work has come. */
interface Drawing {
  /** Milliseconds of this session. */
  readonly elapsed: number
  /** In a line of a log. */
  readonly inLog: () => string
  /** At the foot of a terminal. */
  readonly lines: readonly FootLine[]
}

/** Where text for a person goes. */
export interface TextSurface {
  /** Writes whole lines that stay. */
  log(text: string): void
  /** Shows how far the work has come. */
  draw(drawing: Drawing): void
  /** Takes away what does not stay, until it is drawn again. */
  erase(): void
  /** The same for good, and, in a log, writes what came last. May be called again, and the surface may be used again. */
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

/**
 * A log: a line of progress every ten seconds of the session, told by the drawings' own time, and the last one at its close, unless `last` says that its
 * numbers are told otherwise.
 */
export function createLog(write: (text: string) => void, { last = true } = {}): TextSurface {
  let written = 0
  let latest: Drawing | undefined
  const writeLatest = (): void => {
    if (latest === undefined) return
    write(`${latest.inLog()}\n`)
    written = latest.elapsed
    latest = undefined
  }
  return {
    log: write,
    draw(drawing) {
      latest = drawing
      if (drawing.elapsed - written >= LOG_INTERVAL) writeLatest()
    },
    erase: () => undefined,
    close() {
      // A session that ends with its tenth second has said it already.
      if (last && latest !== undefined && latest.elapsed > written) writeLatest()
    },
  }
}

const LOG_INTERVAL = 10_000

/** A terminal as `createTerminal` needs it. */
export interface TerminalStream extends NodeJS.WritableStream {
  readonly columns?: number
  readonly rows?: number
}

/** What is at the foot of a terminal. */
interface Foot {
  readonly bars: MultiBar
  readonly lines: readonly SingleBar[]
}

/**
 * A terminal: lines at its foot that are drawn again and again, never wider than it is, and text above them.
 *
 * The cursor is neither hidden nor saved, and rests below what is drawn: whatever ends or stops the process, the terminal needs no repair, and the
 * shell goes on in a line of its own. Each frame is one write, so that nothing can come between its parts.
 */
export function createTerminal(stream: TerminalStream, write: (text: string) => void): TextSurface {
  const canvas = new Canvas(stream)
  let foot: Foot | undefined
  let latest: Drawing | undefined
  let listening = false

  const unmake = (): void => {
    foot?.bars.stop()
    foot = undefined
  }
  // The shell writes behind what is drawn when the process stops: that stays where it is, and nothing must be drawn over.
  const forget = (): void => {
    unmake()
    canvas.take()
  }
  const paint = (): void => {
    const frame = canvas.take()
    if (frame !== '') write(frame)
  }
  const make = ({ lines: all }: Drawing): void => {
    // What has left the screen could not be drawn over any more, and a line is left for the cursor.
    const lines = all.slice(0, Math.max(1, (stream.rows ?? 24) - 2))
    if (foot?.lines.length !== lines.length) {
      unmake()
      foot = createFoot(canvas, lines)
    } else for (const [i, bar] of foot.lines.entries()) bar.update({ line: lines[i] })
    foot.bars.update()
  }
  // Before it stops, for when it goes on its timers are served first.
  const stop = (): void => {
    forget()
    process.removeListener('SIGTSTP', stop)
    process.kill(process.pid, 'SIGTSTP')
    process.on('SIGTSTP', stop)
  }
  const listen = (): void => {
    if (listening) return
    listening = true
    process.on('SIGTSTP', stop)
  }
  const erase = (): void => {
    latest = undefined
    if (foot === undefined) return
    if (inBackground()) forget()
    else unmake()
    paint()
  }
  return {
    log(text) {
      const again = foot === undefined ? undefined : latest
      if (again === undefined || inBackground()) {
        forget()
        write(text)
        return
      }
      unmake()
      canvas.write(text)
      make(again)
      paint()
    },
    draw(drawing) {
      // The terminal is that of the shell, or of another program.
      if (inBackground()) {
        forget()
        return
      }
      listen()
      latest = drawing
      make(drawing)
      paint()
    },
    erase,
    close() {
      erase()
      process.removeListener('SIGTSTP', stop)
      listening = false
    },
  }
}

// A MultiBar even for one line: alone it moves by lines, relative to where it is, and keeps no position.
function createFoot(stream: Canvas, lines: readonly FootLine[]): Foot {
  const bars = new cliProgress.MultiBar({
    stream,
    // Frames are drawn when there is something to tell.
    fps: 1 / 3600,
    hideCursor: false,
    clearOnComplete: true,
    // Also after text was written above it, and when somebody has typed into it.
    forceRedraw: true,
    // Lines are made to fit, so the terminal's own wrapping can stay on for the text above.
    linewrap: true,
    // Signals belong to the program: the first Ctrl-C is not yet the end.
    gracefulExit: false,
    format: (options, _params, payload: { readonly line: FootLine }) =>
      // Behind a character in the last column, erasing to the right would take that character away.
      payload.line(stream.width - 1, options),
  })
  const made = lines.map((line) => bars.create(1, 0, { line }))
  // The one in which the cursor rests.
  bars.create(1, 0, { line: () => '' })
  return { bars, lines: made }
}

/** Takes in what is drawn, in place of the terminal. */
class Canvas extends Writable {
  readonly isTTY = true
  #pieces: string[] = []

  constructor(private readonly terminal: TerminalStream) {
    super({ decodeStrings: false })
  }

  /** As many as there is need for: the library would cut text by its length, in which colours count. */
  readonly columns = Number.MAX_SAFE_INTEGER

  /** Those of the terminal. */
  get width(): number {
    return this.terminal.columns ?? 80
  }

  override _write(piece: string, _encoding: BufferEncoding, done: () => void): void {
    this.#pieces.push(piece)
    done()
  }

  /** What was drawn since the last call. */
  take(): string {
    const text = this.#pieces.join('')
    this.#pieces = []
    return text
  }
}
