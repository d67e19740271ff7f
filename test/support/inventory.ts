import { parquetWriteBuffer } from 'hyparquet-writer'
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'

/** A row of an inventory. */
export interface InventoryRow {
  readonly key: string
  readonly size: number
  readonly etag: string
  readonly time?: string
  readonly storageClass?: string
  readonly version?: string
  readonly latest?: boolean
  readonly marker?: boolean
}

/** How an inventory is made. */
export interface InventoryOptions {
  /** The folder of the configuration, with a slash at its end. */
  readonly within: string
  /** The name of its folder. */
  readonly at?: string
  readonly format?: 'Parquet' | 'CSV' | 'ORC'
  readonly bucket?: string
  readonly perFile?: number
  readonly perGroup?: number
  readonly created?: number
}

export const md5 = (bytes: Buffer | string): string => createHash('md5').update(bytes).digest('hex')

const TIME = '2024-01-31T12:00:00.000Z'

/** The files of an inventory as S3 delivers it, by their keys: the data, then the manifest and its checksum. */
export function inventoryOf(rows: readonly InventoryRow[], options: InventoryOptions): Map<string, Buffer> {
  const { within, at = '2026-01-31T01-00Z', format = 'Parquet', bucket = 'src', perFile = 1000 } = options
  const files = new Map<string, Buffer>()
  for (let from = 0; from < rows.length || from === 0; from += perFile) {
    const some = rows.slice(from, from + perFile)
    const name = `${within}data/${at}-${from}.${format === 'CSV' ? 'csv.gz' : format.toLowerCase()}`
    files.set(name, format === 'CSV' ? csv(some, bucket) : parquet(some, bucket, options.perGroup ?? 300))
  }
  const manifest = JSON.stringify({
    ...{ sourceBucket: bucket, destinationBucket: 'arn:aws:s3:::inv', version: '2016-11-30' },
    ...{ creationTimestamp: String(options.created ?? Date.parse(TIME)), fileFormat: format },
    fileSchema:
      format === 'CSV'
        ? 'Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass'
        : 'message s3.inventory {  required binary bucket (UTF8);  required binary key (UTF8);}',
    files: [...files].map(([key, bytes]) => ({ key, size: bytes.length, MD5checksum: md5(bytes) })),
  })
  files.set(`${within}${at}/manifest.json`, Buffer.from(manifest))
  files.set(`${within}${at}/manifest.checksum`, Buffer.from(md5(manifest)))
  return files
}

function parquet(rows: readonly InventoryRow[], bucket: string, rowGroupSize: number): Buffer {
  const column = <T>(
    name: string,
    type: 'STRING' | 'BOOLEAN' | 'INT64' | 'TIMESTAMP',
    value: (row: InventoryRow) => T,
  ) => ({ name, type, nullable: name !== 'bucket' && name !== 'key', data: rows.map(value) }) as const
  const written = parquetWriteBuffer({
    rowGroupSize,
    columnData: [
      column('bucket', 'STRING', () => bucket),
      column('key', 'STRING', ({ key }) => key),
      column('version_id', 'STRING', ({ version }) => version ?? null),
      column('is_latest', 'BOOLEAN', ({ latest = true }) => latest),
      column('is_delete_marker', 'BOOLEAN', ({ marker = false }) => marker),
      column('size', 'INT64', ({ size }) => BigInt(size)),
      column('last_modified_date', 'TIMESTAMP', ({ time = TIME }) => new Date(time)),
      column('e_tag', 'STRING', ({ etag }) => etag),
      column('storage_class', 'STRING', ({ storageClass = 'STANDARD' }) => storageClass),
    ],
  })
  return Buffer.from(written)
}

function csv(rows: readonly InventoryRow[], bucket: string): Buffer {
  const lines = rows.map(
    ({ key, version = '', latest = true, marker = false, size, time = TIME, etag, storageClass = 'STANDARD' }) =>
      [bucket, encodeURIComponent(key).replaceAll('%20', '+'), version, latest, marker, size, time, etag, storageClass]
        .map((field) => `"${field}"`)
        .join(','),
  )
  return gzipSync(lines.map((line) => `${line}\n`).join(''))
}
