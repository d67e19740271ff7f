import { dirname, join, resolve } from 'node:path'
import { isScan } from '../../checkpoint/checkpoint.js'
import { hasCheckpoint, namesBelow, readCheckpoint, RUNS, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { defaultFolderName, differences } from '../../checkpoint/job-name.js'
import { mountedAt, shownFolder } from '../../checkpoint/mounts.js'
import { UserError } from '../../errors.js'
import { connectionOf, type Connection, type EndConnection } from '../../job/connection.js'
import { isScanJob, writeKindOf, type Job, type WriteJob } from '../../job/kinds.js'
import { isObjectUrl, placeUrl, type Place, type Side } from '../../job/place.js'
import { settled, sum } from '../../job/totals.js'
import { printable } from '../../keys.js'
import { count, duration, shellWord } from '../../report/format.js'
import { countsInWords } from '../../report/summary.js'
import { timeOf } from '../../times.js'
import { readText, type Flags } from '../options/flag-values.js'
import { parseObject } from '../options/places.js'
import { backendOf } from '../../storage/backends.js'
import { checkKeptInBucket } from './kept-in-bucket.js'

/**
 * Refuses to keep a run's checkpoint (in `given`, or in the folder of those that were given none), or what it writes, in a folder that is a side of its
 * job: it would be copied, moved away or deleted like any file there. Nothing is kept where `given` is undefined and `scan` is true.
 */
export async function checkOutsideSides(job: Job, given: string | undefined, cwd: string, scan = false): Promise<void> {
  const folder = given ?? (scan ? undefined : RUNS)
  if (folder !== undefined && mountedAt(folder) !== undefined) checkKeptInBucket(job, folder)
  for (const side of ['source', 'destination'] as const) {
    const place = side === 'source' ? job.source : 'destination' in job ? job.destination : undefined
    if (place === undefined) continue
    const { holds } = backendOf(place)
    if (folder !== undefined && (await holds?.(place, resolve(cwd, folder))) === true) {
      throw new UserError(
        `the checkpoint folder ${printable(shownFolder(folder))} lies in the ${side}, ${placeUrl(place)}, and would be taken for objects of it`,
        'name a folder outside of it with --checkpoint DIR; one that holds a run can be moved, and resumed there',
      )
    }
    if ('to' in job && (await wouldHold(place, job.to))) {
      throw new UserError(
        `${printable(job.to)} lies in the ${side}, ${placeUrl(place)}, and would be taken for an object of it`,
        `name ${isObjectUrl(job.to) ? 'another key or bucket' : 'a file outside of it'} with --to`,
      )
    }
  }
}

async function wouldHold(place: Place, to: string): Promise<boolean> {
  if (!isObjectUrl(to)) return (await backendOf(place).holds?.(place, dirname(to))) === true
  const { bucket, prefix: key } = parseObject(to, 'result', '--to')
  return bucket === place.bucket && key.startsWith(place.prefix)
}

/** Refuses a log file, or a report, that lies in a folder whose files are objects of the job. */
export async function checkLogOutside(job: Job, flags: Flags, cwd: string): Promise<void> {
  for (const flag of ['log-file', 'report']) {
    const file = readText(flags, flag)
    if (file === undefined) continue
    for (const place of [job.source, ...('destination' in job ? [job.destination] : [])]) {
      if ((await backendOf(place).holds?.(place, resolve(cwd, file))) !== true) continue
      throw new UserError(
        `${printable(file)} lies in ${placeUrl(place)}, and would be taken for an object of it`,
        `name a file outside of it with --${flag}`,
      )
    }
  }
}

/** An earlier run of the job that begins is not finished. */
export class UnfinishedRun extends UserError {
  constructor(readonly run: SavedRun) {
    const { folder } = run
    super(
      `an unfinished run of this job is in ${printable(shownFolder(folder))}`,
      `go on with it: s3move resume ${shellWord(shownFolder(folder))} (or begin again from the start: add --fresh)`,
    )
  }
}

/** An earlier run of the job that begins has done what would be done again. */
export class RepeatedRun extends UserError {
  constructor(
    readonly run: SavedRun,
    hint: string,
  ) {
    super(`this job ${finishedInWords(run)}`, hint)
  }
}

/** What a run that begins may do about an earlier one of its job. */
export interface Beginning {
  readonly job: Job
  /** Throw it away, whatever has become of it. */
  readonly fresh: boolean
  /** Do all of it once more, where it is finished. */
  readonly again: boolean
  /** When the list of the job was last modified, in milliseconds since 1970, if it has one. */
  readonly listModified: number | undefined
}

/** Where a run is kept, and the finished one of the same job before it, if there is any. */
export interface ChosenFolder {
  readonly folder: string
  readonly before?: SavedRun | undefined
}

/**
 * The folder of a run that was given none: below `.s3move`, each run of a job has one, of which the first is called as `defaultFolderName` says and those
 * after it `-2` and so on behind that. Throws a `UserError` when an earlier run of the job is unfinished, or has done what would be done again.
 */
export async function chooseFolder(beginning: Beginning, connection: Connection): Promise<ChosenFolder> {
  const name = defaultFolderName(beginning.job, connection)
  const numbers = (await namesBelow(RUNS)).map((found) => numberOf(found, name)).filter((n) => n !== undefined)
  let before: SavedRun | undefined
  for (const number of numbers.sort((a, b) => b - a)) {
    const folder = join(RUNS, called(name, number))
    if (!(await hasCheckpoint(folder))) {
      // It was made for a run that did not come to begin.
      if (number === numbers[0]) return { folder }
      continue
    }
    const finished = await finishedRun(folder, beginning, connection)
    if (finished === undefined) return { folder }
    before ??= finished
  }
  return { folder: join(RUNS, called(name, (numbers[0] ?? 0) + 1)), before }
}

// Undefined for an unfinished one, or one that cannot be read, that is to be thrown away.
async function finishedRun(
  folder: string,
  beginning: Beginning,
  connection: Connection,
): Promise<SavedRun | undefined> {
  if (!beginning.fresh) return await checkFolder(folder, beginning, connection)
  try {
    const run = await readCheckpoint(folder)
    return run.checkpoint.state === 'finished' ? run : undefined
  } catch (error) {
    if (error instanceof UserError) return undefined
    throw error
  }
}

function called(name: string, number: number): string {
  return number === 1 ? name : `${name}-${number}`
}

function numberOf(found: string, name: string): number | undefined {
  if (found === name) return 1
  const [, digits] = /^-([1-9]\d{0,8})$/.exec(found.startsWith(name) ? found.slice(name.length) : '') ?? []
  return digits === undefined ? undefined : Number(digits)
}

/**
 * Refuses a folder that holds another run, an unfinished one of this job, or one that has done what would be done again, unless that is wanted. Answers the
 * finished run that it holds. Where the endpoint is not `known` yet, as it comes from the environment, that of the run is taken for it.
 */
export async function checkFolder(
  folder: string,
  { job, fresh, again, listModified }: Beginning,
  connection: Connection,
  known = true,
): Promise<SavedRun | undefined> {
  if (fresh || !(await hasCheckpoint(folder))) return undefined
  const run = await readCheckpoint(folder)
  const { checkpoint } = run
  const reached = known ? connection : withEndpoints(connection, checkpoint.connection)
  const different = differences(checkpoint, { job, connection: reached })
  if (different.length > 0) {
    throw new UserError(
      `${printable(shownFolder(folder))} holds the checkpoint of another job (${different.join('; ')})`,
      'give this job a folder of its own with --checkpoint, or throw the other run away with --fresh',
    )
  }
  // Whether it is this job is certain only with the endpoint.
  if (reached !== connection && differences(checkpoint, { job, connection }).length > 0) return undefined
  if (checkpoint.state !== 'finished') throw new UnfinishedRun(run)
  if (!isScanJob(job) && !again && hasDone(run, listModified)) refuseRepeating(job, run)
  return run
}

/** Whether a finished run found anything to do; and its list, if it had one, is what it was when it began. */
function hasDone({ checkpoint }: SavedRun, listModified: number | undefined): boolean {
  const { listed, totals, startedAt } = checkpoint
  if (listed === 0 && settled(totals) === 0) return false
  return listModified === undefined || listModified <= timeOf(startedAt)
}

function refuseRepeating(job: WriteJob, run: SavedRun): void {
  const { repeats } = writeKindOf(job)
  if (repeats === undefined) return
  const { folder, checkpoint } = run
  const instead = repeats.instead?.(job)
  const failed = sum(checkpoint.totals.failed)
  const ways = [
    `add --again to ${repeats.all}${instead === undefined ? '' : `, or use ${instead}`}`,
    ...(failed === 0 ? [] : [`what failed: s3move resume --only-failed ${shellWord(shownFolder(folder))}`]),
  ]
  throw new RepeatedRun(run, ways.join('; '))
}

/** When a run finished, and with what: `finished 2 min 03 s ago (299,997 copied, 3 failed)`. */
export function finishedInWords({ checkpoint }: Pick<SavedRun, 'checkpoint'>): string {
  const { job, savedAt, totals, listed } = checkpoint
  const counts = isScan(checkpoint) ? `${count(listed)} listed` : countsInWords(totals, job)
  return `finished ${duration(Date.now() - timeOf(savedAt))} ago (${counts})`
}

// A connection whose endpoints, where it has none, are those of a run.
function withEndpoints(asked: Connection, saved: Connection): Connection {
  const end = (side: Side): EndConnection => {
    const endpointUrl = connectionOf(asked, side).endpointUrl ?? connectionOf(saved, side).endpointUrl
    return endpointUrl === undefined ? {} : { endpointUrl }
  }
  return { source: end('source'), destination: end('destination') }
}
