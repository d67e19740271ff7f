import type { ColumnMetaData, PageHeader } from 'hyparquet'
import { parquetHeader } from 'hyparquet/src/column.js'
import type { DataFile } from '../../storage/data-files.js'
import { PageReader, type FlatColumn, type Values } from './parquet-page.js'

/** Bytes that are asked for at once; twice as many of each column are held. */
const PIECE = 2 * 1024 * 1024

/** The largest page that is read, in bytes as it is unpacked. Writers make pages of 1 MiB, whatever the size of their row groups. */
const LARGEST_PAGE = 32 * 1024 * 1024

/** Bytes in which a header of a page fits: the largest have two values of statistics. */
const HEADER = 64 * 1024

/** Reads the chunk of a column in one row group, page by page. */
export class ChunkReader {
  private readonly pages: PageReader
  private readonly end: number
  /** Where the next page begins. */
  private at: number
  private held: { readonly start: number; readonly bytes: Buffer }
  private next: Promise<Buffer> | undefined

  constructor(
    column: FlatColumn,
    chunk: ColumnMetaData,
    private readonly file: Pick<DataFile, 'read' | 'size'>,
  ) {
    this.pages = new PageReader(column, chunk)
    const { dictionary_page_offset: dictionary, data_page_offset: data } = chunk
    // Some writers give an offset of 0 where there is no dictionary, and others none where there is one, which lies before the data.
    this.at = Number(dictionary !== undefined && dictionary > 0n && dictionary < data ? dictionary : data)
    this.end = this.at + Number(chunk.total_compressed_size)
    this.held = { start: this.at, bytes: Buffer.alloc(0) }
    if (!(this.at >= 4 && this.end <= file.size)) throw new Error('a column lies outside of the file')
  }

  /** The values of the next page of data, in order; undefined behind the last. Of a page of which none is beyond the next `skip` rows, only the number. */
  async page(skip: number): Promise<Values | number | undefined> {
    while (this.at < this.end) {
      const header = await this.header()
      const size = header.compressed_page_size
      const rows = rowsOf(header)
      if (!(size >= 0 && this.at + size <= this.end)) throw new Error('a page goes on behind its column')
      if (Math.max(size, header.uncompressed_page_size) > LARGEST_PAGE)
        throw new TooLarge(header.uncompressed_page_size)
      if (rows !== undefined && rows <= skip) {
        this.at += size
        return rows
      }
      const bytes = await this.bytes(size)
      this.at += size
      const values = this.pages.take(header, bytes)
      if (values === undefined) continue
      if (values.length !== rows) throw new Error('a page has another number of values than its header says')
      return values
    }
    return undefined
  }

  private async header(): Promise<PageHeader> {
    const bytes = await this.bytes(Math.min(HEADER, this.end - this.at))
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 }
    const header = parquetHeader(reader)
    this.at += reader.offset
    return header
  }

  // The next bytes, so many of them. What lies behind those that are held is under way by then.
  private async bytes(length: number): Promise<Buffer> {
    const { at } = this
    if (at > this.held.start + this.held.bytes.length) {
      this.held = { start: at, bytes: Buffer.alloc(0) }
      this.next = undefined
    }
    while (this.held.start + this.held.bytes.length < at + length) {
      const { start, bytes } = this.held
      const behind = start + bytes.length
      const more = await (this.next ?? this.asked(behind))
      if (more.length === 0) throw new Error('a column is cut short')
      const end = behind + more.length
      this.next = end < this.end ? this.asked(end) : undefined
      // It is awaited when it is its turn, or never.
      this.next?.catch(() => undefined)
      const kept = bytes.subarray(at - start)
      this.held = { start: at, bytes: kept.length === 0 ? more : Buffer.concat([kept, more]) }
    }
    const from = at - this.held.start
    return this.held.bytes.subarray(from, from + length)
  }

  private asked(start: number): Promise<Buffer> {
    return this.file.read(start, Math.min(start + PIECE, this.end))
  }
}

/** A page is too large to be read. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge'

  constructor(size: number) {
    super(`it has a page of ${size} bytes, and at most ${LARGEST_PAGE} can be read`)
  }
}

function rowsOf({ type, data_page_header: one, data_page_header_v2: two }: PageHeader): number | undefined {
  return type === 'DATA_PAGE' || type === 'DATA_PAGE_V2' ? (two?.num_rows ?? one?.num_values) : undefined
}
