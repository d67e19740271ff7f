import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { findRuns, readCheckpoint } from '../../checkpoint/checkpoint-file.js'
import { UserError } from '../../errors.js'
import { MOST_CONCURRENCY, type PaceChange } from '../../job/pace.js'
import { printable } from '../../keys.js'
import { jobTitle, shellWord } from '../../report/format.js'
import { DEFAULT_PORT, parseListenAddress, tokenFor } from '../../watch/listen-address.js'
import { serveViews, type Controls, type Shown } from '../../watch/watch-server.js'
import { EXIT } from '../options/exit.js'
import { readRate, readWhole } from '../options/flag-values.js'
import type { CommandIo } from '../options/io.js'
import { shownPath } from './look-at-runs.js'
import type { PageRequest } from './run-page.js'
import { allRuns, oneRun } from './watched-runs.js'

/** What `s3move watch` was asked. */
export interface WatchRequest {
  /** The folder of a run, or `-` for what `startPage` writes to standard input: lines of JSON, since names may have more lines than one. */
  readonly dir: string | undefined
  readonly all: boolean
  readonly listen: string | undefined
}

type Io = Pick<CommandIo, 'stdin' | 'stdout' | 'stderr' | 'cwd' | 'stop'>

/** Serves pages of runs, tells their address on standard output, and ends when it is interrupted. Answers the exit code. Throws a UserError where it cannot. */
export async function watch({ dir, all, listen = String(DEFAULT_PORT) }: WatchRequest, io: Io): Promise<number> {
  const address = parseListenAddress(listen)
  const token = tokenFor(address, process.env)
  if (dir === '-') return await watchToEnd(address, token, io)
  const shown = all ? allRuns(io.cwd) : oneRun(await chosen(dir, io.cwd), io.cwd)
  const server = await serveViews(shown, address, token)
  io.stdout.write(`${server.url}\n`)
  io.stderr.write('Ctrl-C ends it; the runs go on\n')
  if (!io.stop.aborted) await once(io.stop, 'abort')
  await server.close()
  return EXIT.interrupted
}

// Who has started a run with a page keeps standard input open as long as the run goes on, and tells its folder once it is there.
async function watchToEnd(
  address: Parameters<typeof serveViews>[1],
  token: string | undefined,
  io: Io,
): Promise<number> {
  const lines = createInterface({ input: io.stdin, signal: io.stop })[Symbol.asyncIterator]()
  const first = await lines.next()
  if (first.done === true) return EXIT.done
  let run: Shown | undefined
  const shown: Shown = {
    controls: hasControls(first.value) ? controlsThrough(io.stdout) : undefined,
    async view(path) {
      try {
        if (run !== undefined) return await run.view(path)
      } catch (error) {
        // Its folder is there before its checkpoint.
        if (!(error instanceof UserError)) throw error
      }
      return path === '/' ? BEFORE : undefined
    },
    metrics: async (accept) => await (run?.metrics(accept) ?? Promise.resolve({ type: 'text/plain', text: '' })),
  }
  const server = await serveViews(shown, address, token)
  io.stdout.write(`${server.url}\n`)
  const second = await lines.next()
  if (second.done !== true) run = oneRun(resolve(io.cwd, folderOf(second.value)), io.cwd)
  while ((await lines.next()).done !== true);
  await server.close()
  return EXIT.done
}

function hasControls(line: string): boolean {
  return (JSON.parse(line) as { readonly controls?: unknown }).controls === true
}

function controlsThrough(stdout: CommandIo['stdout']): Controls {
  const say = (request: PageRequest): void => void stdout.write(`${JSON.stringify(request)}\n`)
  return {
    stop: () => say('stop'),
    pace: (fields) => say(paceOf(fields)),
  }
}

// What was left empty stays as it is.
function paceOf(fields: URLSearchParams): PaceChange {
  const given: Record<string, string> = {}
  for (const [name, value] of fields) if (value.trim() !== '') given[name] = value.trim()
  const concurrency = readWhole(given, 'concurrency', 1, MOST_CONCURRENCY)
  const bandwidth = given['bandwidth'] === 'none' ? null : readRate(given, 'bandwidth')
  if (concurrency === undefined && bandwidth === undefined) throw new UserError('nothing was asked for')
  return { concurrency, bandwidth }
}

function folderOf(line: string): string {
  const told: unknown = JSON.parse(line)
  return typeof told === 'string' ? told : ''
}

const BEFORE = { title: 's3move', sections: { state: '<p>The run has not begun yet.</p>' } }

async function chosen(dir: string | undefined, cwd: string): Promise<string> {
  if (dir !== undefined) return (await readCheckpoint(resolve(cwd, dir))).folder
  const unfinished = (await findRuns(cwd)).flatMap((run) =>
    'checkpoint' in run && run.checkpoint.state === 'unfinished' ? [run] : [],
  )
  const [only] = unfinished
  if (only !== undefined && unfinished.length === 1) return only.folder
  if (only === undefined)
    throw new UserError(
      'no unfinished run here',
      'name the folder of a run: s3move watch DIR; or all: s3move watch --all',
    )
  const lines = unfinished.map(
    ({ folder, checkpoint: { job } }) => `  ${shellWord(shownPath(cwd, folder))}  (${printable(jobTitle(job))})`,
  )
  throw new UserError(
    `${unfinished.length} runs here are unfinished:\n${lines.join('\n')}`,
    'name one, s3move watch DIR, or all: s3move watch --all',
  )
}
