import { StorageError } from '../../errors.js'
import { compareKeys, printable } from '../../keys.js'
import type { Place } from '../../job.js'
import type { ListFrom, ObjectSummary, Page, Storage } from '../storage.js'
import type { CredentialSource, Target } from './account.js'
import { dialerFor, type Trust } from './connect.js'
import { encodePath, encodeQuery } from './encode.js'
import { brokenAnswer, connectionFault, faultOf, type Asked } from './faults.js'
import { createHttpPool, type HttpPool, type HttpResponse } from './http.js'
import { MalformedList, parseListPage, UndecodableKey } from './list-page.js'
import { createSigner, EMPTY_HASH, type Signer } from './sign.js'
import { elementText } from './xml.js'

/** How a store is reached. Plain data without secrets, to be sent between threads. */
export interface Address {
  readonly target: Target
  readonly trust: Trust
  readonly requestPayer?: boolean | undefined
}

/** What a store needs beside its place. */
export interface S3StoreOptions extends Address {
  readonly credentials: Pick<CredentialSource, 'current' | 'refresh'>
}

/** A bucket and prefix in S3, over the fast lane: one request each, sent once, no retries. */
export class S3Store implements Storage {
  readonly place: Place
  private readonly target: Target
  private readonly credentials: S3StoreOptions['credentials']
  private readonly host: string
  private readonly pool: HttpPool
  private readonly signer: Signer
  private readonly base: string
  private readonly payer: readonly (readonly [string, string])[]
  private readonly listPrefix: string

  constructor(
    place: Place,
    private readonly options: S3StoreOptions,
  ) {
    const { target } = options
    const dialer = dialerFor(new URL(target.origin), options.trust)
    this.place = place
    this.target = target
    this.credentials = options.credentials
    this.host = dialer.host
    this.pool = createHttpPool(dialer)
    this.signer = createSigner(target.region, target.service)
    this.base = `${target.path}/${encodePath(place.prefix)}`
    this.payer = options.requestPayer === true ? [['x-amz-request-payer', 'requester']] : []
    this.listPrefix = place.prefix === '' ? '' : `&prefix=${encodeQuery(place.prefix)}`
  }

  get region(): string {
    return this.target.region
  }

  get address(): Address {
    const { target, trust, requestPayer } = this.options
    return { target, trust, requestPayer }
  }

  async list(from: ListFrom): Promise<Page> {
    const asked = { operation: 'ListObjectsV2', bucket: this.place.bucket }
    const { prefix } = this.place
    let query = `encoding-type=url&list-type=2&max-keys=${from.limit ?? 1000}${this.listPrefix}`
    if (from.token !== undefined) query = `continuation-token=${encodeQuery(from.token)}&${query}`
    else if (from.after !== undefined) query += `&start-after=${encodeQuery(prefix + from.after)}`
    const response = await this.send(asked, 'GET', `${this.target.path}/`, query, this.payer, LIST_SILENCE)

    let answer
    try {
      answer = parseListPage(response.body)
    } catch (error) {
      if (error instanceof UndecodableKey) throw undecodable(asked, error.message)
      if (!(error instanceof MalformedList)) throw error
      throw elementText(response.body, 'Error') === undefined
        ? brokenAnswer(response, asked, error.message)
        : faultOf(response, asked)
    }
    if (answer.truncated && answer.objects.length === 0 && answer.nextToken === undefined) {
      throw brokenAnswer(response, asked, 'the list is empty, says that there is more, and not where')
    }
    checkOrder(asked, answer.objects, prefix, from.token === undefined ? from.after : undefined)
    if (prefix !== '') for (const object of answer.objects) object.key = object.key.slice(prefix.length)
    return {
      objects: answer.objects,
      truncated: answer.truncated,
      ...(answer.nextToken === undefined ? {} : { token: answer.nextToken }),
    }
  }

