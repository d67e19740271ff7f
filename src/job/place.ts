import { isAbsolute } from 'node:path'
import { printable } from '../keys.js'
import { oneOf, shape, text } from './schema.js'

/**
 * A bucket and a prefix in it. The prefix is a string as in the S3 API, not a folder; it may be empty.
 * On the local disk the bucket is the absolute path of a folder, and the prefix is empty.
 */
export interface Place {
  readonly bucket: string
  readonly prefix: string
}

/** Whether a place is a folder of the local disk. No bucket has a name that is an absolute path. */
export function isFolder({ bucket }: Pick<Place, 'bucket'>): boolean {
  return isAbsolute(bucket)
}

/** Whether a bucket is one of S3 Express One Zone, or an access point of one: AWS keeps these endings for them. */
export function isDirectoryBucket(bucket: string): boolean {
  return /--xa?-s3$/.test(bucket)
}

/** Whether a result goes to an object, `s3://bucket/key`, and not to a file, which has an absolute path. */
export function isObjectUrl(to: string): boolean {
  return to.startsWith('s3://')
}

/** Which folder it was that a run works on. */
export interface FolderIdentity {
  /**
   * How keys are names below it:
   * - `literal`: as they are; a folder that somebody else made
   * - `exact`: what no file system or terminal bears is encoded
   * - `folded`: so is what a file system changes, or holds to be equal: capitals, all that is not ASCII, what Windows forbids
   */
  readonly names: 'literal' | 'exact' | 'folded'
  /** The numbers of its device and of itself, in decimal digits: they may be beyond 2^53. */
  readonly device: string
  readonly inode: string
}

/**
 * A place as people write it, fit to be shown: `s3://bucket/prefix`, `file:///folder`. It is that of an object where `prefix` is the full key, and
 * that of all of a bucket without.
 */
export function placeUrl(place: Parameters<typeof exactUrl>[0]): string {
  return printable(exactUrl(place))
}

/** The same for a program: every byte as it is, which a terminal could take for a command. */
export function exactUrl(place: Pick<Place, 'bucket'> & { readonly prefix?: string | undefined }): string {
  const { bucket, prefix } = place
  const within = prefix === undefined || (isFolder(place) && prefix === '') ? '' : `/${prefix}`
  return `${isFolder(place) ? 'file' : 's3'}://${bucket}${within}`
}

/** The two sides of a job. */
export type Side = 'source' | 'destination'

export const placeShape = shape<Place>({ bucket: text, prefix: text }, {})

/** What may be said of a prefix that is no mere text. */
export const prefixAsShape = oneOf('folder')

export const folderIdentityShape = shape<FolderIdentity>(
  { names: oneOf('literal', 'exact', 'folded'), device: text, inode: text },
  {},
)
