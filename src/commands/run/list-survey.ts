import type { ListState } from '../../checkpoint/checkpoint.js'
import type { KeyList, ListFormat } from '../../job/files-from.js'
import { listOf, withList, type Job } from '../../job/kinds.js'
import { printable } from '../../keys.js'
import { count, listWord, objects } from '../../report/format.js'
import { UserError } from '../../errors.js'
import { entryNeedsOf, surveyList } from '../../sources/files-from/files-from-source.js'
import { recognised } from '../../sources/files-from/list-format.js'
import { FORMATS, flagsOfReading } from '../options/files-from-options.js'

/** What a survey of a job's list found. */
export interface Survey<J extends Job = Job> {
  /** The job, with the list as it is to be read. */
  readonly job: J
  readonly state: ListState
  /** What it is and what it holds, fit to print. */
  readonly found: string
}

/** Reads the list of a job to its end, if it has one. A `UserError` for a line that the job cannot take, or that can be read in two ways. */
export async function surveyOf<J extends Job>(job: J): Promise<Survey<J> | undefined> {
  const told = listOf(job)
  if (told === undefined) return undefined
  const bucket = entryNeedsOf(job)
  const known = await recognised(told)
  refuseFlags(told, known.format)
  const { list, state, first, passedOver, urls } = await surveyList(known, bucket)
  const { file: _file, origin: _origin, format = 'keys', ...reading } = list
  const unusual = urls || Object.keys(reading).length > 0
  const parts = [
    `${listWord(list)} is read as ${FORMATS[format]}${inWords(list)}: ${objects(state.of)}`,
    ...(unusual && first !== undefined ? [`the first is ${printable(first.key)}`] : []),
    ...(urls ? [`s3://${bucket.bucket}/ is taken off all of them`] : []),
    ...(passedOver === 0
      ? []
      : [
          `passed over: ${count(passedOver)} ${passedOver === 1 ? 'line' : 'lines'} of delete markers or versions that are not current`,
        ]),
  ]
  return { job: withList(job, list), state, found: parts.join('; ') }
}

// How columns are read says nothing where there are none.
function refuseFlags(told: KeyList, format: ListFormat): void {
  if (format === 'csv') return
  const [flag] = flagsOfReading(told).filter((name) => format !== 'keys' || name !== '--csv-escape')
  if (flag === undefined) return
  throw new UserError(
    `${flag} is about CSV, and ${listWord(told)} is read as ${FORMATS[format]}`,
    'leave it away, or say --files-format csv',
  )
}

function inWords({ delimiter, escape, rawQuotes, column }: KeyList): string {
  const parts = [
    ...(delimiter === undefined ? [] : [`separated by ${delimiter === '\t' ? 'tabs' : delimiter}`]),
    ...(escape === 'backslash' ? [`with backslash escapes${rawQuotes === true ? ' and without quotes' : ''}`] : []),
    ...(column === undefined ? [] : [`with its keys in column ${printable(String(column))}`]),
  ]
  return parts.length === 0 ? '' : ` ${parts.join(', ')}`
}
