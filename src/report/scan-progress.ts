import { count, duration, objects, rate } from './format.js'
import type { Expected } from '../job/events.js'
import { PLAIN, warningLine, type Paint } from './paint.js'
import { aboutLeft, aboutShare, TimeLeft } from './time-left.js'
import { createLog, createTerminal, type TerminalStream } from './terminal.js'

/** Tells on stderr how far a job has come that only reads. */
export interface ScanProgress {
  /** Takes in the keys listed so far, the milliseconds that this session has taken, and how many keys there seem to be. */
  update(listed: number, elapsed: number, expected: Expected | undefined): void
  /** Writes a line that stays, painted as a whole where `tone` says how. */
  say(line: string, tone?: Parameters<Paint>[0]): void
  /** Writes a warning that stays. */
  warn(message: string): void
  /** Makes room on the terminal for lines that somebody else writes at once. */
  giveWay(): void
  /** Takes away what does not stay. May be called again. */
  close(): void
}

/** How to tell of it. */
export interface ScanProgressOptions {
  /** Such as `listing`. */
  readonly verb: string
  /** Without progress. */
  readonly quiet: boolean
  /** As a line at the foot of a terminal; else as a line every ten seconds. */
  readonly redraws: boolean
  /** Gets the same lines, without redrawing. */
  readonly log?: NodeJS.WritableStream | undefined
  /** How text on `stderr` is painted; the log gets none of it. */
  readonly paint?: Paint | undefined
}

/** Tells of progress on `stderr`. */
export function createScanProgress(
  stderr: TerminalStream,
  { verb, quiet, redraws, log, paint = PLAIN }: ScanProgressOptions,
): ScanProgress {
  const write = (text: string): void => void stderr.write(text)
  const surface = redraws ? createTerminal(stderr, write) : createLog(write)
  const surfaces = log === undefined ? [surface] : [surface, createLog((text) => void log.write(text))]
  const tell = (line: (paint: Paint) => string): void => {
    for (const one of surfaces) one.log(`${line(one === surface ? paint : PLAIN)}\n`)
  }
  const timeLeft = new TimeLeft()
  // By earlier sessions, but for the first moment of this one.
  let before: number | undefined
  return {
    update(listed, elapsed, expected) {
      if (quiet) return
      before ??= listed
      const perSecond = elapsed > 0 ? ((listed - before) * 1000) / elapsed : 0
      const outlook = timeLeft.look({ expected, done: listed, doneHere: listed - before, elapsed, perSecond })
      const line = [
        `${verb}: ${outlook === undefined ? '' : `${aboutShare(outlook)} · `}${count(listed)} objects so far`,
        rate(perSecond),
        duration(elapsed),
        ...(outlook?.left === undefined ? [] : [aboutLeft(outlook.left)]),
      ].join(' · ')
      for (const one of surfaces)
        one.draw({ elapsed, inLog: () => line, lines: [(width) => line.slice(0, Math.max(0, width))] })
    },
    say: (line, tone) => tell((paint) => (tone === undefined ? line : paint(tone, line))),
    warn: (message) => tell((paint) => warningLine(message, paint)),
    giveWay: () => surface.erase(),
    close() {
      // What a log would tell last is in the result.
      if (redraws) surface.close()
    },
  }
}

/** What was listed in a session, and how fast: `1,000 objects in 2.0 s (500/s)`. */
export function scanned(listed: number, elapsed: number): string {
  return `${objects(listed)} in ${duration(elapsed)} (${rate(elapsed > 0 ? (listed * 1000) / elapsed : 0)})`
}
