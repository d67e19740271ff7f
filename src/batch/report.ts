import { createHash } from 'node:crypto'
import { UserError } from '../errors.js'
import { printable } from '../keys.js'
import { rowsOf } from '../sources/files-from/csv-rows.js'
import { textLines } from '../sources/files-from/text-lines.js'
import { keyIn } from './manifest.js'

/** A row of a report: an object that a job could not copy. */
export interface FailedRow {
  readonly key: string
  readonly code: string
  /** Of HTTP, where it tells one. */
  readonly status?: number
  readonly message: string
}

/** Reads an object whole, in pieces. */
export type ReadPieces = (key: string) => AsyncIterable<Buffer>

interface ReportFile {
  readonly key: string
  readonly md5: string
}

interface ReportManifest {
  readonly files: readonly ReportFile[]
  readonly columns: readonly string[]
}

/**
 * The failed rows of a report, of which `key` is the manifest, many at a time. What is not whole, as its MD5 tells, or not understood is a `UserError`
 * after some rows were told: none of them counts then.
 */
export async function* failedRows(
  key: string,
  read: ReadPieces,
): AsyncGenerator<readonly FailedRow[], void, undefined> {
  const { files, columns } = await manifestIn(key, read)
  for (const file of files) {
    const hash = createHash('md5')
    const pieces = hashed(read(file.key), (piece) => hash.update(piece))
    const name = printable(file.key)
    for await (const rows of rowsOf(textLines(pieces, name), name)) {
      yield rows.flatMap(({ fields }) => {
        const row = rowIn(columns, fields)
        return row === undefined ? [] : [row]
      })
    }
    if (hash.digest('hex') === file.md5.toLowerCase()) continue
    throw new UserError(`the report ${name} is damaged: its MD5 is not the one that its manifest tells`, AGAIN)
  }
}

const AGAIN =
  'resume the run to read it again; if it stays so, the bucket of the reports was written to by somebody else'

async function* hashed(pieces: AsyncIterable<Buffer>, take: (piece: Buffer) => void): AsyncGenerator<Buffer> {
  for await (const piece of pieces) {
    take(piece)
    yield piece
  }
}

async function manifestIn(key: string, read: ReadPieces): Promise<ReportManifest> {
  const pieces: Buffer[] = []
  for await (const piece of read(key)) pieces.push(piece)
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(pieces).toString('utf8'))
  } catch {
    throw notUnderstood(key)
  }
  const { ReportSchema: schema, Results: results } = Object(value) as Readonly<Record<string, unknown>>
  if (typeof schema !== 'string' || !Array.isArray(results)) throw notUnderstood(key)
  const files = results.flatMap((result: unknown) => {
    const { TaskExecutionStatus: status, Key: name, MD5Checksum: md5 } = Object(result) as Record<string, unknown>
    if (typeof name !== 'string' || typeof md5 !== 'string') throw notUnderstood(key)
    return status === 'succeeded' ? [] : [{ key: name, md5 }]
  })
  return { files, columns: schema.split(',').map((column) => column.trim()) }
}

function notUnderstood(key: string): UserError {
  return new UserError(`the manifest of a report, ${printable(key)}, is not as S3 writes it`, AGAIN)
}

function rowIn(columns: readonly string[], fields: readonly (string | undefined)[]): FailedRow | undefined {
  const field = (name: string): string => fields[columns.indexOf(name)] ?? ''
  if (field('TaskStatus') === 'succeeded') return undefined
  // Which of the two columns has which is not the same everywhere.
  const [status, code] = [field('HTTPStatusCode'), field('ErrorCode')].sort((a, b) => digits(b) - digits(a))
  return {
    key: keyIn(field('Key')),
    code: code || 'BatchTaskFailed',
    ...(status !== undefined && digits(status) === 1 ? { status: Number(status) } : {}),
    message: field('ResultMessage') || 'the report does not say why',
  }
}

function digits(text: string): number {
  return /^[1-5]\d\d$/.test(text) ? 1 : 0
}
