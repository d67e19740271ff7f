import { StorageError, UserError } from '../errors.js'
import { printable } from '../keys.js'
import { connectionOf, type Connection, type EndConnection } from '../job/connection.js'
import type { AskedSettings, RunSettings } from '../job/pace.js'
import { isFolder, type FolderIdentity, type Place, type Side } from '../job/place.js'
import { hedged } from './hedged.js'
import type { BucketTraits, HeaderFields, Software, Storage } from './storage.js'
import { openAccount, type Account } from './s3/account.js'
import type { CredentialSource } from './credential-source.js'
import { checkOutside, openFolder, openFolderToWrite, type OpenedFolder } from './disk/open-folder.js'
import { DiskStore } from './disk/store.js'
import { toldOnce, type Notice } from './notice.js'
import { probeCopy, probeRead, probeUpload, unlessDenied, type Ask } from './unlikely-name.js'
import type { BucketDescriptor, StoreDescriptor } from './descriptor.js'
import { overlap } from './overlap.js'
import { meaningOf } from './error-codes.js'
import { PROBE_TAGS, S3Store } from './s3/store.js'
import { createMeter, retrying, withRetries, type Meter, type StoreFor } from './retry.js'

/** A place that answered, with retries built in. */
export interface OpenStore {
  readonly store: Storage
  /** The same for one who wants to feel its pressure. */
  readonly storeFor: StoreFor
  readonly route: StoreDescriptor
  readonly credentials: CredentialSource | undefined
  /** Whose software it is, where that has Swift's API as well. */
  readonly software?: Software | undefined
  /** What its bucket's settings mean; whether objects can be locked only where `locks` are asked for. */
  traits(locks?: boolean): Promise<BucketTraits>
  /** Whether objects that are written there can have tags; undefined where that is not known. */
  keepsTags(): Promise<boolean | undefined>
}

/** What a job works on, reachable. */
export interface OpenStores {
  readonly source: OpenStore
  /** Absent when the job only reads. */
  readonly destination?: OpenStore
  readonly settings: RunSettings
  readonly meter: Meter
  /** Whether the destination allows still what it allowed when it was opened, as far as that can be told. Never rejects. */
  readonly stillAllowed: () => Promise<boolean>
  /** The connection asked for, completed by what was found out (endpoint, region, style), so that a resume reaches the same place. */
  readonly connection: Connection
  /** Which folder the source is, so that a resume takes no other for it; absent where it is a bucket. */
  readonly sourceFolder?: FolderIdentity
  /** Told of what a person should know of a folder or a bucket; warns of it once. */
  readonly notice: (notice: Notice) => void
  close(): void
}

/** Settings of `openEnds`. */
export interface OpenOptions {
  readonly source: Place
  readonly destination?: Place | undefined
  readonly connection: Connection
  readonly settings: AskedSettings
  /** Aborted when nothing is to be tried again. */
  readonly giveUp: AbortSignal
  /** The keys of the customer's (SSE-C), by the side whose objects they are for. */
  readonly customerKeys?: Readonly<Partial<Record<Side, Uint8Array>>> | undefined
  /** Send no write request, not even one that cannot write. */
  readonly readOnly: boolean
  /** Of a folder, what is no object is to be listed as well. */
  readonly strays?: boolean
  /** The objects are named beforehand: nothing needs to be listed. */
  readonly named?: boolean
  /** What was asked for of copies and not every store knows: it is asked before the start, and never left out. */
  readonly wanted?: readonly StoreNeeds[]
  /** Objects of either side are to be deleted. */
  readonly deletes?: boolean
  /** The destination was written to before, by the same run. */
  readonly again?: boolean
  /** The folder that the source was before, to the same run. */
  readonly sourceFolder?: FolderIdentity | undefined
  /** The same run may have moved all away that was in it. */
  readonly emptied?: boolean
  readonly note: (message: string) => void
  /** Told of what a person should know while the run goes on. */
  readonly warn: (message: string) => void
}

