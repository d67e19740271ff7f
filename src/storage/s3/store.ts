import { hash, randomUUID } from 'node:crypto'
import { StorageError } from '../../errors.js'
import type { Place } from '../../job/place.js'
import { timeOf } from '../../times.js'
import type { RunSettings } from '../../job/pace.js'
import { lookingFirst } from '../looking-first.js'
import type { Notice } from '../notice.js'
import type {
  BucketTraits,
  CopyWish,
  ListFrom,
  ObjectSummary,
  Page,
  Reading,
  Removing,
  Restoring,
  Rewriting,
  Software,
  Storage,
  Writing,
} from '../storage.js'
import type { Uploading } from '../parts.js'
import type { Versions } from '../object-versions.js'
import type { Target } from './account.js'
import type { Credentials, CredentialSource } from '../credential-source.js'
import { copySource, copyTime, etagOfCopy, sorted, sourceFields, type Channel, type StoreRequest } from './request.js'
import { dialerFor, type Trust } from './connect.js'
import { encodePath } from './encode.js'
import { checkOk, connectionFault, faultOf, isExpired, problemOf, type Asked } from './storage-errors.js'
import { EtagCase } from './etag-case.js'
import { createHttpPool, responseHeader, HttpError, type HttpPool, type HttpResponse } from './http.js'
import { MetadataForm } from './metadata-form.js'
import { ObjectListing } from './listing.js'
import { AdaptiveTimeout } from './adaptive-timeout.js'
import { createProbes, type Probes } from './probes.js'
import { createReading } from './reading.js'
import { MIN_RATE } from './least-rate.js'
import { createRemoving } from './deleting.js'
import { createRestoring } from './restoring.js'
import { createRewriting } from './rewriting.js'
import {
  createSigner,
  EMPTY_HASH,
  sameCredentials,
  UNSIGNED_BODY,
  UnsafeValue,
  type Fields,
  type Signer,
} from './sign.js'
import { softwareOf } from './server-software.js'
import { Suspicion } from './refusal-suspicion.js'
import { hasTags, isOtherAnswer, mayBeUnsupported, Unsupported } from './unsupported.js'
import { createUploading } from './uploading.js'
import { createVersions } from './versions.js'
import { createWriting } from './writing.js'
import { despiteWrongRefusal } from './wrong-refusal.js'
import { elementText } from './xml.js'

/** How a store is reached. Plain data without secrets, to be sent between threads. */
export interface BucketAddress {
  readonly target: Target
  readonly trust: Trust
  readonly requestPayer?: boolean | undefined
  /** The account that the bucket must belong to. */
  readonly expectedOwner?: string | undefined
  /** The account that the bucket of what is copied must belong to. */
  readonly expectedSourceOwner?: string | undefined
  /** Whether this is AWS, where nobody named an endpoint, or a store that may differ from it. */
  readonly aws?: boolean | undefined
  /** The whole key with which the listing of the place began, if anybody has seen it. */
  readonly begins?: string | undefined
  /** Whether each body is hashed and its hash signed, even where its MD5 is sent. */
  readonly signPayload?: boolean | undefined
  /** How long nearly all answers to an operation took so far, in milliseconds. */
  readonly usual?: Readonly<Record<string, number>> | undefined
  /** What the store has refused so far, and is sent no more. */
  readonly unsupported?: readonly string[] | undefined
  /** Headers that were asked for, and are never left out. */
  readonly insists?: readonly string[] | undefined
  /** Whether it writes MD5s in capitals, if anybody has seen one. */
  readonly capitals?: boolean | undefined
  /** Whether it takes user metadata beyond ASCII in encoded words alone, if anybody has found out. */
  readonly encodesMetadata?: boolean | undefined
}

