import { join, relative, resolve } from 'node:path'
import type { Checkpoint } from '../../checkpoint/checkpoint.js'
import { findRuns, readCheckpoint, RUNS, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { LEDGER } from '../../checkpoint/ledger-file.js'
import { lockHolder } from '../../checkpoint/lock.js'
import { mountedAt, shownFolder, shownLedger } from '../../checkpoint/mounts.js'
import { readRounds } from '../../checkpoint/rounds.js'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import { runStatus, type Found, type RunStatus } from '../../report/run-status.js'

/** The runs that are asked about, as they are told of. Throws a UserError when there is none, or the only one cannot be read. */
export async function lookAt(
  dir: string | undefined,
  cwd: string,
  renew: (checkpoint: Checkpoint) => Promise<Checkpoint> = (checkpoint) => Promise.resolve(checkpoint),
): Promise<readonly Found[]> {
  const runs = dir === undefined ? await findRuns(cwd) : [await readCheckpoint(resolve(cwd, dir))]
  const [only] = runs
  if (only === undefined) {
    throw new UserError(
      `there is no run below ${printable(join(cwd, RUNS))}`,
      'Name the folder of the run, the one that was given to --checkpoint: s3move status DIR',
    )
  }
  if (runs.length === 1 && 'problem' in only) throw only.problem
  const found = await Promise.all(
    runs.map(async (run): Promise<Found> => {
      if ('problem' in run) return { folder: shownPath(cwd, run.folder), problem: run.problem.message }
      return await statusOf({ ...run, checkpoint: await renew(run.checkpoint) }, cwd)
    }),
  )
  return found.toSorted((a, b) => rank(a) - rank(b))
}

function rank(run: Found): number {
  if ('problem' in run) return 3
  return run.heldBy !== null ? 0 : run.state === 'unfinished' ? 1 : 2
}

/** A run as it is told of. */
export async function statusOf({ folder, checkpoint }: SavedRun, cwd: string): Promise<RunStatus> {
  const [holder, rounds] = await Promise.all([lockHolder(folder), readRounds(folder)])
  const status = runStatus({ folder: shownPath(cwd, folder), checkpoint }, holder, rounds)
  return mountedAt(folder) === undefined ? status : { ...status, failures: shownLedger(join(folder, LEDGER)) }
}

/** A folder as it is told of: relative to the working directory when it lies in it, and by the URL of the bucket that it stands for. */
export function shownPath(cwd: string, folder: string): string {
  if (mountedAt(folder) !== undefined) return shownFolder(folder)
  const path = relative(cwd, folder)
  if (path === '') return '.'
  return path === '..' || path.startsWith('../') ? folder : path
}
