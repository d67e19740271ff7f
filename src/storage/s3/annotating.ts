import { hash } from 'node:crypto'
import { StorageError } from '../../errors.js'
import type { AnnotationSummary, Annotating } from '../storage.js'
import { encodeQuery } from './encode.js'
import { versionQuery } from './get-content.js'
import { responseHeader, TOO_LONG, type HttpResponse } from './http.js'
import {
  askedOf,
  bareEtag,
  etagOfBytes,
  objectPath,
  quoted,
  sorted,
  type Channel,
  type StoreRequest,
} from './request.js'
import { brokenAnswer, checkOk, faultOf, type Asked } from './storage-errors.js'
import { mayBeUnsupported } from './unsupported.js'
import { elementsOf, elementText } from './xml.js'

/** How annotations of the objects of an S3 bucket are read and written. `known`: whether it has any, as another instance has found out. */
export function createAnnotating(channel: Channel, known?: boolean): Annotating {
  const { aws, always, customerKey, request } = channel
  let has = known
  /** The first question, which others wait for: of a store without annotations it is the only one. */
  let first: Promise<unknown> | undefined
  // A store that does not know the question would answer all of the content.
  const cautious = sorted([['range', 'bytes=0-0'], ...always])

  const page = async (key: string, version: string | undefined, token: string | undefined): Promise<string> => {
    const asked = askedOf(channel, 'ListObjectAnnotations', key)
    const from = token === undefined ? 'annotation=' : `annotation=&continuation-token=${encodeQuery(token)}`
    const query = `${versionQuery(version, from)}&x-id=ListObjectAnnotations`
    const fields = aws || has === true ? always : cautious
    const wanted = { method: 'GET', path: objectPath(channel, key), query, fields }
    const response = aws || has === true ? await request(asked, wanted) : await answerOf(asked, wanted)
    if (response === undefined) return ''
    if (response.status === 200 && isListing(response)) {
      has = true
      return response.body
    }
    if (has !== true && isIgnorance(response, asked, aws)) {
      has = false
      return ''
    }
    checkOk(response, asked)
    throw brokenAnswer(response, asked, 'the answer is no list of annotations')
  }

  // Whoever does not know the question may answer it as some stores answer a range, with more bytes than they say: no list is sent so.
  const answerOf = async (asked: Asked, wanted: StoreRequest): Promise<HttpResponse | undefined> => {
    try {
      return await request(asked, { ...wanted, surplus: true })
    } catch (error) {
      if (!(error instanceof StorageError) || !NOT_HTTP.has(error.code)) throw error
      has = false
      return undefined
    }
  }

  return {
    known: () => has,

    async list(key, version) {
      // What is encrypted with a key of the customer's can have none.
      if (customerKey.length > 0) return []
      while (first !== undefined) await first
      if (has === false) return []
      const found: AnnotationSummary[] = []
      let token: string | undefined
      do {
        const asked = page(key, version, token)
        if (has === undefined) {
          const ended = (): void => {
            first = undefined
          }
          first = asked.then(ended, ended)
        }
        const body = await asked
        for (const entry of elementsOf(body, 'AnnotationEntry')) {
          const name = elementText(entry, 'AnnotationName')
          if (name === undefined) continue
          found.push({ name, size: Number(elementText(entry, 'Size')), etag: bareEtag(elementText(entry, 'ETag')) })
        }
        const next = elementText(body, 'NextContinuationToken')
        token = next === token || next === '' ? undefined : next
      } while (token !== undefined)
      return found
    },

    async read(key, name, version) {
      const asked = askedOf(channel, 'GetObjectAnnotation', key)
      const from = `annotation=&annotationName=${encodeQuery(name)}`
      const query = `${versionQuery(version, from)}&x-id=GetObjectAnnotation`
      const response = await request(asked, { method: 'GET', path: objectPath(channel, key), query, fields: always })
      if (response.status !== 200) {
        const fault = faultOf(response, asked)
        if (fault.code === 'NoSuchAnnotation') return undefined
        throw fault
      }
      const text = Buffer.from(response.body, 'latin1')
      if (isOther(response, text)) throw brokenAnswer(response, asked, 'the text is not that of its ETag')
      return text
    },

    async write(key, name, text, etag) {
      if (has !== true) throw new Error('the store is not known to have annotations')
      const asked = askedOf(channel, 'PutObjectAnnotation', key)
      const md5 = hash('md5', text, 'buffer')
      const fields = sorted([
        ['content-md5', md5.toString('base64')],
        ...(etag === '' ? [] : ([['x-amz-object-if-match', quoted(etag)]] as const)),
        ...always,
      ])
      const query = `annotation=&annotationName=${encodeQuery(name)}`
      const path = objectPath(channel, key)
      const response = await request(asked, { method: 'PUT', path, query, fields, body: text })
      checkOk(response, asked)
      etagOfBytes(channel, response, asked, md5)
    },
  }
}

const NOT_HTTP: ReadonlySet<string> = new Set(['EPROTO', TOO_LONG])

// The content of an object comes with its ETag, and a list has none.
function isListing(response: HttpResponse): boolean {
  return responseHeader(response, 'etag') === undefined && LISTING.test(response.body)
}

const LISTING = /<(?:AnnotationCount|MaxAnnotationResults|Annotations|ListObjectAnnotations[A-Za-z]*)[\s/>]/

// Whether it is what a store says that does not know the question: a refusal, the first byte of an object, or that there is none.
function isIgnorance(response: HttpResponse, asked: Asked, aws: boolean): boolean {
  const { status } = response
  // On AWS too there are buckets without. Whatever else it says there is of the object.
  if (aws) return status === 501
  if (status < 300 || status === 416) return true
  const fault = faultOf(response, asked)
  return mayBeUnsupported(fault) || (status === 404 && fault.severity !== 'skip')
}

function isOther(response: HttpResponse, text: Buffer): boolean {
  const etag = bareEtag(responseHeader(response, 'etag'))
  const encryption = responseHeader(response, 'x-amz-server-side-encryption')
  const isPlain = encryption === undefined || encryption === 'AES256'
  return isPlain && /^[0-9a-f]{32}$/.test(etag) && etag !== hash('md5', text)
}
