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

/** The code of an object of which a job that came to its end has told no checksum. */
export const NOT_COMPUTED = 'ChecksumNotComputed'

/** Reads an object whole, in pieces. */
export type ReadPieces = (key: string) => AsyncIterable<Buffer>

/** A row of a report of checksums, of an object that a job could read. */
export interface ChecksumRow {
  readonly key: string
  /** That of the bytes that were read, without quotes. */
  readonly etag: string
  /** As Base64. */
  readonly checksum: string
}

interface ReportFile {
  readonly key: string
  readonly md5: string
  readonly failed: boolean
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
  for await (const rows of rowsIn(key, read, (file) => file.failed))
    yield rows.flatMap((row) => (row('TaskStatus') === 'succeeded' ? [] : [failedRow(row)]))
}

/**
 * All rows of a report of S3ComputeObjectChecksum, as `failedRows` tells them. A row that has no checksum of the whole object by `algorithm`, or no ETag,
 * failed.
 */
export async function* checksumRows(
  key: string,
  read: ReadPieces,
  algorithm: string,
): AsyncGenerator<readonly (ChecksumRow | FailedRow)[], void, undefined> {
  for await (const rows of rowsIn(key, read, () => true))
    yield rows.map((row) => (row('TaskStatus') === 'succeeded' ? checksumRow(row, algorithm) : failedRow(row)))
}

/** A row, as what it has in a column; '' where it has nothing. */
type Row = (column: string) => string

async function* rowsIn(
  key: string,
  read: ReadPieces,
  wanted: (file: ReportFile) => boolean,
): AsyncGenerator<readonly Row[], void, undefined> {
  const { files, columns } = await manifestIn(key, read)
  for (const file of files.filter(wanted)) {
    const hash = createHash('md5')
    const pieces = hashed(read(file.key), (piece) => hash.update(piece))
    const name = printable(file.key)
    for await (const rows of rowsOf(textLines(pieces, name), name)) {
      yield rows.map(
        ({ fields }) =>
          (column) =>
            fields[columns.indexOf(column)] ?? '',
      )
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
  const files = results.map((result: unknown): ReportFile => {
    const { TaskExecutionStatus: status, Key: name, MD5Checksum: md5 } = Object(result) as Record<string, unknown>
    if (typeof name !== 'string' || typeof md5 !== 'string') throw notUnderstood(key)
    return { key: name, md5, failed: status !== 'succeeded' }
  })
  return { files, columns: schema.split(',').map((column) => column.trim()) }
}

function notUnderstood(key: string): UserError {
  return new UserError(`the manifest of a report, ${printable(key)}, is not as S3 writes it`, AGAIN)
}

function failedRow(row: Row): FailedRow {
  // Which of the two columns has which is not the same everywhere.
  const [status, code] = [row('HTTPStatusCode'), row('ErrorCode')].sort((a, b) => digits(b) - digits(a))
  return {
    key: keyIn(row('Key')),
    code: code || 'BatchTaskFailed',
    ...(status !== undefined && digits(status) === 1 ? { status: Number(status) } : {}),
    message: row('ResultMessage') || 'the report does not say why',
  }
}

/*
 * The ResultMessage of S3ComputeObjectChecksum is JSON with checksum_base64, checksum_hex, etag, checksumAlgorithm and checksumType. The user guide says
 * that the report has the checksums, and not where (batch-ops-examples-reports, read in November 2026); two programs that read such reports agree on these
 * names, and that the ETag has no quotes. So whatever else stands there is no checksum.
 */
function checksumRow(row: Row, algorithm: string): ChecksumRow | FailedRow {
  const key = keyIn(row('Key'))
  const told = row('ResultMessage')
  let message: Readonly<Record<string, unknown>>
  try {
    message = Object(JSON.parse(told)) as Readonly<Record<string, unknown>>
  } catch {
    message = {}
  }
  const { checksum_base64: checksum, etag, checksumAlgorithm, checksumType } = message
  const isOfAll = checksumAlgorithm === algorithm && checksumType === 'FULL_OBJECT'
  if (isOfAll && typeof checksum === 'string' && checksum !== '' && typeof etag === 'string' && etag !== '')
    return { key, etag: etag.replaceAll('"', ''), checksum }
  return { key, code: NOT_COMPUTED, message: `the report has no ${algorithm} of all of it: ${told}` }
}

function digits(text: string): number {
  return /^[1-5]\d\d$/.test(text) ? 1 : 0
}
