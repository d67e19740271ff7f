import type { Reading } from '../storage.js'
import type { Fields } from './sign.js'

// AWS documents that these are signed with ordinary credentials, and all others with those of a session.
const WITHOUT_SESSION: ReadonlySet<string> = new Set(['CreateSession', 'HeadBucket', 'CopyObject', 'UploadPartCopy'])

/** Whether requests of an operation for a directory bucket are signed with the credentials of a session. */
export function isSessionSigned(operation: string): boolean {
  return !WITHOUT_SESSION.has(operation)
}

/**
 * The fields of a request as a directory bucket takes them. It knows no Content-MD5 with content, of which the hash is signed instead; `bodyHash`, in
 * hexadecimal digits, is that of the body.
 */
export function zonalFields(operation: string, fields: Fields, bodyHash: string): Fields {
  if (!fields.some(([name]) => name === MD5)) return fields
  const others = fields.filter(([name]) => name !== MD5)
  if (operation !== 'DeleteObjects') return others
  // It wants a checksum by name.
  const checksum = ['x-amz-checksum-sha256', Buffer.from(bodyHash, 'hex').toString('base64')] as const
  return [...others, checksum].sort(([a], [b]) => (a < b ? -1 : 1))
}

const MD5 = 'content-md5'

/** What such a bucket lists instead of what is below a prefix: what is in the folder of it. */
export function folderOfPrefix(prefix: string): string {
  return prefix.slice(0, prefix.lastIndexOf('/') + 1)
}

/** How objects of such a bucket are looked at: they have no tags, access control lists or locks, and nobody asks for them. */
export function zonalReading(reading: Reading): Reading {
  return {
    ...reading,
    tagging: () => Promise.resolve({ header: '', xml: '<TagSet></TagSet>' }),
    grants: () => Promise.resolve([]),
    acl: undefined,
    hidesLock: undefined,
  }
}
