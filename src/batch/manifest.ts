import { once } from 'node:events'
import { PassThrough, type Readable } from 'node:stream'
import type { ListedTraits } from '../job/verdicts.js'

/** A row of a manifest: bucket and key, URL-encoded so that no key can be taken for two fields. */
export function manifestRow(bucket: string, key: string): string {
  return `${bucket},${encodedKey(key)}\n`
}

/** The same with what was listed of the object, in a field that S3 is to ignore. */
export function listedRow(bucket: string, key: string, { size, etag }: ListedTraits): string {
  return `${bucket},${encodedKey(key)},${size}:${encodeURIComponent(etag)}\n`
}

/** What the last field of such a row tells; undefined of any other text. */
export function listedInRow(field: string): ListedTraits | undefined {
  const [, size, etag = ''] = /^(\d+):([^:]*)$/.exec(field) ?? []
  return size === undefined ? undefined : { size: Number(size), etag: decodeURIComponent(etag) }
}

/** The key of such a row, and of one that a report repeats. One that is not encoded as ours are is taken as it is. */
export function keyIn(field: string): string {
  try {
    const key = decodeURIComponent(field.replaceAll('+', ' '))
    return encodedKey(key) === field || encodeURIComponent(key) === field || formEncoded(key) === field ? key : field
  } catch {
    return field
  }
}

function encodedKey(key: string): string {
  return PLAIN.test(key) ? key : encodeURIComponent(key).replaceAll('%2F', '/')
}

/** A key that is its own encoding, as most are. */
const PLAIN = /^[\w\-.!~*'()/]*$/

// As Java's URLEncoder writes it, for which a blank is a plus.
function formEncoded(key: string): string {
  return encodeURIComponent(key)
    .replaceAll('%20', '+')
    .replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** A manifest that is written whole. */
export interface WrittenManifest<K> {
  readonly manifest: string
  readonly etag: string
  readonly rows: number
  /** Of the objects in it. */
  readonly bytes: number
  /** What its objects have in common. */
  readonly kind: K
}

/** Sends the object `key` as it is read from `body`; answers its ETag. */
export type SendManifest = (key: string, body: Readable, signal: AbortSignal) => Promise<string>

interface OpenManifest {
  readonly key: string
  readonly body: PassThrough
  /** Its ETag, or what went wrong. */
  readonly sent: Promise<{ readonly etag: string } | { readonly error: unknown }>
  rows: number
  bytes: number
  /** Rows that are not in `body` yet: each write to it costs more than many rows do. */
  held: string
}

/** What is held back of a manifest, in characters. */
const HELD = 64 * 1024

/** Writes objects into manifests: one for each kind of them, and a new one whenever it is full. */
export class ManifestWriter<K> {
  readonly written: WrittenManifest<K>[] = []
  private readonly open = new Map<K, OpenManifest>()
  private readonly ending = new AbortController()

  /** Keys begin with `folder`, and count from behind `begun`; no manifest has more than `most` rows. */
  constructor(
    private readonly folder: string,
    private readonly most: number,
    private readonly send: SendManifest,
    private begun = 0,
  ) {}

  /** Adds a row, and its object's size. To be waited for where it answers a promise, which rejects as `send` does. */
  add(kind: K, row: string, size: number): Promise<void> | undefined {
    const one = this.open.get(kind) ?? this.begin(kind)
    if (one.rows === this.most) return this.end(kind, one).then(() => this.add(kind, row, size))
    one.rows++
    one.bytes += size
    one.held += row
    return one.held.length < HELD || this.flush(one) ? undefined : this.drained(one)
  }

  /** Ends what is open. Then all is in `written`. */
  async finish(): Promise<void> {
    for (const [kind, one] of this.open) await this.end(kind, one)
  }

  /** Drops what is not whole; to be called in any case. */
  async close(): Promise<void> {
    this.ending.abort()
    const left = [...this.open.values()]
    this.open.clear()
    for (const { body } of left) body.destroy()
    await Promise.all(left.map(({ sent }) => sent))
  }

  private flush(one: OpenManifest): boolean {
    const rows = one.held
    one.held = ''
    return one.body.write(rows)
  }

  private async drained({ body, sent }: OpenManifest): Promise<void> {
    const drained = once(body, 'drain', { signal: this.ending.signal }).then(() => undefined)
    drained.catch(() => undefined)
    const ended = await Promise.race([drained, sent])
    if (ended !== undefined && 'error' in ended) throw ended.error
  }

  private begin(kind: K): OpenManifest {
    const key = `${this.folder}manifest-${++this.begun}.csv`
    const body = new PassThrough({ highWaterMark: 1024 * 1024 })
    body.on('error', () => undefined)
    const sent = this.send(key, body, this.ending.signal).then(
      (etag) => ({ etag }),
      (error: unknown) => ({ error }),
    )
    const one = { key, body, sent, rows: 0, bytes: 0, held: '' }
    this.open.set(kind, one)
    return one
  }

  private async end(kind: K, one: OpenManifest): Promise<void> {
    const { key, body, sent, rows, bytes } = one
    body.end(one.held)
    const ended = await sent
    this.open.delete(kind)
    if ('error' in ended) throw ended.error
    this.written.push({ manifest: key, etag: ended.etag, rows, bytes, kind })
  }
}
