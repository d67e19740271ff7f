import { StorageError, UserError } from '../../errors.js'
import { exactUrl } from '../../job/place.js'
import { printable } from '../../keys.js'
import type { DataFile, DataFiles } from '../../storage/data-files.js'
import type { ObjectHead, Storage } from '../../storage/storage.js'

/** Asks a store for objects that hold lists: what it fails of is a `UserError` about the one at a URL. */
export interface TellingReader {
  readonly told: <T>(work: Promise<T>, url: string) => Promise<T>
  /** What HEAD tells of an object; undefined when it is not there. */
  readonly head: (key: string) => Promise<ObjectHead | undefined>
}

/** What asks `store` for what is `called` so; `unlessEnded` is put around each request. */
export function tellingReader(
  { reading }: Pick<Storage, 'reading'>,
  called = 'list',
  unlessEnded: <T>(work: Promise<T>) => Promise<T> = (work) => work,
): TellingReader {
  return {
    async told(work, url) {
      try {
        return await unlessEnded(work)
      } catch (error) {
        throw error instanceof StorageError ? unreadable(error, `the ${called} ${printable(url)}`) : error
      }
    },
    async head(key) {
      try {
        return await reading.head(key)
      } catch (error) {
        if (error instanceof StorageError && error.severity === 'skip') return undefined
        throw error
      }
    },
  }
}

/** Objects of a store as files, by their keys from the beginning of the bucket on; there are none outside of its place. */
export function storedFiles(
  store: Pick<Storage, 'place' | 'reading'>,
  telling: TellingReader = tellingReader(store),
): DataFiles {
  const { prefix } = store.place
  return {
    async open(keys) {
      for (const key of keys) {
        if (!key.startsWith(prefix)) continue
        const file = await fileOf(store, key.slice(prefix.length), telling)
        if (file !== undefined) return file
      }
      return undefined
    },
  }
}

async function fileOf(
  { place, reading }: Pick<Storage, 'place' | 'reading'>,
  key: string,
  { told, head }: TellingReader,
): Promise<DataFile | undefined> {
  const url = exactUrl({ ...place, prefix: `${place.prefix}${key}` })
  const found = await told(head(key), url)
  if (found === undefined) return undefined
  const { size, etag, plainEtag, manifest } = found
  const object = { key, etag, ...(manifest === undefined ? {} : { manifest }) }
  return {
    ...{ name: printable(url), size, identity: etag },
    ...(plainEtag && manifest === undefined && /^[0-9a-f]{32}$/.test(etag) ? { md5: etag } : {}),
    read: async (start, end) =>
      end <= start ? Buffer.alloc(0) : await told(reading.read(object, start, end - 1), url),
    close: () => Promise.resolve(),
  }
}

function unreadable(error: StorageError, list: string): UserError {
  if (error.severity === 'skip') return new UserError(`${list} is not there`, 'keys are told apart by each character')
  if (error.code === 'PreconditionFailed') {
    return new UserError(`${list} was replaced while it was read`, 'give the same command again')
  }
  const status = error.status === undefined ? '' : `, HTTP ${error.status}`
  return new UserError(
    `${list} cannot be read: ${error.operation} failed: ${printable(error.message)} (${printable(error.code)}${status})`,
    error.hint,
  )
}
