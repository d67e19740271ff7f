import { HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { StorageError, UserError } from '../../errors.js'
import type { Connection } from '../../job.js'
import { printable } from '../../keys.js'
import { agentsFor, connectTimeout } from './connect.js'
import { checkEndpoint, endpointHint } from './endpoint.js'
import { sameCredentials, type Credentials } from './sign.js'

/** Where requests for one bucket go, as the SDK's endpoint resolution says. Plain data, to be sent between threads. */
export interface Target {
  /** Scheme, host and port, as a URL. */
  readonly origin: string
  /** The encoded path of the bucket: `/bucket` in path style, '' when the host names it. */
  readonly path: string
  /** Region and service for the signature. */
  readonly region: string
  readonly service: string
}

/** The credentials to sign with, always at hand; they refresh themselves in the background. */
export interface CredentialSource {
  /** Undefined when requests are not to be signed. */
  readonly current: Credentials | undefined
  /** Fetches credentials anew, after the store called these expired. May be called often: it is not done more than once in some seconds. */
  refresh(): Promise<Renewal>
  /** Calls `told` whenever the credentials have changed. */
  onChange(told: (current: Credentials) => void): void
  close(): void
}

/** What came of fetching credentials anew: new ones, none yet, or that there can be none, since they are fixed. */
export type Renewal = 'renewed' | 'not-yet' | 'impossible'

/** One identity at one endpoint: what the AWS environment, its config files and the flags amount to. */
export interface Account {
  readonly credentials: CredentialSource
  /** The custom endpoint in use, from a flag, the environment or a config file; undefined for AWS's own. */
  readonly endpointUrl: string | undefined
  /** Whether requests name the bucket in the path because of a flag or a custom endpoint. */
  readonly pathStyle: boolean
  /** Where requests for `bucket` (a name or an access point's ARN) go; `region` overrides the configured one. A bucket that S3 could not have is a `UserError`. */
  target(bucket: string, region?: string): Promise<Target>
  close(): void
}

/** Resolves region, endpoint and credentials with the SDK. What cannot be resolved is a `UserError` with a hint. */
export function openAccount(connection: Connection, warn: (message: string) => void): Promise<Account> {
  return asProfile(connection.profile, () => open(connection, warn))
}

async function open(connection: Connection, warn: (message: string) => void): Promise<Account> {
  const { endpointUrl, profile } = connection
  if (endpointUrl !== undefined) checkEndpoint(endpointUrl, endpointHint('--endpoint-url'))
  const requestHandler = { ...agentsFor(connection), connectionTimeout: connectTimeout(connection) }
  const fixed = connection.noSignRequest === true ? { accessKeyId: '', secretAccessKey: '' } : environmentKeys(profile)
  const clients = new Map<string, S3Client>()
  const client = (region: string | undefined, pathStyle: boolean): S3Client => {
    const id = `${region ?? ''} ${pathStyle}`
    let known = clients.get(id)
    if (known === undefined) {
      known = new S3Client({
        ...(region === undefined ? {} : { region }),
        ...(profile === undefined ? {} : { profile }),
        ...(endpointUrl === undefined ? {} : { endpoint: endpointUrl }),
        ...(fixed === undefined ? {} : { credentials: fixed }),
        forcePathStyle: pathStyle,
        requestHandler,
        // Retrying is the caller's: the SDK's budget of retries empties at our concurrency.
        maxAttempts: 1,
        logger: SILENT,
      })
      known.middlewareStack.add(capture, { step: 'finalizeRequest', priority: 'high', name: 'captureRequest' })
      clients.set(id, known)
    }
    return known
  }

  const region = connection.region ?? (await configuredRegion(client(undefined, false)))
  const first = client(region, connection.pathStyle ?? false)
  // Before credentials are asked for, which may go there.
  const endpoint = endpointUrl ?? (await configuredEndpoint(first))
  const credentials = await openCredentials(first, connection, fixed !== undefined, warn)
  // Stores other than AWS seldom have a DNS name for each bucket, and the AWS CLI does the same.
  const pathStyle = connection.pathStyle ?? endpoint !== undefined

  return {
    credentials,
    endpointUrl: endpoint === undefined ? undefined : bareUrl(endpoint),
    pathStyle,
    target: (bucket, override) => asProfile(profile, () => resolve(client(override ?? region, pathStyle), bucket)),
    close() {
      credentials.close()
      for (const one of clients.values()) one.destroy()
    },
  }
}

// The SDK looks for `endpoint_url` in the profile of the environment only, whatever profile it is given. Not to be called while another
// call is under way.
async function asProfile<T>(profile: string | undefined, work: () => Promise<T>): Promise<T> {
  const before = process.env.AWS_PROFILE
  if (profile !== undefined) process.env.AWS_PROFILE = profile
  try {
    return await work()
  } finally {
    if (profile !== undefined) {
      if (before === undefined) delete process.env.AWS_PROFILE
      else process.env.AWS_PROFILE = before
    }
  }
}

// Keys in the environment come before AWS_PROFILE and after --profile, as in the AWS CLI; the SDK would take the profile.
function environmentKeys(
  profile: string | undefined,
): { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = process.env
  if (profile !== undefined || accessKeyId === '' || secretAccessKey === '') return undefined
  const sessionToken = process.env.AWS_SESSION_TOKEN ?? ''
  return { accessKeyId, secretAccessKey, ...(sessionToken === '' ? {} : { sessionToken }) }
}

const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore }

function ignore(): void {
  // The SDK's own messages are not for our users.
}

async function configuredRegion(client: S3Client): Promise<string> {
  try {
    return await client.config.region()
  } catch (error) {
    if (error instanceof Error && error.message.includes('Region is missing')) return 'us-east-1'
    throw configurationProblem(error)
  }
}

// An access point's ARN without a region.
const MULTI_REGION = /^arn:[^:]*:s3::/

interface CapturedRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
}

/** Carries a resolved request out of the SDK's middleware instead of sending it. */
class Captured extends Error {
  constructor(
    readonly request: CapturedRequest,
    readonly context: { readonly endpointV2?: { readonly properties?: Record<string, unknown> } },
  ) {
    super('captured')
  }
}

const capture =
  (_next: unknown, context: Captured['context']) =>
  (input: { readonly request?: unknown }): Promise<never> =>
    Promise.reject(new Captured(input.request as CapturedRequest, context))

// The SDK is asked where it would send a request for the bucket, so that access points, dual-stack, FIPS, odd names and
// custom endpoints all come out as the SDK has them.
async function resolve(client: S3Client, bucket: string): Promise<Target> {
  if (MULTI_REGION.test(bucket)) {
    throw new UserError(
      `${printable(bucket)} is a multi-region access point, which s3move cannot sign for`,
      'name one of the buckets behind it',
    )
  }
  let captured: Captured
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }))
    throw new Error('the SDK sent a request that was to be captured')
  } catch (error) {
    if (!(error instanceof Captured)) throw configurationProblem(error, bucket)
    captured = error
  }
  const { protocol, hostname, port, path } = captured.request
  const schemes = captured.context.endpointV2?.properties?.authSchemes
  const scheme = (Array.isArray(schemes) ? schemes[0] : undefined) as Readonly<Record<string, unknown>> | undefined
  const region = scheme?.signingRegion
  const service = scheme?.signingName
  return {
    origin: `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`,
    path: path.replace(/\/$/, ''),
    region: typeof region === 'string' ? region : await client.config.region(),
    service: typeof service === 'string' ? service : 's3',
  }
}

