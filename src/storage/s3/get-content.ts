import { StorageError } from '../../errors.js'
import type { HeaderFields, ObjectSummary } from '../storage.js'
import { askedOf, bareEtag, objectPath, quoted, sorted, type Channel } from './request.js'
import { WAYS, type KnownCodings } from './content-codings.js'
import { encodeQuery } from './encode.js'
import { brokenAnswer, faultOf, type Asked } from './storage-errors.js'
import { responseHeader, HttpError, isChunked, TOO_LONG, type HttpResponse } from './http.js'

/** Content that is wanted: of this object, as long as it has this ETag, where one is known. */
export interface WantedContent {
  readonly object: Pick<ObjectSummary, 'key' | 'etag' | 'version' | 'manifest'>
  /** Bytes that must come. */
  readonly size: number
  /** The first of them and the last, where not all are wanted. */
  readonly range?: readonly [first: number, last: number] | undefined
  readonly fields?: HeaderFields
  /** Where they are to be in the end, if whoever takes them looks whether they are there already. */
  readonly room?: Buffer | undefined
}

/** Takes bytes as they come; they are its own only until it returns. */
export type Take = (bytes: Uint8Array) => void

/**
 * Reads content by GET, exactly as long as it is to be. What comes in another length, in a whole answer, is asked for once more in each of the
 * ways in which a store may send what it stores and not what it unpacks; `begin` is called for each try. What comes wrong in every way is
 * the failure `ContentLengthMismatch`: to ask again would not change it.
 */
export async function readContent(
  channel: Channel,
  known: KnownCodings,
  { object, size, range, fields = [], room }: WantedContent,
  begin: () => Take,
): Promise<{ readonly asked: Asked; readonly response: HttpResponse }> {
  const { key, etag, version, manifest } = object
  const asked = askedOf(channel, 'GetObject', key)
  const unconditional = sorted([
    ...(range === undefined ? [] : ([['range', `bytes=${range[0]}-${range[1]}`]] as const)),
    ...fields,
    ...channel.always,
    ...channel.customerKey,
  ])
  // Ceph sends the rest of an object in which a range of a manifest ends.
  const surplus = manifest === true
  const [path, query] = [objectPath(channel, key), versionQuery(version)]
  const conditional = etag === '' ? unconditional : sorted([['if-match', quoted(etag)], ...unconditional])
  // Ceph compares a condition with the ETag of the manifest, which it does not tell.
  let blind = manifest === true
  const attempt = async (accept: string | undefined): Promise<HttpResponse | Misfit> => {
    const sent = blind ? unconditional : conditional
    const take = begin()
    let length = 0
    const sink = (bytes: Uint8Array): void => {
      length += bytes.length
      take(bytes)
    }
    let response
    try {
      response = await channel.request(asked, {
        method: 'GET',
        path,
        query,
        fields: sent,
        sink,
        room: room === undefined ? undefined : () => room.subarray(length),
        most: size,
        surplus,
        accept,
      })
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== TOO_LONG) throw error
      checkSame(asked, etag, beginningOf(error))
      return { length: Infinity, certain: true }
    }
    // Swift compares it, of a copy of an object of parts, with the ETag of the source.
    if (response.status === 412 && !blind && !channel.aws) {
      blind = true
      return await attempt(accept)
    }
    if (response.status !== 206 && response.status !== 200) throw faultOf(response, asked)
    if (length === size && isRange(response, range, manifest)) {
      if (blind) checkSame(asked, etag, response, 'told')
      return response
    }
    checkSame(asked, etag, response)
    return { length, certain: isDelimited(response), response }
  }
  const before = known.of(key)
  const misfits: Misfit[] = []
  for (const accept of before === undefined ? WAYS : [before, ...WAYS.filter((way) => way !== before)]) {
    const answer = await attempt(accept)
    if ('status' in answer) {
      if (accept !== before) known.know(key, accept)
      return { asked, response: answer }
    }
    misfits.push(answer)
  }
  throw verdictOn(misfits, size, asked)
}

/** An answer that was not what was asked for: how much came, and whether it can be that more was to come. */
interface Misfit {
  readonly length: number
  readonly certain: boolean
  readonly response?: HttpResponse
}

function verdictOn(misfits: readonly Misfit[], size: number, asked: Asked): StorageError {
  const [first] = misfits
  const longer = misfits.some(({ length }) => length > size)
  const alike = misfits.every(({ length, certain }) => certain && length > 0 && length === first?.length)
  const came = misfits.findLast(({ length }) => length <= size)
  if (!longer && !alike && came?.response !== undefined) {
    return brokenAnswer(came.response, asked, `${came.length} bytes came where there are to be ${size}`)
  }
  const what = longer ? `more than ${size} bytes come` : `${first?.length} bytes come`
  return new StorageError(
    `${what} where there are to be ${size}, with every Accept-Encoding: the store, or a proxy before it, changes what is stored`,
    { severity: 'fail-object', code: 'ContentLengthMismatch', status: came?.response?.status ?? 200, ...asked },
  )
}

// A store may take no notice of a range.
function isRange(response: HttpResponse, range: WantedContent['range'], manifest = false): boolean {
  if (range === undefined) return true
  if (response.status === 200) return range[0] === 0
  const told = /^bytes (\d+)-(\d+)\//.exec(responseHeader(response, 'content-range') ?? '')
  if (told === null) return true
  // Of a manifest Ceph sends the range that was asked for, and says that it began with the first byte.
  return Number(told[2]) === range[1] && (Number(told[1]) === range[0] || (manifest && Number(told[1]) === 0))
}

// What ends with the connection may have been cut.
function isDelimited(response: HttpResponse): boolean {
  return responseHeader(response, 'content-length') !== undefined || isChunked(response)
}

// A store may take no notice of a condition either.
function checkSame(
  asked: Asked,
  etag: string,
  answer: Pick<HttpResponse, 'status' | 'head'> | undefined,
  wanted: 'told' | 'if told' = 'if told',
): void {
  const now = answer === undefined ? '' : bareEtag(responseHeader(answer, 'etag'))
  if (etag === '' || now === etag) return
  if (wanted === 'if told' && (now === '' || now.startsWith('W/'))) return
  throw new StorageError('it was written by somebody else', {
    ...{ severity: 'fail-object', code: 'PreconditionFailed', status: answer?.status, ...asked },
  })
}

/** How an answer began whose body was given up. */
export function beginningOf({ cause }: StorageError): Pick<HttpResponse, 'status' | 'head'> | undefined {
  return cause instanceof HttpError ? cause.answer : undefined
}

/** The query that names a version. */
export function versionQuery(version: string | undefined, before = ''): string {
  if (version === undefined) return before
  return `${before}${before === '' ? '' : '&'}versionId=${encodeQuery(version)}`
}
