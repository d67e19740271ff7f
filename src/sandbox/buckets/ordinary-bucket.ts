import type { ObjectBytes } from '../wire/content.js'
import type { Bucket, Extras, KeyIndex, S3Object, Version } from './object.js'
import { compareByUtf8 } from './order.js'
import { nextOrder, versionIdOf } from './version-id.js'

/** An object with content of its own. */
export class StoredObject implements S3Object {
  readonly denied = false

  constructor(
    private readonly held: ObjectBytes,
    readonly etag: string,
    readonly seconds: number,
    readonly headers: readonly string[],
    readonly extras: Extras,
    readonly listedEtag = etag,
  ) {}

  get size(): number {
    return this.held.size
  }

  content(): ObjectBytes {
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
  readonly directory: boolean = false
  unconditional = false
  unencrypted = false
  versioning: 'Enabled' | 'Suspended' | undefined
  private readonly objects = new Map<string, S3Object>()
  /** The versions of keys that were written since versioning began. */
  private readonly history = new Map<string, readonly Version[]>()
  private sorted: string[] = []
  private added: string[] = []
  private removals = 0
  private revision = 0

  constructor(
    readonly name: string,
    readonly created: number,
    public ownerEnforced = true,
  ) {}

  setVersioning(status: 'Enabled' | 'Suspended'): void {
    this.versioning = status
  }

  get(key: string): S3Object | undefined {
    return this.objects.get(key)
  }

  versions(key: string): readonly Version[] {
    const known = this.history.get(key)
    if (known !== undefined) return known
    const object = this.objects.get(key)
    return object === undefined ? [] : [{ id: 'null', order: 0, object, seconds: object.seconds }]
  }

  put(key: string, object: S3Object): string | undefined {
    if (this.versioning !== undefined) return this.add(key, object, object.seconds).id
    if (this.objects.has(key)) {
      this.objects.set(key, object)
      return undefined
    }
    const own = detached(key)
    this.objects.set(own, object)
    this.added.push(own)
    return undefined
  }

  rewrite(key: string, headers: readonly string[], extras: Extras, seconds: number, versionId?: string): S3Object {
    const versions = this.versions(key)
    const old = versionId === undefined ? versions[0] : versions.find((version) => version.id === versionId)
    if (old?.object === undefined) throw new RangeError('only a present object can be rewritten')
    const object = new StoredObject(old.object.content(), old.object.etag, seconds, headers, extras)
    if (old === versions[0]) this.objects.set(key, object)
    if (this.history.has(key)) {
      this.history.set(
        key,
        versions.map((version) => (version === old ? { ...version, object } : version)),
      )
    }
    return object
  }

  delete(key: string): Version | undefined {
    if (this.versioning !== undefined) return this.add(key, undefined, Math.floor(Date.now() / 1000))
    if (this.objects.delete(key)) this.removals++
    return undefined
  }

  remove(key: string, versionId: string): Version | undefined {
    const versions = this.versions(key)
    const found = versions.find((version) => version.id === versionId)
    if (found === undefined) return undefined
    const rest = versions.filter((version) => version !== found)
    if (rest.length > 0) {
      this.keep(key, rest)
    } else {
      this.history.delete(key)
      this.objects.delete(key)
      this.removals++
    }
    return found
  }

  index(): KeyIndex {
    this.sort()
    const keys = this.sorted
    return {
      revision: this.revision,
      count: keys.length,
      keyAt: (position) => keys[position] ?? '',
      objectAt: (position) => this.objects.get(keys[position] ?? ''),
      versionsAt: (position) => this.versions(keys[position] ?? ''),
    }
  }

  isEmpty(): boolean {
    return this.objects.size === 0 && this.history.size === 0
  }

  /** Puts a version on top. While versioning is suspended it takes the place of the `null` version. */
  private add(key: string, object: S3Object | undefined, seconds: number): Version {
    const order = nextOrder()
    const id = this.versioning === 'Enabled' ? versionIdOf(order) : 'null'
    const version: Version = { id, order, object, seconds }
    const before = this.versions(key)
    const own = before.length === 0 ? detached(key) : key
    if (before.length === 0) this.added.push(own)
    this.keep(own, [version, ...before.filter((old) => old.id !== id)])
    return version
  }

  private keep(key: string, versions: readonly Version[]): void {
    this.history.set(key, versions)
    const newest = versions[0]?.object
    if (newest === undefined) this.objects.delete(key)
    else this.objects.set(key, newest)
  }

  private sort(): void {
    if (this.added.length > 0) {
      // A key that was deleted and put again stands in both lists, or twice in this one.
      const fresh = this.added.sort(compareByUtf8)
      this.revision++
      this.added = []
      const last = this.sorted.at(-1)
      const first = fresh[0]
      if (last === undefined || first === undefined || compareByUtf8(last, first) >= 0) {
        this.sorted = merge(this.sorted, fresh)
      } else {
        // Copies made in key order only add at the end.
        for (const key of merge([], fresh)) this.sorted.push(key)
      }
    }
    if (this.removals > 0 && this.removals * 2 > this.sorted.length) {
      this.sorted = this.sorted.filter((key) => this.objects.has(key) || this.history.has(key))
      this.removals = 0
      this.revision++
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
    if (x !== undefined && (y === undefined || compareByUtf8(x, y) <= 0)) {
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