// The SDK reads a custom endpoint from the environment and the config files only when it sends, and into a copy of its configuration.
async function configuredEndpoint(client: S3Client): Promise<string | undefined> {
  let endpoint: string | undefined
  try {
    endpoint = client.config.ignoreConfiguredEndpointUrls
      ? undefined
      : await client.config.serviceConfiguredEndpoint?.()
  } catch (error) {
    throw configurationProblem(error)
  }
  if (endpoint !== undefined) checkEndpoint(endpoint, CONFIGURED)
  return endpoint
}

const CONFIGURED =
  'correct AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or endpoint_url in the AWS config file, or give --endpoint-url'

function bareUrl(endpoint: string): string {
  const { protocol, host, pathname } = new URL(endpoint)
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`
}

function configurationProblem(error: unknown, bucket?: string): unknown {
  if (!(error instanceof Error) || error instanceof UserError || error instanceof StorageError) return error
  const about = bucket === undefined ? '' : ` (for ${printable(bucket)})`
  return new UserError(
    `the AWS configuration does not hold together${about}: ${printable(error.message)}`,
    'check the bucket’s name, --profile, --region, --endpoint-url, and the AWS config files and environment variables',
  )
}

/** Credentials that could not be renewed are not asked for again for so many milliseconds. */
const RENEWAL_PAUSE = 5_000
/** The same of those that were renewed: refused again, they have expired as well, and every moment is lost. */
const RENEWED_PAUSE = 500

/** Providers keep what they have until shortly before it expires, so asking often costs nothing. */
const REFRESH_INTERVAL = 30_000

async function openCredentials(
  client: S3Client,
  connection: Connection,
  fixed: boolean,
  warn: (message: string) => void,
): Promise<CredentialSource> {
  if (connection.noSignRequest === true) {
    return { current: undefined, refresh: () => Promise.resolve('impossible'), onChange: ignore, close: ignore }
  }
  const provide = client.config.credentials
  let current: Credentials
  try {
    current = await provide()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new UserError(
      `no AWS credentials${connection.profile === undefined ? '' : ` for profile ${printable(connection.profile)}`}: ${printable(reason)}`,
      'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or --profile NAME (for SSO: ‘aws sso login’ first), or use --no-sign-request for a public bucket',
    )
  }
  const listeners: ((current: Credentials) => void)[] = []
  const fetch = async (force: boolean): Promise<boolean> => {
    const before = current
    const { accessKeyId, secretAccessKey, sessionToken } = await provide(force ? { forceRefresh: true } : undefined)
    current = { accessKeyId, secretAccessKey, sessionToken }
    const changed = !sameCredentials(current, before)
    if (changed) for (const told of listeners) told(current)
    return changed
  }
  // A failure here is no news while the present credentials still work, and ExpiredToken tells when they do not.
  const timer = setInterval(() => void fetch(false).catch(ignore), REFRESH_INTERVAL)
  timer.unref()
  let refreshing: Promise<Renewal> | undefined
  let warned = false
  const renew = async (): Promise<Renewal> => {
    let reason = 'they are the same as before'
    try {
      if (await fetch(true)) {
        if (warned) warn('there are new credentials: going on')
        warned = false
        return 'renewed'
      }
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error)
    }
    if (!warned) {
      warn(
        `the credentials have expired and could not be renewed (${reason}); trying again. For SSO: ‘aws sso login’. Or stop with Ctrl-C, get new ones, and resume`,
      )
    }
    warned = true
    return 'not-yet'
  }
  return {
    get current() {
      return current
    },
    refresh() {
      if (fixed) return Promise.resolve('impossible')
      if (refreshing === undefined) {
        refreshing = renew()
        // Hundreds of requests find out together, and whoever gives credentials must not be asked by each of them.
        void refreshing.then((renewal) => {
          setTimeout(() => (refreshing = undefined), renewal === 'renewed' ? RENEWED_PAUSE : RENEWAL_PAUSE).unref()
        })
      }
      return refreshing
    },
    onChange: (told) => void listeners.push(told),
    close: () => clearInterval(timer),
  }
}
