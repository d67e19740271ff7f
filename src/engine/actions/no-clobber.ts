import { StorageError } from '../../errors.js'
import type { CopyJob } from '../../job/copy.js'
import type { Outcome } from '../../job/outcome.js'
import { isFolder } from '../../job/place.js'
import { renamer } from '../../rules/rename.js'
import { around } from '../../storage/around.js'
import { able, type HeaderFields, type ObjectSummary, type Storage } from '../../storage/storage.js'
import { annotationsFailed, NOT_ANNOTATED } from './annotations.js'
import { exists, failed, outcomeOf, TAKEN } from './outcome.js'
import type { ActionContext, Requests } from './context.js'
import { asOne } from './as-one.js'
import { copyAction } from './copy-object.js'
import { LIMITS, type Limits } from './multipart.js'
import type { Action } from '../lanes/lane.js'
import type { NameLocks } from './name-locks.js'

const EXISTS: Outcome = { kind: 'skipped', reason: 'exists' }
/** What is put in its place only if it is: a condition that every write carries, and how a store that may ignore it is looked at. */
export interface Guard {
  readonly condition: readonly [name: string, value: string]
  /** Whether what is at the name must not be replaced. */
  readonly isTaken: (store: Storage, name: string) => Promise<boolean>
}

export const IF_ABSENT: Guard = { condition: ['if-none-match', '*'], isTaken: exists }

/** What may mean as well that somebody was faster, after the condition was checked. */
const UNCLEAR: ReadonlySet<string> = new Set(['ConditionalRequestConflict', 'NoSuchUpload'])

/**
 * The action of a copy that replaces nothing: every write carries `If-None-Match: *`. A store that may ignore that is asked whether there is an
 * object of the name right before each write, also before one that is sent again. Where the names are new ones, two objects may get the same:
 * nobody else has a turn at the name meanwhile. Any store is asked before something large is copied in vain.
 */
export function withNoClobber(job: CopyJob, ways: ActionContext, limits: Limits = LIMITS): Action {
  const { destination } = ways
  const copy = copyAction(
    job,
    { ...ways, destination: guarded(destination, IF_ABSENT, turnsNeeded(job, ways)) },
    limits,
  )
  const look = lookingForTaken(job, destination)
  const nameOf = renamer(job.map)
  const before = ways.uploads?.before
  return async (object) => {
    if (ways.settings.streamed || object.size > limits.copy) {
      const seen = await look(object)
      if (seen === EXISTS && annotationsFailed(object)) return unannotated(job, object)
      if (seen === EXISTS && before !== undefined) {
        // Nobody goes on with it. That it may stay is a matter of money alone.
        await destination.uploading?.abort(nameOf(object.key), before.id).catch(() => undefined)
      }
      if (seen !== 'absent') return seen
    }
    const outcome = await copy(object)
    if (outcome?.kind !== 'failed') return outcome
    const { code } = outcome.failure
    // Any other condition that failed is looked into again.
    if (code === TAKEN) return EXISTS
    if (!UNCLEAR.has(code)) return outcome
    const seen = await look(object)
    return seen === 'absent' ? outcome : seen
  }
}

// Passed over, it would be lost that its copy is without them. Whether what is there is that copy, nobody knows by now.
function unannotated({ source }: CopyJob, object: ObjectSummary): Outcome {
  const message =
    'there is an object of its name, which may be its copy without its annotations: a copy without --no-clobber makes it anew'
  return failed(source.prefix, object, { code: NOT_ANNOTATED, message, operation: 'PutObjectAnnotation', attempts: 1 })
}

/** What becomes of an object for which the destination is looked at: it is passed over, or nothing is in its way. */
export function lookingForTaken(
  { source, map }: CopyJob,
  destination: Storage,
): (object: ObjectSummary) => Promise<Outcome | undefined | 'absent'> {
  const nameOf = renamer(map)
  return async (object) => {
    try {
      return (await exists(destination, nameOf(object.key))) ? EXISTS : 'absent'
    } catch (error) {
      return outcomeOf(error, source.prefix, object)
    }
  }
}