/** Fields of requests that somebody asked for by a flag. */
export interface StoreNeeds {
  readonly flag: string
  readonly fields: HeaderFields
}

/** How long a first request is tried again, in milliseconds: a person waits for it. */
const PREFLIGHT_PATIENCE = 2_000

/**
 * Opens source and destination and asks each something harmless, so that a wrong name, key, region or permission is
 * found before the first copy. Follows a bucket to the region S3 names. Each thing that is wrong is one `UserError`.
 */
export async function openEnds(options: OpenOptions): Promise<OpenStores> {
  const { source, destination, connection, settings, giveUp } = options
  const policy = { retryFor: settings.retryFor, giveUp }
  for (const place of [source, destination]) if (place !== undefined) refuseDirectoryBucket(place)
  const accounts = await openAccounts(options)
  const meter = createMeter()
  const patience = { ...policy, retryFor: PREFLIGHT_PATIENCE }
  const notice = toldOnce(({ message }) => options.warn(message))
  const stores: S3Store[] = []
  const close = (): void => {
    for (const store of stores) store.close()
    for (const account of new Set(Object.values(accounts))) account.close()
  }
  let sourceFolder: OpenedFolder | undefined
  const openPlace = async (side: Side, place: Place, ask: Ask): Promise<End> => {
    const account = accounts[side]
    if (account === undefined) {
      const { bucket } = place
      if (sourceFolder !== undefined) await checkOutside(sourceFolder, bucket)
      const folder =
        side === 'source'
          ? {
              ...(await openFolder(bucket, { before: options.sourceFolder, emptied: options.emptied ?? false })),
              strays: options.strays,
            }
          : await (options.readOnly
              ? openFolder(bucket, { mayBeWritten: true })
              : openFolderToWrite(bucket, { again: options.again ?? false }))
      if (side === 'source') sourceFolder = folder
      // What a disk is asked counts as no request.
      const disk = new DiskStore(place, folder, notice)
      const meterOfDisk = createMeter()
      const storeFor: StoreFor = (_, setAside) => retrying(disk, policy, meterOfDisk, undefined, setAside)
      return { store: storeFor(), storeFor, route: { place, folder }, credentials: undefined, ...OF_FOLDERS }
    }
    const store = await reach(side, place, account, { ...options, notice }, ask)
    stores.push(store)
    return {
      bucket: { store, account },
      store: retrying(store, policy, meter),
      storeFor: (pressure, setAside) => retrying(store, policy, meter, pressure, setAside),
      credentials: account.credentials,
      get software() {
        return store.software
      },
      get route() {
        return { place: store.place, address: store.address, ...keysFor(side, options) }
      },
      traits: (locks) => store.traits((operation, ask) => withRetries(operation, ask, patience, meter), locks),
      keepsTags: async () => (options.readOnly ? undefined : (await store.probes.refusalOf(PROBE_TAGS)) === undefined),
    }
  }
  try {
    const from = await openPlace(
      'source',
      source,
      unlessDenied(
        (store) => withRetries('ListObjectsV2', () => hedged(() => store.list({ limit: 1 })), patience, meter),
        options,
      ),
    )
    const [one, account] = [from.bucket, accounts.destination]
    const probe = async (store: S3Store): Promise<void> => {
      const first = <T>(operation: string, ask: () => Promise<T>): Promise<T> =>
        withRetries(operation, () => hedged(ask), patience, meter)
      const copies = one !== undefined && one.account === account
      if (options.readOnly) await first('HeadBucket', () => store.headBucket())
      else if (!copies || !(await first('CopyObject', () => probeCopy(store, one.store))))
        await first('CreateMultipartUpload', () => probeUpload(store))
    }
    let proven = true
    const note = (message: string): void => {
      proven = false
      options.note(message)
    }
    const tried = unlessDenied(probe, { ...options, note })
    const to = destination === undefined ? undefined : await openPlace('destination', destination, tried)
    const other = to?.bucket
    if (other !== undefined && !options.readOnly) await checkWanted(other.store, options.wanted ?? [])
    const near = one !== undefined && other !== undefined && one.account.endpointUrl === other.account.endpointUrl
    if (near) other.store.learnFrom(one.store)
    const once = (store: S3Store): Storage => retrying(store, patience, meter)
    const copies = near && (one.account === other.account || (await probeRead(other.store, one.store)))
    const distinctBuckets = one === undefined || other === undefined || !(await inOneBucket(one, other, options, once))
    for (const store of stores) store.opening = false
    return {
      source: from,
      ...(to === undefined ? {} : { destination: to }),
      settings: { ...settings, streamed: to !== undefined && !copies, distinctBuckets },
      meter,
      stillAllowed: async () =>
        other === undefined || options.readOnly || !proven || (await allows(() => probe(other.store))),
      connection: completed(connection, one, other),
      ...(sourceFolder === undefined ? {} : { sourceFolder: identityOfFolder(sourceFolder) }),
      notice,
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

function identityOfFolder({ names, device, inode }: OpenedFolder): FolderIdentity {
  return { names, device, inode }
}

// A folder has no access control lists and no versions.
const OF_FOLDERS = {
  traits: (): Promise<BucketTraits> => Promise.resolve({ acls: undefined, versioned: false }),
  keepsTags: (): Promise<boolean> => Promise.resolve(true),
}

interface End extends OpenStore {
  readonly bucket?: Bucket
}

/** A bucket that answered. */
interface Bucket {
  readonly store: S3Store
  readonly account: Account
}

// Absent for what is a folder.
type Accounts = Readonly<Partial<Record<Side, Account>>>

// One account for both sides, unless they are reached in different ways.
async function openAccounts(options: OpenOptions): Promise<Accounts> {
  const accounts = await accountsOf(options)
  const { source, destination } = options
  const inside =
    destination !== undefined && ![source, destination].some(isFolder) && source.bucket !== destination.bucket
  if (!inside || !Object.values(accounts).some(({ accelerated }) => accelerated)) return accounts
  for (const account of new Set(Object.values(accounts))) account.close()
  throw new UserError(
    'the profile has use_accelerate_endpoint = true, and copies between buckets do not go through S3 Transfer Acceleration',
    'use a --profile without use_accelerate_endpoint: no byte of such a copy passes through this machine',
  )
}

async function accountsOf({ connection, source, destination, warn }: OpenOptions): Promise<Accounts> {
  const [one, other] = [connectionOf(connection, 'source'), connectionOf(connection, 'destination')]
  const wanted = destination !== undefined && !isFolder(destination)
  if (isFolder(source)) return wanted ? { destination: await openAccount(other, warn) } : {}
  const account = await openAccount(one, warn)
  if (!wanted) return { source: account }
  if (identityOf(one) === identityOf(other)) return { source: account, destination: account }
  try {
    return { source: account, destination: await openAccount(other, warn) }
  } catch (error) {
    account.close()
    throw error
  }
}

function identityOf({ endpointUrl, profile, region, pathStyle, noSignRequest }: Connection): string {
  return JSON.stringify({ endpointUrl, profile, region, pathStyle, noSignRequest })
}

function completed(connection: Connection, from: Bucket | undefined, to: Bucket | undefined): Connection {
  const found = ({ account, store }: Bucket): EndConnection => ({
    ...(account.endpointUrl === undefined ? {} : { endpointUrl: account.endpointUrl }),
    pathStyle: account.pathStyle,
    region: store.region,
  })
  if (from !== undefined && from.account === to?.account) return { ...connection, ...found(to) }
  const one = from === undefined || to === undefined
  const side = (side: Side, bucket: Bucket | undefined): Connection =>
    bucket === undefined
      ? {}
      : // What is said of both sides is said of the bucket, where the other is a folder.
        one && connection[side] === undefined
        ? found(bucket)
        : { [side]: { ...connection[side], ...found(bucket) } }
  return { ...connection, ...side('source', from), ...side('destination', to) }
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
  options: OpenOptions & Pick<OpenStores, 'notice'>,
  ask: Ask,
): Promise<S3Store> {
  const { expectedOwner, requestPayer } = connectionOf(options.connection, side)
  const open = async (region?: string): Promise<S3Store> => {
    const opened = new S3Store(place, {
      ...{ expectedOwner, requestPayer, trust: account.trust, signPayload: account.signPayload },
      credentials: account.credentials,
      settings: options.settings,
      stop: options.giveUp,
      notice: options.notice,
      ...keysFor(side, options),
      ...(side === 'source' ? {} : { expectedSourceOwner: connectionOf(options.connection, 'source').expectedOwner }),
      target: await account.target(place.bucket, region),
      aws: account.endpointUrl === undefined,
      ...(side === 'source' ? {} : { insists: (options.wanted ?? []).flatMap(namesOf) }),
    })
    opened.opening = true
    return opened
  }
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
    if (expectedOwner !== undefined && account.endpointUrl !== undefined) await checkOwner(store, options)
    return store
  } catch (error) {
    store.close()
    throw preflightProblem(error, place)
  }
}

function namesOf({ fields }: StoreNeeds): string[] {
  return fields.map(([name]) => name)
}

// What a store refuses by itself would be refused for every object.
async function checkWanted({ place, probes }: S3Store, wanted: readonly StoreNeeds[]): Promise<void> {
  for (const { flag, fields } of wanted) {
    const refusal = await probes.refusalOf(fields)
    if (refusal === undefined) continue
    const { code, status, message } = refusal
    throw new UserError(
      `the store of s3://${printable(place.bucket)} does not know what ${flag} asks for: ${printable(message)} (${printable(code)}, HTTP ${status ?? ''})`,
      `leave ${flag} away`,
    )
  }
}

// Whoever gives an owner relies on it.
async function checkOwner({ place, probes }: S3Store, { notice }: Pick<OpenStores, 'notice'>): Promise<void> {
  if (!(await probes.ignoresOwner())) return
  const bucket = `s3://${printable(place.bucket)}`
  notice({
    kind: `not-supported --expected-bucket-owner ${bucket}`,
    message: `the store of ${bucket} ignores --expected-bucket-owner: it guards nothing there, whoever owns the bucket`,
  })
}

function keysFor(
  side: Side,
  { customerKeys = {} }: OpenOptions,
): Pick<BucketDescriptor, 'customerKey' | 'customerKeyOfSource'> {
  return { customerKey: customerKeys[side], customerKeyOfSource: side === 'source' ? undefined : customerKeys.source }
}

// What is refused for another reason, or not answered, says nothing of permissions.
async function allows(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask()
    return true
  } catch (error) {
    return !(error instanceof StorageError && meaningOf(error.code)?.all === 'access')
  }
}

const ACCESS_POINT = /^arn:|-s3alias$/

// Whether an object of the source can be one of the destination. Another account, or another URL, may have other buckets of the same names, or the same
// bucket.
async function inOneBucket(
  source: Bucket,
  destination: Bucket,
  { readOnly, again, deletes, warn }: OpenOptions,
  once: (store: S3Store) => Storage,
): Promise<boolean> {
  const [one, other] = [source.store.place, destination.store.place]
  const named = source.account === destination.account && ![one, other].some(({ bucket }) => ACCESS_POINT.test(bucket))
  const options = { named, deletes: deletes === true, mayWrite: !readOnly, again: again === true, warn }
  try {
    return await overlap(once(source.store), once(destination.store), options)
  } catch (error) {
    throw preflightProblem(error, other)
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
