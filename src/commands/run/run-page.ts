import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { setPriority } from 'node:os'
import { createInterface, type Interface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { UserError } from '../../errors.js'
import type { PaceChange } from '../../job/pace.js'
import { unless, type CommandIo } from '../options/io.js'

/** The live page of a run. */
export interface RunPage {
  /** Shows the run of a folder. */
  readonly show: (folder: string) => void
  /** Takes who is told what the page asks of the pace, from its start on; absent where it may not. */
  readonly onPace: CommandIo['onPace']
  /** Shows it for the last time; nobody waits for that. */
  close(): void
}

/** Who starts one, and how it is told of. */
export interface PageIo extends Pick<CommandIo, 'cwd' | 'stop'> {
  /** The page may stop the run, as a signal does, and change its pace. */
  readonly controls: boolean
  say(line: string): void
  warn(message: string): void
}

/** What the page asks for, as a line of JSON. */
export type PageRequest = 'stop' | PaceChange

/** The page gives way to the run, and to all else. */
const NICENESS = 10

/**
 * Serves a page by a process of its own (`s3move watch -`), so that nothing that it does, or that is done to it, reaches the run, but for what its buttons ask for where that is
 * wanted. Throws a UserError when it cannot listen, and `Interrupted`.
 */
export async function startPage(listen: string, io: PageIo): Promise<RunPage> {
  const [, script = ''] = process.argv
  // In a process group of its own: Ctrl-C is for the run alone.
  const child = spawn(process.execPath, [...process.execArgv, script, 'watch', '-', '--listen', listen], {
    ...{ cwd: io.cwd, detached: true },
  })
  const { stdin, stdout } = child
  const lines = createInterface({ input: stdout })
  // One that cannot be started gives no address; one that is gone takes no folder.
  for (const source of [child, stdin]) source.on('error', () => undefined)
  try {
    stdin.write(`${JSON.stringify({ controls: io.controls })}\n`)
    const url = await unless(io.stop, addressOf(child, lines))
    io.say(`live page: ${url}`)
  } catch (error) {
    child.kill()
    throw error
  }
  yielding(child)
  let ending = false
  child.once('exit', (code, signal) => {
    if (!ending) io.warn(`the live page is gone (${signal ?? `exit code ${code ?? 0}`}); the run goes on`)
  })
  const changes = new Changes()
  lines.on('line', (line) => {
    const asked = io.controls ? requestIn(line) : undefined
    if (asked === 'stop') process.kill(process.pid, 'SIGTERM')
    else if (asked !== undefined) changes.add(asked)
  })
  return {
    onPace: io.controls ? (told) => changes.tell(told) : undefined,
    show: (folder) => void stdin.write(`${JSON.stringify(folder)}\n`),
    close() {
      ending = true
      stdin.end()
    },
  }
}

// A page that is killed may leave a line of which the end is missing.
function requestIn(line: string): PageRequest | undefined {
  try {
    return JSON.parse(line) as PageRequest
  } catch {
    return undefined
  }
}

/** Changes of the pace, kept until somebody listens: a run may be a while on its way to its first object. */
class Changes {
  private early: PaceChange[] = []
  private told: ((change: PaceChange) => void) | undefined

  add(change: PaceChange): void {
    if (this.told === undefined) this.early.push(change)
    else this.told(change)
  }

  tell(told: (change: PaceChange) => void): void {
    this.told = told
    for (const change of this.early.splice(0)) told(change)
  }
}

// Its address; or what it says was wrong, which it says as this program does.
async function addressOf({ stderr }: ChildProcessWithoutNullStreams, lines: Interface): Promise<string> {
  const said = text(stderr)
  const [line] = (await Promise.race([once(lines, 'line'), once(lines, 'close')])) as [string?]
  if (line !== undefined) return line
  const [message = '', hint] = (await said).split('\n').map((line) => line.replace(/^s3move:/, '').trim())
  throw new UserError(message === '' ? 'the live page could not be started' : message, hint === '' ? undefined : hint)
}

function yielding({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, NICENESS)
  } catch {
    // It is not allowed everywhere, and only a courtesy.
  }
}
