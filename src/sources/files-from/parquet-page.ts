import { isUtf8 } from 'node:buffer'
import * as zlib from 'node:zlib'
import type { ColumnMetaData, Compressors, PageHeader, SchemaElement, SchemaTree } from 'hyparquet'
import { compressors as others } from 'hyparquet-compressors'
import { readPage } from 'hyparquet/src/column.js'
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js'
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js'

/** What a column holds in a row. Times are as `Date.toISOString` writes them. */
export type Value = string | number | boolean | null

/** What a page holds, one value after the other. They are made when they are asked for: what is held for long is dear to collect. */
export interface Values {
  readonly length: number
  at(index: number): Value
}

/** A column that has one value, or none, in each row. */
export interface FlatColumn {
  /** Its values are times, as `Date.toISOString` writes them. */
  readonly isTime: boolean
  readonly element: SchemaElement
  /** From the root of the schema to the element. */
  readonly path: SchemaTree[]
}

/** Text of a Parquet file is not UTF-8: a replaced character would make another key. */
export class NotUtf8 extends Error {
  override readonly name = 'NotUtf8'
}

/** Node unpacks these in native code. What it has no name for in every version that s3move runs on is unpacked by hyparquet-compressors. */
const COMPRESSORS: Compressors = {
  ...others,
  GZIP: (bytes) => zlib.gunzipSync(bytes),
  BROTLI: (bytes) => zlib.brotliDecompressSync(bytes),
}

type ColumnDecoder = Parameters<typeof readPage>[2]
type Plain = (page: Buffer, at: number, count: number) => Values

/**
 * Reads the pages of the chunks of one column. The usual encodings are read here: hyparquet makes an array of bytes or a BigInt of each value first,
 * which is most of the time. All others are read by hyparquet.
 */
export class PageReader {
  private readonly plain: Plain | undefined
  private readonly decoder: ColumnDecoder
  private readonly optional: boolean
  private dictionary: readonly Value[] | undefined

  constructor({ element, path }: FlatColumn, chunk: ColumnMetaData) {
    this.plain = plainOf(element)
    this.optional = element.repetition_type !== 'REQUIRED'
    this.decoder = {
      ...chunk,
      ...{ element, schemaPath: path, pathInSchema: chunk.path_in_schema, compressors: COMPRESSORS },
      parsers: { ...DEFAULT_PARSERS, ...PARSERS },
    }
  }

  /** The values of a page of data, in order; undefined for a page of another kind. */
  take(header: PageHeader, bytes: Buffer): Values | undefined {
    if (header.type === 'DICTIONARY_PAGE') {
      this.dictionary = this.dictionaryOf(header, bytes)
      return undefined
    }
    if (header.type === 'INDEX_PAGE') return undefined
    return this.usual(header, bytes) ?? new Known(this.byLibrary(header, bytes).map(valueOf))
  }

  private dictionaryOf(header: PageHeader, bytes: Buffer): readonly Value[] {
    const count = header.dictionary_page_header?.num_values ?? 0
    if (this.plain !== undefined) {
      const values = this.plain(this.unpacked(bytes, header.uncompressed_page_size), 0, count)
      return Array.from({ length: count }, (_, i) => values.at(i))
    }
    return Array.from(convert(this.byLibrary(header, bytes), this.decoder), valueOf)
  }

