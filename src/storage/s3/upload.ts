import { hash } from 'node:crypto'
import { Readable } from 'node:stream'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { StorageError } from '../../errors.js'
import type { Content, HeaderFields, Trying } from '../storage.js'
import { askedOf, copyTime, etagIn, hasPlainEtag, pathOf, sorted, type Channel, type StoreRequest } from './channel.js'
import { encodeQuery } from './encode.js'
import { brokenAnswer, brokenContent, faultOf, type Asked } from './faults.js'
import { headerOf, type HttpResponse } from './http.js'
import { COMPLETE_TIME, etagOfParts } from './uploading.js'
import { escapeXml } from './xml.js'

/** Parts of one object under way at once, and how many bytes they may have together before there are fewer. */
const AT_ONCE = 4
const BYTES_AT_ONCE = 64 * 1024 ** 2
const MOST_PARTS = 10_000

/** An object that is to be made of parts which are sent. */
export interface UploadOptions {
  readonly channel: Channel
  readonly key: string
  readonly content: Content
  /** All that it is to have. */
  readonly fields: HeaderFields
  readonly trying: Trying
  /** The size of its parts, in bytes; more where there would be too many. */
  readonly leastPart: number
}

/**
 * Sends content in parts, several at once. The SDK cuts it, keeps the order of steps, and aborts what fails; its requests go over the fast lane,
 * each tried again by itself, with our fields and our signature. Answers the ETag.
 */
export async function upload(options: UploadOptions): Promise<string> {
  const { content, leastPart } = options
  const partSize = Math.max(leastPart, Math.ceil(content.size / MOST_PARTS))
  const lane = new UploadLane(options)
  const client = new S3Client({
    // Where a request goes, and by whom it is signed, is the lane's affair.
    region: 'us-east-1',
    endpoint: 'http://unused.invalid',
    forcePathStyle: true,
    credentials: { accessKeyId: '', secretAccessKey: '' },
    signer: { sign: <T>(request: T) => Promise.resolve(request) },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    maxAttempts: 1,
    requestHandler: { handle: (request: SdkRequest) => lane.handle(request) },
  })
  const body = Readable.from(content.pieces(), { highWaterMark: 1 })
  try {
    await new Upload({
      client,
      params: { Bucket: 'bucket', Key: 'key', Body: body },
      partSize,
      queueSize: Math.max(1, Math.min(AT_ONCE, Math.floor(BYTES_AT_ONCE / partSize))),
    }).done()
    await lane.tag()
  } catch (error) {
    throw lane.failure ?? error
  } finally {
    body.destroy()
    client.destroy()
  }
  return lane.etag
}

/** A request as the SDK hands it over. */
interface SdkRequest {
  readonly method: string
  readonly query?: Readonly<Record<string, string | readonly string[] | null>> | undefined
  readonly body?: unknown
}

/** The part of an answer that the SDK reads. */
interface SdkAnswer {
  readonly response: {
    readonly statusCode: number
    readonly headers: Record<string, string>
    readonly body: Uint8Array
  }
}

/** Sends what the SDK asks for: of its requests, what is done and with which bytes is its affair, all the rest is ours. */
class UploadLane {
  /** The ETag of the whole, once it is there. */
  etag = ''
  /** What went wrong first: the SDK may make something else of it. */
  failure: unknown
  private readonly digests: Buffer[] = []
  private sent = 0
  /** Whether ETags are MD5s. */
  private plain = true

  constructor(private readonly options: UploadOptions) {}

  async handle({ method, query = {}, body }: SdkRequest): Promise<SdkAnswer> {
    const uploadId = String(query.uploadId ?? '')
    try {
      if (method === 'DELETE') return await this.abort(uploadId)
      if (query.uploads !== undefined) return await this.create()
      if (query.partNumber !== undefined && body instanceof Uint8Array)
        return await this.sendPart(
          uploadId,
          Number(query.partNumber),
          Buffer.from(body.buffer, body.byteOffset, body.length),
        )
      // Of so little content that it need not be cut, much is missing.
      if (method === 'PUT') throw this.incomplete()
      return await this.complete(uploadId, body)
    } catch (error) {
      this.failure ??= error
      throw error
    }
  }

  private async create(): Promise<SdkAnswer> {
    const { channel, fields } = this.options
    const asked = this.asked('CreateMultipartUpload')
    const given = sorted([...fields, ...channel.always, ...channel.customerKey])
    const response = await this.send(asked, { method: 'POST', query: 'uploads=', fields: given })
    this.plain = hasPlainEtag(channel, response)
    return answer(response)
  }

