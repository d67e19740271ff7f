import { resolve } from 'node:path'
import type { Argv } from 'yargs'
import type { ListState } from '../checkpoint/checkpoint.js'
import { UserError } from '../errors.js'
import { count, objects, shellWord } from '../format.js'
import { listOf, type KeyList, type WriteJob } from '../job.js'
import { formatOf } from '../work/list-file.js'
import { surveyList, wantedOf } from '../work/list-work.js'
import { readChoice, readText, type Flags } from './options.js'

/** Flags of a file that names the objects. */
export function listFlags<T>(argv: Argv<T>): Argv<T> {
  const one = { type: 'string', nargs: 1, requiresArg: true } as const
  return argv
    .option('files-from', {
      ...one,
      describe: 'file that names the objects, in place of a listing; whole keys; gz too',
    })
    .option('files-format', {
      ...one,
      describe: 'keys (one a line), ndjson, csv, or inventory (its manifest.json) [default: by the name or first line]',
    })
    .group(['files-from', 'files-format'], 'Objects that a file names:')
}

/** The list that the flags name, as a part of a job. A `UserError` when it cannot be read. */
export async function readKeyListOf(flags: Flags, cwd: string): Promise<{ readonly list?: KeyList }> {
  const given = readText(flags, 'files-from')
  const format = readChoice(flags, 'files-format', ['keys', 'ndjson', 'csv', 'inventory'])
  if (given === undefined) {
    if (format === undefined) return {}
    throw new UserError('--files-format is about --files-from, which was not given', 'add it, or leave it away')
  }
  if (readText(flags, 'threads') !== undefined) {
    throw new UserError(
      '--threads does not go with --files-from: a list is worked on in its order, by one thread',
      'leave it away; --concurrency is what counts, or cut the list into several, each with a run of its own',
    )
  }
  const file = resolve(cwd, given)
  return { list: { file, format: format ?? (await formatOf(file)) } }
}

/** Reads the list of a job to its end, if it has one, and says what it holds. A `UserError` for a line that the job cannot take. */
export async function surveyOf(
  job: WriteJob,
): Promise<{ readonly state: ListState; readonly found: string } | undefined> {
  const list = listOf(job)
  if (list === undefined) return undefined
  const { state, passedOver } = await surveyList(list, wantedOf(job))
  const over =
    passedOver === 0
      ? ''
      : `; passed over: ${count(passedOver)} ${passedOver === 1 ? 'line' : 'lines'} of delete markers or versions that are not current`
  return { state, found: `${shellWord(list.file)} is read as ${FORMATS[list.format]}: ${objects(state.of)}${over}` }
}

const FORMATS: Readonly<Record<KeyList['format'], string>> = {
  keys: 'one key a line',
  ndjson: 'one JSON object a line',
  csv: 'CSV',
  inventory: 'the manifest of an S3 Inventory',
}