  private usual(header: PageHeader, bytes: Buffer): Values | undefined {
    const { data_page_header: one, data_page_header_v2: two } = header
    const { encoding, num_values: rows } = one ?? two ?? {}
    if (encoding === undefined || rows === undefined) throw new Error('a page has no header of data')
    if (!USUAL.has(encoding) || (encoding === 'PLAIN' && this.plain === undefined)) return undefined
    if (encoding !== 'PLAIN' && this.dictionary === undefined)
      throw new Error('a page needs a dictionary, and there is none')
    if (one !== undefined && this.optional && one.definition_level_encoding !== 'RLE') return undefined
    let page: Buffer
    let at = 0
    let levels: Uint8Array | undefined
    if (two !== undefined) {
      const { repetition_levels_byte_length: before, definition_levels_byte_length: length } = two
      if (this.optional) levels = levelsOf(bytes.subarray(before, before + length), rows)
      const values = bytes.subarray(before + length)
      const size = header.uncompressed_page_size - before - length
      page = two.is_compressed === false || size === 0 ? values : this.unpacked(values, size)
    } else {
      page = this.unpacked(bytes, header.uncompressed_page_size)
      if (this.optional) {
        at = 4 + page.readUInt32LE()
        levels = levelsOf(page.subarray(4, at), rows)
      }
    }
    const there = levels === undefined ? rows : sum(levels)
    if (there === 0) return new Fixed(rows, () => null)
    const values = encoding === 'PLAIN' ? this.plain?.(page, at, there) : this.looked(page, at, there)
    return values === undefined || levels === undefined ? values : new WithNulls(values, levels)
  }

  private looked(page: Buffer, at: number, count: number): Values {
    const indexes = new Int32Array(count)
    const width = count === 0 ? 0 : page.readUInt8(at)
    const reader = { view: new DataView(page.buffer, page.byteOffset, page.length), offset: at + 1 }
    if (width > 0) readRleBitPackedHybrid(reader, width, indexes, page.length - at - 1)
    return new Looked(this.dictionary ?? [], indexes)
  }

  private byLibrary(header: PageHeader, bytes: Buffer): unknown[] {
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 }
    const { data } = readPage(reader, header, this.decoder, this.dictionary as Value[] | undefined, undefined, 0)
    return data === undefined ? [] : Array.from(data as ArrayLike<unknown>)
  }

  private unpacked(bytes: Buffer, size: number): Buffer {
    const { codec } = this.decoder
    const unpack = COMPRESSORS[codec]
    if (codec !== 'UNCOMPRESSED' && unpack === undefined) throw new Error(`it is packed with ${codec}`)
    const page = codec === 'UNCOMPRESSED' ? bytes : unpack?.(bytes, size)
    if (page?.length !== size) throw new Error('a page is not as long as its header says')
    return Buffer.from(page.buffer, page.byteOffset, page.length)
  }
}

const USUAL: ReadonlySet<string> = new Set(['PLAIN', 'PLAIN_DICTIONARY', 'RLE_DICTIONARY'])

const PARSERS = {
  stringFromBytes: (bytes: Uint8Array) =>
    textOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length),
  timestampFromMilliseconds: (time: bigint) => isoOf(Number(time)),
  timestampFromMicroseconds: (time: bigint) => isoOf(Number(time / 1000n)),
  timestampFromNanoseconds: (time: bigint) => isoOf(Number(time / 1_000_000n)),
  dateFromDays: (days: number) => isoOf(days * DAY),
}

// What is of no use in a list is as good as nothing.
function valueOf(value: unknown): Value {
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null
}

function plainOf({ type, converted_type: converted, logical_type: logical }: SchemaElement): Plain | undefined {
  if (type === 'BYTE_ARRAY') {
    const isText =
      [undefined, 'UTF8', 'ENUM'].includes(converted) && [undefined, 'STRING', 'ENUM'].includes(logical?.type)
    return isText ? texts : undefined
  }
  if (type === 'BOOLEAN') return booleans
  if (type !== 'INT64') return undefined
  const unit = logical?.type === 'TIMESTAMP' ? logical.unit : undefined
  if (unit === 'MILLIS' || (unit === undefined && converted === 'TIMESTAMP_MILLIS')) return milliseconds
  const isInteger = [undefined, 'INT_64'].includes(converted) && [undefined, 'INTEGER'].includes(logical?.type)
  return isInteger ? integers : undefined
}

class Known implements Values {
  readonly length: number

  constructor(private readonly values: readonly Value[]) {
    this.length = values.length
  }

  at(index: number): Value {
    return this.values[index] ?? null
  }
}

class Looked implements Values {
  readonly length: number

  constructor(
    private readonly dictionary: readonly Value[],
    private readonly indexes: Int32Array,
  ) {
    this.length = indexes.length
  }

