import { join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { findRuns, readCheckpoint, RUNS, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { countedFailures } from '../../checkpoint/counted-failures.js'
import { jsonText } from '../../checkpoint/json.js'
import { mountedAt, shownFolder } from '../../checkpoint/mounts.js'
import { UserError } from '../../errors.js'
import { systemCode } from '../../file-system.js'
import type { Failure } from '../../job/outcome.js'
import { printable, printableName } from '../../keys.js'
import { count, jobTitle, objects, shellWord } from '../../report/format.js'
import { FailureGroups, groupLines } from '../../report/failure-groups.js'
import { failedByCode, nextCommand } from '../../report/summary.js'
import { EXIT } from '../options/exit.js'
import type { CommandIo } from '../options/io.js'
import { warnTo } from './attended.js'
import { codeInWords } from './codes-in-words.js'

/** What `s3move failures` was asked. */
export interface FailuresArguments {
  /** The folder of a run, or the `checkpoint.json` in it. Without it, the only run below `.s3move/` that has failed objects. */
  readonly dir: string | undefined
  /** Only those with these codes; all when there is none. */
  readonly codes: readonly string[]
  readonly format: 'text' | 'json' | 'csv' | 'keys'
}

type Io = Pick<CommandIo, 'stderr' | 'cwd' | 'stop' | 'paint'> & {
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean }
}

/**
 * Tells which objects of a run failed, from its ledger, in bounded memory; the run may be at work meanwhile. Answers the exit code.
 * Throws a UserError when there is no such run, or its ledger cannot be read.
 */
export async function failures({ dir, codes, format }: FailuresArguments, io: Io): Promise<number> {
  const run = dir === undefined ? await onlyRun(io.cwd) : await readCheckpoint(dir)
  const { failed } = run.checkpoint.totals
  const wanted = codes.length === 0 ? undefined : new Set(codes)
  if (wanted !== undefined && !codes.some((code) => (failed[code] ?? 0) > 0)) {
    const has = failedByCode(failed)
    const none = `no object failed with ${printable(codes.join(' or '))}`
    io.stderr.write(`${none}${has === '' ? '' : `; the ledger has ${has}`}\n`)
  }
  const found = chosen(countedFailures(run), wanted)
  if (format === 'text') {
    await tellByCode(run, found, io)
    return EXIT.done
  }
  const terminal = io.stdout.isTTY === true
  const lines =
    format === 'keys' ? keyLines(found, terminal, io) : format === 'csv' ? csvLines(found, terminal) : jsonLines(found)
  await write(lines, io)
  return io.stop.aborted ? EXIT.interrupted : EXIT.done
}

async function* chosen(
  all: AsyncIterable<Failure>,
  codes: ReadonlySet<string> | undefined,
): AsyncGenerator<Failure, void, undefined> {
  for await (const failure of all) if (codes === undefined || codes.has(failure.code)) yield failure
}

async function tellByCode(run: SavedRun, found: AsyncIterable<Failure>, io: Io): Promise<void> {
  const { folder, checkpoint } = run
  const groups = new FailureGroups(checkpoint.job.source.prefix)
  for await (const failure of found) {
    if (io.stop.aborted) return
    groups.add(failure)
  }
  const named = mountedAt(folder) === undefined ? relative(io.cwd, folder) || '.' : shownFolder(folder)
  const shown = shellWord(named)
  const lines = [`${objects(groups.total)} failed in ${shown}: ${jobTitle(checkpoint.job)}`]
  for (const group of groups.byCode()) {
    lines.push('', ...groupLines(group, codeInWords(group.code), io.paint?.stdout))
  }
  const next = nextCommand(checkpoint.state === 'finished', checkpoint.totals.failed, named)
  if (groups.total > 0 && next !== undefined) lines.push('', `next: ${next}`)
  await write([`${lines.join('\n')}\n`], io)
}

// Lines are written together, for there may be ten million.
const LINES_HELD = 500

async function write(lines: Iterable<string> | AsyncIterable<string>, { stdout, stop }: Io): Promise<void> {
  async function* chunks(): AsyncGenerator<string, void, undefined> {
    let held: string[] = []
    for await (const line of lines) {
      if (stop.aborted) return
      if (held.push(line) < LINES_HELD) continue
      yield held.join('')
      held = []
    }
    yield held.join('')
  }
  try {
    await pipeline(Readable.from(chunks()), stdout, { end: false })
  } catch (error) {
    // Whoever reads the output has seen enough.
    if (systemCode(error) !== 'EPIPE' && systemCode(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

async function* jsonLines(found: AsyncIterable<Failure>): AsyncGenerator<string, void, undefined> {
  for await (const failure of found) {
    // In the order of the ledger.
    const fields = COLUMNS.map((name) => [name, failure[name]] as const).filter(([, value]) => value !== undefined)
    yield `${jsonText(Object.fromEntries(fields))}\n`
  }
}

const COLUMNS = [
  ...(['key', 'version', 'size', 'etag', 'storageClass', 'lastModified'] as const),
  ...(['operation', 'status', 'code', 'message', 'requestId', 'attempts', 'time'] as const),
]

async function* csvLines(found: AsyncIterable<Failure>, terminal: boolean): AsyncGenerator<string, void, undefined> {
  yield `${COLUMNS.map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)).join(',')}\n`
  for await (const failure of found) {
    const fields = COLUMNS.map((name) => String(failure[name] ?? ''))
    yield `${fields.map((field) => quoted(terminal ? printable(field) : field)).join(',')}\n`
  }
}

function quoted(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

// A key with a line break would be read as two.
async function* keyLines(
  found: AsyncIterable<Failure>,
  terminal: boolean,
  io: Io,
): AsyncGenerator<string, void, undefined> {
  let broken = 0
  for await (const { key } of found) {
    if (terminal) yield `${printableName(key)}\n`
    else if (/[\r\n]/.test(key)) broken++
    else yield `${key}\n`
  }
  if (broken === 0) return
  const keys =
    broken === 1
      ? '1 key holds a line break and was left out'
      : `${count(broken)} keys hold line breaks and were left out`
  warnTo(io, `${keys}: --format json has all of them`)
}

// The only run below the working directory that has failed objects.
async function onlyRun(cwd: string): Promise<SavedRun> {
  const runs = (await findRuns(cwd)).filter((run): run is SavedRun => 'checkpoint' in run)
  const failed = runs.filter(({ checkpoint: { ledger, retry } }) => ledger.entries > 0 || retry !== undefined)
  const [only, ...others] = failed
  if (only === undefined) {
    throw new UserError(
      runs.length === 0 ? `there is no run below ${printable(join(cwd, RUNS))}` : 'no run here has failed objects',
      'to see those of another run, name its folder: s3move failures DIR',
    )
  }
  if (others.length === 0) return only
  const lines = failed.map(({ folder, checkpoint }) => {
    const counts = failedByCode(checkpoint.totals.failed)
    return `  ${shellWord(relative(cwd, folder))}  (${counts})`
  })
  throw new UserError(
    `${count(failed.length)} runs here have failed objects:\n${lines.join('\n')}`,
    'name one: s3move failures DIR',
  )
}
