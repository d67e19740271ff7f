import { StorageError, UserError } from '../../errors.js'
import { connectionOf } from '../../job/connection.js'
import type { Finding } from '../../job/finding.js'
import type { Permission } from '../../job/permissions.js'
import type { Place, Side } from '../../job/place.js'
import { timeOf } from '../../times.js'
import type { Sides } from '../backend.js'
import { meaningOf } from '../error-codes.js'
import type { ExamineOptions } from '../examination.js'
import { createMeter, withRetries } from '../retry.js'
import { traitFindings } from '../trait-findings.js'
import { openAccount, type Account } from './account.js'
import { traitsIn, type AskedTraits } from './bucket-traits.js'
import { callerIdentity } from './caller-identity.js'
import { responseHeader, type HttpResponse } from './http.js'
import { reachOf, refuseDirectoryBucket } from './open.js'
import { verdictOf, type Circumstances, type ActionVerdict } from './permission-probes.js'
import { probeRead } from './preflight.js'
import { isDenied, isExpired } from './storage-errors.js'
import { S3Store } from './store.js'
import { PROBE_TAGS } from './unsupported.js'

/** How long one question is asked again, in milliseconds: a person waits. */
const PATIENCE = 2_000
/** A clock that is off by less, in milliseconds, is right: S3 refuses from fifteen minutes on. */
const MOST_SKEW = 60_000

/** A bucket that answered. */
interface Met {
  readonly store: S3Store
  readonly account: Account
}

/** Finds out about those sides that are buckets. */
export async function examineBuckets(sides: Sides, options: ExamineOptions): Promise<readonly Finding[]> {
  const examiner = new Examiner(options)
  try {
    const found: Finding[] = []
    const met: Partial<Record<Side, Met>> = {}
    for (const side of ['source', 'destination'] as const) {
      const place = sides[side]
      if (place === undefined) continue
      const bucket = await examiner.meet(side, place, found)
      if (bucket !== undefined) met[side] = bucket
    }
    const { source, destination } = met
    if (source !== undefined && destination !== undefined) found.push(await examiner.together(source, destination))
    return found
  } finally {
    examiner.close()
  }
}

class Examiner {
  private readonly accounts = new Map<string, Promise<Account>>()
  private readonly stores: S3Store[] = []
  private readonly meter = createMeter()

  constructor(private readonly options: ExamineOptions) {}

  /** Finds out about one side, as far as it comes. */
  async meet(side: Side, place: Place, found: Finding[]): Promise<Met | undefined> {
    const tell = (about: Finding['about'], what: string, finding: Omit<Finding, 'side' | 'about' | 'what'>): void => {
      found.push({ side, about, what, ...finding })
    }
    let met: Met
    try {
      refuseDirectoryBucket(place, 'check does not look at those yet')
      const account = await this.account(side)
      met = { account, store: await this.open(side, place, account) }
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      tell('reach', 'configuration', { state: 'no', told: error.message, hint: error.hint })
      return undefined
    }
    const { account } = met
    const begun = performance.now()
    const greeted = await this.greet(met.store)
    if (greeted instanceof StorageError) {
      const what = isOfCredentials(greeted) ? 'credentials' : 'endpoint'
      tell('reach', what, { state: 'no', ...problem(greeted) })
      return undefined
    }
    const took = Math.round(performance.now() - begun)
    tell('reach', 'endpoint', { state: 'ok', told: `${met.store.host} answers in ${took} ms` })
    const told = await this.inItsRegion(side, place, met, greeted)
    met = told.met
    const listed = await this.list(met.store)
    const refused = listed instanceof StorageError ? listed : undefined
    if (refused !== undefined && isOfCredentials(refused)) {
      tell('reach', 'credentials', {
        state: 'no',
        told: `${account.origin}: ${problem(refused).told}`,
        hint: refused.hint,
      })
      return undefined
    }
    tell('reach', 'credentials', { state: 'ok', told: `${account.origin}${keyOf(account)}` })
    await this.identity(met, tell)
    tell('reach', 'region', told.region)
    tell('reach', 'clock', clockOf(greeted))
    if (refused !== undefined && !isDenied(refused)) {
      tell('reach', 'bucket', { state: 'no', ...problem(refused) })
      return undefined
    }
    const sample = listed instanceof StorageError ? undefined : listed
    await this.inside(side, met.store, { lists: refused === undefined, sample, refused }, found)
    return met
  }

