import { hash } from 'node:crypto'
import { dialerFor, READ_TIMEOUT } from '../../connections/connect.js'
import { StorageError } from '../../errors.js'
import { isDirectoryBucket, type Place } from '../../job/place.js'
import { lookingFirst } from '../looking-first.js'
import type { Notice } from '../notice.js'
import type {
  Annotating,
  BucketTraits,
  Describing,
  Levels,
  ListFrom,
  Page,
  Reading,
  Removing,
  Renaming,
  Restoring,
  Rewriting,
  Software,
  Storage,
  Unordered,
  Writing,
} from '../storage.js'
import type { Uploading } from '../parts.js'
import type { TimedRequests } from '../timed-requests.js'
import type { OpenUpload, TimedWrites } from '../timed-writes.js'
import type { Versions } from '../object-versions.js'
import type { Wrap } from '../around.js'
import type { Target } from './target.js'
import { createAnnotating } from './annotating.js'
import { askedTraits, bucketTraits, type AskedTraits } from './bucket-traits.js'
import { createCopying } from './copying.js'
import { customerFields } from './customer-key.js'
import type { BucketAddress, S3StoreOptions } from './store-options.js'
import type { Credentials } from '../credential-source.js'
import { sorted, type Channel, type StoreRequest } from './request.js'
import { encodePath } from './encode.js'
import { checkOk, connectionFault, faultOf, isExpired, type Asked } from './storage-errors.js'
import { EtagCase } from './etag-case.js'
import { createHttpPool, HttpError, type HttpPool, type HttpResponse } from './http.js'
import { MetadataForm } from './metadata-form.js'
import { ObjectListing } from './listing.js'
import { OperationTimeouts } from './adaptive-timeout.js'
import { createPermissionProbes, type PermissionProbes } from './permission-probes.js'
import { createProbes, type Probes } from './probes.js'
import { createDescribing } from './describing.js'
import { isSessionSigned, zonalFields, zonalReading } from './directory-bucket.js'
import { createZonalSession, type ZonalSession } from './zonal-session.js'
import { createReading } from './reading.js'
import { MIN_RATE } from './least-rate.js'
import { createRemoving } from './deleting.js'
import { createRenaming } from './renaming.js'
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
import { ServerClock } from './server-clock.js'
import { likelyCause } from './likely-cause.js'
import { softwareOf } from './server-software.js'
import { Suspicion } from './refusal-suspicion.js'
import {
  hasTags,
  isOtherAnswer,
  lacksClass,
  mayBeUnsupported,
  PROBE_TAGS,
  tagsNotSupported,
  isTagRefusal,
  notKeptThere,
  Unsupported,
} from './unsupported.js'
import { createTimedRequests } from './timed-requests.js'
import { createTimedWrites } from './timed-writes.js'
import { openUploads } from './open-uploads.js'
import { createUploading } from './uploading.js'
import { createVersions } from './versions.js'
import { createWriting } from './writing.js'

/** A bucket and prefix in S3, over the fast lane: one request each, sent once, no retries. */
export class S3Store implements Storage {
  readonly place: Place
  readonly host: string
  readonly conditional: boolean
  readonly manifests: boolean
  readonly levels: Levels
  readonly reading: Reading
  readonly describing: Describing
  readonly uploading: Uploading
  readonly rewriting: Rewriting
  readonly writing: Writing
  readonly renaming: Renaming | undefined
  readonly removing: Removing
  readonly versions: Versions | undefined
  readonly restoring: Restoring | undefined
  /** Present for a directory bucket. */
  readonly unordered: Unordered | undefined
  readonly annotating: Annotating
  readonly copyFrom: NonNullable<Storage['copyFrom']>
  readonly probes: Probes
  readonly permissions: PermissionProbes
  readonly timed: TimedRequests
  readonly timedWrites: TimedWrites
  private readonly target: Target
  private readonly credentials: S3StoreOptions['credentials']
  private readonly pool: HttpPool
  private readonly signer: Signer
  /** Each keeps the key of a day, and the credentials of a session are others. */
  private readonly sessionSigner: Signer | undefined
  private readonly directory: boolean
  private readonly base: string
  private readonly always: Fields
  private readonly channel: Channel
  private readonly timeouts: OperationTimeouts
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
  private readonly serverClock = new ServerClock()

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
    this.timeouts = new OperationTimeouts(readTimeout, options.usual)
    this.pool = createHttpPool(
      dialer,
      options.settings?.bandwidth,
      { minRate, window: readTimeout, stop: options.stop },
      () => options.notice?.(sendsMore(dialer.host)),
    )
    this.signer = createSigner(target.region, target.service)
    this.directory = isDirectoryBucket(place.bucket)
    this.sessionSigner = this.directory ? createSigner(target.region, target.service) : undefined
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
    this.software = options.software
    this.etagCase = new EtagCase(options.aws === true ? false : options.capitals)
    this.channel = {
      ...{ place, path: this.base, bucketPath: target.path, aws: options.aws === true, always: this.always },
      directory: this.directory,
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
    this.metadataForm = new MetadataForm(channel, options.encodesMetadata)
    this.reading = this.directory ? zonalReading(createReading(channel)) : createReading(channel)
    this.describing = createDescribing(channel, this.reading)
    this.uploading = this.metadataForm.uploading(createUploading(channel), this.reading)
    this.rewriting = createRewriting(channel, this.reading)
    this.writing = createWriting(channel, this.reading, this.metadataForm)
    this.renaming = this.directory ? createRenaming(channel) : undefined
    this.removing = lookingFirst(createRemoving(channel))
    this.versions = this.directory ? undefined : createVersions(channel)
    this.restoring = this.directory ? undefined : createRestoring(channel)
    this.annotating = createAnnotating(channel, this.directory ? false : options.annotations)
    this.copyFrom = createCopying(channel)
    this.probes = createProbes(
      { ...channel, request: (asked, request) => this.request(asked, request, true, false) },
      (asked, request) => this.request(asked, request, false),
    )
    const asTheyAre: Channel = {
      ...channel,
      request: (asked, request) => this.request(asked, request, false, false),
    }
    this.permissions = createPermissionProbes(asTheyAre)
    this.timed = createTimedRequests(asTheyAre, target.origin, options.trust)
    this.timedWrites = createTimedWrites(asTheyAre)
    this.listing = new ObjectListing(channel, this.reading, options.begins)
    this.levels = this.listing.levels
    this.unordered = this.directory ? this.listing.unordered : undefined
  }

