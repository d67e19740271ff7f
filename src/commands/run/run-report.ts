import { resolve } from 'node:path'
import { findRuns, readCheckpoint, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { UserError } from '../../errors.js'
import { shellWord } from '../../report/format.js'
import { EXIT } from '../options/exit.js'
import type { CommandIo } from '../options/io.js'
import { shownPath } from './look-at-runs.js'
import { checkOutput, writeResult } from './output-file.js'
import { reportFormatOf, type ReportFormat } from './report-file.js'
import { reportOf } from './report-text.js'

/** What `s3move report` was asked. */
export interface ReportRequest {
  readonly dir: string | undefined
  readonly format: ReportFormat | undefined
  readonly to: string | undefined
}

/** Tells all of a run. Answers the exit code. Throws a UserError when there is no such run, or its ledger cannot be read. */
export async function reportRun(
  { dir, format, to }: ReportRequest,
  io: Pick<CommandIo, 'stdout' | 'cwd'>,
): Promise<number> {
  const file = to === undefined ? undefined : resolve(io.cwd, to)
  if (file !== undefined) await checkOutput(file)
  const run = dir === undefined ? await onlyRun(io.cwd) : await readCheckpoint(resolve(io.cwd, dir))
  const text = await reportOf(run, format ?? (to === undefined ? undefined : reportFormatOf(to)) ?? 'markdown', io.cwd)
  if (file === undefined) io.stdout.write(text)
  else await writeResult(file, text)
  return EXIT.done
}

async function onlyRun(cwd: string): Promise<SavedRun> {
  const runs = (await findRuns(cwd)).flatMap((run) => ('checkpoint' in run ? [run] : []))
  const [only] = runs
  if (only === undefined) throw new UserError('there is no run here', 'name the folder of one: s3move report DIR')
  if (runs.length === 1) return only
  const lines = runs.map(({ folder }) => `  ${shellWord(shownPath(cwd, folder))}`)
  throw new UserError(`there are ${runs.length} runs here:\n${lines.join('\n')}`, 'name one: s3move report DIR')
}
