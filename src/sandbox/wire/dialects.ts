import { UserError } from '../../errors.js'

/** What a server can know less of than S3, or do otherwise. docs/sandbox.md has the same list; a test holds the two together. */
export const switches = {
  'no-checksum-mode': 'HEAD and GET with x-amz-checksum-mode: 400 InvalidArgument',
  'no-checksums': 'writes with checksum headers: 501 NotImplemented',
  'no-multi-delete': 'DeleteObjects: 501 NotImplemented',
  'multi-delete-405': 'DeleteObjects: 405 MethodNotAllowed',
  'no-etag-in-deletes': 'DeleteObjects with ETags: 400 MalformedXML',
  'delete-body-1mb': 'DeleteObjects of more than 1 MiB: 416',
  'ignores-delete-conditions': 'If-Match and ETags of deletions count for nothing',
  'no-put-conditions': 'If-Match and If-None-Match of writes: 501 NotImplemented',
  'ignores-put-conditions': 'If-Match and If-None-Match of writes count for nothing',
  'bare-if-match': 'If-Match of PutObject with the ETag in quotes: 412, though it holds',
  'no-copy-conditions-on-parts': 'x-amz-copy-source-if-match with the ETag of an object of parts: 412, though it holds',
  'copy-if-match': 'x-amz-copy-if-match counts in the place of x-amz-copy-source-if-match',
  'no-tagging': 'tags of objects: 501 NotImplemented; GetObjectTagging tells of none',
  'no-get-tagging': 'GetObjectTagging: 501 NotImplemented',
  'drops-tags': 'uploads in parts, and copies with headers of their own, lose their tags',
  'no-part-copy': 'UploadPartCopy: 501 NotImplemented',
  'most-parts=N': 'UploadPart of a higher number: 400 InvalidArgument',
  info: 'GET /info without a signature tells how many parts there may be',
  'etag-capitals': 'ETags that are MD5s are written, and compared, in capitals',
  'unquoted-copy-etag': 'the ETag in the answer to a copy has no quotes',
  'lists-other-etag': 'a copy of an object of parts is listed with another ETag than HEAD tells',
  'keeps-aws-chunked': 'Content-Encoding keeps aws-chunked',
  'ceph-ids': 'x-amz-request-id is as Ceph numbers requests',
  'swift-ids': 'so it is, with x-openstack-request-id beside it, as Swift has it',
  'metadata-dashes': 'metadata my_key comes back as my-key',
  rfc2047: 'metadata that is not ASCII comes back as RFC 2047 has it',
  'latin1-metadata': 'so does metadata in UTF-8, each byte of it taken for a character of its own',
  'ignores-acl': 'access control lists that come with objects count for nothing',
  'ignores-annotations': '?annotation counts for nothing: the object itself is read, written and deleted',
  'ignores-owner': 'x-amz-expected-bucket-owner counts for nothing',
} as const

/** A switch of a dialect that is on or off. */
export type Switch = Exclude<keyof typeof switches, 'most-parts=N'>

const WITHOUT_TAGS = ['no-tagging', 'no-get-tagging'] as const

/** What was seen of real servers, and what public reports say; docs/providers.md has which. */
export const dialects: Readonly<Record<string, readonly (Switch | `most-parts=${number}`)[]>> = {
  aws: [],
  b2: ['no-checksum-mode', 'no-checksums', ...WITHOUT_TAGS, 'ignores-annotations'],
  ceph: [
    ...(['ignores-delete-conditions', 'ignores-owner', 'copy-if-match', 'delete-body-1mb', 'drops-tags'] as const),
    ...(['ceph-ids', 'metadata-dashes', 'keeps-aws-chunked', 'unquoted-copy-etag', 'ignores-annotations'] as const),
    ...(['bare-if-match'] as const),
  ],
  gcs: ['no-multi-delete', ...WITHOUT_TAGS, 'ignores-annotations'],
  minio: ['ignores-acl', 'ignores-owner', 'ignores-annotations'],
  obs: ['multi-delete-405', 'ignores-annotations'],
  oss: ['etag-capitals', 'ignores-annotations'],
  r2: ['no-checksums', ...WITHOUT_TAGS, 'ignores-annotations'],
  storj: ['no-part-copy', 'ignores-annotations'],
  swift: [
    ...(['no-put-conditions', 'no-copy-conditions-on-parts', 'no-etag-in-deletes', 'no-tagging'] as const),
    ...([
      'most-parts=1000',
      'info',
      'lists-other-etag',
      'latin1-metadata',
      'ignores-acl',
      'ignores-owner',
      'ignores-annotations',
    ] as const),
  ],
}

/** How a server differs from S3. */
export interface Dialect {
  readonly has: ReadonlySet<Switch>
  readonly mostParts: number
}

const MOST_PARTS = 10_000

/** Reads names of dialects and switches, with commas between them. Throws UserError for what is none. */
export function readDialect(text = ''): Dialect {
  const has = new Set<Switch>()
  let mostParts = MOST_PARTS
  for (const name of text.split(',').filter((one) => one !== '')) {
    for (const one of (Object.hasOwn(dialects, name) ? dialects[name] : undefined) ?? [name]) {
      const parts = /^most-parts=([1-9]\d{0,4})$/.exec(one)?.[1]
      if (parts !== undefined) mostParts = Math.min(Number(parts), MOST_PARTS)
      else if (isSwitch(one)) has.add(one)
      else {
        throw new UserError(
          `There is no dialect ${JSON.stringify(one)}.`,
          `Dialects are ${Object.keys(dialects).join(', ')}; switches are ${Object.keys(switches).join(', ')}.`,
        )
      }
    }
  }
  return { has, mostParts }
}

function isSwitch(name: string): name is Switch {
  return name !== 'most-parts=N' && Object.hasOwn(switches, name)
}
