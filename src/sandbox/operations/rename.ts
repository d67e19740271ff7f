import { checkSource, checkWrite } from './conditions.js'
import { DirectoryBucket } from '../buckets/directory-bucket.js'
import { emptyReply, type Reply } from '../wire/reply.js'
import { percentDecode, requestHeader, type S3Request } from '../wire/request.js'
import { invalidRequest, methodNotAllowed, noSuchKey, S3Error } from '../wire/s3-error.js'
import { bucketOf, checkKey, type World } from './world.js'

/** What was renamed for a client token: sent again with the same, it is done already. */
export type Renames = Map<string, string>

const CONDITIONS = ['if-match', 'if-none-match', 'x-amz-rename-source-if-match', 'x-amz-rename-source-if-none-match']

export function renameObject(world: World, request: S3Request): Reply {
  const { headers, key = '' } = request
  const bucket = bucketOf(world, request.bucket)
  if (!(bucket instanceof DirectoryBucket)) throw methodNotAllowed('PUT')
  checkKey(key)
  const from = percentDecode(requestHeader(headers, 'x-amz-rename-source') ?? '').replace(/^\//, '')
  if (from === '') throw invalidRequest('A rename source is required.')
  if (from.endsWith('/') || key.endsWith('/'))
    throw invalidRequest('Objects that end with a delimiter have no other name.')
  const token = requestHeader(headers, 'x-amz-client-token')
  const said = JSON.stringify([key, from, ...CONDITIONS.map((name) => requestHeader(headers, name) ?? null)])
  const before = token === undefined ? undefined : world.renames.get(`${bucket.name} ${token}`)
  if (before === said) return emptyReply(200)
  if (before !== undefined) {
    const message =
      'Parameters on this idempotent request are inconsistent with parameters used in previous request(s).'
    throw new S3Error(400, 'IdempotencyParameterMismatch', message)
  }
  const source = bucket.get(from)
  if (source === undefined) throw noSuchKey(from)
  checkSource(headers, source, 'x-amz-rename-source-')
  checkWrite(headers, bucket, key)
  if (from !== key) bucket.move(from, key)
  if (token !== undefined) world.renames.set(`${bucket.name} ${token}`, said)
  return emptyReply(200)
}
