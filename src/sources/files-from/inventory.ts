import { createHash } from 'node:crypto'
import { basename, dirname, join, resolve } from 'node:path'
import { checkCount, list, Mismatch, shape, text, type Check } from '../../job/schema.js'
import { parseJson } from '../../checkpoint/json.js'
import { UserError } from '../../errors.js'
import type { KeyList } from '../../job/files-from.js'
import { nameOfList } from '../../job/files-from.js'
import { printable } from '../../keys.js'
import type { DataFile, DataFiles } from '../../storage/data-files.js'
import { columnsOf, type Columns } from './csv.js'
import { DISK_FILES } from './disk-files.js'
import type { EntryNeeds } from './entry.js'
import { changedList, contentOf, piecesOf } from './list-bytes.js'
import { partsOfUrl } from './s3-urls.js'

/** A manifest is read at once; one of a thousand data files has a quarter of this. In bytes. */
const LARGEST_MANIFEST = 16 * 1024 * 1024

/** What the manifest of an S3 Inventory says. */
export interface Inventory {
  readonly format: 'CSV' | 'Parquet'
  /** Those of the rows of CSV; files of Parquet say theirs. */
  readonly columns: Columns
  /** When it was begun, in milliseconds since 1970; absent where it does not tell. */
  readonly created?: number
  /** Its files, opened in their order, each by who needs it. */
  readonly files: readonly InventoryFile[]
}

/** A data file of an inventory. */
interface InventoryFile {
  /** In bytes. */
  readonly size: number
  /**
   * Opens it, and proves that it is what the manifest names, once for each thread and content; where somebody else has, the file of this `identity` is
   * it, and no other. A `UserError` if it is not.
   */
  open(identity?: string): Promise<DataFile>
}

interface Manifest {
  readonly sourceBucket: string
  readonly fileFormat: string
  readonly fileSchema: string
  readonly creationTimestamp?: string
  readonly files: readonly { readonly key: string; readonly size: number; readonly MD5checksum?: string }[]
}

/**
 * Reads the manifest.json of an S3 Inventory (S3 User Guide, "Locating your inventory list"). Its data files are looked for where S3 has them, and
 * beside it. Throws a UserError when it is not of the bucket, or in no format that can be read.
 */
export async function readInventory(
  { file: path, origin }: Pick<KeyList, 'file' | 'origin'>,
  { bucket, files }: Pick<EntryNeeds, 'bucket' | 'files'>,
): Promise<Inventory> {
  const name = nameOfList({ file: path, ...(origin === undefined ? {} : { origin }) })
  const bytes = await wholeOf(path)
  const manifest = parsed(bytes, name)
  const { sourceBucket, fileFormat, fileSchema, creationTimestamp } = manifest
  if (sourceBucket !== bucket) {
    throw new UserError(
      `${name} is of another bucket, ${printable(sourceBucket)}`,
      `The inventory must be of ${bucket}.`,
    )
  }
  const format = FORMATS.find((one) => one.toLowerCase() === fileFormat.toLowerCase())
  if (format === undefined) {
    throw new UserError(
      `${name} is of an inventory in ${printable(fileFormat)}, which cannot be read`,
      'Let the configuration of the inventory write Parquet or CSV; or have Athena, Spark or DuckDB write this one as Parquet, and give that.',
    )
  }
  const columns = format === 'CSV' ? columnsOf(fileSchema.split(','), true) : NONE
  if (format === 'CSV' && !columns.traits.includes('key'))
    throw new UserError(`${name} names no column Key`, 'Is it the manifest.json of an S3 Inventory?')
  const key = origin === undefined ? undefined : partsOfUrl(origin.from)?.key
  const found = key === undefined ? besideFile(path) : besideKey(key)
  const store = key === undefined ? DISK_FILES : files
  if (store === undefined) throw new Error('nobody has opened the store of the inventory')
  await checkManifestSum(store, found('manifest.checksum'), bytes, name)
  return {
    ...{ format, columns },
    ...(creationTimestamp === undefined ? {} : { created: Number(creationTimestamp) }),
    files: manifest.files.map(({ key: file, size, MD5checksum: md5 }) => ({
      size,
      open: (identity) =>
        openProven(store, { name, paths: found(file), file, size, md5: md5?.toLowerCase(), identity }),
    })),
  }
}

const FORMATS = ['CSV', 'Parquet'] as const
const NONE: Columns = { traits: [], encoded: false }

// Where S3 has them; and where people put what they fetched: beside the manifest, or in `data` there, or beside its folder.
function besideFile(manifest: string): (file: string) => string[] {
  const folder = dirname(resolve(manifest))
  return (file) => {
    const name = basename(file)
    return [join(folder, name), join(folder, 'data', name), join(dirname(folder), 'data', name)]
  }
}

