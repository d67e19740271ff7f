import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import type { Pace } from '../../job/pace.js'
import type { Place } from '../../job/place.js'
import { printable, printableName } from '../../keys.js'
import { tellingReader } from '../../sources/files-from/stored-files.js'
import { locateObject } from '../../storage/locate-object.js'
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
  const { told, head } = tellingReader(store, called, (work) => unless(options.io.stop, work))
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
