import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { checkpointError } from '../../checkpoint/checkpoint-error.js'
import { parseJson } from '../../checkpoint/json.js'
import { UserError } from '../../errors.js'
import { isMissing, newFile, syncFolder, systemCode } from '../../file-system.js'
import { nameOfList, type KeyList } from '../../job/files-from.js'
import type { LocalListing } from '../../job/pace.js'
import { PassedOverCounts, passedOverShape, type PassedOver } from '../../job/passed-over.js'
import type { Side } from '../../job/place.js'
import { checkCount, Mismatch, shape, text } from '../../job/schema.js'
import { printable } from '../../keys.js'
import { timeOf } from '../../times.js'
import { able, type Storage } from '../../storage/storage.js'
import { listedIn, listingLine } from '../local-listing.js'
import { Circle, contradiction } from '../page-listing.js'
import type { EntryNeeds } from './entry.js'
import { externallySorted, SORT_LIMITS, type Sortable, type SortLimits } from './external-sort.js'
import { listBatches } from './read-list.js'

/** Objects below a prefix, of an inventory or a listing without order, in the order of the keys, in a file of this machine. */
export interface SortedInventory {
  readonly listing: LocalListing
  readonly objects: number
  readonly passedOver: PassedOver
}

/** What sorting an inventory needs. */
export interface InventorySortOptions {
  readonly list: KeyList
  readonly wanted: EntryNeeds
  /** Where the file is to be made; an absolute path. */
  readonly folder: string
  readonly limits?: SortLimits
  /** Aborted when it is not to be ended. */
  readonly stop: AbortSignal
  /** Told how many objects were read so far. */
  readonly progress: (objects: number) => void
}

/** What was sorted: the inventory of a run, or the listing of a side that has no order. */
export type SortedOf = 'inventory' | Side

const sortedName = (of: SortedOf): string => `${of}.sorted.ndjson`

/** Removes from a folder what was made of an inventory, or of a listing. */
export async function removeSorted(folder: string, of: SortedOf = 'inventory'): Promise<void> {
  const isMade = (name: string): boolean =>
    name === sortedName(of) || (name.startsWith(`${of}.sorting.`) && name.endsWith('.ndjson'))
  try {
    for (const name of await readdir(folder)) if (isMade(name)) await rm(join(folder, name), { force: true })
  } catch (error) {
    if (!isMissing(error)) throw checkpointError('look into', folder, error)
  }
}

// Its last line, which no object has: it is known to be whole by it. The hash is of all before it, and of the rest of the line.
interface Footer {
  readonly bytes: number
  readonly objects: number
  readonly passedOver: PassedOver
  readonly sha256: string
}

const checkFooter = shape<Footer>(
  { bytes: checkCount, objects: checkCount, passedOver: passedOverShape, sha256: text },
  {},
)

/**
 * Reads an inventory to its end and writes its objects below the prefix of the job to a file in the order of their keys, in bounded memory. The file has
 * its name once it is whole and on the disk; whatever was there before is removed. Undefined when it was stopped. A `UserError` for what is wrong with
 * the inventory, a `CheckpointError` for what is with the disk.
 */
export async function sortInventory(options: InventorySortOptions): Promise<SortedInventory | undefined> {
  const { list, wanted, stop, progress } = options
  const passed = new PassedOverCounts()
  const needs = { ...wanted, passedOver: passed.add }
  return await sorted(objectsOf(list, needs, { stop, progress }), 'inventory', passed, options)
}

/** What sorting a listing needs. */
export interface ListingSortOptions extends Pick<InventorySortOptions, 'folder' | 'limits' | 'stop' | 'progress'> {
  readonly store: Pick<Storage, 'unordered' | 'place'>
  readonly side: Side
}

/** The same of the listing of a store that has no order: all of it, from its beginning, page after page. Rejects as the store does, too. */
export async function sortListing(options: ListingSortOptions): Promise<SortedInventory | undefined> {
  return await sorted(pagesOfAll(options), options.side, new PassedOverCounts(), options)
}

async function* pagesOfAll({
  store,
  stop,
  progress,
}: ListingSortOptions): AsyncGenerator<readonly Sortable[], void, undefined> {
  const unordered = able(store.unordered, 'list without order')
  const circle = new Circle()
  let read = 0
  for (let token: string | undefined; !stop.aborted;) {
    const page = await unordered.list(token)
    yield page.objects.map((object) => ({ key: object.key, line: listingLine(object) }))
    read += page.objects.length
    progress(read)
    if (!page.truncated) return
    token = page.token
    if (token === undefined || circle.closes(token)) {
      throw contradiction(store, 'it says that there is more, and leads back to where it was')
    }
  }
}

