import { StorageError } from '../../errors.js'
import type { ObjectHead, ObjectSummary } from '../storage.js'
import { askedOf, objectPath, sorted, type Channel } from './request.js'
import { acceptFor, type KnownCodings } from './content-codings.js'
import { beginningOf, versionQuery } from './get-content.js'
import { faultOf, type Asked } from './storage-errors.js'
import { responseHeader, isChunked, TOO_LONG, type HttpResponse } from './http.js'
import { readHead, type ToldHead } from './object-head.js'

/** The code of an object that is encrypted with a key which the store does not have. */
const SSE_C = 'SSE-C'
/** What is longer, in bytes, is not read to its end for the sake of its length. */
const MOST_COUNTED = 128 * 1024 ** 2

const HEAD_ALONE =
  'HEAD is refused and GET of the same object is not, so a proxy on the way may turn the one into the other (nginx: proxy_cache_convert_head off)'

/** HeadObject, and what else must be asked so that what a HEAD tells is known: see `Reading.head`. */
export function createHeading(channel: Channel, codings: KnownCodings) {
  const { always, customerKey, request } = channel
  const fields = sorted([['x-amz-checksum-mode', 'ENABLED'], ...always, ...customerKey])
  // HEAD is answered without a body, so why it was refused is asked with a GET of one byte. Undefined when that is not refused: clock or
  // credentials may have been put right meanwhile.
  const reasonFor = async (response: HttpResponse, at: Target): Promise<StorageError | undefined> => {
    const bare = faultOf(response, at.asked)
    if (response.status < 400 || response.status >= 500 || response.status === 429) return bare
    const ranged = sorted([['range', 'bytes=0-0'], ...always, ...customerKey])
    const explained = await request(at.asked, { method: 'GET', path: at.path, query: at.query, fields: ranged })
    // Content of no byte cannot be asked for in part.
    if (explained.status < 400 || explained.status === 416) return undefined
    const fault = faultOf(explained, at.asked)
    if (fault.code !== 'InvalidRequest' || !/server[- ]side encryption/i.test(fault.message)) return fault
    const { message, operation, bucket, key, status, requestId } = fault
    const details = { severity: 'fail-object', code: SSE_C, operation, bucket, key, status, requestId } as const
    return new StorageError(message, details)
  }
  const send = ({ asked, path, query }: Target, accept?: string): Promise<HttpResponse> =>
    request(asked, { method: 'HEAD', path, query, fields, accept })
  const ask = async (at: Target): Promise<HttpResponse> => {
    const response = await send(at)
    if (response.status === 200) return response
    const reason = await reasonFor(response, at)
    if (reason !== undefined) throw reason
    const again = await send(at)
    if (again.status === 200) return again
    const fault = faultOf(again, at.asked)
    if (fault.severity !== 'fail-object') throw fault
    throw fault.with({ severity: 'fail-object', message: `${fault.message}; ${HEAD_ALONE}` })
  }
  // A store that would unpack the content may not know how long it is then, and says nothing of its coding.
  const asStored = async (response: HttpResponse, told: ToldHead, at: Target): Promise<ToldHead> => {
    if (told.size !== undefined && !isUnpacked(response)) return told
    const answer = await send(at, acceptFor(told.headers.get('content-encoding')) ?? 'gzip')
    const other = answer.status === 200 ? readHead(answer, at.asked) : undefined
    if (other?.size !== undefined && other.etag === told.etag) return other
    return { ...told, size: undefined }
  }
  return async (key: string, version?: string, listed?: Pick<ObjectSummary, 'size' | 'etag'>): Promise<ObjectHead> => {
    const at: Target = {
      asked: askedOf(channel, 'HeadObject', key),
      path: objectPath(channel, key),
      query: versionQuery(version),
    }
    let response = await ask(at)
    let told = readHead(response, at.asked)
    if (told.etag === '') {
      response = await ask(at)
      told = readHead(response, at.asked)
    }
    checkEtag(told, response, at.asked)
    told = await asStored(response, told, at)
    const accept = acceptFor(told.headers.get('content-encoding'))
    codings.know(key, accept)
    const known = listed !== undefined && listed.etag === told.etag ? listed.size : undefined
    const { size = known } = told
    // What the listing says and what HEAD says of one content cannot both be true.
    const certain = size !== undefined && (known === undefined || known === size)
    return {
      ...told,
      plainEtag: told.plainEtag && !channel.directory,
      size: certain ? size : await sizeByGet(channel, at, accept),
      // A store other than AWS may call a class so that is read like any other.
      archived: told.archived && channel.aws,
    }
  }
}

interface Target {
  readonly asked: Asked
  readonly path: string
  readonly query: string
}

/** Throws when an answer names no ETag: then nothing tells one content of the object from another. */
export function checkEtag({ etag }: Pick<ToldHead, 'etag'>, { status }: HttpResponse, asked: Asked): void {
  if (etag !== '') return
  throw new StorageError(
    'the answer has no ETag, so a change of the object could not be noticed; a proxy may have taken it away',
    {
      ...{ severity: 'fail-object', code: 'MissingETag', status, ...asked },
    },
  )
}

// As Google and proxies tell what they did (RFC 7234 §5.5.7 has the warning).
function isUnpacked(response: HttpResponse): boolean {
  const warning = responseHeader(response, 'warning') ?? ''
  return responseHeader(response, 'content-encoding') === undefined && /^214\b/.test(warning)
}

// How long the content is, by a GET of its first byte: that tells it of the whole, or its head does, or it is read and counted.
async function sizeByGet(
  { always, customerKey, request }: Channel,
  at: Target,
  accept: string | undefined,
): Promise<number> {
  const asked = { ...at.asked, operation: 'GetObject' }
  let counted = 0
  const sink = (bytes: Uint8Array): void => void (counted += bytes.length)
  const get = async (most: number, ranged: boolean): Promise<Pick<HttpResponse, 'status' | 'head'> | undefined> => {
    counted = 0
    const fields = sorted([...(ranged ? ([['range', 'bytes=0-0']] as const) : []), ...always, ...customerKey])
    try {
      const { path, query } = at
      const response = await request(asked, { method: 'GET', path, query, fields, sink, most, accept })
      if (response.status < 300 || response.status === 416) return response
      throw faultOf(response, asked)
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== TOO_LONG) throw error
      counted = Infinity
      return beginningOf(error)
    }
  }
  const first = await get(1, true)
  if (first !== undefined) {
    const range = /\/(\d{1,15})$/.exec(responseHeader(first, 'content-range') ?? '')?.[1]
    if (range !== undefined) return Number(range)
    // There is not even a first byte.
    if (first.status === 416) return 0
    const { size } = readHead(first, asked)
    if (first.status === 200 && size !== undefined) return size
  }
  const whole = await get(MOST_COUNTED, false)
  // What ends with the connection may have been cut.
  const delimited = whole?.status === 200 && isChunked(whole)
  if (delimited && counted <= MOST_COUNTED) return counted
  throw new StorageError('the store does not say how large it is, neither to HEAD nor to GET', {
    ...{ severity: 'fail-object', code: 'UnknownSize', status: 200, ...asked },
  })
}