/** What a store needs beside its place. */
export interface S3StoreOptions extends BucketAddress {
  readonly credentials: Pick<CredentialSource, 'current' | 'refresh'>
  /** The key with which its objects are encrypted, and that of what is copied: 32 bytes (SSE-C). Never stored. */
  readonly customerKey?: Uint8Array | undefined
  readonly customerKeyOfSource?: Uint8Array | undefined
  /** What content that is read and written here keeps to. */
  readonly settings?: Pick<RunSettings, 'bandwidth'> | undefined
  /** When aborted, content that is being read is waited for no more than some seconds. */
  readonly stop?: AbortSignal | undefined
  /** Told of what a person should know of the store. */
  readonly notice?: ((notice: Notice) => void) | undefined
}

/** A bucket and prefix in S3, over the fast lane: one request each, sent once, no retries. */
export class S3Store implements Storage {
  readonly place: Place
  readonly host: string
  readonly conditional: boolean
  readonly manifests: boolean
  readonly reading: Reading
  readonly uploading: Uploading
  readonly rewriting: Rewriting
  readonly writing: Writing
  readonly removing: Removing
  readonly versions: Versions
  readonly restoring: Restoring
  readonly probes: Probes
  private readonly target: Target
  private readonly credentials: S3StoreOptions['credentials']
  private readonly pool: HttpPool
  private readonly signer: Signer
  private readonly base: string
  private readonly always: Fields
  /** Sent with every copy. */
  private readonly copies: Fields
  private readonly channel: Channel
  /** By operation. */
  private readonly patience = new Map<string, AdaptiveTimeout>()
  /** While it is being opened, what it is asked first is waited for as long as the read timeout says: whoever opens it asks twice. */
  opening = false
  /** Whose software it is, where an answer has told that. */
  software: Software | undefined
  private readonly listing: ObjectListing
  private readonly unsupported: Unsupported
  private readonly etagCase: EtagCase
  private readonly metadataForm: MetadataForm
  private readonly suspicion: Suspicion
  /** Of requests that name another bucket as well. */
  private readonly suspicionOfCopies: Suspicion
  private askedForTags: Promise<boolean> | undefined
  /** By how much the server's clock is ahead of this machine's, in milliseconds, where that matters. */
  private skew = 0
  /** The same, as the last listing told: to a second, and less rather than more. */
  private ahead = 0

  constructor(
    place: Place,
    private readonly options: S3StoreOptions,
  ) {
    const { target } = options
    const dialer = dialerFor(new URL(target.origin), options.trust)
    this.place = place
    this.conditional = options.aws === true
    this.manifests = options.aws !== true
    this.target = target
    this.credentials = options.credentials
    this.suspicion = new Suspicion(target.region)
    this.suspicionOfCopies = new Suspicion(target.region)
    this.host = dialer.host
    const { readTimeout = READ_TIMEOUT, minRate = MIN_RATE } = options.trust
    this.pool = createHttpPool(
      dialer,
      options.settings?.bandwidth,
      { minRate, window: readTimeout, stop: options.stop },
      () => options.notice?.(sendsMore(dialer.host)),
    )
    this.signer = createSigner(target.region, target.service)
    this.base = `${target.path}/${encodePath(place.prefix)}`
    this.always = sorted([
      ...(options.expectedOwner === undefined
        ? []
        : ([['x-amz-expected-bucket-owner', options.expectedOwner]] as const)),
      ...(options.requestPayer === true ? ([['x-amz-request-payer', 'requester']] as const) : []),
    ])
    this.unsupported = new Unsupported(dialer.host, options.notice ?? (() => undefined), {
      known: options.unsupported,
      insists: options.insists,
    })
    this.etagCase = new EtagCase(options.aws === true ? false : options.capitals)
    this.channel = {
      ...{ place, path: this.base, bucketPath: target.path, aws: options.aws === true, always: this.always },
      signPayload: options.signPayload === true,
      customerKey: customerFields('x-amz-server-side', options.customerKey),
      copySource: [
        ...customerFields('x-amz-copy-source-server-side', options.customerKeyOfSource),
        ...(options.expectedSourceOwner === undefined
          ? []
          : ([['x-amz-source-expected-bucket-owner', options.expectedSourceOwner]] as const)),
      ],
      unsupported: this.unsupported,
      etagCase: this.etagCase,
      request: (asked, request) => this.request(asked, request),
    }
    const { channel } = this
    this.copies = sorted([...this.always, ...channel.customerKey, ...channel.copySource])
    this.metadataForm = new MetadataForm(channel, options.encodesMetadata)
    this.reading = createReading(channel)
    this.uploading = this.metadataForm.uploading(createUploading(channel), this.reading)
    this.rewriting = createRewriting(channel, this.reading)
    this.writing = createWriting(channel, this.reading, this.metadataForm)
    this.removing = lookingFirst(createRemoving(channel))
    this.versions = createVersions(channel)
    this.restoring = createRestoring(channel)
    this.probes = createProbes({ ...channel, request: (asked, request) => this.request(asked, request, true, false) })
    this.listing = new ObjectListing(channel, this.reading, options.begins)
  }