  async copyFrom(source: Storage, object: ObjectSummary): Promise<void> {
    const asked = { operation: 'CopyObject', bucket: this.place.bucket, key: this.place.prefix + object.key }
    const headers: (readonly [string, string])[] = [
      ['x-amz-copy-source', copySource(source.place, object.key)],
      ...this.payer,
    ]
    // Without the header S3 makes the copy STANDARD, whatever the source is.
    if (object.storageClass !== 'STANDARD') headers.push(['x-amz-storage-class', object.storageClass])
    const silence = COPY_SILENCE + object.size / COPY_BYTES_PER_MS
    const response = await this.send(asked, 'PUT', this.base + encodePath(object.key), '', headers, silence)
    const { body } = response
    if (body.includes('</CopyObjectResult>') && body.includes('<ETag>')) return
    throw body.includes('<Error>') && body.includes('</Error>')
      ? faultOf(response, asked)
      : brokenAnswer(
          response,
          asked,
          body.trim() === '' ? 'the answer to the copy is empty' : 'the answer to the copy is cut',
        )
  }

  /** HeadBucket: resolves when the bucket exists and these credentials may see it. */
  async headBucket(): Promise<void> {
    const asked = { operation: 'HeadBucket', bucket: this.place.bucket }
    await this.send(asked, 'HEAD', `${this.target.path}/`, '', this.payer, LIST_SILENCE)
  }

  close(): void {
    this.pool.close()
  }

  private async send(
    asked: Asked,
    method: string,
    path: string,
    query: string,
    headers: readonly (readonly [string, string])[],
    silence: number,
  ): Promise<HttpResponse> {
    const request = { method, host: this.host, path, query, headers, bodyHash: EMPTY_HASH }
    const head = this.signer.head(request, 0, this.credentials.current, Date.now())
    let response: HttpResponse
    try {
      response = await this.pool.send({ head, silence, bodiless: method === 'HEAD' })
    } catch (error) {
      throw connectionFault(error, asked, this.host)
    }
    if (response.status === 200) return response
    if (response.status > 200 && response.status < 300) {
      throw brokenAnswer(response, asked, `the answer has status ${response.status} where 200 was expected`)
    }
    const fault = faultOf(response, asked)
    if (!EXPIRED.has(fault.code) || (await this.credentials.refresh())) throw fault
    throw fault.withSeverity('stop-run')
  }
}

const EXPIRED = new Set(['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'])

/** Milliseconds of silence after which an answer is given up. A copy may take as long as its bytes need, at the least rate that S3 is known to keep. */
const LIST_SILENCE = 60_000
const COPY_SILENCE = 60_000
const COPY_BYTES_PER_MS = 5_000

/** The value of `x-amz-copy-source` for a key of `place`; access points have a form of their own. */
function copySource(place: Place, key: string): string {
  const { bucket, prefix } = place
  return bucket.startsWith('arn:')
    ? encodePath(`${bucket}/object/${prefix}${key}`)
    : `/${bucket}/${encodePath(prefix + key)}`
}

// Ranges, resuming and splitting all rest on the order of keys: a store that does not keep it would silently lose some.
function checkOrder(asked: Asked, objects: readonly ObjectSummary[], prefix: string, after: string | undefined): void {
  let before = after === undefined ? undefined : prefix + after
  for (const { key } of objects) {
    if (!key.startsWith(prefix)) {
      throw unusable(asked, 'ForeignKey', `the listing of prefix ${printable(prefix)} holds ${printable(key)}`)
    }
    if (before !== undefined && compareKeys(before, key) >= 0) {
      throw unusable(
        asked,
        'UnorderedListing',
        `the listing is not in UTF-8 byte order: ${printable(key)} comes after ${printable(before)}`,
      )
    }
    before = key
  }
}

function undecodable(asked: Asked, listed: string): StorageError {
  return unusable(asked, 'UndecodableKey', `the key listed as ${printable(listed)} is not valid UTF-8`)
}

function unusable(asked: Asked, code: string, message: string): StorageError {
  return new StorageError(message, {
    severity: 'stop-run',
    code,
    operation: asked.operation,
    bucket: asked.bucket,
    hint: 'this store does not list as S3 does, so s3move cannot promise that no key is lost; nothing further was done',
  })
}
