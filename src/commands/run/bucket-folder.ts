import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { BucketRun } from '../../checkpoint/bucket-run.js'
import { mount } from '../../checkpoint/mounts.js'
import { UserError } from '../../errors.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import { isFolder, isObjectUrl, type Place } from '../../job/place.js'
import { printable, printableName } from '../../keys.js'
import { able } from '../../storage/storage.js'
import { readText, type Flags } from '../options/flag-values.js'
import { unless, type CommandIo } from '../options/io.js'
import { DEFAULT_PACE } from '../options/pace-options.js'
import { parseBucket } from '../options/places.js'
import { attended, sayTo, warnTo } from './attended.js'
import { refuseDirectory } from './directory-buckets.js'
import { open } from './open-and-run.js'
import { runObjects } from './run-objects.js'

/** How long a request is tried again, in milliseconds: whoever saves tries it anew later. */
const PATIENCE = 10_000

/** The folder of a run, and how it was opened. */
interface RunHome {
  /** A folder of this machine, which stands for the bucket where the run is kept in one. */
  readonly folder: string
  /** Absent where it is a folder anyway. */
  readonly bucket?: BucketRun
  /** The folder stands for nothing any more, and is removed. May be called again. */
  close(): Promise<void>
}

/**
 * Where a run is that somebody has named: its folder, or the place `s3://bucket/prefix`, of which a folder for temporary files has a copy for as long as it is open. What keeps
 * the bucket from being read is a `UserError`.
 */
export async function openRunHome(given: string, reach: () => Connection, io: CommandIo): Promise<RunHome> {
  if (!isObjectUrl(given)) return { folder: given, close: () => Promise.resolve() }
  const place = runPlace(given)
  refuseDirectory(place, 'a run is not kept in one, as its pieces are listed in the order of their names')
  const warn = (message: string): void => warnTo(io, printableName(message))
  const opened = await open({ source: place }, reach(), {
    ...{ readOnly: true, named: true, threads: 0, io, pace: DEFAULT_PACE, warn, note: () => undefined },
  })
  const beside = able(opened.ends.source.beside, 'keep a run')(place.prefix, { retryFor: PATIENCE, giveUp: io.abandon })
  const folder = await mkdtemp(join(tmpdir(), 's3move-run-'))
  let unmount = (): void => undefined
  const close = async (): Promise<void> => {
    unmount()
    beside.close()
    opened.close()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const bucket = await unless(
      io.stop,
      BucketRun.open({
        ...{ objects: runObjects(beside, place), folder },
        tell: (message) => sayTo(io, message),
        wait: (ms) => unless(io.stop, pause(ms)),
      }),
    )
    unmount = mount(folder, bucket)
    return { folder, bucket, close }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * Does `work`, `attended`, with the folder of the run that somebody has named, if one is; what stands beside the run may read that until its end. `reach` tells how it is reached where it is
 * in a bucket.
 */
export async function attendedAt(
  given: string | undefined,
  reach: () => Connection,
  { flags, io, dry }: { readonly flags: Flags; readonly io: CommandIo; readonly dry: boolean },
  work: (folder: string | undefined, io: CommandIo) => Promise<number>,
): Promise<number> {
  if (given !== undefined && isObjectUrl(given)) refusePage(flags, given)
  let home: RunHome | undefined
  try {
    return await attended(flags, io, dry, async (io) => {
      if (given === undefined) return await work(undefined, io)
      home = await openRunHome(given, reach, io)
      // It is the folder that can be read, whatever people are told.
      const { folder } = home
      const begun = io.begun === undefined ? undefined : () => io.begun?.(folder)
      return await work(folder, { ...io, begun })
    })
  } finally {
    await home?.close()
  }
}

// It is another process, that reads the folder of the run by itself.
function refusePage(flags: Flags, given: string): void {
  if (readText(flags, 'listen') === undefined) return
  throw new UserError(
    `--listen shows what is in a folder, and the run is kept in ${printable(given)}`,
    'leave --listen away; s3move status tells of the run from any machine',
  )
}

/** The place of a run in a bucket: what is below the prefix, whether a slash ends it or not. */
function runPlace(url: string): Place {
  const { bucket, prefix } = parseBucket(url, 'checkpoint')
  return { bucket, prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/` }
}

/** How the bucket of a run is reached: as the destination of its job, or as the one side that is a bucket. */
export function reachOfRun(connection: Connection, destination: Place | undefined): Connection {
  return connectionOf(connection, destination !== undefined && isFolder(destination) ? 'source' : 'destination')
}
