import { setTimeout } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { jsonText } from '../../checkpoint/json.js'
import { EXIT } from '../options/exit.js'
import type { Found } from '../../report/run-status.js'
import type { StatusIo } from './show-status.js'

/** The runs at one moment. */
export interface Sighting {
  /** Whether a process works on one of them. */
  readonly live: boolean
  readonly runs: readonly Found[]
  /** What is told of them, in whole lines. */
  readonly text: string
}

/** How often they are looked at, in milliseconds. */
const INTERVAL = 1000

/**
 * Tells of runs each second until no process works on any: on a terminal in place of what was told before, elsewhere a line for each run that has changed.
 * Answers the exit code.
 */
export async function watchRuns(
  look: () => Promise<Sighting>,
  { stdout, stop, json, line }: StatusIo & { readonly json: boolean; readonly line: (run: Found) => string },
): Promise<number> {
  const ended = new AbortController().signal
  const until = stop ?? ended
  // A record has the time of its telling, which is no change of the run.
  const tell = stdout.isTTY === true && !json ? redrawing(stdout) : changes(stdout, line, json ? jsonText : line)
  for (;;) {
    const now = await look()
    tell(now)
    if (!now.live) return EXIT.done
    // Aborted, it ends at once.
    await setTimeout(INTERVAL, undefined, { signal: until }).catch(() => undefined)
    if (until.aborted) return EXIT.interrupted
  }
}

type Tell = (look: Sighting) => void

// The lines before are cleared and written again; what the terminal has beside them stays, and its cursor is never hidden or saved.
function redrawing(stdout: StatusIo['stdout']): Tell {
  let above = 0
  return ({ text, live }) => {
    const lines = text.trimEnd().split('\n')
    const width = (stdout.columns ?? 80) - 1
    // What has left the screen cannot be cleared any more, and a line that wraps counts for two. The last time all is told.
    const shown = live ? lines.slice(0, Math.max(1, (stdout.rows ?? 24) - 1)).map((line) => cut(line, width)) : lines
    stdout.write(`${above === 0 ? '' : `\x1b[${above}A\r\x1b[0J`}${shown.join('\n')}\n`)
    above = shown.length
  }
}

// One that is too long goes without colours, which have no width.
function cut(line: string, width: number): string {
  const characters = Array.from(stripVTControlCharacters(line))
  return characters.length <= width ? line : `${characters.slice(0, width - 1).join('')}…`
}

// `traits` are what a run must differ in to be told of again.
function changes(stdout: StatusIo['stdout'], line: (run: Found) => string, traits: (run: Found) => string): Tell {
  const told = new Map<string, string>()
  return ({ runs }) => {
    for (const run of runs) {
      const now = traits(run)
      if (told.get(run.folder) === now) continue
      told.set(run.folder, now)
      stdout.write(`${line(run)}\n`)
    }
  }
}
