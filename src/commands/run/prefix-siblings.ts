import { stopReason } from '../../engine/session/stop-reason.js'
import { StorageError, UserError } from '../../errors.js'
import { listOf, ofAllVersions, writeKindOf, type WriteJob } from '../../job/kinds.js'
import { placeUrl, type Place } from '../../job/place.js'
import { isBeside, keyBytes, LONGEST_KEY } from '../../keys.js'
import type { VersionCursor } from '../../storage/object-versions.js'
import type { ListFrom, Storage } from '../../storage/storage.js'
import type { CommandIo } from '../options/io.js'
import { corrected } from '../options/prefix.js'

/**
 * Refuses a job that deletes below a prefix that is to be the name of an object or a folder, where a key that begins with it goes on with anything but
 * a slash. Two short listings tell that of however many keys: what comes right behind the prefix, and what comes right behind its folder.
 */
export async function checkSiblings(
  job: WriteJob,
  stores: { readonly source: Storage; readonly destination: Storage | undefined },
  { args }: Pick<CommandIo, 'args'>,
): Promise<void> {
  // The keys of a list were looked at when it was read.
  if (!('prefixAs' in job) || listOf(job) !== undefined) return
  const versions = ofAllVersions(job)
  const mirrored = writeKindOf(job).deletesAt === 'destination'
  const sides = mirrored && stores.destination !== undefined ? [stores.source, stores.destination] : [stores.source]
  for (const store of sides) {
    const pages = versions ? versionPages(store) : objectPages(store)
    const found = await explained(() => firstBeside(pages, store.place))
    if (found === undefined) continue
    // The folder comes behind all that begins with a full stop.
    const inFolder = await explained(() => firstBehind(pages, behindAll(store.place, '.'), () => true))
    const { bucket, prefix } = store.place
    const url = placeUrl(store.place)
    const text = 'add --prefix-as-text if every key that begins so is meant'
    const both = 'destination' in job ? [job.source, job.destination] : [job.source]
    const places = both.map(({ bucket, prefix }) => `s3://${bucket}/${prefix}`)
    throw new UserError(
      `${url} does not end in /, so ${placeUrl({ bucket, prefix: prefix + found })} belongs to it as well, and would not be left alone`,
      inFolder?.startsWith('/') === true
        ? `write: ${corrected(args, places)} (or ${text})`
        : `${text}${mirrored || versions ? '' : '; a single object can be named with --files-from'}`,
    )
  }
}

const GREATEST = '\u{10ffff}'

// Behind nearly all that begins with `start`, as far as a key can be so long.
function behindAll({ prefix }: Place, start: '.' | '/'): string {
  return keyBytes(prefix) + 5 <= LONGEST_KEY ? start + GREATEST : start
}

/** Keys, relative to the prefix, behind one or where a page before ended. */
type Pages = (from: string | ListFrom | VersionCursor) => Promise<{
  readonly keys: readonly string[]
  readonly next?: ListFrom | VersionCursor | undefined
}>

// The first key behind one that is as wanted.
async function firstBehind(pages: Pages, after: string, wanted: (key: string) => boolean): Promise<string | undefined> {
  for (let from: Parameters<Pages>[0] | undefined = after; from !== undefined;) {
    const { keys, next }: Awaited<ReturnType<Pages>> = await pages(from)
    const found = keys.find(wanted)
    if (found !== undefined) return found
    from = next
  }
  return undefined
}

// What comes behind the prefix itself is before its folder, or in it; then what comes behind the folder tells.
async function firstBeside(pages: Pages, place: Place): Promise<string | undefined> {
  const first = await firstBehind(pages, '', (key) => key !== '')
  if (first === undefined || isBeside(first)) return first
  return await firstBehind(pages, behindAll(place, '/'), isBeside)
}

function objectPages(store: Storage): Pages {
  return async (from) => {
    const { objects, truncated, token } = await store.list(
      typeof from === 'string' ? { after: from, limit: 1 } : (from as ListFrom),
    )
    const keys = objects.map(({ key }) => key)
    const last = keys.at(-1)
    return { keys, ...(truncated ? { next: last === undefined ? { token } : { after: last } } : {}) }
  }
}

function versionPages({ versions }: Storage): Pages {
  return async (from) => {
    const page = await versions?.list(typeof from === 'string' ? { key: from } : (from as VersionCursor))
    return { keys: page?.versions.map(({ key }) => key) ?? [], next: page?.next }
  }
}

async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    const { reason, hint } = stopReason(error)
    throw new UserError(reason, hint)
  }
}
