import { createHash, randomUUID } from 'node:crypto'
import { StorageError } from '../../errors.js'
import type { Finding } from '../../job/finding.js'
import { probeName } from '../unlikely-name.js'
import { TOO_LONG, type HttpResponse } from './http.js'
import { copySource, objectPath, sorted, type Channel, type StoreRequest } from './request.js'
import { faultOf, isDenied } from './storage-errors.js'
import type { Fields } from './sign.js'
import { PROBE_TAGS } from './unsupported.js'

/** What an answer tells of an action. */
export type ActionVerdict = Pick<Finding, 'state' | 'told' | 'code'>

/** What is known of a bucket before its actions are asked for. */
export interface Circumstances {
  /** An object of it, relative to the place; absent where it has none, or none may be seen. */
  readonly sample: string | undefined
  readonly lists: boolean
  /** Whether a write keeps what it replaces, and a deletion leaves a marker; undefined when that is not known. */
  readonly versioned: boolean | undefined
}

/** Questions whose answers tell what these credentials may do. None of them can change anything. */
export interface PermissionProbes {
  /** Who is there: an answer of any status to HeadBucket. */
  greet(): Promise<HttpResponse>
  /** Whether an action on objects is allowed. Undefined where no request can tell without a change. A `StorageError` when it is not answered. */
  ask(action: string, known: Circumstances): Promise<ActionVerdict | undefined>
}

