import type { IncomingHttpHeaders } from 'node:http'
import { findObject, versionHeader } from './lookup.js'
import type { Bucket, AclGrant } from '../buckets/object.js'
import { requestHeader, type S3Request } from '../wire/request.js'
import { emptyReply, xmlReply, type Reply } from '../wire/reply.js'
import { accessDenied, invalidArgument, malformedXml, notImplemented, S3Error } from '../wire/s3-error.js'
import type { World } from './world.js'
import { childrenOf, element, parseXml, textOf, xmlNamespace } from '../wire/xml.js'

/** The one account that owns everything here. */
export const ownerId = '75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a'

const everybody = 'http://acs.amazonaws.com/groups/global/AllUsers'
const everyAccount = 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers'
const own: AclGrant = { grantee: ownerId, permission: 'FULL_CONTROL' }

const canned: Readonly<Record<string, readonly AclGrant[]>> = {
  private: [own],
  'public-read': [own, { grantee: everybody, permission: 'READ' }],
  'public-read-write': [own, { grantee: everybody, permission: 'READ' }, { grantee: everybody, permission: 'WRITE' }],
  'authenticated-read': [own, { grantee: everyAccount, permission: 'READ' }],
  'aws-exec-read': [own],
  'bucket-owner-read': [own],
  'bucket-owner-full-control': [own],
}

const grantHeaders = [
  ['x-amz-grant-full-control', 'FULL_CONTROL'],
  ['x-amz-grant-read', 'READ'],
  ['x-amz-grant-read-acp', 'READ_ACP'],
  ['x-amz-grant-write-acp', 'WRITE_ACP'],
] as const

function readGrantHeaders(headers: IncomingHttpHeaders): AclGrant[] {
  if (!grantHeaders.some(([name]) => headers[name] !== undefined)) return []
  return grantHeaders.flatMap(([name, permission]) =>
    (requestHeader(headers, name) ?? '')
      .split(',')
      .filter((item) => item.trim() !== '')
      .map((item) => {
        const match = /^\s*(id|uri|emailAddress)\s*=\s*"?([^"]*)"?\s*$/i.exec(item)
        if (match?.[2] === undefined) throw invalidArgument('Argument format not recognized', name, item)
        return { grantee: match[2], permission }
      }),
  )
}

/**
 * The grants that a request's headers set, undefined when they set none. Throws AccessControlListNotSupported in a
 * bucket whose owner owns all objects.
 */
export function grantsOf(headers: IncomingHttpHeaders, bucket: Bucket): readonly AclGrant[] | undefined {
  const acl = requestHeader(headers, 'x-amz-acl')
  const grants = acl === undefined ? readGrantHeaders(headers) : canned[acl]
  if (grants === undefined) throw invalidArgument('', 'x-amz-acl', acl ?? '')
  if (acl === undefined && grants.length === 0) return undefined
  if (bucket.ownerEnforced) {
    if (acl === 'bucket-owner-full-control') return undefined
    throw new S3Error(400, 'AccessControlListNotSupported', 'The bucket does not allow ACLs')
  }
  return grants
}

const schema = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'

export function getObjectAcl(world: World, request: S3Request): Reply {
  const { object, versionId } = findObject(world, request)
  const grants = (object.extras.grants ?? [own]).map(({ grantee, permission }) => {
    const group = grantee.startsWith('http')
    const who = group ? element('URI', grantee) : element('ID', grantee)
    const type = group ? 'Group' : 'CanonicalUser'
    return `<Grant><Grantee ${schema} xsi:type="${type}">${who}</Grantee>${element('Permission', permission)}</Grant>`
  })
  return xmlReply(
    `<AccessControlPolicy ${xmlNamespace}><Owner>${element('ID', ownerId)}</Owner>` +
      `<AccessControlList>${grants.join('')}</AccessControlList></AccessControlPolicy>`,
    versionHeader(versionId),
  )
}

export function putObjectAcl(world: World, request: S3Request): Reply {
  const { bucket, key, object, versionId } = findObject(world, request)
  if (bucket.readOnly) throw accessDenied()
  let grants = grantsOf(request.headers, bucket)
  if (grants === undefined && request.body.length > 0) {
    if (bucket.ownerEnforced) {
      throw new S3Error(400, 'AccessControlListNotSupported', 'The bucket does not allow ACLs')
    }
    const list = childrenOf(parseXml(request.body), 'AccessControlList')[0]
    if (list === undefined) throw malformedXml()
    grants = childrenOf(list, 'Grant').map((grant) => {
      const who = childrenOf(grant, 'Grantee')[0]
      const grantee = who && (textOf(who, 'ID') ?? textOf(who, 'URI') ?? textOf(who, 'EmailAddress'))
      const permission = textOf(grant, 'Permission')
      if (grantee === undefined || permission === undefined) throw malformedXml()
      return { grantee, permission }
    })
  }
  if (grants === undefined && !bucket.ownerEnforced) throw notImplemented()
  bucket.rewrite(key, object.headers, { ...object.extras, grants }, object.seconds, versionId)
  return emptyReply(200, versionHeader(versionId))
}
