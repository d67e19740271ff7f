import { HeadBucketCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { StorageError, UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import { printable } from '../../keys.js'
import { environmentProfile, environmentRegion } from '../aws-environment.js'
import { profileSettings, type ProfileSettings } from './aws-config.js'
import { agentsFor, connectTimeout, type Trust } from './connect.js'
import type { CredentialSource } from '../credential-source.js'
import { environmentKeys, openCredentials } from './credentials.js'
import { checkEndpoint, endpointHint } from '../../endpoint-url.js'

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

/** One identity at one endpoint: what the AWS environment, its config files and the flags amount to. */
export interface Account {
  readonly credentials: CredentialSource
  /** The custom endpoint in use, from a flag, the environment or a config file; undefined for AWS's own. */
  readonly endpointUrl: string | undefined
  /** Whether requests name the bucket in the path because of a flag or a custom endpoint. */
  readonly pathStyle: boolean
  /** How its servers are trusted, and how long they are waited for. */
  readonly trust: Trust
  /** Whether each body is to be hashed and the hash signed, though TLS or an MD5 vouches for it. */
  readonly signPayload: boolean
  /** Whether requests go through S3 Transfer Acceleration. */
  readonly accelerated: boolean
  /** Where requests for `bucket` (a name or an access point's ARN) go; `region` overrides the configured one. A bucket that S3 could not have is a `UserError`. */
  target(bucket: string, region?: string): Promise<Target>
  close(): void
}

/** Resolves region, endpoint and credentials with the SDK. What cannot be resolved is a `UserError` with a hint. */
export function openAccount(connection: Connection, warn: (message: string) => void): Promise<Account> {
  const profile = connection.profile ?? environmentProfile()
  return asProfile(profile, () => open(connection, profile, warn))
}

async function open(
  connection: Connection,
  profile: string | undefined,
  warn: (message: string) => void,
): Promise<Account> {
  const { endpointUrl } = connection
  if (endpointUrl !== undefined) checkEndpoint(endpointUrl, endpointHint('--endpoint-url'))
  const settings = await profileSettings(profile)
  const trust = trustOf(connection, settings)
  const requestHandler = { ...agentsFor(trust), connectionTimeout: connectTimeout(trust) }
  const keys = connection.profile === undefined || settings.keyless ? environmentKeys() : undefined
  const fixed = connection.noSignRequest === true ? { accessKeyId: '', secretAccessKey: '' } : keys
  if (connection.profile !== undefined && fixed === keys && keys !== undefined) {
    warn(`the profile ${printable(connection.profile)} names no credentials: the keys of the environment are used`)
  }
  const clients = new Map<string, S3Client>()
  const client = (region: string, pathStyle: boolean, variant: Variant = {}): S3Client => {
    const id = JSON.stringify([region, pathStyle, variant])
    let known = clients.get(id)
    if (known === undefined) {
      known = new S3Client({
        region,
        ...(profile === undefined ? {} : { profile }),
        ...(endpointUrl === undefined ? {} : { endpoint: endpointUrl }),
        ...(fixed === undefined ? {} : { credentials: fixed }),
        forcePathStyle: pathStyle,
        ...variant,
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

  const region = connection.region ?? environmentRegion() ?? settings.region ?? 'us-east-1'
  const first = client(region, false)
  // Before credentials are asked for, which may go there.
  const endpoint = endpointUrl ?? (await configuredEndpoint(first))
  const variant = variantOf(settings, endpoint)
  const accelerated = variant.useAccelerateEndpoint === true
  const credentials = await openCredentials(first, connection, profile, fixed !== undefined, warn)
  // Stores other than AWS seldom have a DNS name for each bucket, and the AWS CLI does the same.
  const pathStyle = connection.pathStyle ?? (!accelerated && styleOf(settings, endpoint) === 'path')

  return {
    credentials,
    endpointUrl: endpoint === undefined ? undefined : bareUrl(endpoint),
    pathStyle,
    trust,
    signPayload: settings.payloadSigningEnabled === true,
    accelerated,
    target: (bucket, override) =>
      asProfile(profile, () => resolve(client(override ?? region, pathStyle, variant), bucket)),
    close() {
      credentials.close()
      for (const one of clients.values()) one.destroy()
    },
  }
}

// Each field of it, so that none is forgotten.
function trustOf(connection: Connection, { caBundle }: ProfileSettings): Record<keyof Trust, unknown> & Trust {
  const { noVerifySsl, connectTimeout: toConnect, readTimeout, minRate } = connection
  const fromEnvironment = process.env.AWS_CA_BUNDLE || undefined
  return {
    caBundle: connection.caBundle ?? fromEnvironment ?? caBundle,
    ...{ noVerifySsl, connectTimeout: toConnect, readTimeout, minRate },
  }
}

function styleOf({ addressingStyle }: ProfileSettings, endpoint: string | undefined): 'path' | 'virtual' {
  return addressingStyle ?? (endpoint === undefined ? 'virtual' : 'path')
}

/** Which of AWS's endpoints it is. */
type Variant = Pick<S3ClientConfig, 'useDualstackEndpoint' | 'useAccelerateEndpoint'>

// A custom endpoint has no dual-stack name to go to, and the AWS CLI goes there nevertheless. Acceleration is another service, which bills.
function variantOf(
  { profile, useDualstackEndpoint, useAccelerateEndpoint }: ProfileSettings,
  endpoint?: string,
): Variant {
  if (endpoint === undefined) {
    return {
      ...(useDualstackEndpoint === undefined ? {} : { useDualstackEndpoint }),
      ...(useAccelerateEndpoint === true ? { useAccelerateEndpoint } : {}),
    }
  }
  if (useAccelerateEndpoint !== true) return { useDualstackEndpoint: false }
  throw new UserError(
    `the profile ${printable(profile)} has use_accelerate_endpoint = true, and the endpoint ${printable(bareUrl(endpoint))} is not that of S3 Transfer Acceleration`,
    'use a --profile without use_accelerate_endpoint, or leave the endpoint to AWS',
  )
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

const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore }

function ignore(): void {
  // The SDK's own messages are not for our users.
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
