import { StorageError } from '../errors.js'
import type { CopyJob, Outcome } from '../job.js'
import { renamer } from '../rules/rename.js'
import type { HeaderFields, ObjectSummary, Storage } from '../storage/storage.js'
import { exists, outcomeOf, TAKEN } from './act.js'
import type { Ways } from './acts.js'
import { copying } from './copy.js'
import { LIMITS, type Limits } from './in-parts.js'
import type { Act } from './lane.js'
import type { Turns } from './turns.js'

const EXISTS: Outcome = { kind: 'skipped', reason: 'exists' }
const IF_ABSENT = ['if-none-match', '*'] as const

/** What may mean as well that somebody was faster, after the condition was checked. */
const UNCLEAR: ReadonlySet<string> = new Set(['ConditionalRequestConflict', 'NoSuchUpload'])

/**
 * The action of a copy that replaces nothing: every write carries `If-None-Match: *`. A store that may ignore that is asked first whether
 * there is an object of the name, and so is any store before something large is copied in vain. Where the names are new ones, two objects may
 * get the same: such a store is then asked again right before each write, while nobody else has a turn at the name.
 */
export function unlessExisting(job: CopyJob, ways: Ways, limits: Limits = LIMITS): Act {
  const { destination } = ways
  const turns = turnsNeeded(job, ways)
  const copy = copying(job, { ...ways, destination: onlyIfAbsent(destination, turns) }, limits)
  const look = looking(job, destination)
  const nameOf = renamer(job.map)
  const before = ways.uploads?.before
  return async (object) => {
    const looksLater = destination.conditional === true || turns !== undefined
    if (!looksLater || ways.through || object.size > limits.copy) {
      const seen = await look(object)
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

/** What becomes of an object for which the destination is looked at: it is passed over, or nothing is in its way. */
export function looking(
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

// Without new names each object has its own.
function turnsNeeded({ map }: CopyJob, { destination, turns }: Ways): Turns | undefined {
  if (map === undefined || destination.conditional === true) return undefined
  if (turns === undefined) throw new Error('objects of one new name would not take turns')
  return turns
}

// The same store, with the condition on each of its writes.
function onlyIfAbsent(store: Storage, turns: Turns | undefined): Storage {
  const { copyFrom, uploading, writing } = store
  const place = (operation: string, name: string, write: () => Promise<string>): Promise<string> =>
    turns === undefined
      ? write()
      : turns.at(store.place, name, async () => {
          if (await exists(store, name)) throw takenAlready(store, operation, name)
          return await write()
        })
  return {
    ...{ place: store.place, conditional: store.conditional, reading: store.reading, rewriting: store.rewriting },
    list: (from) => store.list(from),
    ...(copyFrom === undefined
      ? {}
      : {
          copyFrom: (source, object, wish) => {
            const { fields, ...given } = wish ?? { fields: asBefore(object) }
            const sent = { ...given, fields: [...fields, IF_ABSENT] }
            const look = given.etag === undefined ? undefined : () => exists(store, given.key ?? object.key)
            const name = given.key ?? object.key
            return told(
              place('CopyObject', name, () => copyFrom(source, object, sent)),
              look,
            )
          },
        }),
    ...(writing === undefined
      ? {}
      : {
          writing: {
            write: (key, content, fields, lastModified) =>
              told(place('PutObject', key, () => writing.write(key, content, [...fields, IF_ABSENT], lastModified))),
          },
        }),
    ...(uploading === undefined
      ? {}
      : {
          uploading: {
            ...uploading,
            complete: (key, upload, parts, fields) =>
              told(
                place('CompleteMultipartUpload', key, () =>
                  uploading.complete(key, upload, parts, [...fields, IF_ABSENT]),
                ),
              ),
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
    const { severity, operation, bucket, key: full, status, requestId, attempts, message } = error
    const taken = new StorageError(message, { severity, code: TAKEN, operation, bucket, key: full, status, requestId })
    taken.attempts = attempts
    throw taken
  }
}

// What a copy sends by itself where it is not told otherwise.
function asBefore({ storageClass }: ObjectSummary): HeaderFields {
  return storageClass === 'STANDARD' ? [] : [['x-amz-storage-class', storageClass]]
}