  /** What both sides are to each other. */
  async together(source: Met, destination: Met): Promise<Finding> {
    const finding = { about: 'trait', what: 'copies' } as const
    const near = source.account.endpointUrl === destination.account.endpointUrl
    const through = 'every byte passes through this machine'
    if (!near) return { ...finding, state: 'ok', told: `two endpoints, so ${through}` }
    const copies = await this.asked(() => probeRead(destination.store, source.store))
    const inside = { ...finding, state: 'ok', told: 'inside the store: no byte passes through this machine' } as const
    if (copies === true) return inside
    if (source.account !== destination.account)
      return {
        ...finding,
        state: 'ok',
        told: `the credentials of the destination may not read the source, so ${through}`,
      }
    return { ...finding, state: 'unknown', told: 'whether a copy inside the store is allowed could not be told' }
  }

  close(): void {
    for (const store of this.stores) store.close()
    for (const account of this.accounts.values()) account.then((one) => one.close()).catch(() => undefined)
  }

  private account(side: Side): Promise<Account> {
    const connection = connectionOf(this.options.connection, side)
    const reach = reachOf(connection)
    const known = this.accounts.get(reach) ?? openAccount(connection, this.options.warn)
    this.accounts.set(reach, known)
    return known
  }

  private async open(side: Side, place: Place, account: Account, region?: string): Promise<S3Store> {
    const { connection, giveUp } = this.options
    const { expectedOwner, requestPayer } = connectionOf(connection, side)
    const store = new S3Store(place, {
      ...{ expectedOwner, requestPayer, trust: account.trust, signPayload: account.signPayload },
      credentials: account.credentials,
      stop: giveUp,
      target: await account.target(place.bucket, region),
      aws: account.endpointUrl === undefined,
    })
    store.opening = true
    this.stores.push(store)
    return store
  }

  private async greet(store: S3Store): Promise<HttpResponse | StorageError> {
    return await this.asked(() => store.permissions.greet())
  }

  private async inItsRegion(side: Side, place: Place, met: Met, { head, status }: HttpResponse) {
    const named = responseHeader({ head }, 'x-amz-bucket-region')
    const { region } = met.store
    const elsewhere =
      named !== undefined && named !== '' && named !== region && (status >= 300 || met.store.conditional)
    if (!elsewhere) {
      const told = named === undefined ? `${region}, as far as the store tells` : region
      return { met, region: { state: 'ok', told } as const }
    }
    const store = await this.open(side, place, met.account, named)
    const told = `the bucket is in ${named}, not ${region}: s3move goes there`
    return {
      met: { ...met, store },
      region: { state: 'ok', told, hint: `--region ${named} saves the question` } as const,
    }
  }

  // The first key, undefined where there is none.
  private async list(store: S3Store): Promise<string | undefined | StorageError> {
    return await this.asked(async () => (await store.list({ limit: 1 })).objects[0]?.key)
  }

  private async identity({ account, store }: Met, tell: Tell): Promise<void> {
    if (account.credentials.current === undefined) return
    const arn = await callerIdentity(account, store.region)
    const unknown = store.conditional ? 'sts:GetCallerIdentity gave no answer' : 'the store has no way to ask'
    tell('reach', 'identity', arn === undefined ? { state: 'unknown', told: unknown } : { state: 'ok', told: arn })
  }

  // What may be done in a bucket, and how it is set.
  private async inside(
    side: Side,
    store: S3Store,
    { lists, sample, refused }: Listed,
    found: Finding[],
  ): Promise<void> {
    const tried = <T>(operation: string, ask: () => Promise<T>): Promise<T> => this.tried(operation, ask)
    const asked = await this.asked(() => store.askedTraits(tried))
    const traits = asked instanceof StorageError ? undefined : traitsIn(asked)
    const known: Circumstances = { lists, sample, versioned: traits && versionedAt(traits.versioned, asked) }
    const verdict = async (permission: Permission): Promise<ActionVerdict | undefined> => {
      const { action } = permission
      if (action === 's3:ListBucket') return refused === undefined ? OK : verdictOf(refused)
      if (permission.on === 'bucket') return asked instanceof StorageError ? verdictOf(asked) : settingOf(action, asked)
      if (traits?.locks === false && /Retention|LegalHold/.test(action))
        return { state: 'ok', told: 'not needed: the bucket has no Object Lock' }
      const answer = await this.asked(() => store.permissions.ask(action, known))
      return answer instanceof StorageError ? verdictOf(answer) : answer
    }
    const wanted = this.options.permissions.filter((permission) => permission.side === side)
    const verdicts = await Promise.all(wanted.map(verdict))
    for (const [index, permission] of wanted.entries()) {
      const answer = verdicts[index] ?? UNKNOWABLE
      found.push({ side, about: 'permission', what: permission.action, permission, ...answer })
    }
    if (traits !== undefined) found.push(...traitFindings(traits).map((finding) => ({ side, ...finding })))
    found.push(await this.tags(side, store), softwareOf(side, store))
  }

