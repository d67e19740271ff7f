import { StorageError, UserError } from '../../errors.js'
import { connectionOf, type Connection, type EndConnection } from '../../job/connection.js'
import type { RunSettings } from '../../job/pace.js'
import { isDirectoryBucket, type Place, type Side } from '../../job/place.js'
import { printable } from '../../keys.js'
import type { Opening, OpeningTools, OpenStore, Sides } from '../backend.js'
import { meaningOf } from '../error-codes.js'
import { hedged } from '../hedged.js'
import type { OpenOptions, StoreNeeds } from '../open.js'
import { overlap } from '../overlap.js'
import { retrying, withRetries, type Meter, type RetryPolicy } from '../retry.js'
import type { ListFrom, Page, Storage } from '../storage.js'
import type { MeasuredPlace } from '../timed-writes.js'
import { openAccount, type Account } from './account.js'
import type { CredentialSource } from '../credential-source.js'
import type { BucketDescriptor } from './descriptor.js'
import { withZonalSession, type ZonalCredentials, type ZonalSession } from './zonal-session.js'
import {
  probeCopy,
  probeEncryption,
  probeRead,
  probeTagging,
  probeUpload,
  unlessDenied,
  type Ask,
} from './preflight.js'
import { S3Store } from './store.js'
import { PROBE_TAGS } from './unsupported.js'

/**
 * Begins to open those sides of a job that are buckets: resolves how they are reached. Each is asked something harmless then, so that a wrong name, key,
 * region or permission is found before the first copy; a bucket is followed to the region that S3 names.
 */
export async function openBuckets(sides: Sides, options: OpenOptions, tools: OpeningTools): Promise<Opening> {
  return new BucketOpening(sides, await openAccounts(sides, options), options, tools)
}

/** A bucket that answered. */
interface Bucket {
  readonly store: S3Store
  readonly account: Account
  /** Those of the account; with a session, where it is a directory bucket. */
  readonly credentials: CredentialSource
}

class BucketOpening implements Opening {
  private readonly buckets: Partial<Record<Side, Bucket>> = {}
  private readonly answered: Partial<Record<Side, Promise<S3Store>>> = {}
  private first: Page | undefined
  private proven = true

  constructor(
    private readonly sides: Sides,
    private readonly accounts: Accounts,
    private readonly options: OpenOptions,
    private readonly tools: OpeningTools,
  ) {}

  async open(side: Side, place: Place): Promise<OpenStore> {
    const { options, tools } = this
    const { policy, patience, meter } = tools
    const account = this.accounts[side]
    if (account === undefined) throw new Error(`no account for the ${side}`)
    const store = await (this.answered[side] ?? this.reach(side, place, account))
    if (this.sides.source === undefined || this.sides.destination === undefined) store.opening = false
    return {
      store: retrying(store, policy, meter),
      storeFor: (pressure, setAside) => retrying(store, policy, meter, pressure, setAside),
      credentials: this.buckets[side]?.credentials ?? account.credentials,
      timed: store.timed,
      beside: (prefix, policy) => besideOf(store.beside(prefix, policy.giveUp), policy, meter),
      first: side === 'source' ? this.first : undefined,
      get software() {
        return store.software
      },
      get route(): BucketDescriptor {
        return { place: store.place, address: store.address, ...keysFor(side, options) }
      },
      traits: (locks) => store.traits((operation, ask) => withRetries(operation, ask, patience, meter), locks),
      get keepsAnnotations() {
        return store.annotating.known() ?? (account.endpointUrl === undefined ? true : undefined)
      },
      keepsTags: async () => {
        if (isDirectoryBucket(place.bucket)) return false
        return options.readOnly ? undefined : (await store.probes.refusalOf(PROBE_TAGS)) === undefined
      },
    }
  }

  async pair(): Promise<Pick<RunSettings, 'streamed' | 'distinctBuckets'>> {
    const { source: one, destination: other } = this.buckets
    if (one === undefined || other === undefined) throw new Error('a side is not open')
    const { patience, meter } = this.tools
    const near = one.account.endpointUrl === other.account.endpointUrl
    if (near) other.store.learnFrom(one.store)
    const copies = near && (one.account === other.account || (await probeRead(other.store, one.store)))
    const once = (store: S3Store): Storage => retrying(store, patience, meter)
    const distinctBuckets = !(await inOneBucket(one, other, this.options, once))
    for (const { store } of [one, other]) store.opening = false
    return { streamed: !copies, distinctBuckets }
  }

