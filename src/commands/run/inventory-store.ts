import { UserError } from '../../errors.js'
import type { KeyList } from '../../job/files-from.js'
import { exactUrl, placeUrl, type Place } from '../../job/place.js'
import { printable } from '../../keys.js'
import type { StoredFiles } from '../../storage/backend.js'
import type { Storage } from '../../storage/storage.js'
import { isDated, newestFirst } from '../../sources/files-from/dated-folders.js'
import { storedFiles, tellingReader, type TellingReader } from '../../sources/files-from/stored-files.js'
import { unless } from '../options/io.js'
import { parsePlace } from '../options/places.js'
import { openListPlace, type ListPlaceOptions } from './list-object.js'

/** The files of an inventory that is in a bucket. */
export interface InventoryStore extends StoredFiles {
  /** The URL of its manifest. */
  readonly manifest: string
  close(): void
}

/** Opens the store of an inventory, where a list is one in a bucket. */
export async function inventoryStoreOf(
  list: KeyList | undefined,
  options: ListPlaceOptions,
): Promise<InventoryStore | undefined> {
  const from = list?.origin?.from
  if (from === undefined || !from.startsWith('s3://') || list?.format !== 'inventory') return undefined
  return await openInventory(from, options)
}

/**
 * Opens the store of an inventory by the URL of its manifest, or of the folder of its configuration, of which the newest is taken. It is reached as the
 * source is. What keeps it from being read is a `UserError`.
 */
async function openInventory(url: string, options: ListPlaceOptions): Promise<InventoryStore> {
  const { bucket, prefix: named } = parsePlace(url, 'list')
  const dated = DATED_FOLDER.exec(named)
  const manifest = named.endsWith('/') ? (dated === null ? undefined : `${named}${MANIFEST}`) : named
  // Its data files lie in a folder beside that of the manifest.
  const prefix = manifest === undefined ? named : above(above(manifest))
  const opened = await openListPlace({ bucket, prefix }, options)
  const { store } = opened.ends.source
  const telling = tellingReader(store, 'list', (work) => unless(options.io.stop, work))
  try {
    const found = manifest ?? `${prefix}${await telling.told(newestManifest(store, telling.head), url)}`
    return {
      manifest: exactUrl({ bucket, prefix: found }),
      ...storedFiles(store, telling),
      store: opened.ends.source,
      close: () => opened.close(),
    }
  } catch (error) {
    opened.close()
    throw error
  }
}

const MANIFEST = 'manifest.json'
const DATED_FOLDER = /(?:^|\/)\d{4}-\d\d-\d\dT\d\d-\d\dZ\/$/

// The folder of a key, or of a folder.
function above(key: string): string {
  return key.slice(0, key.lastIndexOf('/', key.length - 2) + 1)
}

// A folder is there before its manifest is.
async function newestManifest(store: Pick<Storage, 'place' | 'levels'>, head: TellingReader['head']): Promise<string> {
  const { place, levels } = store
  const folders: string[] = []
  let token: string | undefined
  do {
    const page = await levels?.list({ ...(token === undefined ? {} : { token }) })
    folders.push(...(page?.folders ?? []))
    token = page?.truncated === true ? page.token : undefined
  } while (token !== undefined)
  for (const folder of newestFirst(folders.map((name) => name.slice(0, -1)))) {
    const key = `${folder}/${MANIFEST}`
    if ((await head(key)) !== undefined) return key
  }
  throw noneIn(place, folders)
}

function noneIn(place: Place, folders: readonly string[]): UserError {
  const some = folders.filter((name) => !isDated(name.slice(0, -1))).slice(0, 5)
  const others = some.length === 0 ? '' : `; it has ${printable(some.join(' '))}`
  return new UserError(
    `there is no inventory in ${placeUrl(place)}: no folder that is named as 2026-01-31T01-00Z and has a manifest.json${others}`,
    'Name the folder of the configuration, s3://bucket/prefix/SOURCE-BUCKET/CONFIGURATION/, or a manifest.json; S3 delivers the first within 48 hours.',
  )
}

/** Whether a list is an inventory in a bucket, as far as its name and the flags tell. */
export function isInventoryUrl({ format, origin }: Pick<KeyList, 'format' | 'origin'>): boolean {
  const from = origin?.from ?? ''
  if (!from.startsWith('s3://')) return false
  return format === 'inventory' || (format === undefined && /\/(?:manifest\.json)?$/i.test(from))
}
