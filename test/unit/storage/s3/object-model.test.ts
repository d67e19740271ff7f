import { CopyObjectRequest$, CreateMultipartUploadRequest$, HeadObjectOutput$ } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { CHECKSUM_ALGORITHMS } from '../../../../src/job/checksums.js'
import { readHead } from '../../../../src/storage/s3/object-head.js'

// What S3 may tell of an object, and what a copy may be given, by the model of the installed SDK: a member that no row here names is news, and lost
// in silence until somebody decides what becomes of it.

/** Where what a HEAD tells goes: to the headers of the copy, to fields that are sent again, to its checksums, to what is known of it; or nowhere. */
type Landing = 'header' | 'carried' | 'checksum' | 'known' | 'nowhere'

const TOLD: Readonly<Record<string, Landing>> = {
  ...{ CacheControl: 'header', ContentDisposition: 'header', ContentEncoding: 'header', ContentLanguage: 'header' },
  ...{ ContentType: 'header', Expires: 'header', Metadata: 'header' },
  ...{ WebsiteRedirectLocation: 'carried', ServerSideEncryption: 'carried', SSEKMSKeyId: 'carried' },
  ...{ BucketKeyEnabled: 'carried', StorageClass: 'carried', ObjectLockLegalHoldStatus: 'carried' },
  ...{ ObjectLockEventHold: 'carried', ObjectLockEventHoldDurationDays: 'carried' },
  ...{ ObjectLockEventHoldDurationYears: 'carried', ObjectLockRetainUntilDate: 'nowhere', ObjectLockMode: 'carried' },
  ...Object.fromEntries(CHECKSUM_ALGORITHMS.map((name) => [`Checksum${name}`, 'checksum'] as const)),
  ...{ ETag: 'known', ContentLength: 'known', LastModified: 'known', VersionId: 'known', ArchiveStatus: 'known' },
  ...{ MissingMeta: 'known', TagCount: 'known', SSECustomerAlgorithm: 'known' },
  // With others only: whether a checksum is of the whole; that an archived object can be read.
  ...{ ChecksumType: 'nowhere', Restore: 'nowhere' },
  // Of the answer, or of what the bucket does with the object, which a copy elsewhere has anew.
  ...{ DeleteMarker: 'nowhere', AcceptRanges: 'nowhere', Expiration: 'nowhere', ContentRange: 'nowhere' },
  ...{
    ExpiresString: 'nowhere',
    SSECustomerKeyMD5: 'nowhere',
    RequestCharged: 'nowhere',
    ReplicationStatus: 'nowhere',
  },
  PartsCount: 'nowhere',
}

/** What a copy can be given that no HEAD tells in a field of the same name, and what becomes of it. */
const GIVEN: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['Bucket', 'Key', 'CopySource'].map((name) => [name, 'where'])),
  ...Object.fromEntries(
    ['ACL', 'GrantFullControl', 'GrantRead', 'GrantReadACP', 'GrantWriteACP'].map((n) => [n, 'acl']),
  ),
  ...{ ChecksumAlgorithm: 'of the checksums of the source', ChecksumType: 'S3 takes that of the algorithm' },
  ...{
    Metadata: 'of the headers',
    MetadataDirective: '',
    TaggingDirective: '',
    Tagging: '--tagging, or read from the source',
  },
  AnnotationDirective: 'S3 keeps them where it is not sent; --no-preserve annotations excludes them',
  ...{ IfMatch: 'a condition', IfNoneMatch: 'a condition', CopySourceIfMatch: 'a condition' },
  ...{ CopySourceIfModifiedSince: '', CopySourceIfNoneMatch: '', CopySourceIfUnmodifiedSince: '' },
  ...{ SSECustomerKey: 'of a file', SSECustomerKeyMD5: 'of a file', CopySourceSSECustomerAlgorithm: 'of a file' },
  ...{ CopySourceSSECustomerKey: 'of a file', CopySourceSSECustomerKeyMD5: 'of a file' },
  SSEKMSEncryptionContext: 'lost: no answer of S3 tells it',
  ...{ RequestPayer: 'not offered', ExpectedBucketOwner: 'not offered', ExpectedSourceBucketOwner: 'not offered' },
}

/** Of members whose values must be of a certain form. */
const VALUES: Readonly<Record<string, string>> = {
  ...{ ContentLength: '7', LastModified: 'Thu, 01 Jan 2026 00:00:00 GMT', MissingMeta: '2', TagCount: '2' },
  ...{ ObjectLockMode: 'COMPLIANCE', ETag: '"e2"' },
}

type Structure = typeof HeadObjectOutput$

/** The members of a structure, and the names of their headers in small letters; undefined of what is no header. */
function membersOf(schema: Structure): (readonly [name: string, header: string | undefined])[] {
  const [, , , , names, members] = schema
  return names.map((name, index) => {
    const traits = [members[index]].flat(1)[1] as { readonly httpHeader?: string; readonly httpPrefixHeaders?: string }
    const prefix = traits.httpPrefixHeaders
    return [name, (prefix === undefined ? traits.httpHeader : `${prefix}a`)?.toLowerCase()]
  })
}

const read = (...fields: string[]) =>
  readHead(
    { status: 200, head: ['HTTP/1.1 200 OK', 'ETag: "e"', ...fields].join('\r\n') },
    { operation: 'HeadObject', bucket: 'b', key: 'k' },
  )

function landingOf(name: string, header: string): Landing {
  const value = VALUES[name] ?? 'x1'
  const head = read(`${header}: ${value}`)
  if (head.headers.has(header)) return 'header'
  if (header.startsWith('x-amz-checksum-') && head.checksums.size > 0) return 'checksum'
  if (head.carried.some(([field]) => field === header)) return 'carried'
  return JSON.stringify(head) === JSON.stringify(read()) ? 'nowhere' : 'known'
}

describe('what the model of S3 says of an object', () => {
  test.each(membersOf(HeadObjectOutput$))('HeadObject tells %s: it goes where the table says', (name, header) => {
    expect([name, header === undefined ? undefined : landingOf(name, header)]).toEqual([name, TOLD[name]])
  })

  test.each([
    ...membersOf(CopyObjectRequest$).map((member) => ['CopyObject', ...member] as const),
    ...membersOf(CreateMultipartUploadRequest$).map((member) => ['CreateMultipartUpload', ...member] as const),
  ])('%s takes %s: it comes from a HEAD, or the table says whence', (_, name, header) => {
    const told = membersOf(HeadObjectOutput$).some(([, other]) => other !== undefined && other === header)
    expect([name, told || GIVEN[name] !== undefined]).toEqual([name, true])
  })

  test('has no row for what is not there', () => {
    const names = [HeadObjectOutput$, CopyObjectRequest$, CreateMultipartUploadRequest$].flatMap((schema) =>
      membersOf(schema).map(([name]) => name),
    )
    expect([...Object.keys(TOLD), ...Object.keys(GIVEN)].filter((name) => !names.includes(name))).toEqual([])
  })
})