  async stillAllowed(): Promise<boolean> {
    const { destination } = this.buckets
    if (destination === undefined || this.options.readOnly || !this.proven) return true
    return await allows(() => this.probe(destination.store))
  }

  completed(connection: Connection): Connection {
    return completed(connection, this.buckets.source, this.buckets.destination)
  }

  close(): void {
    for (const { store, account, credentials } of Object.values(this.buckets)) {
      store.close()
      if (credentials !== account.credentials) credentials.close()
    }
    for (const account of new Set(Object.values(this.accounts))) account.close()
  }

  // Both sides are asked at the same time, once it is known where the source is.
  private reach(side: Side, place: Place, account: Account): Promise<S3Store> {
    const { options, tools, sides, accounts } = this
    const made = (store: S3Store, credentials: CredentialSource): void => {
      this.buckets[side] = { store, account, credentials }
      const { destination } = sides
      if (side !== 'source' || destination === undefined || accounts.destination === undefined) return
      this.answered.destination ??= this.reach('destination', destination, accounts.destination)
      // The source comes first with what is wrong.
      this.answered.destination.catch(() => undefined)
    }
    const insists = side === 'source' ? [] : this.insists()
    return reach(side, place, account, { ...options, ...tools }, { made, ask: this.firstQuestion(side), insists })
  }

  // What stays in its bucket keeps its storage class, or stays as it is.
  private insists(): readonly string[] {
    const { options, sides, accounts } = this
    const stays = accounts.source === accounts.destination && sides.source?.bucket === sides.destination?.bucket
    return [...(options.wanted ?? []).flatMap(namesOf), ...(stays ? ['x-amz-storage-class'] : [])]
  }

  private firstQuestion(side: Side): Ask {
    const { options } = this
    if (side === 'source') {
      return unlessDenied((store) => this.askSource(store), options)
    }
    const note = (message: string): void => {
      this.proven = false
      options.note(message)
    }
    return unlessDenied((store) => this.probe(store), { ...options, note })
  }

  // A page is asked for beside the first key: two answers that do not begin alike prove nothing, and the run lists anew.
  private async askSource(store: S3Store): Promise<void> {
    const list = (from: ListFrom): Promise<Page> => this.ask('ListObjectsV2', () => store.list(from))
    const [one, page] = await Promise.all([
      list({ limit: 1 }),
      // Where objects are named nothing needs to be listed, and what has no order begins nowhere.
      this.options.named === true || store.unordered !== undefined ? undefined : list({}).catch(() => undefined),
    ])
    this.first = page !== undefined && page.objects[0]?.key === one.objects[0]?.key ? page : undefined
  }

  private async probe(store: S3Store): Promise<void> {
    const { source } = this.buckets
    const { updates } = this.options
    if (typeof updates === 'object') {
      const { kmsKeyArn, only } = updates
      await this.ask('UpdateObjectEncryption', () => probeEncryption(store, kmsKeyArn))
      if (only) return
    }
    const copies = source !== undefined && source.account === this.accounts.destination
    if (this.options.readOnly) await this.ask('HeadBucket', () => store.headBucket())
    else if (this.options.updates === 'tags') await this.ask('PutObjectTagging', () => probeTagging(store))
    else if (!copies || !(await this.ask('CopyObject', () => probeCopy(store, source.store))))
      await this.ask('CreateMultipartUpload', () => probeUpload(store))
  }

  private ask<T>(operation: string, ask: () => Promise<T>): Promise<T> {
    const { patience, meter } = this.tools
    return withRetries(operation, () => hedged(ask), patience, meter)
  }
}

function besideOf(store: S3Store, policy: RetryPolicy, meter: Meter): MeasuredPlace {
  return {
    ...{ store: retrying(store, policy, meter), reads: store.timed, writes: store.timedWrites },
    openUploads: () => store.openUploads((operation, send) => withRetries(operation, send, policy, meter)),
    close: () => store.close(),
  }
}

// Absent for what is no bucket.
type Accounts = Readonly<Partial<Record<Side, Account>>>

