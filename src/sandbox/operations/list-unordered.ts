import { listingRank, type DirectoryBucket } from '../buckets/directory-bucket.js'
import type { S3Object } from '../buckets/object.js'
import { firstWhere } from '../buckets/order.js'

/** An entry of such a listing. */
export type UnorderedEntry = { readonly key: string; readonly object: S3Object } | { readonly commonPrefix: string }

/** A page of it, and the name behind which the next one goes on. */
export interface UnorderedPage {
  readonly entries: UnorderedEntry[]
  readonly next: string | undefined
}

/** What is to be listed. */
export interface UnorderedWish {
  readonly prefix: string
  readonly delimiter: string
  readonly maxKeys: number
  /** The name of the last entry of the page before. */
  readonly after: string | undefined
  /** The keys of uploads under way: with a delimiter their prefixes are listed. */
  readonly uploads: readonly string[]
}

/**
 * A page of the listing of a directory bucket: all names, in no order that anybody knows, the same one each time. What is there from the first page to the
 * last is listed once, whatever is written and deleted meanwhile.
 */
export function listUnordered(bucket: DirectoryBucket, wish: UnorderedWish): UnorderedPage {
  return wish.delimiter === '' ? keysOf(bucket, wish) : levelOf(bucket, wish)
}

function keysOf(bucket: DirectoryBucket, { prefix, maxKeys, after }: UnorderedWish): UnorderedPage {
  const keys = bucket.shuffled()
  const entries: UnorderedEntry[] = []
  let last: string | undefined
  let at = after === undefined ? 0 : firstWhere(keys.length, (n) => comesBehind(keys[n] ?? '', after))
  for (; at < keys.length; at++) {
    const key = keys[at] ?? ''
    const object = key.startsWith(prefix) ? bucket.get(key) : undefined
    if (object === undefined) continue
    if (entries.length === maxKeys) return { entries, next: last }
    entries.push({ key, object })
    last = key
  }
  return { entries, next: undefined }
}

function comesBehind(name: string, other: string): boolean {
  return listingRank(name) > listingRank(other)
}

function levelOf(bucket: DirectoryBucket, wish: UnorderedWish): UnorderedPage {
  const { prefix, delimiter, maxKeys, after, uploads } = wish
  const names = new Map<string, UnorderedEntry>()
  const add = (key: string, object: S3Object | undefined): void => {
    if (!key.startsWith(prefix)) return
    const cut = key.indexOf(delimiter, prefix.length)
    const commonPrefix = key.slice(0, cut + delimiter.length)
    if (cut >= 0) names.set(commonPrefix, { commonPrefix })
    else if (object !== undefined) names.set(key, { key, object })
  }
  for (const key of bucket.shuffled()) {
    const object = bucket.get(key)
    if (object !== undefined) add(key, object)
  }
  for (const key of uploads) add(key, undefined)
  const all = [...names]
    .sort(([a], [b]) => (comesBehind(a, b) ? 1 : -1))
    .filter(([name]) => after === undefined || comesBehind(name, after))
  const page = all.slice(0, maxKeys)
  return { entries: page.map(([, entry]) => entry), next: page.length < all.length ? page.at(-1)?.[0] : undefined }
}
