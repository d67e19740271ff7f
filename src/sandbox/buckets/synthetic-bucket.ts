import { hash } from 'node:crypto'
import { ComputedContent, SINGLE_PART, type ObjectBytes } from '../wire/content.js'
import { mix } from '../wire/hash.js'
import type { Layout } from './layouts.js'
import type { Annotations, Bucket, Extras, KeyIndex, S3Object, Version } from './object.js'
import { noExtras } from './object.js'
import { compareByUtf8, firstWhere } from './order.js'
import { accessDenied, notImplemented } from '../wire/s3-error.js'

/** How the objects of a synthetic bucket are. "One in N" is exact: positions N-1, 2N-1, ... and the like. */
export interface SyntheticTraits {
  readonly seed: number
  /** Put before every key of the layout. */
  readonly prefix: string
  /** Bytes of every object; undefined: mostly small, deterministic. */
  readonly size: number | undefined
  /** One in so many is larger than 5 GiB; 0: none. Likewise the others. */
  readonly big: number
  readonly glacier: number
  readonly denied: number
  readonly tags: number
  readonly annotations: number
}

const fiveGiB = 5 * 2 ** 30
/** In bytes; what objects of several parts were uploaded in. */
const partSize = 2 ** 26
const emptyEtag = 'd41d8cd98f00b204e9800998ecf8427e'
const firstSecond = Date.UTC(2019, 0, 1) / 1000
const fiveYears = 1826 * 86_400
const glacierExtras: Extras = { ...noExtras, storageClass: 'GLACIER' }

const contentTypes: Readonly<Record<string, string>> = {
  jpg: 'image/jpeg',
  gz: 'application/gzip',
  parquet: 'application/vnd.apache.parquet',
}
const caching = ['max-age=3600', 'no-cache', 'public, max-age=31536000, immutable']
const languages = ['en', 'de-CH', 'pt-BR', 'ja']

interface Rewrite {
  readonly headers: readonly string[]
  readonly extras: Extras
  readonly seconds: number
}

/** Object number `index` of a synthetic bucket; everything about it is computed when asked for. */
class SyntheticObject implements S3Object {
  constructor(
    readonly bucket: SyntheticBucket,
    readonly index: number,
  ) {}

  get size(): number {
    return this.bucket.sizeOf(this.index)
  }

  get etag(): string {
    return this.bucket.etagOf(this.index)
  }

  get seconds(): number {
    return this.bucket.rewriteOf(this.index)?.seconds ?? this.bucket.secondsOf(this.index)
  }

  get headers(): readonly string[] {
    return this.bucket.rewriteOf(this.index)?.headers ?? this.bucket.headersOf(this.index)
  }

  get extras(): Extras {
    return this.bucket.rewriteOf(this.index)?.extras ?? this.bucket.extrasOf(this.index)
  }

  get denied(): boolean {
    return this.bucket.isDenied(this.index)
  }

  content(): ObjectBytes {
    return this.bucket.contentOf(this.index)
  }
}

/**
 * A copy of a synthetic object: a reference of a few dozen bytes, so that millions of copies fit into memory.
 * `ownHeaders` undefined means the headers of the source, as the COPY directive has it.
 */
class ReferencedObject implements S3Object {
  constructor(
    private readonly source: SyntheticBucket,
    private readonly index: number,
    readonly seconds: number,
    private readonly ownHeaders: readonly string[] | undefined,
    readonly extras: Extras,
  ) {}

  get denied(): boolean {
    return false
  }

  get size(): number {
    return this.source.sizeOf(this.index)
  }

  get etag(): string {
    return this.source.etagOf(this.index)
  }

  get headers(): readonly string[] {
    return this.ownHeaders ?? this.source.headersOf(this.index)
  }

  content(): ObjectBytes {
    return this.source.contentOf(this.index)
  }
}

/** A bucket whose objects are never stored; it takes deletions and copies of objects onto themselves. */
export class SyntheticBucket implements Bucket {
  readonly readOnly = true
  readonly directory = false
  readonly unconditional = false
  readonly unencrypted = false
  readonly versioning = undefined
  ownerEnforced = true
  private readonly deleted = new Set<number>()
  private readonly rewrites = new Map<number, Rewrite>()
  /** How many contents there are. Each is hashed once, and all together are some 30 MiB: a listing has no time for more. */
  private readonly kinds: number
  /** By kind, as far as they were asked for. */
  private readonly etags: string[] = []

  constructor(
    readonly name: string,
    readonly created: number,
    private readonly layout: Layout,
    private readonly traits: SyntheticTraits,
  ) {
    this.kinds = Math.max(16, Math.min(1024, Math.floor(2 ** 25 / (traits.size ?? 1))))
  }

  get(key: string): S3Object | undefined {
    const index = this.indexOf(key)
    return index === undefined || this.deleted.has(index) ? undefined : new SyntheticObject(this, index)
  }

  setVersioning(): void {
    throw notImplemented()
  }

  versions(key: string): readonly Version[] {
    return versionsOf(this.get(key))
  }

  put(): undefined {
    throw accessDenied()
  }

  rewrite(key: string, headers: readonly string[], extras: Extras, seconds: number): S3Object {
    const index = this.indexOf(key)
    if (index === undefined) throw accessDenied()
    this.rewrites.set(index, { headers, extras, seconds })
    return new SyntheticObject(this, index)
  }

  delete(key: string): undefined {
    const index = this.indexOf(key)
    if (index !== undefined) this.deleted.add(index)
  }