// One account for both sides, unless they are reached in different ways.
async function openAccounts(sides: Sides, options: OpenOptions): Promise<Accounts> {
  const accounts = await accountsOf(sides, options)
  const { source, destination } = sides
  const inside = source !== undefined && destination !== undefined && source.bucket !== destination.bucket
  if (!inside || !Object.values(accounts).some(({ accelerated }) => accelerated)) return accounts
  for (const account of new Set(Object.values(accounts))) account.close()
  throw new UserError(
    'the profile has use_accelerate_endpoint = true, and copies between buckets do not go through S3 Transfer Acceleration',
    'use a --profile without use_accelerate_endpoint: no byte of such a copy passes through this machine',
  )
}

async function accountsOf({ source, destination }: Sides, { connection, warn }: OpenOptions): Promise<Accounts> {
  const [one, other] = [connectionOf(connection, 'source'), connectionOf(connection, 'destination')]
  if (source === undefined) return destination === undefined ? {} : { destination: await openAccount(other, warn) }
  const account = await openAccount(one, warn)
  if (destination === undefined) return { source: account }
  if (reachOf(one) === reachOf(other)) return { source: account, destination: account }
  try {
    return { source: account, destination: await openAccount(other, warn) }
  } catch (error) {
    account.close()
    throw error
  }
}

/** What tells two accounts apart: connections that are equal in it are one. */
export function reachOf({ endpointUrl, profile, region, pathStyle, noSignRequest }: Connection): string {
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

/** Throws a `UserError` for a bucket of S3 Express One Zone, of which somebody cannot do without something: `because` says what it lacks. */
export function refuseDirectoryBucket(place: Place, because: string): void {
  if (!isDirectoryBucket(place.bucket)) return
  throw new UserError(
    `${printable(place.bucket)} is a directory bucket (S3 Express One Zone): ${because}`,
    'use a general purpose bucket; docs/directory-buckets.md says what works with directory buckets',
  )
}

interface ReachTools {
  readonly made: (store: S3Store, credentials: CredentialSource) => void
  readonly ask: Ask
  readonly insists: readonly string[]
}

async function reach(
  side: Side,
  place: Place,
  account: Account,
  options: OpenOptions & OpeningTools,
  { made, ask, insists }: ReachTools,
): Promise<S3Store> {
  const { expectedOwner, requestPayer } = connectionOf(options.connection, side)
  let store: S3Store | undefined
  let zonal: ZonalCredentials | undefined
  const leave = (): void => {
    store?.close()
    zonal?.close()
  }
  const open = async (region?: string): Promise<S3Store> => {
    // A session is begun by the store that needs it.
    const begin = (): Promise<ZonalSession> =>
      withRetries('CreateSession', () => hedged(() => opened.session()), options.patience, options.meter)
    zonal = isDirectoryBucket(place.bucket)
      ? withZonalSession(account.credentials, begin, { bucket: printable(place.bucket), warn: options.warn })
      : undefined
    const credentials = zonal ?? account.credentials
    const opened = new S3Store(place, {
      ...{ expectedOwner, requestPayer, trust: account.trust, signPayload: account.signPayload },
      credentials,
      settings: options.settings,
      stop: options.giveUp,
      notice: options.notice,
      ...keysFor(side, options),
      ...(side === 'source' ? {} : { expectedSourceOwner: connectionOf(options.connection, 'source').expectedOwner }),
      target: await account.target(place.bucket, region),
      aws: account.endpointUrl === undefined,
      insists,
    })
    opened.opening = true
    made(opened, credentials)
    await zonal?.open()
    return opened
  }
  try {
    store = await open()
    try {
      await ask(store)
    } catch (error) {
      const region = error instanceof StorageError ? error.region : undefined
      if (region === undefined || region === store.region) throw error
      options.note(
        `s3://${printable(place.bucket)} is in region ${printable(region)}, not ${store.region}: going there`,
      )
      leave()
      store = await open(region)
      await ask(store)
    }
    if (expectedOwner !== undefined && account.endpointUrl !== undefined) await checkOwner(store, options)
    if (side === 'destination' && !options.readOnly) await checkWanted(store, options.wanted ?? [])
    return store
  } catch (error) {
    leave()
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
async function checkOwner({ place, probes }: S3Store, { notice }: Pick<OpeningTools, 'notice'>): Promise<void> {
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

/** What a first request failed of, as a `UserError`. */
export function preflightProblem(error: unknown, place: Place): unknown {
  if (!(error instanceof StorageError)) return error
  const status = error.status === undefined ? '' : `, HTTP ${error.status}`
  return new UserError(
    `s3://${printable(place.bucket)}: ${error.operation} failed: ${printable(error.message)} (${printable(error.code)}${status})`,
    error.hint,
  )
}
