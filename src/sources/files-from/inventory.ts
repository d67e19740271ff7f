import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { checkCount, list, Mismatch, shape, text } from '../../job/schema.js'
import { parseJson } from '../../checkpoint/json.js'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import { contentOf } from './list-bytes.js'
import { columnsOf, type Columns } from './csv.js'

/** A manifest is read at once; one of a thousand data files has a quarter of this. In bytes. */
const LARGEST_MANIFEST = 16 * 1024 * 1024

/** What the manifest of an S3 Inventory says: its data files and their columns. */
export interface Inventory {
  readonly files: readonly { readonly path: string; readonly size: number }[]
  readonly columns: Columns
}

interface Manifest {
  readonly sourceBucket: string
  readonly fileFormat: string
  readonly fileSchema: string
  readonly files: readonly { readonly key: string; readonly size: number }[]
}

/**
 * Reads the manifest.json of an S3 Inventory (S3 User Guide, "Locating your inventory list"). Its data files are looked for beside it, and where S3 has
 * them: in `data` there, or beside its folder. Throws a UserError when it is not of `bucket`, not of CSV, or when a data file is not there.
 */
export async function readInventory(path: string, bucket: string): Promise<Inventory> {
  const name = printable(path)
  const manifest = parsed(await wholeOf(path), name)
  if (manifest.sourceBucket !== bucket) {
    throw new UserError(
      `${name} is of another bucket, ${printable(manifest.sourceBucket)}`,
      `The inventory must be of ${bucket}.`,
    )
  }
  if (manifest.fileFormat !== 'CSV') {
    throw new UserError(`${name} is of an inventory in ${printable(manifest.fileFormat)}`, 'Only CSV can be read.')
  }
  const columns = columnsOf(manifest.fileSchema.split(','), true)
  if (!columns.traits.includes('key'))
    throw new UserError(`${name} names no column Key`, 'Is it the manifest.json of an S3 Inventory?')
  const files: { path: string; size: number }[] = []
  for (const { key, size } of manifest.files) files.push({ path: await dataFile(path, basename(key)), size })
  return { files, columns }
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
    const { sourceBucket, fileFormat, fileSchema, files } = Object(value) as Record<string, unknown>
    return checkManifest(
      { sourceBucket, fileFormat, fileSchema, files: Array.isArray(files) ? files.map(known) : files },
      '',
    )
  } catch (error) {
    if (error instanceof Mismatch) throw new UserError(`${name} is no manifest: ${error.message}`, hint)
    throw error
  }
}

function known(file: unknown): unknown {
  const { key, size } = Object(file) as Record<string, unknown>
  return { key, size }
}

const checkManifest = shape<Manifest>(
  { sourceBucket: text, fileFormat: text, fileSchema: text, files: list(shape({ key: text, size: checkCount }, {})) },
  {},
)

async function dataFile(manifest: string, file: string): Promise<string> {
  const folder = dirname(manifest)
  const candidates = [join(folder, file), join(folder, 'data', file), join(dirname(folder), 'data', file)]
  for (const path of candidates) {
    const found = await stat(path).catch(() => undefined)
    if (found?.isFile() === true) return path
  }
  throw new UserError(
    `${printable(file)}, which ${printable(manifest)} names, is neither beside it nor in a folder data`,
    'Fetch the data files of the inventory too.',
  )
}