async function sorted(
  input: AsyncGenerator<readonly Sortable[], void, undefined>,
  of: SortedOf,
  passed: PassedOverCounts,
  { folder, limits = SORT_LIMITS, stop }: Pick<InventorySortOptions, 'folder' | 'limits' | 'stop'>,
): Promise<SortedInventory | undefined> {
  await removeSorted(folder, of)
  const path = join(folder, sortedName(of))
  const pathOf = (n: number): string => join(folder, `${of}.sorting.${n + 1}.ndjson`)
  const keyOf = (line: string): string => listedIn(line).key
  try {
    const all = externallySorted(input, { pathOf, keyOf, limits })
    const footer = await newFile(pathOf(-1), async (file) => await written(file, all, passed, stop), 0o600)
    if (footer === undefined) {
      await removeSorted(folder, of)
      return undefined
    }
    await rename(pathOf(-1), path)
    await syncFolder(folder)
    return sortedBy(path, footer)
  } catch (error) {
    await removeSorted(folder, of).catch(() => undefined)
    throw systemCode(error) === undefined ? error : checkpointError('write', path, error)
  }
}

function sortedBy(file: string, { bytes, objects, passedOver }: Footer): SortedInventory {
  return { listing: { file, bytes }, objects, passedOver }
}

async function* objectsOf(
  list: KeyList,
  wanted: EntryNeeds,
  { stop, progress }: Pick<InventorySortOptions, 'stop' | 'progress'>,
): AsyncGenerator<readonly Sortable[], void, undefined> {
  let read = 0
  for await (const { entries } of listBatches(list, wanted)) {
    if (stop.aborted) return
    yield entries.map(({ key, size, etag = '', lastModified = '', storageClass = '' }) => {
      // It would be taken for an empty object.
      if (size === undefined) {
        throw new UserError(
          `${nameOfList(list)} does not tell the size of ${printable(key)}`,
          'let the configuration of the inventory write it, or leave --source-inventory away: the source is listed then',
        )
      }
      const name = key.slice(wanted.prefix.length)
      return { key: name, line: listingLine({ key: name, size, etag, lastModified, storageClass }) }
    })
    read += entries.length
    progress(read)
  }
}

/** Bytes that are written at once. */
const PIECE = 1024 * 1024

async function written(
  file: FileHandle,
  all: AsyncGenerator<readonly Sortable[], void>,
  passed: PassedOverCounts,
  stop: AbortSignal,
): Promise<Footer | undefined> {
  const hash = createHash('sha256')
  let [bytes, objects] = [0, 0]
  let held = ''
  const write = async (line: string, least: number): Promise<void> => {
    held += line
    if (held.length < least) return
    const piece = Buffer.from(held)
    held = ''
    hash.update(piece)
    bytes += piece.length
    await file.writeFile(piece)
  }
  let last: Sortable | undefined
  for await (const some of all) {
    if (stop.aborted) return undefined
    for (const one of some) {
      // What an inventory has twice is one object: as it was last.
      if (last !== undefined && last.key !== one.key) {
        objects++
        await write(`${last.line}\n`, PIECE)
      }
      last = last?.key === one.key ? newer(last, one) : one
    }
  }
  if (stop.aborted) return undefined
  if (last !== undefined) objects++
  await write(last === undefined ? '' : `${last.line}\n`, 0)
  // Its fields in the order in which they are read back.
  const counts = { bytes, objects, passedOver: passedOverShape(passed.now, '') }
  const footer = { ...counts, sha256: hash.update(JSON.stringify(counts)).digest('hex') }
  await file.writeFile(`${JSON.stringify(footer)}\n`)
  return footer
}

function newer(one: Sortable, other: Sortable): Sortable {
  const time = ({ line }: Sortable): number => timeOf(listedIn(line).lastModified)
  return time(other) > time(one) ? other : one
}

/** Longer than any footer. */
const LONGEST_FOOTER = 4_096

/** The sorted inventory in a folder, or the listing of a side, if it is there, and is what was written. */
export async function findSorted(folder: string, of: SortedOf = 'inventory'): Promise<SortedInventory | undefined> {
  const path = join(folder, sortedName(of))
  try {
    const footer = await footerOf(path)
    if (footer === undefined) return undefined
    const hash = createHash('sha256')
    await hashed(hash, path, footer.bytes)
    const { sha256, ...counts } = footer
    return hash.update(JSON.stringify(counts)).digest('hex') === sha256 ? sortedBy(path, footer) : undefined
  } catch (error) {
    if (isMissing(error)) return undefined
    throw systemCode(error) === undefined ? error : checkpointError('read', path, error)
  }
}

async function footerOf(path: string): Promise<Footer | undefined> {
  const { size } = await stat(path)
  const file = await open(path)
  try {
    const length = Math.min(size, LONGEST_FOOTER)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length)
    const end = buffer.toString('latin1', 0, bytesRead)
    const begin = end.lastIndexOf('\n', end.length - 2) + 1
    const footer = checkFooter(parseJson(end.slice(begin)), '')
    return footer.bytes + (end.length - begin) === size ? footer : undefined
  } catch (error) {
    if (error instanceof Mismatch || error instanceof SyntaxError) return undefined
    throw error
  } finally {
    await file.close()
  }
}

async function hashed(hash: Hash, path: string, bytes: number): Promise<void> {
  if (bytes === 0) return
  for await (const piece of createReadStream(path, { end: bytes - 1 }) as AsyncIterable<Buffer>) hash.update(piece)
}
