import { StorageError, UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import type { Pace } from '../../job/pace.js'
import { printable, printableName } from '../../keys.js'
import { locateObject } from '../../storage/locate-object.js'
import { unless, type CommandIo } from '../options/io.js'
import { parsePlace } from '../options/places.js'
import { open } from './open-and-run.js'
import { warnTo } from './attended.js'

/** Bytes that are asked for at once. */
const PIECE = 8 * 1024 * 1024

/** An object that holds a list. */
export interface ListObject {
  readonly etag: string
  /** Its content, in order; all of one version of it, or a `UserError`. */
  pieces(): AsyncGenerator<Buffer, void, undefined>
  close(): void
}

/** Opens an object that holds a list, reached as the source is. What keeps it from being read is a `UserError`. */
export async function openListObject(
  url: string,
  { connection, pace, io }: { readonly connection: Connection; readonly pace: Pace; readonly io: CommandIo },
): Promise<ListObject> {
  const { place, key } = await locateObject(parsePlace(url, 'list'))
  const warn = (message: string): void => warnTo(io, printableName(message))
  const opened = await open({ source: place }, connection, {
    ...{ readOnly: true, named: true, threads: 0, io, pace, warn, note: () => undefined },
  })
  const { reading } = opened.ends.source.store
  const told = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await unless(io.stop, work)
    } catch (error) {
      throw error instanceof StorageError ? unreadable(error, url) : error
    }
  }
  try {
    const { size, etag, manifest } = await told(reading.head(key))
    const object = { key, etag, ...(manifest === undefined ? {} : { manifest }) }
    return {
      etag,
      async *pieces() {
        for (let at = 0; at < size; at += PIECE)
          yield await told(reading.read(object, at, Math.min(at + PIECE, size) - 1))
      },
      close: () => opened.close(),
    }
  } catch (error) {
    opened.close()
    throw error
  }
}

function unreadable(error: StorageError, url: string): UserError {
  const list = `the list ${printable(url)}`
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