  get region(): string {
    return this.target.region
  }

  get address(): BucketAddress {
    const { target, trust, requestPayer, expectedOwner, expectedSourceOwner, aws, signPayload } = this.options
    const usual: Record<string, number> = {}
    for (const [operation, { learned }] of this.patience) if (learned !== undefined) usual[operation] = learned
    const { begins } = this.listing
    return {
      ...{ target, trust, requestPayer, expectedOwner, expectedSourceOwner, aws, begins, signPayload, usual },
      unsupported: this.unsupported.all,
      insists: this.options.insists,
      capitals: this.etagCase.capitals,
      encodesMetadata: this.metadataForm.known,
    }
  }

  /** As another store of the same server writes ETags, so does this one. */
  learnFrom(other: S3Store): void {
    this.etagCase.capitals ??= other.etagCase.capitals
  }

  async list(from: ListFrom): Promise<Page> {
    return await this.listing.list(from)
  }

  readonly clock = (): number => Date.now() + this.ahead

  private noteSoftware(response: HttpResponse): void {
    this.software ??= softwareOf(response)
    if (this.software === 'Swift') this.metadataForm.isSwift()
  }

  private noteStore(response: HttpResponse): void {
    this.noteSoftware(response)
    const date = timeOf(responseHeader(response, 'date') ?? '')
    if (!Number.isNaN(date)) this.ahead = date - Date.now()
  }

  // A property, so that it can be handed on by itself.
  readonly copyFrom = async (source: Storage, object: ObjectSummary, wish?: CopyWish): Promise<string> => {
    const key = wish?.key ?? object.key
    const asked = { operation: 'CopyObject', bucket: this.place.bucket, key: this.place.prefix + key }
    const { place } = source
    const headers: (readonly [string, string])[] =
      wish?.etag === undefined
        ? [['x-amz-copy-source', copySource(place, object.key, object.version)]]
        : [...sourceFields(this.channel, place, object.key, wish.etag, object.version)]
    headers.push(...this.copies)
    if (wish !== undefined) headers.push(...wish.fields)
    // Without the header S3 makes the copy STANDARD, whatever the source is.
    else if (object.storageClass !== 'STANDARD') headers.push(['x-amz-storage-class', object.storageClass])
    // Without a wish they are in order: `copies` comes between the source and the storage class.
    const fields = wish === undefined ? headers : sorted(headers)
    const path = this.base + encodePath(key)
    if (wish?.etag !== undefined) return await this.copyWhile(wish.etag, source, object, { asked, path, fields })
    const response = await this.send(asked, 'PUT', path, '', fields, copyTime(object.size))
    return etagOfCopy(response, asked)
  }

  private async copyWhile(
    etag: string,
    source: Storage,
    { key, version, size }: ObjectSummary,
    { asked, path, fields }: Pick<StoreRequest, 'path' | 'fields'> & { readonly asked: Asked },
  ): Promise<string> {
    const send = (fields: Fields): Promise<HttpResponse> =>
      this.request(asked, { method: 'PUT', path, fields, extra: copyTime(size) })
    const response = await despiteWrongRefusal(this.channel, {
      ...{ asked, fields, etag, send, apart: true },
      response: await send(fields),
      look: async () => (await source.reading.head(key, version)).etag,
    })
    checkOk(response, asked)
    return etagOfCopy(response, asked)
  }

