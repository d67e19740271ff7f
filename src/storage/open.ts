import { randomUUID } from 'node:crypto'
import { StorageError, UserError } from '../errors.js'
import { printable } from '../keys.js'
import type { Connection, Place } from '../job.js'
import type { BucketTraits, Storage } from './storage.js'
import { openAccount, type Account, type CredentialSource } from './s3/account.js'
import { S3Store, type Address } from './s3/store.js'
import { createMeter, retrying, withRetries, type Meter, type RetryPolicy, type StoreFor } from './retry.js'

/** A place that answered, with retries built in. */
export interface Reached {
  readonly store: Storage
  /** The same for one who wants to feel its pressure. */
  readonly storeFor: StoreFor
  readonly address: Address
  /** What its bucket's settings mean. */
  traits(): Promise<BucketTraits>
}

/** What a job works on, reachable. */
export interface Ends {
  readonly source: Reached
  /** Absent when the job only reads. */
  readonly destination?: Reached
  readonly credentials: CredentialSource
  readonly meter: Meter
  /** How long an operation is tried again before it counts as failed, in milliseconds. */
  readonly retryFor: number
  /** The connection asked for, completed by what was found out (endpoint, region, style), so that a resume reaches the same place. */
  readonly connection: Connection
  close(): void
}

/** Settings of `openEnds`. */
export interface OpenOptions {
  readonly source: Place
  readonly destination?: Place | undefined
  readonly connection: Connection
  readonly policy: RetryPolicy
  /** Send no write request, not even one that cannot write. */
  readonly readOnly: boolean
  readonly note: (message: string) => void
  /** Told of what a person should know while the run goes on. */
  readonly warn: (message: string) => void
}

/** How long a first request is tried again, in milliseconds: a person waits for it. */
const PREFLIGHT_PATIENCE = 2_000

/**
 * Opens source and destination and asks each something harmless, so that a wrong name, key, region or permission is
 * found before the first copy. Follows a bucket to the region S3 names. Each thing that is wrong is one `UserError`.
 */
export async function openEnds(options: OpenOptions): Promise<Ends> {
  const { source, destination, connection, policy } = options
  for (const place of [source, destination]) if (place !== undefined) refuseDirectoryBucket(place)
  const account = await openAccount(connection, options.warn)
  const meter = createMeter()
  const patience = { ...policy, retryFor: PREFLIGHT_PATIENCE }
  const stores: S3Store[] = []
  const close = (): void => {
    for (const store of stores) store.close()
    account.close()
  }
  try {
    const from = await reach(source, account, options, (store) =>
      withRetries('ListObjectsV2', () => store.list({ limit: 1 }), patience, meter),
    )
    stores.push(from)
    let to: S3Store | undefined
    if (destination !== undefined) {
      to = await reach(destination, account, options, (store) =>
        options.readOnly
          ? withRetries('HeadBucket', () => store.headBucket(), patience, meter)
          : withRetries('CopyObject', () => probeWrite(store, from), patience, meter),
      )
      stores.push(to)
    }
    const reached = (store: S3Store): Reached => ({
      store: retrying(store, policy, meter),
      storeFor: (pressure) => retrying(store, policy, meter, pressure),
      get address() {
        return store.address
      },
      traits: () => withRetries('GetBucketOwnershipControls', () => store.traits(), patience, meter),
    })
    return {
      source: reached(from),
      ...(to === undefined ? {} : { destination: reached(to) }),
      credentials: account.credentials,
      meter,
      retryFor: policy.retryFor,
      connection: {
        ...connection,
        ...(account.endpointUrl === undefined ? {} : { endpointUrl: account.endpointUrl }),
        pathStyle: account.pathStyle,
        region: (to ?? from).region,
      },
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

function refuseDirectoryBucket({ bucket }: Place): void {
  if (!/--xa?-s3$/.test(bucket)) return
  throw new UserError(
    `${bucket} is a directory bucket (S3 Express One Zone): it does not list in order, so no run over it could be resumed without losing keys`,
    'use a general purpose bucket',
  )
}

async function reach(
  place: Place,
  account: Account,
  options: OpenOptions,
  ask: (store: S3Store) => Promise<unknown>,
): Promise<S3Store> {
  const open = async (region?: string): Promise<S3Store> =>
    new S3Store(place, {
      target: await account.target(place.bucket, region),
      credentials: account.credentials,
      trust: options.connection,
      requestPayer: options.connection.requestPayer,
      aws: account.endpointUrl === undefined,
    })
  let store = await open()
  try {
    try {
      await ask(store)
    } catch (error) {
      const region = error instanceof StorageError ? error.region : undefined
      if (region === undefined || region === store.region) throw error
      options.note(
        `s3://${printable(place.bucket)} is in region ${printable(region)}, not ${store.region}: going there`,
      )
      store.close()
      store = await open(region)
      await ask(store)
    }
    return store
  } catch (error) {
    store.close()
    throw preflightProblem(error, place)
  }
}

// A copy of an object that does not exist cannot write anything, and whether it is refused for its source or for want of
// permission tells whether the destination could be written to.
async function probeWrite(destination: S3Store, source: S3Store): Promise<void> {
  const key = `s3move-probe-${randomUUID()}`
  try {
    await destination.copyFrom(source, { key, size: 0, etag: '', lastModified: '', storageClass: 'STANDARD' })
  } catch (error) {
    if (!(error instanceof StorageError) || error.severity !== 'skip') throw error
  }
}

function preflightProblem(error: unknown, place: Place): unknown {
  if (!(error instanceof StorageError)) return error
  const status = error.status === undefined ? '' : `, HTTP ${error.status}`
  return new UserError(
    `s3://${printable(place.bucket)}: ${error.operation} failed: ${printable(error.message)} (${printable(error.code)}${status})`,
    error.hint,
  )
}