function besideKey(manifest: string): (file: string) => string[] {
  const folder = manifest.slice(0, manifest.lastIndexOf('/') + 1)
  const above = folder.slice(0, folder.lastIndexOf('/', folder.length - 2) + 1)
  return (file) => {
    const name = file.slice(file.lastIndexOf('/') + 1)
    return [...(name === file ? [] : [file]), `${folder}${name}`, `${folder}data/${name}`, `${above}data/${name}`]
  }
}

// Who fetched a manifest without it has nothing to check it by.
async function checkManifestSum(
  store: DataFiles,
  paths: readonly string[],
  bytes: Buffer,
  name: string,
): Promise<void> {
  const [beside = ''] = paths
  const file = await store.open([beside])
  if (file === undefined) return
  try {
    const sum = (await file.read(0, Math.min(file.size, 64))).toString('latin1').trim().toLowerCase()
    if (sum === createHash('md5').update(bytes).digest('hex')) return
    throw new UserError(`${name} is not what ${file.name} says: its MD5 is another one`, 'Fetch both again.')
  } finally {
    await file.close()
  }
}

interface Wanted {
  /** The name of the manifest, fit to print. */
  readonly name: string
  readonly paths: readonly string[]
  /** As the manifest names it. */
  readonly file: string
  readonly size: number
  readonly md5: string | undefined
  readonly identity: string | undefined
}

/** What was found to have the MD5 that it is to have. It is read more than once, and large. */
const proven = new Set<string>()

async function openProven(store: DataFiles, { name, paths, file, size, md5, identity }: Wanted): Promise<DataFile> {
  const opened = await store.open(paths)
  if (opened === undefined) {
    throw new UserError(
      `${printable(basename(file))}, which ${name} names, is neither where S3 puts it, nor beside the manifest, nor in a folder data`,
      'Fetch the data files of the inventory too, or take a newer inventory: old ones may have expired.',
    )
  }
  try {
    if (opened.size !== size) {
      throw new UserError(`${opened.name} has ${opened.size} bytes where ${size} are expected`, 'Fetch the file again.')
    }
    if (identity !== undefined) {
      if (opened.identity !== identity) throw changedList(opened.name)
      return opened
    }
    const what = `${opened.name}\0${opened.identity}\0${md5 ?? ''}`
    if (md5 !== undefined && opened.md5 !== md5 && !proven.has(what)) {
      const hash = createHash('md5')
      for await (const piece of piecesOf(opened)) hash.update(piece)
      if (hash.digest('hex') !== md5)
        throw new UserError(`${opened.name} is damaged: its MD5 is not that in ${name}`, 'Fetch the file again.')
      proven.add(what)
    }
    return opened
  } catch (error) {
    await opened.close()
    throw error
  }
}

async function wholeOf(path: string): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of contentOf(path)) {
    pieces.push(piece)
    length += piece.length
    if (length > LARGEST_MANIFEST)
      throw new UserError(
        `${printable(path)} is too large for a manifest`,
        'For one JSON object a line say --files-format ndjson.',
      )
  }
  return Buffer.concat(pieces)
}

function parsed(bytes: Buffer, name: string): Manifest {
  const hint = 'Is it the manifest.json of an S3 Inventory? For one JSON object a line say --files-format ndjson.'
  let value: unknown
  try {
    value = parseJson(bytes)
  } catch {
    throw new UserError(`${name} is not JSON`, hint)
  }
  try {
    const { sourceBucket, fileFormat, fileSchema, files, creationTimestamp } = Object(value) as Record<string, unknown>
    return checkManifest(
      {
        ...{ sourceBucket, fileFormat, fileSchema, files: Array.isArray(files) ? files.map(known) : files },
        ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      },
      '',
    )
  } catch (error) {
    if (error instanceof Mismatch) throw new UserError(`${name} is no manifest: ${error.message}`, hint)
    throw error
  }
}

function known(file: unknown): unknown {
  const { key, size, MD5checksum } = Object(file) as Record<string, unknown>
  return { key, size, ...(MD5checksum === undefined ? {} : { MD5checksum }) }
}

const digits: Check<string> = (value, at) => {
  const told = text(value, at)
  if (/^\d{1,15}$/.test(told)) return told
  throw new Mismatch(`${at} is no number of milliseconds`)
}

const md5Sum: Check<string> = (value, at) => {
  const told = text(value, at)
  if (/^[0-9a-f]{32}$/i.test(told)) return told
  throw new Mismatch(`${at} is no MD5`)
}

const checkManifest = shape<Manifest>(
  {
    ...{ sourceBucket: text, fileFormat: text, fileSchema: text },
    files: list(shape({ key: text, size: checkCount }, { MD5checksum: md5Sum })),
  },
  { creationTimestamp: digits },
)