  /** HeadBucket: resolves when the bucket exists and these credentials may see it. */
  async headBucket(): Promise<void> {
    const asked = { operation: 'HeadBucket', bucket: this.place.bucket }
    await this.send(asked, 'HEAD', `${this.target.path}/`, '', this.always)
  }

  /**
   * GetBucketOwnershipControls, GetBucketVersioning and, where `locks` are asked for, GetObjectLockConfiguration, each of which `tried` may try again.
   * What the store does not tell, or not to these credentials, is undefined.
   */
  async traits(
    tried: <T>(operation: string, ask: () => Promise<T>) => Promise<T>,
    locks = false,
  ): Promise<BucketTraits> {
    const ask = async (operation: string, subresource: string): Promise<HttpResponse | StorageError> => {
      const asked = { operation, bucket: this.place.bucket }
      const request = { method: 'GET', path: `${this.target.path}/`, query: `${subresource}=`, fields: this.always }
      let passing: StorageError | undefined
      try {
        return await tried(operation, async () => {
          const response = await this.request(asked, request)
          const error = problemOf(response, asked)
          passing = error?.severity === 'retry' || error?.severity === 'throttle' ? error : undefined
          if (passing !== undefined) throw passing
          return error ?? response
        })
      } catch (error) {
        // Swift takes the question for one of a listing, and fails where a key would not go into it.
        if (passing === undefined || !(error instanceof StorageError)) throw error
        return error
      }
    }
    const ownership = await ask('GetBucketOwnershipControls', 'ownershipControls')
    const versioning = await ask('GetBucketVersioning', 'versioning')
    const locking = locks ? locksOf(await ask('GetObjectLockConfiguration', 'object-lock')) : undefined
    const rule = ownership instanceof StorageError ? undefined : elementText(ownership.body, 'ObjectOwnership')
    return {
      acls:
        ownership instanceof StorageError && ownership.code === 'OwnershipControlsNotFoundError'
          ? true
          : rule === undefined
            ? undefined
            : rule !== 'BucketOwnerEnforced',
      versioned: versioning instanceof StorageError ? undefined : elementText(versioning.body, 'Status') === 'Enabled',
      locks: locking,
    }
  }

  close(): void {
    this.pool.close()
  }

  private async send(
    asked: Asked,
    method: string,
    path: string,
    query: string,
    fields: Fields,
    extra = 0,
  ): Promise<HttpResponse> {
    const response = await this.request(asked, { method, path, query, fields, extra })
    checkOk(response, asked)
    return response
  }