  private async sendPart(upload: string, number: number, body: Buffer): Promise<SdkAnswer> {
    const { always, customerKey } = this.options.channel
    const asked = this.asked('UploadPart')
    const digest = hash('md5', body, 'buffer')
    this.digests[number - 1] = digest
    this.sent += body.length
    const response = await this.send(asked, {
      method: 'PUT',
      query: `partNumber=${number}&uploadId=${encodeQuery(upload)}`,
      fields: sorted([['content-md5', digest.toString('base64')], ...always, ...customerKey]),
      body,
      extra: copyTime(body.length),
    })
    const etag = headerOf(response, 'etag')
    if (etag === undefined) throw brokenAnswer(response, asked, 'the answer to a part has no ETag')
    return answer(response, { etag })
  }

  private async complete(upload: string, body: unknown): Promise<SdkAnswer> {
    const { channel, content } = this.options
    if (this.sent !== content.size) throw this.incomplete()
    const asked = this.asked('CompleteMultipartUpload')
    const expected = etagOfParts(this.digests.map((digest) => ({ etag: digest.toString('hex') })))
    const request = {
      method: 'POST',
      query: `uploadId=${encodeQuery(upload)}`,
      fields: sorted([['content-type', 'application/xml'], ...channel.always, ...channel.customerKey]),
      body: Buffer.from(String(body)),
      extra: COMPLETE_TIME,
    }
    try {
      const response = await this.send(asked, request, (answered) => {
        if (answered.body.includes('<Error>')) throw faultOf(answered, asked)
        if (!answered.body.includes('</CompleteMultipartUploadResult>')) {
          throw brokenAnswer(answered, asked, 'the answer to the completion is empty or cut')
        }
      })
      this.etag = etagIn(response) || expected
      if (this.plain && PARTS.test(this.etag) && this.etag !== expected) {
        throw brokenContent(asked, `the store has parts with the ETag ${this.etag} where ${expected} was sent`)
      }
      return answer(response)
    } catch (error) {
      // A completion whose answer was lost has taken place, and the upload is gone when it is asked for again.
      if (!(error instanceof StorageError) || error.code !== 'NoSuchUpload' || error.attempts < 2) throw error
      const head = { method: 'HEAD', fields: sorted([...channel.always, ...channel.customerKey]) }
      const now = await this.send(this.asked('HeadObject'), head)
      const etag = (headerOf(now, 'etag') ?? '').replaceAll('"', '')
      const size = Number(headerOf(now, 'content-length'))
      if (size !== content.size || (this.plain ? etag !== expected : !etag.endsWith(`-${this.digests.length}`)))
        throw error
      this.etag = etag
      return answer(now)
    }
  }

  /** Gives the tags once more to stores that may take no notice of those an upload was begun with (Ceph). */
  async tag(): Promise<void> {
    const { channel, fields } = this.options
    const [, tags] = fields.find(([name]) => name === 'x-amz-tagging') ?? []
    if (tags === undefined || tags === '' || channel.aws) return
    const body = taggingBody(tags)
    const given = sorted([['content-md5', hash('md5', body, 'base64')], ...channel.always])
    await this.send(this.asked('PutObjectTagging'), { method: 'PUT', query: 'tagging=', fields: given, body })
  }

  // What is left of it is told by the error that matters.
  private async abort(upload: string): Promise<SdkAnswer> {
    const { always } = this.options.channel
    const query = `uploadId=${encodeQuery(upload)}`
    await this.send(this.asked('AbortMultipartUpload'), { method: 'DELETE', query, fields: always }).catch(
      () => undefined,
    )
    return { response: { statusCode: 204, headers: {}, body: NOTHING } }
  }

  private incomplete(): StorageError {
    const { content } = this.options
    return brokenContent(this.asked('UploadPart'), `other than ${content.size} bytes came`)
  }

  private asked(operation: string): Asked {
    return askedOf(this.options.channel, operation, this.options.key)
  }

  private send(
    asked: Asked,
    request: Omit<StoreRequest, 'path'>,
    check?: (response: HttpResponse) => void,
  ): Promise<HttpResponse> {
    const { channel, key, trying } = this.options
    return trying(asked.operation, async () => {
      const response = await channel.request(asked, { ...request, path: pathOf(channel, key) })
      if (response.status >= 300) throw faultOf(response, asked)
      check?.(response)
      return response
    })
  }
}

function taggingBody(header: string): Buffer {
  const tags = [...new URLSearchParams(header)].map(
    ([key, value]) => `<Tag><Key>${escapeXml(key)}</Key><Value>${escapeXml(value)}</Value></Tag>`,
  )
  return Buffer.from(
    `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet>${tags.join('')}</TagSet></Tagging>`,
  )
}

const PARTS = /^[0-9a-f]{32}-\d+$/
const NOTHING = new Uint8Array(0)

function answer({ status, body }: HttpResponse, headers: Record<string, string> = {}): SdkAnswer {
  return { response: { statusCode: status, headers, body: Buffer.from(body, 'latin1') } }
}