  at(index: number): Value {
    const value = this.dictionary[this.indexes[index] ?? 0]
    if (value === undefined) throw new Error('a page names what its dictionary does not have')
    return value
  }
}

class WithNulls implements Values {
  readonly length: number
  private readonly places: Int32Array

  constructor(
    private readonly values: Values,
    levels: Uint8Array,
  ) {
    this.length = levels.length
    let next = 0
    this.places = Int32Array.from(levels, (level) => (level === 1 ? next++ : -1))
  }

  at(index: number): Value {
    const place = this.places[index] ?? -1
    return place < 0 ? null : this.values.at(place)
  }
}

class Texts implements Values {
  /** Where the lengths are that stand before the values, and where one behind the last would be. */
  private readonly places: Int32Array

  constructor(
    private readonly page: Buffer,
    at: number,
    readonly length: number,
  ) {
    this.places = new Int32Array(length + 1)
    for (let i = 0; i < length; i++) {
      this.places[i] = at
      at += 4 + page.readUInt32LE(at)
    }
    if (at > page.length) throw new Error('a value goes on behind its page')
    this.places[length] = at
  }

  at(index: number): Value {
    return textOf(this.page, (this.places[index] ?? 0) + 4, this.places[index + 1] ?? 0)
  }
}

const texts: Plain = (page, at, count) => new Texts(page, at, count)

function textOf(page: Buffer, from: number, to: number): string {
  const text = page.toString('utf8', from, to)
  if (text.includes('\ufffd') && !isUtf8(page.subarray(from, to))) throw new NotUtf8('text is not UTF-8')
  return text
}

class Fixed implements Values {
  constructor(
    readonly length: number,
    readonly at: (index: number) => Value,
  ) {}
}

const booleans: Plain = (page, at, count) =>
  new Fixed(count, (i) => (page.readUInt8(at + (i >> 3)) & (1 << (i & 7))) !== 0)

const integers: Plain = (page, at, count) => new Fixed(count, (i) => integerAt(page, at + 8 * i))

const milliseconds: Plain = (page, at, count) => new Fixed(count, (i) => isoOf(integerAt(page, at + 8 * i)))

function integerAt(page: Buffer, at: number): number {
  return page.readInt32LE(at + 4) * 2 ** 32 + page.readUInt32LE(at)
}

// 1 for a value that is there; undefined where all are. Most often one run says it of all.
function levelsOf(bytes: Buffer, rows: number): Uint8Array | undefined {
  const levels = new Uint8Array(rows)
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 }
  if (rows > 0) readRleBitPackedHybrid(reader, 1, levels, bytes.length)
  return levels.includes(0) ? levels : undefined
}

function sum(levels: Uint8Array): number {
  let count = 0
  for (const level of levels) count += level
  return count
}

const DAY = 86_400_000
const TWO = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'))
const MINUTES = Array.from({ length: 24 * 60 }, (_, n) => `${TWO[Math.floor(n / 60)]}:${TWO[n % 60]}:`)
const SECONDS = TWO.map((second) => `${second}.`)
const ENDS = Array.from({ length: 1000 }, (_, n) => `${String(n).padStart(3, '0')}Z`)

/** What a time of a day begins with, by its number. A century of them is kept. */
const days = new Map<number, string>()
const MOST_DAYS = 36_525

// `Date.toISOString` in a seventh of the time: there are few days, and neighbours in the order of keys are seldom of one.
function isoOf(time: number): string | null {
  const its = Math.floor(time / DAY)
  let day = days.get(its)
  if (day === undefined) {
    const text = Number.isFinite(time) && Math.abs(time) < 8.64e15 ? new Date(its * DAY).toISOString() : ''
    if (text.length !== 24) return null
    day = text.slice(0, 11)
    if (days.size >= MOST_DAYS) days.clear()
    days.set(its, day)
  }
  const rest = time - its * DAY
  const seconds = Math.floor(rest / 1000)
  const minutes = Math.floor(seconds / 60)
  return `${day}${MINUTES[minutes]}${SECONDS[seconds - 60 * minutes]}${ENDS[rest - 1000 * seconds]}`
}
