import { open, type FileHandle } from 'node:fs/promises'
import { UserError } from '../errors.js'
import type { LocalListing, RunSettings } from '../job/pace.js'
import { compareKeys, printable } from '../keys.js'
import type { ObjectSummary, Storage } from '../storage/storage.js'
import { FULL_PAGE } from './page-listing.js'

/** The line of an object in such a file, without its line feed. */
export function listingLine({ key, size, etag, lastModified, storageClass }: ObjectSummary): string {
  return JSON.stringify([key, size, etag, lastModified, storageClass])
}

type Fields = [key: string, size: number, etag: string, lastModified: string, storageClass: string]

/** The object of such a line. */
export function listedIn(line: string): ObjectSummary {
  const [key, size, etag, lastModified, storageClass] = JSON.parse(line) as Fields
  return { key, size, etag, lastModified, storageClass }
}

/** The store as it is listed: as a file says, where there is one. */
export function listedBy(
  store: Pick<Storage, 'list' | 'place'>,
  listing: RunSettings['sourceListing'],
): Pick<Storage, 'list' | 'place'> {
  return listing === undefined ? store : { place: store.place, ...localListing(listing) }
}

/** Places in the file that are known: where a page ended, another one begins. */
const PLACES = 4_096
/** Bytes that are read at once. */
const PIECE = 256 * 1024

/**
 * Lists a file of this machine as a bucket is listed: a line for each object, in the order of the keys. What is behind a key is found by halving, so
 * nothing but a few places is held, however large it is. A file that cannot be read any more is a `UserError`.
 */
export function localListing(listing: LocalListing): Pick<Storage, 'list'> {
  const places = new Map<string, number>()
  const remember = (key: string, place: number): void => {
    const [oldest] = places.keys()
    if (oldest !== undefined && places.size >= PLACES) places.delete(oldest)
    places.set(key, place)
  }
  return {
    async list({ after, limit = FULL_PAGE }) {
      const file = await opened(listing)
      try {
        const from = after === undefined ? 0 : (places.get(after) ?? (await placeBehind(file, listing, after)))
        if (after !== undefined) places.delete(after)
        const { objects, end } = await objectsFrom(file, listing, from, { after, limit })
        const last = objects.at(-1)
        if (last !== undefined) remember(last.key, end)
        return { objects, truncated: end < listing.bytes }
      } finally {
        await file.close()
      }
    },
  }
}

async function opened({ file }: LocalListing): Promise<FileHandle> {
  try {
    return await open(file)
  } catch (error) {
    throw unreadable(file, error instanceof Error ? error.message : String(error))
  }
}

function unreadable(file: string, why: string): UserError {
  return new UserError(
    `${printable(file)}, which has what is listed in order, cannot be read any more: ${printable(why)}`,
    'Resume the run: that is made anew.',
  )
}

interface Wanted {
  readonly after: string | undefined
  readonly limit: number
}

// Objects from the beginning of a line on, and where the line behind the last of them begins.
async function objectsFrom(
  file: FileHandle,
  listing: LocalListing,
  from: number,
  { after, limit }: Wanted,
): Promise<{ readonly objects: ObjectSummary[]; readonly end: number }> {
  const objects: ObjectSummary[] = []
  let end = from
  while (end < listing.bytes && objects.length < limit) {
    for (const { line, next } of await linesAt(file, listing, end, limit - objects.length + 1)) {
      end = next
      const object = listedIn(line)
      if (after === undefined || compareKeys(object.key, after) > 0) objects.push(object)
      if (objects.length === limit) break
    }
  }
  return { objects, end }
}

interface Line {
  readonly line: string
  /** Where the one behind it begins. */
  readonly next: number
}

// The first whole lines of a piece that begins with one; at least one of them, however long it is.
async function linesAt(file: FileHandle, listing: LocalListing, from: number, most = 1): Promise<readonly Line[]> {
  for (let length = PIECE; ; length *= 2) {
    const bytes = await bytesAt(file, listing, from, length)
    const lines: Line[] = []
    let begin = 0
    let end = bytes.indexOf(LINE_FEED)
    for (; end >= 0 && lines.length < most; end = bytes.indexOf(LINE_FEED, begin)) {
      lines.push({ line: bytes.toString('utf8', begin, end), next: from + end + 1 })
      begin = end + 1
    }
    if (lines.length > 0) return lines
    if (from + bytes.length >= listing.bytes) throw unreadable(listing.file, 'its last line has no end')
  }
}

const LINE_FEED = 0x0a

async function bytesAt(file: FileHandle, { file: path, bytes: all }: LocalListing, from: number, length: number) {
  const wanted = Math.min(length, all - from)
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, from)
  if (bytesRead < wanted) throw unreadable(path, 'it was cut')
  return buffer
}

// The beginning of a line before which all keys are at or below `after`, and not far behind which one is above.
async function placeBehind(file: FileHandle, listing: LocalListing, after: string): Promise<number> {
  let [low, high] = [0, listing.bytes]
  while (high - low > PIECE) {
    const middle = low + Math.floor((high - low) / 2)
    const [broken] = await linesAt(file, listing, middle)
    const begin = broken?.next ?? high
    if (begin >= high) {
      high = middle
      continue
    }
    const [first] = await linesAt(file, listing, begin)
    if (first !== undefined && compareKeys(listedIn(first.line).key, after) <= 0) low = begin
    else high = begin
  }
  return low
}
