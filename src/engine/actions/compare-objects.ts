import { isSameHeader } from '../../rfc2047.js'
import { nameInCeph } from '../../rules/header-names.js'
import { timeOf } from '../../times.js'
import type { HeaderFields, ObjectHead, ObjectSummary } from '../../storage/storage.js'

/** What can be said of the content of two objects; `unclear` when a closer look may tell. */
export type ContentVerdict = 'same' | 'same-size' | 'different' | 'unclear'

/** What a listing tells of the content of an object. */
export type ListedContent = Pick<ObjectSummary, 'size' | 'etag' | 'manifest'>

/** Compares the content of two objects by what listings show. */
export function contentByListing(a: ListedContent, b: ListedContent): ContentVerdict {
  if (a.size !== b.size) return 'different'
  if (a.size === 0 || (a.etag === b.etag && a.etag !== '')) return 'same'
  return isMd5(a.etag) && isMd5(b.etag) ? 'unclear' : 'same-size'
}

/** Whether an ETag looks like the MD5 of the content. Whatever else it may be, of an object in parts for one, depends on more than that. */
export function isMd5(etag: string): boolean {
  return MD5.test(etag)
}

const MD5 = /^[0-9a-f]{32}$/i

/** Compares the content of two objects by what HEAD tells: a checksum of all of it settles the matter, else the ETags. */
export function contentByHead(a: ObjectHead, b: ObjectHead): Exclude<ContentVerdict, 'unclear'> {
  if (a.size !== b.size) return 'different'
  if (a.size === 0) return 'same'
  const common = [...a.checksums].filter(([algorithm]) => b.checksums.has(algorithm))
  if (common.length > 0) return common.every(([name, value]) => b.checksums.get(name) === value) ? 'same' : 'different'
  const content = contentByListing(a, b)
  if (content !== 'unclear') return content
  return a.plainEtag && b.plainEtag ? 'different' : 'same-size'
}

const REDIRECT = 'x-amz-website-redirect-location'

/**
 * The names of the headers, user metadata included, in which two objects differ; `tags` when they have not as many. Metadata that has `-` for `_` in its
 * name in `b`, as Ceph writes it, is one difference: `x-amz-meta-my_key as x-amz-meta-my-key`.
 */
export function headersThatDiffer(a: ObjectHead, b: ObjectHead): string[] {
  const names = new Set([...a.headers.keys(), ...b.headers.keys()])
  const unlike = new Set([...names].filter((name) => !isSameHeader(name, a.headers.get(name), b.headers.get(name))))
  const renamed: string[] = []
  for (const name of [...unlike]) {
    const other = nameInCeph(name)
    if (other === name || !unlike.has(other) || b.headers.has(name) || a.headers.has(other)) continue
    if (!isSameHeader(name, a.headers.get(name), b.headers.get(other))) continue
    unlike.delete(name)
    unlike.delete(other)
    renamed.push(`${name} as ${other}`)
  }
  const differ = [...unlike, ...renamed].sort()
  if (valueOf(a.carried, REDIRECT) !== valueOf(b.carried, REDIRECT)) differ.push(REDIRECT)
  if (a.tags !== b.tags) differ.push('tags')
  return differ
}

function valueOf(fields: HeaderFields, name: string): string | undefined {
  return fields.find(([field]) => field === name)?.[1]
}

/** Whether two values of `x-amz-tagging` hold the same tags, in whatever order. */
export function sameTags(a: string, b: string): boolean {
  return a.split('&').sort().join('&') === b.split('&').sort().join('&')
}

/**
 * Whether two dates (ISO 8601) are those of two moments; undefined when one of them is not known. HEAD tells seconds where a listing or a disk may tell
 * milliseconds.
 */
export function areApart(one: string, other: string): boolean | undefined {
  const between = Math.abs(timeOf(one) - timeOf(other))
  return Number.isNaN(between) ? undefined : between >= 1_000
}
