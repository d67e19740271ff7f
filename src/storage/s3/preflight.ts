import { isAwsHost } from '../aws-host.js'
import { StorageError, UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import { probeName } from '../unlikely-name.js'
import { isDenied } from './storage-errors.js'
import type { S3Store } from './store.js'
import { mayBeUnsupported } from './unsupported.js'

/** So many hexadecimal digits are not the name of an object by chance. */
const UNLIKELY = 16

/**
 * A copy of an object that does not exist cannot write anything, and whether it is refused for its source or for want of permission tells whether
 * `destination` could be written to. False where no such name fits below the prefixes: nothing was asked then.
 */
export async function probeCopy(destination: S3Store, source: S3Store): Promise<boolean> {
  const key = probeName(destination.place.prefix, source.place.prefix)
  if (key.length < UNLIKELY) return false
  try {
    await destination.copyFrom(source, { key, size: 0, etag: '', lastModified: '', storageClass: 'STANDARD' })
  } catch (error) {
    if (!(error instanceof StorageError) || error.severity !== 'skip') throw error
  }
  return true
}

/** An upload that is begun and aborted writes nothing either, under any name. */
export async function probeUpload({ uploading, place }: S3Store): Promise<void> {
  const key = probeName(place.prefix)
  await uploading.abort(key, await uploading.begin(key, []))
}

/**
 * Tags of an object that does not exist cannot be changed either, and whether that is why it is refused tells whether those of others could be. A
 * `UserError` where the store knows no tags.
 */
export async function probeTagging({ rewriting, place, conditional }: S3Store): Promise<void> {
  const key = probeName(place.prefix)
  if (key.length < UNLIKELY) return
  try {
    // A store that does not know tags could take some for the content of a new object: only AWS is sent any.
    await (conditional ? rewriting.retag(key, { header: '', xml: '<TagSet></TagSet>' }) : rewriting.untag(key))
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    if (!conditional && mayBeUnsupported(error)) {
      throw new UserError(
        `the store of s3://${printable(place.bucket)} does not know tags of objects: ${printable(error.message)} (${printable(error.code)}, HTTP ${error.status ?? ''})`,
        'what its objects have beside their content is metadata: s3move set-headers --metadata NAME=VALUE sets that',
      )
    }
    if (error.severity !== 'skip') throw error
  }
}

/**
 * The encryption of an object that does not exist cannot be changed, and whether that is why it is refused tells whether that of others could be. A
 * `UserError` where the store is not known to have such changes: another one takes the request for the content of the object, so that it is only sent
 * where that is certain; and where S3 does not take the key.
 */
export async function probeEncryption({ probes, place, host, conditional }: S3Store, kmsKeyArn: string): Promise<void> {
  const key = probeName(place.prefix)
  const isAws = conditional || isAwsHost(host)
  const url = `s3://${printable(place.bucket)}`
  const answered = ({ message, code, status }: StorageError): string =>
    `${printable(message)} (${printable(code)}, HTTP ${status ?? ''})`
  const unknown = (what: string): UserError =>
    new UserError(
      `the store of ${url} does not know UpdateObjectEncryption, which changes the encryption of objects without a copy: ${what}`,
      's3move copy --sse encrypts copies, where the store has that; AWS has both',
    )
  if (!isAws) {
    if (key.length < UNLIKELY) throw unknown('it cannot be asked, as the prefix leaves no room for a name')
    const guarded = await probes.answerToUpdate(key, kmsKeyArn, true)
    if (guarded === undefined) throw unknown('it takes such a request for content')
    if (guarded.severity !== 'skip' && guarded.code !== 'AccessDenied') throw unknown(answered(guarded))
  }
  if (key.length < UNLIKELY) return
  const refusal = await probes.answerToUpdate(key, kmsKeyArn, false)
  if (refusal === undefined)
    throw unknown(
      `it took such a request for content, and may have written ${url}/${printable(place.prefix + key)}: delete that`,
    )
  const { severity, status } = refusal
  if (severity === 'skip') return
  if (status === 501 || status === 405) throw unknown(answered(refusal))
  if (status !== 400) throw refusal
  throw new UserError(
    `${url}: S3 does not take the key ${printable(kmsKeyArn)}: ${answered(refusal)}`,
    'name a key that is enabled, in the Region and of the account of the bucket, by its full ARN',
  )
}

/**
 * Whether the credentials of `destination` may copy from `source`: where they are told that there is no such object rather than that they may not ask.
 */
export async function probeRead(destination: S3Store, source: S3Store): Promise<boolean> {
  try {
    return await probeCopy(destination, source)
  } catch (error) {
    if (error instanceof StorageError && error.severity !== 'retry' && error.severity !== 'throttle') return false
    throw error
  }
}

/** A first request to a store. */
export type Ask = (store: S3Store) => Promise<unknown>

/**
 * Credentials that may do all that is to be done with objects that are `named` may be forbidden to list, to see what does not exist, or to write what
 * is called otherwise. So a refusal of `ask` proves nothing then, and is only noted; the first objects tell.
 */
export function unlessDenied(
  ask: Ask,
  { named, note }: { readonly named?: boolean; readonly note: (message: string) => void },
): Ask {
  if (named !== true) return ask
  return async (store) => {
    try {
      await ask(store)
    } catch (error) {
      if (!(error instanceof StorageError) || !isDenied(error) || (error.region ?? store.region) !== store.region)
        throw error
      note(
        `these credentials may not ${DOING[error.operation] ?? error.operation} s3://${printable(store.place.bucket)}, which is not needed where objects are named: the first of them will tell`,
      )
    }
  }
}

const DOING: Readonly<Record<string, string>> = {
  ListObjectsV2: 'list',
  HeadBucket: 'look at',
  CopyObject: 'try a copy into',
  PutObjectTagging: 'try to tag in',
  DeleteObjectTagging: 'try to remove tags in',
  UpdateObjectEncryption: 'try to change encryption in',
  CreateMultipartUpload: 'try an upload to',
}
