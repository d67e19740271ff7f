import type { CopyJob } from '../job/copy.js'
import { isArchiveClass, STORAGE_CLASSES } from '../job/storage-classes.js'
import { keyBytes, LONGEST_KEY } from '../keys.js'
import { timeOf } from '../times.js'

/** What a listing tells of an object, by its full key. */
export interface RoutedObject {
  readonly key: string
  readonly size: number
  readonly etag: string
  readonly lastModified: string
  readonly storageClass: string
}

/** Who copies an object: a job whose copies have this storage class, or, for a reason, s3move itself. */
export type Route = { readonly storageClass: string } | { readonly reason: string }

/** What a copy by one request, which is all that a job does, may have, in bytes: S3 documents 5 GB and takes 5 GiB. */
const LARGEST = 5_000_000_000

/** What a rewrite by one request is to give an object, all of which CopyObject is sent: names in lower case, and values as HTTP has them. Or its tags. */
export type RewriteFields = readonly (readonly [name: string, value: string])[]

/** Who rewrites an object: a job that gives its objects these fields and this storage class, or, for a reason, s3move itself. */
export type RewriteRoute =
  { readonly storageClass: string; readonly fields: RewriteFields } | { readonly reason: string }

/** The storage classes that jobs know. */
const CLASSES: ReadonlySet<string> = new Set(STORAGE_CLASSES.filter((name) => name !== 'REDUCED_REDUNDANCY'))

/** In place of a storage class, of jobs that leave that of their objects as it is. */
export const NO_CLASS = ''

/** Who gives an object these tags: a job can, whatever the object is. */
export function tagRouteOf(wanted: RewriteFields): RewriteRoute {
  // The same set in another order is the same job.
  return { storageClass: NO_CLASS, fields: wanted.toSorted(([a], [b]) => (a < b ? -1 : 1)) }
}

/** What a job puts in front of the names of the objects; undefined where it cannot give them the names that the copies are to have. */
export function frontOf({ source, destination }: Pick<CopyJob, 'source' | 'destination'>): string | undefined {
  if (!destination.prefix.endsWith(source.prefix)) return undefined
  return destination.prefix.slice(0, destination.prefix.length - source.prefix.length)
}

/** Decides who copies an object. `front` is what is put in front of its name. */
export function routeOf(
  { key, size, storageClass }: RoutedObject,
  { attributes = {} }: Pick<CopyJob, 'attributes'>,
  front: string,
): Route {
  if (size > LARGEST) return { reason: TOO_LARGE }
  if (isArchiveClass(storageClass)) return { reason: archivedAs(storageClass) }
  if (keyBytes(front) + keyBytes(key) > LONGEST_KEY) return { reason: 'its name would be longer than 1,024 bytes' }
  const kept = attributes.drop?.includes('storage-class') === true ? 'STANDARD' : storageClass
  const wanted = attributes.storageClass ?? kept
  return CLASSES.has(wanted) ? { storageClass: wanted } : { reason: unknownClass(wanted) }
}

function unknownClass(storageClass: string): string {
  return `no job knows the storage class ${storageClass}`
}

/** Decides who rewrites an object of so many bytes, which is to have these fields; the storage class is one of them where it is not STANDARD. */
export function rewriteRouteOf(size: number, wanted: RewriteFields): RewriteRoute {
  if (size > LARGEST) return { reason: TOO_LARGE }
  const [, storageClass = 'STANDARD'] = wanted.find(([name]) => name === CLASS) ?? []
  if (isArchiveClass(storageClass)) return { reason: archivedAs(storageClass) }
  if (!CLASSES.has(storageClass)) return { reason: unknownClass(storageClass) }
  const fields = wanted.filter(([name]) => name !== CLASS)
  for (const [index, field] of fields.entries()) {
    const problem = problemOf(field) ?? (fields.findIndex(([name]) => name === field[0]) < index ? TWICE : undefined)
    if (problem !== undefined) return { reason: problem }
  }
  // The same set in another order is the same job.
  return { storageClass, fields: fields.toSorted(([a], [b]) => (a < b ? -1 : 1)) }
}

const TOO_LARGE = 'it is larger than 5 GB'
const TWICE = 'it has a field twice'
const CLASS = 'x-amz-storage-class'
const ENCRYPTION = 'x-amz-server-side-encryption'

/** The fields that jobs can give, beside user metadata. */
const GIVEN: ReadonlySet<string> = new Set([
  ...['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'content-type', 'expires'],
  ...[ENCRYPTION, `${ENCRYPTION}-aws-kms-key-id`, `${ENCRYPTION}-bucket-key-enabled`],
  ...['x-amz-checksum-algorithm', 'x-amz-website-redirect-location'],
])

function archivedAs(storageClass: string): string {
  return `its content is archived (${storageClass})`
}

function problemOf([name, value]: RewriteFields[number]): string | undefined {
  if (name.startsWith('x-amz-object-lock-')) return 'it is locked'
  if (!GIVEN.has(name) && !name.startsWith('x-amz-meta-')) return `no job can give it ${name}`
  // A request for a job is XML, and what S3 makes of other bytes in it is told nowhere.
  if (!/^[ -~]*$/.test(value)) return 'its headers have characters beyond ASCII'
  if (name === 'expires' && httpDateOf(value) !== value) return 'its Expires is not as HTTP writes dates'
  if (name === ENCRYPTION && value !== 'AES256' && value !== 'aws:kms') return `no job can encrypt it with ${value}`
  return undefined
}

function httpDateOf(text: string): string | undefined {
  const time = timeOf(text)
  return Number.isNaN(time) ? undefined : new Date(time).toUTCString()
}
