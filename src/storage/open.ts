import { randomUUID } from 'node:crypto'
import { StorageError, UserError } from '../errors.js'
import { printable } from '../keys.js'
import { connectionOf, type Connection, type EndConnection, type Place, type Side } from '../job.js'
import type { Bandwidth } from './bandwidth.js'
import type { BucketTraits, Storage } from './storage.js'
import { openAccount, type Account, type CredentialSource } from './s3/account.js'
import type { Route } from './route.js'
import { S3Store } from './s3/store.js'
import { createMeter, retrying, withRetries, type Meter, type RetryPolicy, type StoreFor } from './retry.js'

/** A place that answered, with retries built in. */
export interface Reached {
  readonly store: Storage
  /** The same for one who wants to feel its pressure. */
  readonly storeFor: StoreFor
  readonly route: Route
  readonly credentials: CredentialSource | undefined
  /** What its bucket's settings mean. */
  traits(): Promise<BucketTraits>
}

/** What a job works on, reachable. */
export interface Ends {
  readonly source: Reached
  /** Absent when the job only reads. */
  readonly destination?: Reached
  /** The bytes of what is copied pass through this machine, as no one credential can copy inside a store. */
  readonly through: boolean
  /** The two sides are different stores: equal names mean nothing. */
  readonly apart: boolean
  /** What content that passes through this machine keeps to. */
  readonly bandwidth: Bandwidth | undefined
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
  readonly bandwidth?: Bandwidth | undefined
  /** The keys of the customer's (SSE-C), by the side whose objects they are for. */
  readonly customerKeys?: Readonly<Partial<Record<Side, Uint8Array>>> | undefined
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
  const accounts = await openAccounts(options)
  const meter = createMeter()
  const patience = { ...policy, retryFor: PREFLIGHT_PATIENCE }
  const stores: S3Store[] = []
  const close = (): void => {
    for (const store of stores) store.close()
    for (const account of new Set(Object.values(accounts))) account.close()
  }
  try {
    const from = await reach('source', source, accounts.source, options, (store) =>
      withRetries('ListObjectsV2', () => store.list({ limit: 1 }), patience, meter),
    )
    stores.push(from)
    let to: S3Store | undefined
    if (destination !== undefined) {
      to = await reach('destination', destination, accounts.destination, options, (store) =>
        options.readOnly
          ? withRetries('HeadBucket', () => store.headBucket(), patience, meter)
          : apart(accounts)
            ? withRetries('CreateMultipartUpload', () => probeUpload(store), patience, meter)
            : withRetries('CopyObject', () => probeWrite(store, from), patience, meter),
      )
      stores.push(to)
    }
    const through = to !== undefined && apart(accounts) && !(await reads(to, from, accounts))
    const reached = (side: Side, store: S3Store, { credentials }: Account): Reached => ({
      store: retrying(store, policy, meter),
      storeFor: (pressure) => retrying(store, policy, meter, pressure),
      credentials,
      get route() {
        return { place: store.place, address: store.address, ...keysFor(side, options) }
      },
      traits: () => withRetries('GetBucketOwnershipControls', () => store.traits(), patience, meter),
    })
    return {
      source: reached('source', from, accounts.source),
      ...(to === undefined ? {} : { destination: reached('destination', to, accounts.destination) }),
      through,
      apart: accounts.source.endpointUrl !== accounts.destination.endpointUrl,
      bandwidth: options.bandwidth,
      meter,
      retryFor: policy.retryFor,
      connection: completed(connection, accounts, from, to),
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

type Accounts = Readonly<Record<Side, Account>>

// One account for both sides, unless they are reached in different ways.
async function openAccounts({ connection, destination, warn }: OpenOptions): Promise<Accounts> {
  const [one, other] = [connectionOf(connection, 'source'), connectionOf(connection, 'destination')]
  const source = await openAccount(one, warn)
  if (destination === undefined || identityOf(one) === identityOf(other)) return { source, destination: source }
  try {
    return { source, destination: await openAccount(other, warn) }
  } catch (error) {
    source.close()
    throw error
  }
}

function identityOf({ endpointUrl, profile, region, pathStyle, noSignRequest }: Connection): string {
  return JSON.stringify({ endpointUrl, profile, region, pathStyle, noSignRequest })
}

function completed(connection: Connection, accounts: Accounts, from: S3Store, to: S3Store | undefined): Connection {
  const found = (account: Account, store: S3Store): EndConnection => ({
    ...(account.endpointUrl === undefined ? {} : { endpointUrl: account.endpointUrl }),
    pathStyle: account.pathStyle,
    region: store.region,
  })
  if (to === undefined || accounts.source === accounts.destination) {
    return { ...connection, ...found(accounts.source, to ?? from) }
  }
  return {
    ...connection,
    source: { ...connection.source, ...found(accounts.source, from) },
    destination: { ...connection.destination, ...found(accounts.destination, to) },
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
  side: Side,
  place: Place,
  account: Account,
  options: OpenOptions,
  ask: (store: S3Store) => Promise<unknown>,
): Promise<S3Store> {
  const { expectedOwner, requestPayer } = connectionOf(options.connection, side)
  const open = async (region?: string): Promise<S3Store> =>
    new S3Store(place, {
      ...{ trust: options.connection, expectedOwner, requestPayer, credentials: account.credentials },
      bandwidth: options.bandwidth,
      ...keysFor(side, options),
      ...(side === 'source' ? {} : { expectedSourceOwner: connectionOf(options.connection, 'source').expectedOwner }),
      target: await account.target(place.bucket, region),
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

function keysFor(side: Side, { customerKeys = {} }: OpenOptions): Pick<Route, 'customerKey' | 'customerKeyOfSource'> {
  return { customerKey: customerKeys[side], customerKeyOfSource: side === 'source' ? undefined : customerKeys.source }
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

// An upload that is begun and aborted writes nothing either.
async function probeUpload({ uploading }: S3Store): Promise<void> {
  const key = `s3move-probe-${randomUUID()}`
  await uploading.abort(key, await uploading.begin(key, []))
}

function apart({ source, destination }: Accounts): boolean {
  return source !== destination
}

// Whether the credentials of the destination may copy from the source: at the same endpoint, and where they are told that there is no such object
// rather than that they may not ask.
async function reads(destination: S3Store, source: S3Store, accounts: Accounts): Promise<boolean> {
  if (accounts.source.endpointUrl !== accounts.destination.endpointUrl) return false
  try {
    await probeWrite(destination, source)
    return true
  } catch (error) {
    if (error instanceof StorageError && error.severity !== 'retry' && error.severity !== 'throttle') return false
    throw error
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