  remove(key: string, versionId: string): Version | undefined {
    const [only] = this.versions(key)
    if (versionId !== 'null' || only === undefined) return undefined
    this.delete(key)
    return only
  }

  index(): KeyIndex {
    const objectAt = (position: number) =>
      this.deleted.has(position) ? undefined : new SyntheticObject(this, position)
    return {
      revision: 0,
      count: this.layout.count,
      keyAt: (position) => this.traits.prefix + this.layout.keyAt(position),
      objectAt,
      versionsAt: (position) => versionsOf(objectAt(position)),
    }
  }

  isEmpty(): boolean {
    return this.deleted.size >= this.layout.count
  }

  rewriteOf(index: number): Rewrite | undefined {
    return this.rewrites.size === 0 ? undefined : this.rewrites.get(index)
  }

  sizeOf(index: number): number {
    const { seed, size, big } = this.traits
    if (oneIn(big, index, big - 1)) return fiveGiB + 1 + (mix(seed, index, 51) % (fiveGiB / 2)) * 2
    if (size !== undefined) return size
    if (this.layout.hasFolders === true && this.layout.keyAt(index).endsWith('/')) return 0
    const kind = this.kindOf(index)
    const magnitude = 64 << (mix(seed, kind, 52) % 12)
    return magnitude + (mix(seed, kind, 53) % magnitude)
  }

  etagOf(index: number): string {
    const size = this.sizeOf(index)
    if (size > SINGLE_PART) return `${this.contentOf(index).digest()}-${Math.ceil(size / partSize)}`
    if (size === 0) return emptyEtag
    return (this.etags[this.kindOf(index)] ??= this.contentOf(index).digest())
  }

  secondsOf(index: number): number {
    return firstSecond + (mix(this.traits.seed, index, 65) % fiveYears)
  }

  extrasOf(index: number): Extras {
    const { glacier, tags, annotations, seed } = this.traits
    let extras = oneIn(glacier, index, glacier >> 1) ? glacierExtras : noExtras
    if (oneIn(tags, index, 0)) extras = { ...extras, tags: [['team', `t${mix(seed, index, 66) % 10}`]] }
    return oneIn(annotations, index, annotations - 1) ? { ...extras, annotations: this.annotationsOf(index) } : extras
  }

  private annotationsOf(index: number): Annotations {
    const text = Buffer.from(JSON.stringify({ model: `m${mix(this.traits.seed, index, 67) % 10}`, of: index }))
    const note = Buffer.from('gesehen: ja \u2713')
    const seconds = this.secondsOf(index)
    return new Map([
      ['labels', { text, etag: hash('md5', text), seconds }],
      ['note', { text: note, etag: hash('md5', note), seconds }],
    ])
  }

  isDenied(index: number): boolean {
    const { denied } = this.traits
    return oneIn(denied, index, denied > 1 ? 1 : 0)
  }

  headersOf(index: number): readonly string[] {
    const { seed } = this.traits
    const key = this.layout.keyAt(index)
    const extension = key.slice(key.lastIndexOf('.') + 1)
    const chance = mix(seed, index, 71)
    const headers = ['Content-Type', contentTypes[extension] ?? 'binary/octet-stream']
    headers.push('x-amz-meta-owner', `team-${chance % 7}`)
    const cache = caching[chance % 5]
    if (cache !== undefined) headers.push('Cache-Control', cache)
    if (chance % 16 === 3) headers.push('Content-Encoding', 'gzip')
    if (chance % 20 === 7) headers.push('Content-Disposition', `attachment; filename="report ${index}.bin"`)
    if (chance % 40 === 9) headers.push('Content-Language', languages[chance % 4] ?? 'en')
    if (chance % 50 === 11) headers.push('Expires', 'Thu, 01 Dec 2033 16:00:00 GMT')
    if (chance % 3 === 1) headers.push('x-amz-meta-origin', `camera ${chance % 1000}; "roof", 100% = ok`)
    return headers
  }

  contentOf(index: number): ObjectBytes {
    const size = this.sizeOf(index)
    return new ComputedContent(mix(this.traits.seed, size > SINGLE_PART ? index : this.kindOf(index), 81), size)
  }

  private kindOf(index: number): number {
    return mix(this.traits.seed, index, 61) % this.kinds
  }

  private indexOf(key: string): number | undefined {
    const { prefix } = this.traits
    if (!key.startsWith(prefix)) return undefined
    const { layout } = this
    const name = key.slice(prefix.length)
    const index =
      layout.guess === undefined
        ? firstWhere(layout.count, (middle) => compareByUtf8(layout.keyAt(middle), name) >= 0)
        : layout.guess(name)
    return Number.isInteger(index) && index >= 0 && index < layout.count && layout.keyAt(index) === name
      ? index
      : undefined
  }
}

/** What was never versioned has one version. */
function versionsOf(object: S3Object | undefined): readonly Version[] {
  return object === undefined ? [] : [{ id: 'null', order: 0, object, seconds: object.seconds }]
}

function oneIn(n: number, index: number, offset: number): boolean {
  return n > 0 && index % n === offset
}

/** What to store for a copy of `source`: a reference when it is synthetic, undefined when its content must be kept. */
export function referenceTo(
  source: S3Object,
  seconds: number,
  headers: readonly string[] | undefined,
  extras: Extras,
): S3Object | undefined {
  if (!(source instanceof SyntheticObject)) return undefined
  const rewritten = source.bucket.rewriteOf(source.index)?.headers
  return new ReferencedObject(source.bucket, source.index, seconds, headers ?? rewritten, extras)
}
