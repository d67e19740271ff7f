import { randomUUID } from 'node:crypto'
import { StorageError } from '../../errors.js'
import type { MoveJob } from '../../job/move.js'
import type { Outcome } from '../../job/outcome.js'
import { renamer } from '../../rules/rename.js'
import type { Storage } from '../../storage/storage.js'
import type { WorkItem } from '../../sources/work-source.js'
import { failed, outcomeOf, TAKEN, unlessGone } from './outcome.js'
import type { ActionContext } from './context.js'
import type { Action } from '../lanes/lane.js'

const MOVED: Outcome = { kind: 'copied' }

/**
 * How a move within one directory bucket gives an object its new name, without a copy; undefined where it cannot, as with anything that the object is to
 * have otherwise. S3 renames nothing that ends in a slash.
 */
export function renamingWithin(
  job: MoveJob,
  { source, destination, settings }: Pick<ActionContext, 'source' | 'destination' | 'settings'>,
): ((object: Pick<WorkItem, 'key'>) => boolean) | undefined {
  const within = source.place.bucket === destination.place.bucket && destination.renaming !== undefined
  if (!within || settings.streamed || Object.keys(job.attributes ?? {}).length > 0) return undefined
  const nameOf = renamer(job.map)
  return ({ key }) => !`/${key}`.endsWith('/') && !`/${nameOf(key)}`.endsWith('/')
}

/**
 * The action of such a move on one object, whose ETag is known. Whatever answer is lost, and whenever the program is killed: an object that is gone from its
 * old name, and is what has the new one, was renamed.
 */
export function renameAction(job: MoveJob, { source, destination }: ActionContext): Action {
  const { prefix } = job.source
  const nameOf = renamer(job.map)
  const { renaming } = destination
  if (renaming === undefined) throw new Error('the store cannot rename')
  const from = source.place.prefix
  return async (object: WorkItem) => {
    const key = nameOf(object.key)
    try {
      await renaming.rename({
        ...{ from: from + object.key, key, etag: object.etag },
        // With --map two objects may get one name.
        ...{ replaces: job.map === undefined, token: randomUUID() },
      })
      return MOVED
    } catch (error) {
      try {
        return await whatBecame(error, object, key)
      } catch (cause) {
        return outcomeOf(cause, prefix, object)
      }
    }
  }

  async function whatBecame(error: unknown, object: WorkItem, key: string): Promise<Outcome | undefined> {
    const isMissing = error instanceof StorageError && error.severity === 'skip'
    if (!isMissing && !(error instanceof StorageError && error.code === 'PreconditionFailed')) throw error
    const now = await headOf(source, object.key)
    const there = await headOf(destination, key)
    if (now === undefined) {
      // Nothing but a rename keeps an ETag.
      return there?.etag === object.etag ? MOVED : { kind: 'skipped', reason: 'gone' }
    }
    if (isMissing || now.etag !== object.etag || there === undefined) throw error
    const message =
      'with --map nothing is replaced, and the destination has another object of the new name; move or delete that, or move this one with another --map'
    return failed(prefix, object, { code: TAKEN, message, operation: 'RenameObject', attempts: 1 })
  }
}

async function headOf({ reading }: Storage, key: string): Promise<{ readonly etag: string } | undefined> {
  return await unlessGone(reading.head(key))
}
