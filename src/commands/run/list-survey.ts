import type { Checkpoint, ListState } from '../../checkpoint/checkpoint.js'
import { nameOfList, type KeyList, type ListFormat } from '../../job/files-from.js'
import { isScanJob, inventoryOf, kindOf, listFileOf, onlyDeletes, withList, type Job } from '../../job/kinds.js'
import { passedOverInAll, type PassedOver } from '../../job/passed-over.js'
import { printable } from '../../keys.js'
import { bytes, count, duration, listWord, objects, passedOverText } from '../../report/format.js'
import { UserError } from '../../errors.js'
import { entryNeedsOf, surveyList } from '../../sources/files-from/files-from-source.js'
import { unreadState } from '../../sources/files-from/list-identity.js'
import { surveyInventory, type InventorySurvey } from '../../sources/files-from/inventory-survey.js'
import { recognised } from '../../sources/files-from/list-format.js'
import { isTrusted } from '../../engine/actions/look-up-listed.js'
import type { DataFiles } from '../../storage/data-files.js'
import { FORMATS, flagsOfReading } from '../options/files-from-options.js'

/** What a survey of a job's list found. */
export interface Survey<J extends Job = Job> {
  /** The job, with the list as it is to be read. */
  readonly job: J
  readonly state: ListState
  /** What was passed over in it, where it was read. */
  readonly passedOver?: PassedOver
  /** How many threads it is worth, where they read it. */
  readonly threads?: number
  /** What it is and what it holds, fit to print. */
  readonly found: string
  /** What a person must know of it before anything is done, fit to print. */
  readonly warning?: string
}

/**
 * Reads the list of a job to its end, if it has one; of an inventory that only reads is done with it, no more than what its files are. `files` are those
 * of an inventory that is in a bucket. In place of a listing only an inventory will do. A `UserError` for a line that the job cannot take, or that can be read in two ways.
 */
export async function surveyOf<J extends Job>(
  job: J,
  files?: DataFiles,
  use: 'list' | 'listing' = 'list',
): Promise<Survey<J> | undefined> {
  const told = listFileOf(job)
  if (told === undefined) return undefined
  const needs = entryNeedsOf(job, files)
  const known = await recognised(told)
  refuseFlags(told, known.format)
  const inventory = known.format === 'inventory' ? await surveyInventory(known, needs) : undefined
  if (use === 'listing') checkListing(known, inventory)
  // Then its rows are read when it is sorted.
  const later = inventoryOf(job) !== undefined
  if (inventory !== undefined && later) checkColumns(known, inventory)
  if (inventory !== undefined && (later || isTrusted(withList(job, known), inventory.fields))) {
    const { format, rows } = inventory
    const held = `${format}, ${filesOf(inventory)}${rows === undefined ? '' : `, ${count(rows)} rows`}`
    return {
      job: withList(job, known),
      state: await unreadState(known),
      threads: Math.ceil(inventory.bytes / BYTES_A_THREAD),
      found: `${listWord(known)} is read as ${FORMATS.inventory}${ageOf(inventory)}: ${held}`,
      ...warningOf(withList(job, known), inventory),
    }
  }
  const { list, state, first, passedOver, urls } = await surveyList(known, needs)
  const { file: _file, origin: _origin, format = 'keys', ...reading } = list
  const unusual = urls || Object.keys(reading).length > 0
  const parts = [
    `${listWord(list)} is read as ${FORMATS[format]}${ageOf(inventory)}${inWords(list)}: ${objects(state.of ?? 0)}`,
    ...(unusual && first !== undefined ? [`the first is ${printable(first.key)}`] : []),
    ...(urls ? [`s3://${needs.bucket}/ is taken off all of them`] : []),
    ...(passedOverInAll(passedOver) === 0 ? [] : [`passed over: ${passedOverText(passedOver)}`]),
  ]
  return { job: withList(job, list), state, passedOver, found: parts.join('; '), ...warningOf(job, inventory) }
}

/** What a thread reads of an inventory in less time than it takes to start another few, in bytes. */
const BYTES_A_THREAD = 8 * 1024 * 1024

/** The part of a checkpoint that has what a survey found to be passed over. */
export function passedOverIn(survey: Survey | undefined): Pick<Checkpoint, 'passedOver'> {
  const { passedOver = {} } = survey ?? {}
  return passedOverInAll(passedOver) === 0 ? {} : { passedOver }
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

function filesOf({ files, bytes: size }: InventorySurvey): string {
  return `${count(files)} ${files === 1 ? 'file' : 'files'}, ${bytes(size)}`
}

function ageOf(inventory: InventorySurvey | undefined): string {
  const created = inventory?.created
  if (created === undefined) return ''
  return ` of ${new Date(created).toISOString().slice(0, 16).replace('T', ' ')} UTC, ${duration(Date.now() - created)} old`
}

// What S3 calls the columns in a manifest.
const COLUMNS = [
  ['size', 'Size'],
  ['lastModified', 'LastModifiedDate'],
  ['etag', 'ETag'],
  ['storageClass', 'StorageClass'],
] as const

// In its place nothing else is looked at.
function checkListing(list: KeyList & { readonly format: ListFormat }, inventory: InventorySurvey | undefined): void {
  if (inventory === undefined) {
    throw new UserError(
      `${listWord(list)} is read as ${FORMATS[list.format]}, and batch takes the manifest of an S3 Inventory`,
      'give its manifest.json, or the command without batch, which takes any list',
    )
  }
  checkColumns(list, inventory, '--files-from')
}

// What is not told of an object would be looked up, one HEAD for each: a listing is cheaper by far.
function checkColumns(list: KeyList, { fields }: InventorySurvey, flag = '--source-inventory'): void {
  const absent = COLUMNS.filter(([field]) => !fields.has(field)).map(([, name]) => name)
  if (absent.length === 0) return
  throw new UserError(
    `${nameOfList(list)} has no ${absent.length === 1 ? 'column' : 'columns'} ${absent.join(', ')}, by which objects are compared`,
    `let the configuration of the inventory write all of Size, LastModifiedDate, ETag and StorageClass, or leave ${flag} away: the source is listed then`,
  )
}

function warningOf(job: Job, inventory: InventorySurvey | undefined): Pick<Survey, 'warning'> {
  if (inventory === undefined) return {}
  const { fields } = inventory
  // Who only reads and believes nothing looks at each object anyway.
  const needed = kindOf(job).inventoried ?? (isScanJob(job) ? [] : COLUMNS.map(([field]) => field))
  const absent = COLUMNS.filter(([field]) => !fields.has(field) && needed.includes(field))
  const names = `it has no ${absent.length === 1 ? 'column' : 'columns'} ${absent.map(([, name]) => name).join(', ')}`
  const looked = 'so each object is looked up, with a HEAD'
  const parts = [
    'the inventory does not know what was written, replaced or deleted since it was begun',
    ...(inventoryOf(job) === undefined ? [] : ['what is new since is not copied']),
    ...('delete' in job ? ['what is to be deleted is looked for at the source before'] : []),
    ...(!isScanJob(job) && onlyDeletes(job) ? ['an object that was replaced since is deleted all the same'] : []),
    ...(absent.length === 0 ? [] : [`${names}, ${isTrusted(job, fields) ? 'which stays open' : looked}`]),
  ]
  return { warning: parts.join('; ') }
}
