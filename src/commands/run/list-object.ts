import { StorageError, UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import type { Pace } from '../../job/pace.js'
import type { Place } from '../../job/place.js'
import { printable, printableName } from '../../keys.js'
import { locateObject } from '../../storage/locate-object.js'
import type { ObjectHead, Storage } from '../../storage/storage.js'
import { unless, type CommandIo } from '../options/io.js'
import { parsePlace } from '../options/places.js'
import { warnTo } from './attended.js'
import { open, type Opened } from './open-and-run.js'

/** Bytes that are asked for at once. */
const PIECE = 8 * 1024 * 1024

/** An object that holds a list. */
export interface ListObject {
  readonly etag: string
  /** Its content, in order; all of one version of it, or a `UserError`. */
  pieces(): AsyncGenerator<Buffer, void, undefined>
  close(): void
}

/** How the place of a list is reached: as the source is. */
export interface ListPlaceOptions {
  readonly connection: Connection
  readonly pace: Pace
  readonly io: CommandIo
}

/** Opens an object that holds a list, or what messages call it. What keeps it from being read is a `UserError`. */
export async function openListObject(url: string, options: ListPlaceOptions, called = 'list'): Promise<ListObject> {
  const { place, key } = await locateObject(parsePlace(url, called))
  const opened = await openListPlace(place, options)
  const { store } = opened.ends.source
  const { told, head } = tellingReader(store, options.io, called)
  try {
    const found = await told(head(key), url)
    if (found === undefined) {
      throw new UserError(`the ${called} ${printable(url)} is not there`, 'keys are told apart by each character')
    }
    const { size, etag, manifest } = found
    const object = { key, etag, ...(manifest === undefined ? {} : { manifest }) }
    return {
      etag,
      async *pieces() {
        for (let at = 0; at < size; at += PIECE)
          yield await told(store.reading.read(object, at, Math.min(at + PIECE, size) - 1), url)
      },
      close: () => opened.close(),
    }
  } catch (error) {
    opened.close()
    throw error
  }
}

/** Opens a place in which lists are. */
export async function openListPlace(place: Place, { connection, pace, io }: ListPlaceOptions): Promise<Opened> {
  const warn = (message: string): void => warnTo(io, printableName(message))
  return await open({ source: place }, connection, {
    ...{ readOnly: true, named: true, threads: 0, io, pace, warn, note: () => undefined },
  })
}

/** Asks a store for objects that hold lists: what it fails of is a `UserError` about the one at a URL, and a stop ends it. */
export function tellingReader(
  { reading }: Pick<Storage, 'reading'>,
  io: Pick<CommandIo, 'stop'>,
  called = 'list',
): {
  readonly told: <T>(work: Promise<T>, url: string) => Promise<T>
  /** What HEAD tells of an object; undefined when it is not there. */
  readonly head: (key: string) => Promise<ObjectHead | undefined>
} {
  return {
    async told(work, url) {
      try {
        return await unless(io.stop, work)
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