  private async tags(side: Side, store: S3Store): Promise<Finding> {
    const finding = { side, about: 'trait', what: 'tags' } as const
    if (store.conditional) return { ...finding, state: 'ok', told: '' }
    const refusal = await this.asked(() => store.probes.refusalOf(PROBE_TAGS))
    return refusal === undefined
      ? { ...finding, state: 'ok', told: '' }
      : { ...finding, state: 'no', told: `the store does not take tags: ${refusal.code}` }
  }

  private tried<T>(operation: string | undefined, ask: () => Promise<T>): Promise<T> {
    return withRetries(operation, ask, { retryFor: PATIENCE, giveUp: this.options.giveUp }, this.meter)
  }

  private async asked<T>(ask: () => Promise<T>): Promise<T | StorageError> {
    try {
      return await this.tried(undefined, ask)
    } catch (error) {
      if (error instanceof StorageError) return error
      throw error
    }
  }
}

type Tell = (about: Finding['about'], what: string, finding: Omit<Finding, 'side' | 'about' | 'what'>) => void

interface Listed {
  readonly lists: boolean
  readonly sample: string | undefined
  readonly refused: StorageError | undefined
}

const OK: ActionVerdict = { state: 'ok', told: '' }
const UNKNOWABLE: ActionVerdict = { state: 'unknown', told: 'no request tells without changing something' }

function problem({ operation, code, status, message, hint }: StorageError) {
  const told = `${operation}: ${code}${status === undefined ? '' : ` (HTTP ${status})`}: ${message}`
  return { told, hint, code }
}

// What is wrong with the keys themselves, and not with what they may do.
function isOfCredentials({ code, status }: StorageError): boolean {
  const meaning = meaningOf(code)
  const keys =
    meaning?.severity === 'stop-run' && (status === 401 || status === 403 || /Key|Token|Signature/.test(code))
  return isExpired(code) || keys
}

// As `aws configure list` shows it.
function keyOf({ credentials, profile }: Account): string {
  const id = credentials.current?.accessKeyId
  if (id === undefined) return ''
  return `, key ending in ${id.slice(-4)}${profile === undefined ? '' : `, profile ${profile}`}`
}

function clockOf(response: HttpResponse): Pick<Finding, 'state' | 'told' | 'hint'> {
  const theirs = timeOf(responseHeader(response, 'date') ?? '')
  if (Number.isNaN(theirs)) return { state: 'unknown', told: 'the store tells no time' }
  const skew = Date.now() - theirs
  const off = Math.round(Math.abs(skew) / 1000)
  // Their time is in whole seconds, and took its way.
  const way = skew > 0 ? 'ahead of' : 'behind'
  if (Math.abs(skew) < MOST_SKEW) return { state: 'ok', told: off <= 2 ? 'right' : `${off} s ${way} the store’s` }
  const told = `${off} s ${way} the store’s: s3move signs by that one, other programs are refused`
  return { state: 'no', told, hint: 'set this machine’s clock' }
}

// Versions that are suspended leave markers as well.
function versionedAt(enabled: boolean | undefined, asked: AskedTraits | StorageError): boolean | undefined {
  if (asked instanceof StorageError || asked.versioning instanceof StorageError) return undefined
  if (!/<VersioningConfiguration[\s/>]/.test(asked.versioning.body)) return undefined
  return enabled === true || asked.versioning.body.includes('<Status>')
}

function settingOf(action: string, { ownership, versioning }: AskedTraits): ActionVerdict | undefined {
  const answers: Readonly<Record<string, HttpResponse | StorageError>> = {
    's3:GetBucketOwnershipControls': ownership,
    's3:GetBucketVersioning': versioning,
  }
  const answer = answers[action]
  if (answer === undefined) return undefined
  return answer instanceof StorageError ? verdictOf(answer) : OK
}

function softwareOf(side: Side, { conditional, software }: S3Store): Finding {
  const told = conditional
    ? 'honoured: AWS'
    : `not relied upon${software === undefined ? '' : ` (${software})`}: s3move looks right before each write instead`
  return { side, about: 'trait', what: 'conditional writes', state: conditional ? 'ok' : 'unknown', told }
}
