import { gzipSync } from 'node:zlib'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { timeOf } from '../../times.js'
import type { ObjectRows } from './object-rows.js'

/** Rows of a group: enough for a reader, and few enough to be held, at some 500 bytes each. */
const GROUP = 50_000

/** The fastest level: pages are some tenth larger than with the usual one, in a third of the time. */
const LEVEL = 1

// The names and types of an S3 Inventory.
const SCHEMA: ConstructorParameters<typeof ParquetWriter>[0]['schema'] = [
  { name: 's3.inventory', num_children: 5 },
  { name: 'key', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
  { name: 'size', type: 'INT64', repetition_type: 'REQUIRED' },
  { name: 'last_modified_date', type: 'INT64', converted_type: 'TIMESTAMP_MILLIS', repetition_type: 'OPTIONAL' },
  { name: 'e_tag', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
  { name: 'storage_class', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
]

/** Makes a Parquet file of rows, a group of them at a time. What is not known of an object is NULL. */
export class ParquetGroups {
  private readonly bytes = new ByteWriter(4 * 1024 * 1024)
  private readonly file = new ParquetWriter({
    writer: this.bytes,
    schema: SCHEMA,
    codec: 'GZIP',
    compressors: { GZIP: (page) => gzipSync(page, { level: LEVEL }) },
    statistics: false,
    createdBy: 's3move',
  })
  private keys: Buffer[] = []
  private sizes: bigint[] = []
  private times: (bigint | null)[] = []
  private etags: (Buffer | null)[] = []
  private classes: (string | null)[] = []

  /** Takes in rows. Answers what is to be written by now, possibly nothing. */
  add({ keys, sizes, times, etags, classes }: ObjectRows): Uint8Array {
    for (const [i, key] of keys.entries()) {
      const time = timeOf(times[i] ?? '')
      const [etag = '', storageClass = ''] = [etags[i], classes[i]]
      this.keys.push(Buffer.from(key))
      this.sizes.push(BigInt(sizes[i] ?? 0))
      this.times.push(Number.isNaN(time) ? null : BigInt(time))
      this.etags.push(etag === '' ? null : Buffer.from(etag))
      this.classes.push(storageClass === '' ? null : storageClass)
    }
    if (this.keys.length >= GROUP) this.endGroup()
    return this.taken()
  }

  /** The rest of the file. */
  finish(): Uint8Array {
    if (this.keys.length > 0) this.endGroup()
    void this.file.finish()
    return this.taken()
  }

  private endGroup(): void {
    const rowGroupSize = this.keys.length
    const plain = { encoding: 'PLAIN' as const, offsetIndex: false }
    void this.file.write({
      rowGroupSize,
      columnData: [
        { name: 'key', data: this.keys, ...plain },
        { name: 'size', data: this.sizes, ...plain },
        { name: 'last_modified_date', data: this.times, ...plain },
        { name: 'e_tag', data: this.etags, ...plain },
        { name: 'storage_class', data: this.classes, offsetIndex: false },
      ],
    })
    this.keys = []
    this.sizes = []
    this.times = []
    this.etags = []
    this.classes = []
  }

  private taken(): Uint8Array {
    const bytes = this.bytes.getBytes().slice()
    this.bytes.index = 0
    return bytes
  }
}