  get region(): string {
    return this.target.region
  }

  get address(): BucketAddress {
    const { target, trust, requestPayer, expectedOwner, expectedSourceOwner, aws, signPayload } = this.options
    const { begins } = this.listing
    const { usual } = this.timeouts
    return {
      ...{ target, trust, requestPayer, expectedOwner, expectedSourceOwner, aws, begins, signPayload, usual },
      unsupported: this.unsupported.all,
      insists: this.options.insists,
      software: this.software,
      capitals: this.etagCase.capitals,
      encodesMetadata: this.metadataForm.known,
      annotations: this.annotating.known(),
    }
  }

  /** Another place of the bucket; what is read there is waited for until `stop` aborts. */
  beside(prefix: string, stop: AbortSignal): S3Store {
    return new S3Store({ ...this.place, prefix }, { ...this.options, ...this.address, begins: undefined, stop })
  }

  /** Uploads that are neither completed nor aborted. `tried` may try each page again. */
  openUploads(tried: Wrap): Promise<OpenUpload[]> {
    return openUploads(this.channel, tried)
  }

  /** As another store of the same server writes ETags, so does this one. */
  learnFrom(other: S3Store): void {
    this.etagCase.capitals ??= other.etagCase.capitals
  }

  async list(from: ListFrom): Promise<Page> {
    return await this.listing.list(from)
  }

  readonly clock = (): number => this.serverClock.now

  private noteSoftware(response: HttpResponse): void {
    this.software ??= softwareOf(response)
    if (this.software === 'Swift') this.metadataForm.isSwift()
  }

  // Ceph 16.2 meets a condition of PutObject only where its ETag has no quotes, and takes both elsewhere.
  private takesBareETags(operation: string): boolean {
    return operation === 'PutObject' && this.software === 'Ceph'
  }

  /** HeadBucket: resolves when the bucket exists and these credentials may see it. */
  async headBucket(): Promise<void> {
    const asked = { operation: 'HeadBucket', bucket: this.place.bucket }
    checkOk(await this.request(asked, { method: 'HEAD', path: `${this.target.path}/`, fields: this.always }), asked)
  }

  /**
   * What the settings of the bucket are; of locks where they are asked for. `tried` may try each question again. What the store does not tell, or not to
   * these credentials, is undefined.
   */
  async traits(tried: Wrap, locks = false): Promise<BucketTraits> {
    if (this.directory) return { acls: false, versioned: false, locks: false }
    return await bucketTraits(this.channel, tried, locks)
  }

  /** Begins a session with a directory bucket. */
  session(): Promise<ZonalSession> {
    return createZonalSession(this.channel)
  }

  /** What the store answered to the same questions. */
  askedTraits(tried: Wrap): Promise<AskedTraits> {
    return askedTraits(this.channel, tried, true)
  }

  close(): void {
    this.pool.close()
  }