/** The probes of a store whose requests go by `channel.request` as they are. */
export function createPermissionProbes(channel: Channel): PermissionProbes {
  const { place, always, customerKey, aws, request } = channel
  const { bucket, prefix } = place
  const send = (operation: string, key: string, asked: Omit<StoreRequest, 'path'>): Promise<HttpResponse> =>
    request({ operation, bucket, key: prefix + key }, { ...asked, path: objectPath(channel, key) })

  const judge = async (operation: string, key: string, asked: Omit<StoreRequest, 'path'>): Promise<ActionVerdict> => {
    try {
      const response = await send(operation, key, asked)
      if (response.status < 300) return { state: 'ok', told: '' }
      const fault = faultOf(response, { operation, bucket, key: prefix + key })
      if (fault.severity === 'retry' || fault.severity === 'throttle') throw fault
      return verdictOf(fault)
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== TOO_LONG) throw error
      // Content came.
      return { state: 'ok', told: '' }
    }
  }
  // What is asked of an object that does not exist may be refused only because nobody is to learn that.
  const look = async (operation: string, subresource: string, known: Circumstances): Promise<ActionVerdict> => {
    const { sample, lists } = known
    const fields = sorted([['range', 'bytes=0-0'], ...always, ...(subresource === '' ? customerKey : [])])
    const query = subresource === '' ? '' : subresource.includes('=') ? subresource : `${subresource}=`
    const asked = { method: 'GET', query, fields, sink: ignore, most: MOST_SEEN }
    const verdict = await judge(operation, sample ?? probeName(prefix), asked)
    if (verdict.state !== 'no' || sample !== undefined || lists) return verdict
    return { state: 'unknown', told: `no object is known to ask for (${verdict.told})` }
  }
  const copyNothing = (more: Fields = []): Promise<ActionVerdict> => {
    const source = copySource(place, probeName(prefix))
    const fields = sorted([...always, ['x-amz-copy-source', source], ...more])
    return judge('CopyObject', probeName(prefix), { method: 'PUT', fields })
  }
  const upload = { method: 'GET', query: `uploadId=s3move-${randomUUID()}`, fields: always }

  const mayWrite = async (known: Circumstances): Promise<ActionVerdict> => {
    const copied = await copyNothing()
    if (copied.state !== 'no') return copied
    // It may be the source that is forbidden, which is in the same bucket.
    if (aws) {
      const query = `partNumber=1&${upload.query}`
      return await judge('UploadPart', probeName(prefix), { ...upload, method: 'PUT', query, body: Buffer.alloc(0) })
    }
    const reads = known.lists && (await look('GetObject', '', { ...known, sample: undefined })).state === 'ok'
    return reads ? copied : { state: 'unknown', told: `the source of a copy may be what is refused (${copied.told})` }
  }
  const mayTag = async (known: Circumstances): Promise<ActionVerdict | undefined> => {
    if (!aws) {
      const plain = await copyNothing()
      return plain.state === 'ok' ? await copyNothing(PROBE_TAGS) : undefined
    }
    const body = Buffer.from('<Tagging><TagSet></TagSet></Tagging>')
    const md5 = createHash('md5').update(body).digest('base64')
    const asked = { method: 'PUT', query: 'tagging=', fields: sorted([...always, ['content-md5', md5]]), body }
    const verdict = await judge('PutObjectTagging', probeName(prefix), asked)
    return verdict.state === 'no' && !known.lists ? undefined : verdict
  }
  // There is no object of this name, nor one of this ETag.
  const mayAnnotate = async (known: Circumstances): Promise<ActionVerdict | undefined> => {
    const body = Buffer.from('x')
    const md5 = createHash('md5').update(body).digest('base64')
    const condition: Fields = [['x-amz-object-if-match', `"${'0'.repeat(32)}"`]]
    const fields = sorted([...always, ['content-md5', md5], ...condition])
    const verdict = await judge('PutObjectAnnotation', probeName(prefix), {
      method: 'PUT',
      query: ANNOTATION,
      fields,
      body,
    })
    return verdict.state === 'no' && !known.lists ? undefined : verdict
  }
  // Another store would take a request for an annotation for one of the object itself.
  const ofAnnotations = async (action: string, known: Circumstances): Promise<ActionVerdict | undefined> => {
    if (!aws) return { state: 'ok', told: 'not needed: no store but AWS is known to have annotations' }
    if (action === 's3:PutObjectAnnotation') return await mayAnnotate(known)
    return action === 's3:GetObjectAnnotation'
      ? await look('GetObjectAnnotation', ANNOTATION, known)
      : await look('ListObjectAnnotations', 'annotation', known)
  }
  // Of an object that does not exist none can be taken away.
  const mayUntag = async (known: Circumstances): Promise<ActionVerdict | undefined> => {
    const asked = { method: 'DELETE', query: 'tagging=', fields: always }
    const verdict = await judge('DeleteObjectTagging', probeName(prefix), asked)
    return verdict.state === 'no' && !known.lists ? undefined : verdict
  }
  // A deletion of nothing leaves a marker where versions are kept, unless a condition forbids it, which AWS alone is known to honour.
  const mayDelete = async ({ versioned, lists }: Circumstances): Promise<ActionVerdict | undefined> => {
    if (!aws && versioned !== false) return undefined
    const condition: Fields = aws ? [['if-match', `"${'0'.repeat(32)}"`]] : []
    const key = probeName(prefix)
    // A name that somebody may have.
    if (key.length < UNLIKELY) return undefined
    const asked = { method: 'DELETE', fields: sorted([...always, ...condition]) }
    const verdict = await judge('DeleteObject', key, asked)
    return aws && !lists && verdict.state === 'no' ? undefined : verdict
  }

  return {
    greet: () =>
      request({ operation: 'HeadBucket', bucket }, { method: 'HEAD', path: `${channel.bucketPath}/`, fields: always }),

    async ask(action, known) {
      switch (action) {
        case 's3:GetObject':
          return await look('GetObject', '', known)
        case 's3:GetObjectTagging':
          return await look('GetObjectTagging', 'tagging', known)
        case 's3:GetObjectRetention':
          return await look('GetObjectRetention', 'retention', known)
        case 's3:GetObjectLegalHold':
          return await look('GetObjectLegalHold', 'legal-hold', known)
        case 's3:ListMultipartUploadParts':
          return await judge('ListParts', probeName(prefix), upload)
        case 's3:AbortMultipartUpload':
          return await judge('AbortMultipartUpload', probeName(prefix), { ...upload, method: 'DELETE' })
        case 's3:PutObject':
          return await mayWrite(known)
        case 's3:PutObjectTagging':
          return await mayTag(known)
        case 's3:GetObjectAnnotation':
        case 's3:ListObjectAnnotations':
        case 's3:PutObjectAnnotation':
          return await ofAnnotations(action, known)
        case 's3:DeleteObjectTagging':
          return await mayUntag(known)
        case 's3:DeleteObject':
          return await mayDelete(known)
        default:
          return undefined
      }
    },
  }
}

const ANNOTATION = 'annotation=&annotationName=s3move-probe'

/** Bytes of an answer that are waited for. */
const MOST_SEEN = 1024
/** So many characters are not the name of an object by chance. */
const UNLIKELY = 16

/** What an error tells of the action that was asked for: whoever is told that there is no such object was allowed to ask. */
export function verdictOf(fault: StorageError): ActionVerdict {
  const { status, code, message, operation } = fault
  const told = `${operation}: ${code}${status === undefined ? '' : ` (HTTP ${status})`}: ${message}`
  // What is archived may be read, once it is restored.
  if (code === 'InvalidObjectState') return { state: 'ok', told: '' }
  if (isDenied(fault)) return { state: 'no', told, code }
  if (status === 501 || status === 405) return { state: 'unknown', told: `the store answers ${operation} with ${code}` }
  return isOnItsMerits(fault) ? { state: 'ok', told: '' } : { state: 'unknown', told }
}

// What is malformed, or for another place, is refused before anybody asks who may do it.
function isOnItsMerits({ status, code }: StorageError): boolean {
  if (status === 404) return code !== 'NoSuchBucket'
  return status === 409 || status === 412 || status === 416 || (status === 400 && code === 'InvalidRequest')
}

function ignore(): void {
  // That it came is all that is asked.
}
