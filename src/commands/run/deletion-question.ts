import { basename } from 'node:path'
import { UserError } from '../../errors.js'
import {
  deferredDeletesOf,
  deletionPlace,
  listOf,
  ofAllVersions,
  onlyDeletes,
  selectionOf,
  type WriteJob,
} from '../../job/kinds.js'
import { isFolder, placeUrl, type Place } from '../../job/place.js'
import { printable } from '../../keys.js'
import { listWord } from '../../report/format.js'
import type { BucketTraits } from '../../storage/storage.js'
import { ask, canAsk } from '../options/ask.js'
import { readFlag, type Flags } from '../options/flag-values.js'
import { unless, type CommandIo } from '../options/io.js'
import { amountOf } from './deletion-amount.js'
import type { EarlierCount } from './earlier-count.js'
import { deletes, type Opened } from './open-and-run.js'

/**
 * Asks, once the places have answered; throws a `UserError` unless the answer is yes. `listed` are the objects that a list names, if there is one, and
 * `earlier` those that a run has counted before.
 */
export type Question = (opened: Opened, listed: number | undefined, earlier: EarlierCount | undefined) => Promise<void>

/**
 * What is asked before a job that deletes begins; undefined for another one, for a dry run and where `--yes` says so beforehand.
 * Throws a `UserError` where there is no terminal to ask at.
 */
export function questionBefore(job: WriteJob, flags: Flags, io: CommandIo): Question | undefined {
  if (!onlyDeletes(job) && !deletes(job)) return undefined
  if (readFlag(flags, 'yes') === true || readFlag(flags, 'dry-run') === true) return undefined
  const taken = listOf(job)?.origin?.from === '-'
  if (taken || !canAsk(io)) {
    const why = taken ? 'the answer cannot be read from there too' : 'there is no terminal to ask whether that is meant'
    throw new UserError(
      `${whatOf(job)} would be deleted${afterwards(job)}, and ${why}`,
      'add --yes if it is; --dry-run says how many objects these are',
    )
  }
  return async (opened, listed, earlier) => {
    const end = endOfDeletions(job, opened)
    const [amount, traits] = await Promise.all([
      unless(io.stop, amountOf(job, opened, listed, earlier)),
      unless(io.stop, end.traits()),
    ])
    await confirm(job, [amount, consequence(job, traits)], io)
  }
}

function endOfDeletions(job: WriteJob, { ends }: Opened): Opened['ends']['source'] {
  return deferredDeletesOf(job)?.side === 'destination' ? (ends.destination ?? ends.source) : ends.source
}

/** Resolves when the name of the bucket, or of the folder, was typed, else throws a UserError. `facts` are told with the question. */
export async function confirm(job: WriteJob, facts: readonly string[], io: CommandIo): Promise<void> {
  const place = deletionPlace(job)
  const [name, called] = nameOf(place)
  const lines = [`${whatOf(job)} is to be deleted${afterwards(job)}`, ...facts.map((fact) => `  ${fact}`)]
  io.stderr.write(`${lines.join('\n')}\n`)
  if ((await ask(`Type the name of the ${called} to go on (${printable(name)}): `, io)) === name) return
  throw new UserError(
    `that is not the name of the ${called} (${printable(name)}): nothing was ${onlyDeletes(job) ? 'deleted' : 'changed'}`,
    'give the same command again',
  )
}

function nameOf(place: Place): readonly [name: string, called: 'bucket' | 'folder'] {
  // The root of all folders has no name.
  return isFolder(place) ? [basename(place.bucket) || place.bucket, 'folder'] : [place.bucket, 'bucket']
}

function whatOf(job: WriteJob): string {
  const place = deletionPlace(job)
  const list = listOf(job)
  const some = selectionOf(job) !== undefined
  if (deferredDeletesOf(job)?.side === 'destination')
    return `what only ${placeUrl(place)} has${some ? ', as far as it is selected,' : ''}`
  if (list !== undefined) return `what ${listWord(list)} names of ${placeUrl(place)}${some ? ' and is selected' : ''}`
  const which = some ? 'every selected object' : 'every object'
  if (isFolder(place)) return `${which} of ${placeUrl(place)}`
  if ('prefixAs' in job) return `${which} that is ${placeUrl(place)} or in the folder of that name`
  return place.prefix === ''
    ? `${which} of ${placeUrl({ bucket: place.bucket })}`
    : `${which} whose key begins with ${placeUrl(place)}`
}

function afterwards(job: WriteJob): string {
  if (deferredDeletesOf(job)?.side !== 'source' || !('destination' in job)) return ''
  return ` there once its copy is proven at ${placeUrl(job.destination)}`
}

// What becomes of what is deleted. Nothing is claimed that the bucket does not say.
function consequence(job: WriteJob, { versioned, suspended }: BucketTraits): string {
  if (ofAllVersions(job) && onlyDeletes(job))
    return 'all versions and delete markers go with it: nobody can bring them back'
  const moves = deferredDeletesOf(job)?.side === 'source'
  const lost = moves ? 'the copies are all that is left then' : 'nobody can bring back what is deleted'
  if (isFolder(deletionPlace(job))) return `a folder keeps no versions: ${lost}`
  if (versioned === true) {
    const named = listOf(job) === undefined || !onlyDeletes(job) ? '' : '; a version that the list names goes for good'
    return `the bucket keeps versions: each object gets a delete marker, and its versions stay${named}`
  }
  if (suspended === true)
    return 'the versioning of the bucket is suspended: what was written since goes for good, older versions stay'
  return versioned === false
    ? `the bucket keeps no versions: ${lost}`
    : `whether the bucket keeps versions is not known, as it does not tell: if it keeps none, ${lost}`
}
