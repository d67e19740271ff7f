import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  type CompletedPart,
  type S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { StorageError } from '../../errors.js'
import { placeUrl, type Place } from '../../job/place.js'
import { printable } from '../../keys.js'
import type { ObjectUpload, SendOptions, UploadOptions } from '../object-upload.js'
import { createMeter, withRetries, type RetryPolicy } from '../retry.js'
import { openAccount, type Account } from './account.js'
import { preflightProblem, refuseDirectoryBucket } from './open.js'
import { sdkFault, watched, type SdkCommand } from './watched-client.js'

/** Bytes of a part where the size is not known: in as many parts as there may be, 312 GiB. */
const STREAMED_PART = 32 * 1024 * 1024
/** The same where it is known, at least. */
const LEAST_PART = 8 * 1024 * 1024
const MOST_PARTS = 10_000
/** Parts in flight; beside them one is being filled. */
const AT_ONCE = 2
/** How long a first request is tried again, and one that clears away, in milliseconds: a person waits for it. */
const PATIENCE = 2_000

/** Opens an object of a bucket, as `openObjectUpload` does. */
export async function openStreamUpload(place: Place, options: UploadOptions): Promise<ObjectUpload> {
  refuseDirectoryBucket(place, 'results are not written to those')
  const account = await openAccount(options.connection, options.warn)
  try {
    const { host } = new URL((await account.target(place.bucket)).origin)
    const upload = new StreamUpload(place, { account, client: await account.sender(), host }, options)
    await upload.probe()
    return upload
  } catch (error) {
    account.close()
    throw preflightProblem(error, place)
  }
}

interface Reached {
  readonly account: Account
  readonly client: S3Client
  readonly host: string
}

class StreamUpload implements ObjectUpload {
  private readonly meter = createMeter()
  private readonly named: {
    readonly Bucket: string
    readonly Key: string
    readonly ExpectedBucketOwner?: string
    readonly RequestPayer?: 'requester'
  }

  constructor(
    private readonly place: Place,
    private readonly reached: Reached,
    private readonly options: UploadOptions,
  ) {
    const { expectedOwner, requestPayer } = options.connection
    this.named = {
      ...{ Bucket: place.bucket, Key: place.prefix },
      ...(expectedOwner === undefined ? {} : { ExpectedBucketOwner: expectedOwner }),
      ...(requestPayer === true ? { RequestPayer: 'requester' } : {}),
    }
  }

  /** Begins an upload under the very name, and drops it: whether that may be written is not to show at the end. */
  async probe(): Promise<void> {
    const begin = new CreateMultipartUploadCommand(this.named)
    const policy = { ...this.options.policy, retryFor: PATIENCE }
    const { UploadId } = await this.trying('CreateMultipartUpload', () => this.reached.client.send(begin), policy)
    if (UploadId !== undefined) await this.clearAway(UploadId)
  }

  async send(body: Readable, { size, contentType, begun, signal }: SendOptions): Promise<string> {
    const ending = new AbortController()
    const end = (): void => ending.abort()
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
    const policy = { ...this.options.policy, giveUp: AbortSignal.any([this.options.policy.giveUp, ending.signal]) }
    const watch = watched(this.reached.client, {
      send: (operation, ask) => this.trying(operation, ask, policy),
      ...{ begun, signal: ending.signal, failed: end },
      isDone: (command, error) => this.isComplete(command, error),
    })
    const upload = new Upload({
      client: watch.client,
      params: { ...this.named, Body: body, ...(contentType === undefined ? {} : { ContentType: contentType }) },
      partSize: size === undefined ? STREAMED_PART : Math.max(LEAST_PART, Math.ceil(size / MOST_PARTS)),
      queueSize: AT_ONCE,
      // By itself it drops them once all others are sent, to the end of the stream.
      leavePartsOnError: true,
      abortController: ending,
    })
    try {
      const { ETag } = await upload.done()
      return bareEtag(ETag ?? (await this.etagNow(policy)))
    } catch (error) {
      end()
      const { id, failure } = await watch.ended()
      // That it is left was said.
      if (id !== undefined) await this.clearAway(id).catch(() => undefined)
      throw failure === undefined ? sdkFault(error, this.asked('UploadPart'), this.reached.host) : failure.error
    } finally {
      signal.removeEventListener('abort', end)
    }
  }

  // Where the answer that told it was lost.
  private async etagNow(policy: RetryPolicy): Promise<string> {
    const head = new HeadObjectCommand(this.named)
    return (await this.trying('HeadObject', () => this.reached.client.send(head), policy)).ETag ?? ''
  }

  async abort(id: string): Promise<void> {
    const command = new AbortMultipartUploadCommand({ ...this.named, UploadId: id })
    const policy = { retryFor: PATIENCE, giveUp: AbortSignal.timeout(2 * PATIENCE) }
    try {
      await this.trying('AbortMultipartUpload', () => this.reached.client.send(command), policy)
    } catch (error) {
      if (!(error instanceof StorageError) || error.status !== 404) throw error
    }
  }

  close(): void {
    this.reached.account.close()
  }

  private async clearAway(id: string): Promise<void> {
    try {
      await this.abort(id)
    } catch (error) {
      this.options.warn(
        `the upload ${printable(id)} to ${placeUrl(this.place)} is left in the bucket, with its parts, as it could not be aborted`,
      )
      throw error
    }
  }

  // A store has no such upload any more when it was completed by a request whose answer was lost. The ETag of the parts proves it.
  private async isComplete(command: SdkCommand, error: unknown): Promise<boolean> {
    if (!(command instanceof CompleteMultipartUploadCommand && error instanceof StorageError)) return false
    const etag = etagOf(command.input.MultipartUpload?.Parts ?? [])
    if (error.status !== 404 || error.attempts < 2 || etag === undefined) return false
    try {
      const { ETag } = await this.reached.client.send(new HeadObjectCommand(this.named))
      return ETag !== undefined && bareEtag(ETag) === etag
    } catch {
      return false
    }
  }

  private trying<T>(operation: string, ask: () => Promise<T>, policy: RetryPolicy): Promise<T> {
    const once = async (): Promise<T> => {
      try {
        return await ask()
      } catch (error) {
        throw sdkFault(error, this.asked(operation), this.reached.host)
      }
    }
    return withRetries(operation, once, policy, this.meter)
  }

  private asked(operation: string) {
    return { operation, bucket: this.place.bucket, key: this.place.prefix }
  }
}

// The MD5 of the MD5s; where the ETags of parts are none, nobody can tell that of the whole.
function etagOf(parts: readonly CompletedPart[]): string | undefined {
  const hash = createHash('md5')
  for (const { ETag = '' } of parts) {
    if (!/^[0-9a-f]{32}$/.test(bareEtag(ETag))) return undefined
    hash.update(bareEtag(ETag), 'hex')
  }
  return `${hash.digest('hex')}-${parts.length}`
}

function bareEtag(etag: string): string {
  return etag.replaceAll('"', '').toLowerCase()
}
