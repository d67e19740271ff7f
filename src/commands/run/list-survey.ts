import type { ListState } from '../../checkpoint/checkpoint.js'
import type { KeyList } from '../../job/files-from.js'
import { listOf, withList, type Job } from '../../job/kinds.js'
import { printable } from '../../keys.js'
import { count, objects, shellWord } from '../../report/format.js'
import { entryNeedsOf, surveyList } from '../../sources/files-from/files-from-source.js'
import { FORMATS } from '../options/files-from-options.js'

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
  const { list, state, first, passedOver, urls } = await surveyList(told, bucket)
  const { file, format, ...reading } = list
  const unusual = urls || Object.keys(reading).length > 0
  const parts = [
    `${shellWord(file)} is read as ${FORMATS[format]}${inWords(list)}: ${objects(state.of)}`,
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

function inWords({ delimiter, escape, rawQuotes, column }: KeyList): string {
  const parts = [
    ...(delimiter === undefined ? [] : [`separated by ${delimiter === '\t' ? 'tabs' : delimiter}`]),
    ...(escape === 'backslash' ? [`with backslash escapes${rawQuotes === true ? ' and without quotes' : ''}`] : []),
    ...(column === undefined ? [] : [`with its keys in column ${printable(String(column))}`]),
  ]
  return parts.length === 0 ? '' : ` ${parts.join(', ')}`
}
