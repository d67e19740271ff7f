import { once } from 'node:events'
import { PassThrough, type Readable } from 'node:stream'

/** A row of a manifest: bucket and key, URL-encoded so that no key can be taken for two fields. */
export function manifestRow(bucket: string, key: string): string {
  return `${bucket},${encodedKey(key)}\n`
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
  return encodeURIComponent(key).replaceAll('%2F', '/')
}

// As Java's URLEncoder writes it, for which a blank is a plus.
function formEncoded(key: string): string {
  return encodeURIComponent(key)
    .replaceAll('%20', '+')
    .replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** A manifest that is written whole. */
export interface WrittenManifest {
  readonly manifest: string
  readonly etag: string
  readonly rows: number
  /** Of the objects in it. */
  readonly bytes: number
  /** What the jobs of its objects have in common. */
  readonly storageClass: string
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
}

/** Writes objects into manifests: one for each storage class, and a new one whenever it is full. */
export class ManifestWriter {
  readonly written: WrittenManifest[] = []
  private readonly open = new Map<string, OpenManifest>()
  private readonly ending = new AbortController()
  private begun = 0

  /** Keys begin with `folder`; no manifest has more than `most` rows. */
  constructor(
    private readonly folder: string,
    private readonly most: number,
    private readonly send: SendManifest,
  ) {}

  /** Adds a row, and its object's size; waits while more is held than is good. Rejects as `send` does. */
  async add(storageClass: string, row: string, size: number): Promise<void> {
    let one = this.open.get(storageClass) ?? this.begin(storageClass)
    if (one.rows === this.most) {
      await this.end(storageClass, one)
      one = this.begin(storageClass)
    }
    one.rows++
    one.bytes += size
    if (one.body.write(row)) return
    const drained = once(one.body, 'drain', { signal: this.ending.signal }).then(() => undefined)
    drained.catch(() => undefined)
    const ended = await Promise.race([drained, one.sent])
    if (ended !== undefined && 'error' in ended) throw ended.error
  }

  /** Ends what is open. Then all is in `written`. */
  async finish(): Promise<void> {
    for (const [storageClass, one] of this.open) await this.end(storageClass, one)
  }

  /** Drops what is not whole; to be called in any case. */
  async close(): Promise<void> {
    this.ending.abort()
    const left = [...this.open.values()]
    this.open.clear()
    for (const { body } of left) body.destroy()
    await Promise.all(left.map(({ sent }) => sent))
  }

  private begin(storageClass: string): OpenManifest {
    const key = `${this.folder}manifest-${++this.begun}.csv`
    const body = new PassThrough({ highWaterMark: 1024 * 1024 })
    body.on('error', () => undefined)
    const sent = this.send(key, body, this.ending.signal).then(
      (etag) => ({ etag }),
      (error: unknown) => ({ error }),
    )
    const one = { key, body, sent, rows: 0, bytes: 0 }
    this.open.set(storageClass, one)
    return one
  }

  private async end(storageClass: string, { key, body, sent, rows, bytes }: OpenManifest): Promise<void> {
    body.end()
    const ended = await sent
    this.open.delete(storageClass)
    if ('error' in ended) throw ended.error
    this.written.push({ manifest: key, etag: ended.etag, rows, bytes, storageClass })
  }
}