  // The answer, whatever it says, but for credentials that have expired, and for what is wrong with the request for one object alone.
  private async request(
    asked: Asked,
    given: StoreRequest,
    judged = true,
    suspects = this.options.aws !== true,
  ): Promise<HttpResponse> {
    const { operation } = asked
    const { method, path, query = '', body, sink, most, surplus, accept, extra = 0 } = given
    const known = this.unsupported.without(operation, given.fields)
    const fields = this.metadataForm.own(this.etagCase.ownFields(known))
    const readTimeout = this.options.trust.readTimeout ?? READ_TIMEOUT
    if (suspects && this.unsupported.refusesTags(fields)) throw tagsNotSupported(asked)
    let patience = this.patience.get(operation)
    if (patience === undefined) {
      patience = new AdaptiveTimeout(
        readTimeout,
        this.options.usual?.[operation],
        method === 'GET' || method === 'HEAD',
      )
      this.patience.set(operation, patience)
    }
    const hashed = Buffer.isBuffer(body) && (this.options.signPayload === true || !isNamed(fields))
    const bodyHash = body === undefined ? EMPTY_HASH : hashed ? hash('sha256', body) : UNSIGNED_BODY
    const request = { method, host: this.host, path, query, headers: fields, bodyHash }
    const { skew } = this
    const current = given.unsigned === true ? undefined : this.credentials.current
    const signedAt = Date.now() + skew
    let signed: string
    try {
      signed = this.signer.head(request, body?.length ?? 0, current, signedAt)
    } catch (error) {
      if (!(error instanceof UnsafeValue)) throw error
      throw new StorageError(error.message, { severity: 'fail-object', code: 'UnsafeHeader', ...asked })
    }
    const head = accept === undefined ? signed : `${signed.slice(0, -2)}accept-encoding: ${accept}\r\n\r\n`
    let response: HttpResponse
    const name = asked.key ?? query
    const sent = performance.now()
    try {
      // How long content of any size takes says nothing, and to read it again costs more than to wait.
      const first = this.opening && patience.learned === undefined
      const silence =
        sink === undefined && !first
          ? patience.for(name, extra)
          : { ms: readTimeout, whole: HEAD_TIMEOUTS * readTimeout }
      response = await this.pool.send({ head, body, sink, most, surplus, silence, bodiless: method === 'HEAD' })
    } catch (error) {
      const isLate = error instanceof HttpError && error.code === 'ETIMEDOUT'
      if (isLate && sink === undefined) patience.gaveUp(name)
      throw connectionFault(error, asked, this.host)
    }
    if (sink === undefined) patience.answered(name, performance.now() - sent, extra)
    const suspicion = COPIES.has(operation) ? this.suspicionOfCopies : this.suspicion
    if (response.status < 300) {
      if (operation === 'ListObjectsV2' || operation === 'HeadBucket') this.noteStore(response)
      suspicion.cleared(sent)
      if (this.etagCase.capitals === undefined) this.etagCase.learn(response)
      return response
    }
    this.noteSoftware(response)
    const fault = faultOf(response, asked)
    if (isExpired(fault.code)) await this.renew(fault, current)
    // What is refused to HEAD is refused without a word.
    const mayBeSkewed = fault.code === 'RequestTimeTooSkewed' || (method === 'HEAD' && response.status === 403)
    if (mayBeSkewed && this.setClock(response, signedAt + performance.now() - sent))
      throw fault.with({ severity: 'retry' })
    if (fault.severity === 'stop-run' && asked.key !== undefined && judged) {
      throw await suspicion.judge(fault, sent, () => this.askPlainly(sourceIn(fields)))
    }
    if (!suspects || !mayBeUnsupported(fault)) return response
    if (hasTags(fields) && (await this.lacksTags())) throw tagsNotSupported(asked)
    return (await this.askWithLess(asked, { ...given, fields }, fault)) ?? response
  }

  // The answer to a request that was refused, once it is sent without what the store does not support; undefined when it is refused all the same.
  private async askWithLess(
    asked: Asked,
    given: StoreRequest,
    before: StorageError,
  ): Promise<HttpResponse | undefined> {
    let { fields } = given
    for (const suspect of this.unsupported.suspects(asked, fields, before)) {
      fields = fields.filter(([name]) => name !== suspect)
      const response = await this.request(asked, { ...given, fields }, true, false)
      const code = response.status < 300 ? undefined : faultOf(response, asked).code
      if (isOtherAnswer(before, response.status, code)) {
        this.unsupported.convict(suspect, asked.operation, before)
        return response
      }
      // What passes says nothing of the request.
      if (response.status !== before.status || code !== before.code) return response
    }
    return undefined
  }

  // Asked once, however many are refused at the same time.
  private lacksTags(): Promise<boolean> {
    this.askedForTags ??= this.probes.refusalOf(PROBE_TAGS).then((refusal) => {
      if (refusal !== undefined) this.unsupported.addTags(refusal)
      // It may have been too busy to say.
      else this.askedForTags = undefined
      return refusal !== undefined
    })
    return this.askedForTags
  }

