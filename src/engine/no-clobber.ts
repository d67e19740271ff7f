import { StorageError } from '../errors.js'
import type { Outcome } from '../job.js'
import { able, type CopyWish, type HeaderFields, type ObjectSummary, type Storage } from '../storage/storage.js'
import { outcomeOf, unlessGone } from './act.js'
import type { Ways } from './acts.js'
import type { Act } from './lane.js'

const EXISTS: Outcome = { kind: 'skipped', reason: 'exists' }
const IF_ABSENT = ['if-none-match', '*'] as const

/**
 * The action that `copying` gives, where it replaces nothing: every write carries `If-None-Match: *`. A store that may ignore that is asked
 * first whether there is an object of the name.
 */
export function unlessExisting(copying: (ways: Ways) => Act, prefix: string, ways: Ways): Act {
  const { destination } = ways
  const copy = copying({ ...ways, destination: onlyIfAbsent(destination) })
  return async (object) => {
    if (destination.conditional !== true) {
      try {
        if ((await unlessGone(destination.reading.head(object.key))) !== undefined) return EXISTS
      } catch (error) {
        return outcomeOf(error, prefix, object)
      }
    }
    const outcome = await copy(object)
    if (outcome?.kind !== 'failed') return outcome
    return outcome.failure.code === TAKEN ? EXISTS : outcome
  }
}

function onlyIfAbsent(store: Storage): Storage {
  const copyFrom = able(store.copyFrom, 'copy')
  const { uploading } = store
  return {
    place: store.place,
    conditional: store.conditional,
    list: (from) => store.list(from),
    reading: store.reading,
    rewriting: store.rewriting,
    writing: store.writing,
    copyFrom: (source: Storage, object: ObjectSummary, wish?: CopyWish) => {
      const { key, fields } = wish ?? { fields: asBefore(object) }
      const sent = { key, fields: [...fields, IF_ABSENT] }
      return told(store, key ?? object.key, fields, copyFrom(source, object, sent))
    },
    ...(uploading === undefined
      ? {}
      : {
          uploading: {
            ...uploading,
            complete: (key, upload, parts, fields) =>
              told(store, key, fields, uploading.complete(key, upload, parts, [...fields, IF_ABSENT])),
          },
        }),
  }
}

const TAKEN = 'DestinationExists'

// What a refusal means. With other conditions among `fields` only a look can tell which of them it was.
async function told({ reading }: Storage, key: string, fields: HeaderFields, write: Promise<string>): Promise<string> {
  try {
    return await write
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'PreconditionFailed') throw error
    const open = fields.some(([name]) => name.includes('if-'))
    if (open && (await unlessGone(reading.head(key))) === undefined) throw error
    const { severity, operation, bucket, key: full } = error
    throw new StorageError(error.message, { severity, code: TAKEN, operation, bucket, key: full })
  }
}

// What a copy sends by itself where it is not told otherwise.
function asBefore({ storageClass }: ObjectSummary): HeaderFields {
  return storageClass === 'STANDARD' ? [] : [['x-amz-storage-class', storageClass]]
}
