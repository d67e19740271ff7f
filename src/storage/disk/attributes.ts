import type { HeaderFields } from '../storage.js'

/** What is kept of an object beside its content, and to which content it belongs. */
export interface StoredAttributes {
  readonly size: number
  /** When the file was last modified, in milliseconds since 1970. */
  readonly modified: number
  /** The MD5 of the content. */
  readonly etag: string
  readonly storageClass: string
  /** Content-Type and its kin, and user metadata. */
  readonly headers: HeaderFields
  /** What else a new object is given: access control, encryption, lock and the like. */
  readonly others: HeaderFields
  /** As a value of `x-amz-tagging`. */
  readonly tags: string
}

/** File systems keep times to two seconds at worst, and so do programs that copy files. */
const SLACK = 2_000

/** The content that attributes belong to, or may be taken for. */
export type Stamp = Pick<StoredAttributes, 'size' | 'modified'>

/** Whether two stamps may be those of one content. */
export function isSameStamp(a: Stamp, b: Stamp): boolean {
  return a.size === b.size && Math.abs(a.modified - b.modified) <= SLACK
}

const SHOWN = /^(?:cache-control|content-(?:disposition|encoding|language|type)|expires|x-amz-meta-.*)$/s
/** Fields that speak of the request rather than of the object. */
const OF_REQUEST =
  /^(?:content-length|content-md5|if-none-match|x-amz-content-sha256|x-amz-decoded-content-length|x-amz-request-payer)$/

/** Sorts the fields of a PutObject by what is to be kept of them. */
export function attributesFrom(
  fields: HeaderFields,
  content: Stamp & Pick<StoredAttributes, 'etag'>,
): StoredAttributes {
  const last = (name: string): string | undefined => fields.findLast(([field]) => field === name)?.[1]
  return {
    ...content,
    storageClass: last(STORAGE_CLASS) ?? 'STANDARD',
    headers: fields.filter(([name]) => SHOWN.test(name)),
    others: fields.filter(
      ([name]) => !SHOWN.test(name) && !OF_REQUEST.test(name) && name !== TAGGING && name !== STORAGE_CLASS,
    ),
    tags: last(TAGGING) ?? '',
  }
}

const TAGGING = 'x-amz-tagging'
/** The field that names a storage class. */
export const STORAGE_CLASS = 'x-amz-storage-class'

/** JSON in ASCII: metadata is hostile to whoever looks at the file. */
export function asciiJson(value: unknown): string {
  const text = JSON.stringify(value)
  return text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Reads attributes; undefined for what was not written by `asciiJson`, or not to its end. */
export function attributesIn(text: string): StoredAttributes | undefined {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    return undefined
  }
  return isAttributes(read) ? read : undefined
}

function isAttributes(value: unknown): value is StoredAttributes {
  if (typeof value !== 'object' || value === null) return false
  const { size, modified, etag, storageClass, headers, others, tags } = value as Partial<Record<string, unknown>>
  return (
    [size, modified].every((number) => typeof number === 'number') &&
    [etag, storageClass, tags].every((text) => typeof text === 'string') &&
    isFields(headers) &&
    isFields(others)
  )
}

function isFields(value: unknown): value is HeaderFields {
  const isField = (field: unknown): boolean =>
    Array.isArray(field) && field.length === 2 && field.every((text) => typeof text === 'string')
  return Array.isArray(value) && value.every(isField)
}
