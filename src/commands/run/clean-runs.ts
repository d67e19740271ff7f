import { join, relative } from 'node:path'
import { findRuns, readCheckpoint, RUNS, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { lockHolder, lockRun } from '../../checkpoint/lock.js'
import { ROUNDS } from '../../checkpoint/rounds.js'
import { foreignNames, removeRun } from '../../checkpoint/remove-run.js'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import { count, jobTitle, shellWord } from '../../report/format.js'
import { timeOf } from '../../times.js'
import { ask, canAsk } from '../options/ask.js'
import { EXIT } from '../options/exit.js'
import type { CommandIo } from '../options/io.js'
import { finishedInWords } from './checkpoint-folder.js'

/** What is to be cleared away. */
export interface CleanArguments {
  /** Only runs that ended before then, ISO 8601. */
  readonly before: string | undefined
  /** Remove nothing. */
  readonly dry: boolean
  /** Do not ask. */
  readonly yes: boolean
}

/**
 * Removes the folders of finished runs below `.s3move`, but for those that hold anything that is not of a run. Answers the exit code.
 * Throws a UserError where it would have to ask and cannot, and when the answer is no.
 */
export async function cleanRuns({ before, dry, yes }: CleanArguments, io: CommandIo): Promise<number> {
  const { removable, kept } = await sorted(io.cwd, before)
  for (const line of kept) io.stderr.write(`${line}\n`)
  if (removable.length === 0) {
    const which = before === undefined ? 'no finished run' : `no run that finished before ${before}`
    io.stderr.write(`${which} is below ${printable(join(io.cwd, RUNS))}: nothing to remove\n`)
    return EXIT.done
  }
  if (!dry && !yes && !canAsk(io)) {
    throw new UserError(
      `${runs(removable.length)} would be removed, and there is no terminal to ask whether that is meant`,
      'add --yes if it is; --dry-run says which these are',
    )
  }
  for (const run of removable) io.stdout.write(`${dry ? 'would remove' : 'to remove'} ${lineOf(run, io.cwd)}\n`)
  if (dry) return EXIT.done
  if (!yes) await confirm(removable.length, io)
  let removed = 0
  for (const { folder } of removable) {
    if (io.stop.aborted) break
    if (await removeFinished(folder, io)) removed++
  }
  io.stdout.write(`removed ${runs(removed)}\n`)
  return io.stop.aborted ? EXIT.interrupted : EXIT.done
}

async function sorted(
  cwd: string,
  before: string | undefined,
): Promise<{ readonly removable: readonly SavedRun[]; readonly kept: readonly string[] }> {
  const removable: SavedRun[] = []
  const kept: string[] = []
  for (const run of await findRuns(cwd)) {
    const shown = shellWord(relative(cwd, run.folder))
    if ('problem' in run) {
      kept.push(`kept ${shown}: ${run.problem.message}`)
      continue
    }
    const { state, savedAt } = run.checkpoint
    if (state !== 'finished' || (await lockHolder(run.folder)) !== undefined) continue
    if (before !== undefined && timeOf(savedAt) >= timeOf(before)) continue
    const foreign = await foreignNames(run.folder)
    if (foreign.length === 0) removable.push(run)
    else if (foreign.length === 1 && foreign[0] === ROUNDS)
      kept.push(`kept ${shown}: its rounds are needed to go on following; remove it by hand after the cut-over`)
    else kept.push(`kept ${shown}: it holds ${printable(foreign.slice(0, 3).join(', '))}, which is not of a run`)
  }
  return { removable, kept }
}

// Between the look and the removal somebody may go on with it.
async function removeFinished(folder: string, io: CommandIo): Promise<boolean> {
  const shown = shellWord(relative(io.cwd, folder))
  try {
    const lock = await lockRun(folder)
    const { checkpoint } = await readCheckpoint(folder)
    if (checkpoint.state !== 'finished') {
      await lock.release()
      io.stderr.write(`kept ${shown}: it is unfinished by now\n`)
      return false
    }
    await removeRun(folder)
    return true
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    io.stderr.write(`kept ${shown}: ${error.message}\n`)
    return false
  }
}

function lineOf({ folder, checkpoint }: SavedRun, cwd: string): string {
  return `${shellWord(relative(cwd, folder))}  ${jobTitle(checkpoint.job)}, ${finishedInWords({ checkpoint })}`
}

async function confirm(n: number, io: CommandIo): Promise<void> {
  const answer = await ask(`Remove the record of ${runs(n)}, with the failure ledgers? (yes or no) `, io)
  if (/^y(es)?$/i.test(answer)) return
  throw new UserError('nothing was removed', 'answer yes to remove them, or give --yes')
}

function runs(n: number): string {
  return `${count(n)} ${n === 1 ? 'run' : 'runs'}`
}
