import type { CopyJob } from '../job/copy.js'
import { isArchiveClass } from '../job/storage-classes.js'
import { keyBytes, LONGEST_KEY } from '../keys.js'

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

/** The storage classes that jobs know. */
const CLASSES: ReadonlySet<string> = new Set([
  ...['STANDARD', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE'],
])

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
  if (size > LARGEST) return { reason: 'it is larger than 5 GB' }
  if (isArchiveClass(storageClass)) return { reason: `its content is archived (${storageClass})` }
  if (keyBytes(front) + keyBytes(key) > LONGEST_KEY) return { reason: 'its name would be longer than 1,024 bytes' }
  const kept = attributes.drop?.includes('storage-class') === true ? 'STANDARD' : storageClass
  const wanted = attributes.storageClass ?? kept
  return CLASSES.has(wanted) ? { storageClass: wanted } : { reason: `no job knows the storage class ${wanted}` }
}
