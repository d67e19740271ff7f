import type { ByteWriter } from './byte-writer.js'
import type { Content } from './content.js'
import type { Bucket, Extras, KeyIndex, S3Object } from './object.js'
import { compareKeys } from './order.js'

/** An object with content of its own. */
export class StoredObject implements S3Object {
  readonly denied = false

  constructor(
    private readonly held: Content,
    readonly etag: string,
    readonly seconds: number,
    readonly headers: readonly string[],
    readonly extras: Extras,
  ) {}

  get size(): number {
    return this.held.size
  }

  writeEtag(page: ByteWriter): void {
    page.ascii(this.etag)
  }

  content(): Content {
    return this.held
  }
}

/** A string of its own: a slice of a request line would keep the whole line in memory. */
function detached(key: string): string {
  return Buffer.from(key, 'utf8').toString('utf8')
}

/** A bucket that stores what is put, in memory. Its sorted index is brought up to date when it is listed. */
export class OrdinaryBucket implements Bucket {
  readonly readOnly = false
  private readonly objects = new Map<string, S3Object>()
  private sorted: string[] = []
  private added: string[] = []
  private removals = 0

  constructor(
    readonly name: string,
    readonly created: number,
    public ownerEnforced = true,
  ) {}

  get(key: string): S3Object | undefined {
    return this.objects.get(key)
  }

  put(key: string, object: S3Object): void {
    if (this.objects.has(key)) {
      this.objects.set(key, object)
      return
    }
    const own = detached(key)
    this.objects.set(own, object)
    this.added.push(own)
  }

  rewrite(key: string, headers: readonly string[], extras: Extras, seconds: number): S3Object {
    const old = this.objects.get(key)
    if (old === undefined) throw new RangeError('only a present object can be rewritten')
    const object = new StoredObject(old.content(), old.etag, seconds, headers, extras)
    this.objects.set(key, object)
    return object
  }

  delete(key: string): void {
    if (this.objects.delete(key)) this.removals++
  }

  index(): KeyIndex {
    this.sort()
    const keys = this.sorted
    return {
      count: keys.length,
      keyAt: (position) => keys[position] ?? '',
      objectAt: (position) => this.objects.get(keys[position] ?? ''),
    }
  }

  isEmpty(): boolean {
    return this.objects.size === 0
  }

  private sort(): void {
    if (this.added.length > 0) {
      // A key that was deleted and put again stands in both lists, or twice in this one.
      const fresh = this.added.sort(compareKeys)
      this.added = []
      const last = this.sorted.at(-1)
      const first = fresh[0]
      if (last === undefined || first === undefined || compareKeys(last, first) >= 0) {
        this.sorted = merge(this.sorted, fresh)
      } else {
        // Copies made in key order only add at the end.
        for (const key of merge([], fresh)) this.sorted.push(key)
      }
    }
    if (this.removals > 0 && this.removals * 2 > this.sorted.length) {
      this.sorted = this.sorted.filter((key) => this.objects.has(key))
      this.removals = 0
    }
  }
}

/** Two sorted lists as one, each key once. */
function merge(a: readonly string[], b: readonly string[]): string[] {
  const out: string[] = []
  let i = 0
  let j = 0
  let last: string | undefined
  for (;;) {
    const x = a[i]
    const y = b[j]
    let next: string
    if (x !== undefined && (y === undefined || compareKeys(x, y) <= 0)) {
      next = x
      i++
    } else if (y !== undefined) {
      next = y
      j++
    } else {
      return out
    }
    if (next !== last) out.push(next)
    last = next
  }
}