/** What looks at names that are not taken send for one object which is written, beside the look of a rehearsal. */
export function requestsOfGuard(
  job: CopyJob,
  { size }: ObjectSummary,
  { destination, settings }: ActionContext,
): Requests {
  if (isFolder(job.destination)) return {}
  const first = job.noClobber === true && (settings.streamed || size > LIMITS.copy) ? 1 : 0
  const looks = first + (destination.conditional === true ? 0 : 1)
  // A HEAD that finds nothing is asked again by GET, which says why.
  return looks === 0 ? {} : { HeadObject: looks - (job.noClobber === true ? 1 : 0), GetObject: looks }
}

/** The turns that writes to new names take; without new names each object has its own. */
export function turnsNeeded({ map }: CopyJob, { destination, turns }: ActionContext): NameLocks | undefined {
  if (map === undefined || destination.conditional === true) return undefined
  if (turns === undefined) throw new Error('objects of one new name would not take turns')
  return turns
}

/** The same store, with a condition on each of its writes, and a look right before it where that may be ignored; refused with the code `TAKEN`. */
export function guarded(store: Storage, guard: Guard, turns: NameLocks | undefined): Storage {
  const { condition, isTaken } = guard
  const { copyFrom, uploading, writing, tries } = store
  const place = (operation: string, name: string, write: (once: Storage) => Promise<string>): Promise<string> => {
    if (store.conditional === true) return write(store)
    const look = (): Promise<string> =>
      asOne(store, async (once) => {
        if (await isTaken(once, name)) throw takenAlready(store, operation, name)
        return await write(once)
      })
    return turns === undefined ? look() : turns.at(store.place, name, look)
  }
  return {
    ...around(store),
    ...(tries === undefined ? {} : { tries: { ...tries, once: guarded(tries.once, guard, turns) } }),
    ...(copyFrom === undefined
      ? {}
      : {
          copyFrom: (source, object, wish) => {
            const { fields, ...given } = wish ?? { fields: asBefore(object) }
            const sent = { ...given, fields: [...fields, condition] }
            const look = given.etag === undefined ? undefined : () => isTaken(store, given.key ?? object.key)
            const name = given.key ?? object.key
            const write = (once: Storage): Promise<string> => able(once.copyFrom, 'copy')(source, object, sent)
            return told(place('CopyObject', name, write), look)
          },
        }),
    ...(writing === undefined
      ? {}
      : {
          writing: {
            write: (key, content, fields, lastModified) => {
              const sent = [...fields, condition]
              return told(
                place('PutObject', key, (once) =>
                  able(once.writing, 'be written to').write(key, content, sent, lastModified),
                ),
              )
            },
          },
        }),
    ...(uploading === undefined
      ? {}
      : {
          uploading: {
            ...uploading,
            complete: (key, upload, parts, fields) => {
              const sent = [...fields, condition]
              return told(
                place('CompleteMultipartUpload', key, (once) =>
                  able(once.uploading, 'make objects of parts').complete(key, upload, parts, sent),
                ),
              )
            },
          },
        }),
  }
}

function takenAlready({ place: { bucket, prefix } }: Storage, operation: string, name: string): StorageError {
  return new StorageError('there is an object of its name', {
    ...{ severity: 'fail-object', code: TAKEN, operation, bucket, key: prefix + name },
  })
}

// What a refusal means. Where there is a condition on the source as well, only a look can tell which of them failed.
async function told(write: Promise<string>, look?: () => Promise<boolean>): Promise<string> {
  try {
    return await write
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'PreconditionFailed') throw error
    if (look !== undefined && !(await look())) throw error
    throw error.with({ code: TAKEN })
  }
}

// What a copy sends by itself where it is not told otherwise.
function asBefore({ storageClass }: ObjectSummary): HeaderFields {
  return storageClass === 'STANDARD' ? [] : [['x-amz-storage-class', storageClass]]
}