  // The answer, whatever it says, but for credentials that have expired, and for what is wrong with the request for one object alone.
  private async request(asked: Asked, given: StoreRequest, judged = true, suspects = true): Promise<HttpResponse> {
    const { operation } = asked
    const { method, path, query = '', body, sink, room, most, surplus, accept, extra = 0 } = given
    const known = this.unsupported.without(operation, given.fields)
    const fields = this.metadataForm.own(this.etagCase.ownFields(known, this.takesBareETags(operation)))
    const readTimeout = this.options.trust.readTimeout ?? READ_TIMEOUT
    if (suspects && this.unsupported.refusesTags(fields)) throw tagsNotSupported(asked)
    const patience = this.timeouts.of(operation, method)
    const hashed = Buffer.isBuffer(body) && (this.options.signPayload === true || this.directory || !isNamed(fields))
    const bodyHash = body === undefined ? EMPTY_HASH : hashed ? hash('sha256', body) : (given.bodyHash ?? UNSIGNED_BODY)
    const headers = this.directory ? zonalFields(operation, fields, bodyHash) : fields
    const request = { method, host: this.host, path, query, headers, bodyHash }
    const current = given.unsigned === true ? undefined : this.signedWith(operation)
    const signer = current?.zonal === true ? (this.sessionSigner ?? this.signer) : this.signer
    const signedAt = this.serverClock.signing
    let signed: string
    try {
      signed = signer.head(request, body?.length ?? 0, current, signedAt)
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
      response = await this.pool.send({ head, body, sink, room, most, surplus, silence, bodiless: method === 'HEAD' })
    } catch (error) {
      const isLate = error instanceof HttpError && error.code === 'ETIMEDOUT'
      if (isLate && sink === undefined) patience.gaveUp(name)
      throw connectionFault(error, asked, this.host)
    }
    if (sink === undefined) patience.answered(name, performance.now() - sent, extra)
    const suspicion = COPIES.has(operation) ? this.suspicionOfCopies : this.suspicion
    if (response.status < 300) {
      if (operation === 'ListObjectsV2' || operation === 'HeadBucket') {
        this.noteSoftware(response)
        this.serverClock.learn(response)
      }
      suspicion.cleared(sent)
      if (this.etagCase.capitals === undefined) this.etagCase.learn(response)
      return response
    }
    this.noteSoftware(response)
    const fault = faultOf(response, asked)
    // Who begins a session looks after its credentials.
    if (isExpired(fault.code) && operation !== 'CreateSession') await this.renew(fault, operation, current)
    if (this.directory && isTagRefusal(response.status, operation, fields)) throw notKeptThere(asked)
    // What is refused to HEAD is refused without a word.
    const mayBeSkewed = fault.code === 'RequestTimeTooSkewed' || (method === 'HEAD' && response.status === 403)
    if (mayBeSkewed && this.serverClock.set(response, signedAt + performance.now() - sent))
      throw fault.with({ severity: 'retry' })
    if (fault.severity === 'stop-run' && asked.key !== undefined && judged) {
      throw await suspicion.judge(fault, sent, () => this.probes.troubleWith(fields))
    }
    // Nobody but AWS has directory buckets.
    const isKnownToAws = (this.options.aws === true || this.directory) && !lacksClass(fault)
    const cause = likelyCause(fault, fields)
    const refusal = cause === undefined ? response : { ...response, cause }
    if (!suspects || isKnownToAws || !mayBeUnsupported(fault)) return refusal
    if (
      !lacksClass(fault) &&
      hasTags(fields) &&
      (await this.unsupported.lacksTags(() => this.probes.refusalOf(PROBE_TAGS)))
    )
      throw tagsNotSupported(asked)
    return (await this.askWithLess(asked, { ...given, fields }, fault)) ?? refusal
  }

  // The answer to a request that was refused, once it is sent without what the store does not support; undefined when it is refused all the same.
  private async askWithLess(
    asked: Asked,
    given: StoreRequest,
    before: StorageError,
  ): Promise<HttpResponse | undefined> {
    let { fields } = given
    for (const suspect of this.unsupported.suspects(asked, fields, before)) {
      fields = fields.filter(([name]) => name !== suspect[0])
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

  private signedWith(operation: string): Credentials | undefined {
    const { current } = this.credentials
    return this.directory && isSessionSigned(operation) ? (current?.session ?? current) : current
  }

  private async renew(fault: StorageError, operation: string, used: Credentials | undefined): Promise<never> {
    // An answer that took longer than the renewal tells nothing of what is there now.
    if (!sameCredentials(used, this.signedWith(operation))) throw fault
    const renewal = await this.credentials.refresh()
    throw renewal === 'impossible' ? fault.with({ severity: 'stop-run' }) : fault
  }
}

function sendsMore(host: string): Notice {
  const message = `${host}, or a proxy before it, sends more than its answers say: each further request gets a connection of its own, which takes longer`
  return { kind: `sends-more ${host}`, message }
}

const COPIES: ReadonlySet<string> = new Set(['CopyObject', 'UploadPartCopy'])
/** How many times longer than a server may be silent the head of an answer may take, or an explanation why there is no content. */
const HEAD_TIMEOUTS = 5
// What is signed names the body by its MD5, which the store compares; a second hash of all bytes would say the same.
function isNamed(fields: Fields): boolean {
  return fields.some(([name]) => name === 'content-md5')
}