  // Why the plainest request is not answered as it should be: for an object that does not exist, or for a copy of that.
  private async askPlainly(source: string | undefined): Promise<StorageError | undefined> {
    const key = `s3move-probe-${randomUUID()}`
    const asked = { operation: source === undefined ? 'GetObject' : 'CopyObject', bucket: this.place.bucket, key }
    const fields =
      source === undefined ? this.always : sorted([...this.always, ['x-amz-copy-source', `${source}/${key}`]])
    try {
      const method = source === undefined ? 'GET' : 'PUT'
      const response = await this.request(asked, { method, path: `${this.target.path}/${key}`, fields }, false)
      if (response.status < 300) return undefined
      const fault = faultOf(response, asked)
      // What a proxy says by itself proves nothing of the store.
      const isOfObject = fault.severity === 'skip' || fault.severity === 'fail-object'
      return isOfObject && response.body.includes('<Code>') ? undefined : fault
    } catch (error) {
      if (error instanceof StorageError) return error
      throw error
    }
  }

  private async renew(fault: StorageError, used: Credentials | undefined): Promise<never> {
    // An answer that took longer than the renewal tells nothing of what is there now.
    if (!sameCredentials(used, this.credentials.current)) throw fault
    const renewal = await this.credentials.refresh()
    throw renewal === 'impossible' ? fault.with({ severity: 'stop-run' }) : fault
  }

  // Goes by the server's clock from now on. False when the server says no time, or one that is `ours`: what this request was signed by,
  // and not what this machine says by now, as its clock may have been set meanwhile.
  private setClock(response: HttpResponse, ours: number): boolean {
    const theirs = timeOf(responseHeader(response, 'date') ?? '')
    if (!(Math.abs(theirs - ours) >= LEAST_SKEW)) return false
    this.skew = theirs - Date.now()
    return true
  }
}

/** What tells whether a store takes tags. */
export const PROBE_TAGS: Fields = [
  ['x-amz-tagging', 's3move=probe'],
  ['x-amz-tagging-directive', 'REPLACE'],
]

function tagsNotSupported(asked: Asked): StorageError {
  const message =
    'it has tags, and the store that it is written to keeps none: a new copy with --no-preserve tags copies it without'
  return new StorageError(message, { severity: 'fail-object', code: 'TagsNotSupported', ...asked })
}

// A store that does not know the question may answer another one.
function locksOf(answer: HttpResponse | StorageError): boolean | undefined {
  if (answer instanceof StorageError) return answer.code === 'ObjectLockConfigurationNotFoundError' ? false : undefined
  if (!/<ObjectLockConfiguration[\s/>]/.test(answer.body)) return undefined
  return elementText(answer.body, 'ObjectLockEnabled') === 'Enabled'
}

function sendsMore(host: string): Notice {
  const message = `${host}, or a proxy before it, sends more than its answers say: each further request gets a connection of its own, which takes longer`
  return { kind: `sends-more ${host}`, message }
}

// The bucket that is copied from, as `x-amz-copy-source` begins; undefined when this is no copy.
function sourceIn(fields: Fields): string | undefined {
  const source = fields.find(([name]) => name === 'x-amz-copy-source')?.[1]
  return source === undefined ? undefined : SOURCE_BUCKET.exec(source)?.[0]
}

const COPIES: ReadonlySet<string> = new Set(['CopyObject', 'UploadPartCopy'])
const SOURCE_BUCKET = /^arn:.*?\/object(?=\/)|^\/[^/]+/

// The three fields in which a key of the customer's is given (SSE-C).
function customerFields(prefix: string, key: Uint8Array | undefined): Fields {
  if (key === undefined) return []
  const name = `${prefix}-encryption-customer`
  return [
    [`${name}-algorithm`, 'AES256'],
    [`${name}-key`, Buffer.from(key).toString('base64')],
    [`${name}-key-md5`, hash('md5', key, 'base64')],
  ]
}

/** How long a server may stay silent, in milliseconds, when nobody says otherwise. */
const READ_TIMEOUT = 60_000
/** How many times longer than a server may be silent the head of an answer may take, or an explanation why there is no content. */
const HEAD_TIMEOUTS = 5
/** S3 bears fifteen minutes, so what is less than this, in milliseconds, cannot be why a request was refused. */
const LEAST_SKEW = 60_000

// What is signed names the body by its MD5, which the store compares; a second hash of all bytes would say the same.
function isNamed(fields: Fields): boolean {
  return fields.some(([name]) => name === 'content-md5')
}
