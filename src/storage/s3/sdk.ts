import { CreateSessionCommand, HeadBucketCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { agentsFor, connectTimeout, READ_TIMEOUT, type Trust } from '../../connections/connect.js'
import { checkEndpoint } from '../../endpoint-url.js'
import { StorageError, UserError } from '../../errors.js'
import { isDirectoryBucket } from '../../job/place.js'
import { printable } from '../../keys.js'
import type { environmentKeys, ProvideCredentials } from './credentials.js'
import type { Target } from './target.js'

/** Which of AWS's endpoints it is. */
export type Variant = Pick<S3ClientConfig, 'useDualstackEndpoint' | 'useAccelerateEndpoint'>

/** What the SDK is told beside the region. */
export interface SdkSettings {
  readonly profile: string | undefined
  /** The endpoint of a flag. */
  readonly endpointUrl: string | undefined
  /** Credentials that do not change; undefined where the SDK is to find some. */
  readonly fixed: ReturnType<typeof environmentKeys>
  readonly trust: Trust
}

/** Where a client sends to. */
export interface SenderOptions {
  readonly region: string
  /** Undefined for AWS. */
  readonly endpoint: string | undefined
  readonly pathStyle: boolean
  readonly variant: Variant
}

/** What clients of the SDK have in common, of whatever service. */
export interface SendingConfig {
  readonly region: string
  readonly profile?: string
  readonly credentials?: NonNullable<SdkSettings['fixed']>
  readonly requestHandler: {
    readonly httpAgent: ReturnType<typeof agentsFor>['httpAgent']
    readonly httpsAgent: ReturnType<typeof agentsFor>['httpsAgent']
    readonly connectionTimeout: number
    readonly socketTimeout: number
  }
  readonly maxAttempts: number
  readonly logger: typeof SILENT
}

/** What only the SDK knows of an account. It takes as long to load as all the rest, so this is loaded when it is asked. */
export class Sdk {
  private readonly clients = new Map<string, S3Client>()
  private readonly requestHandler: NonNullable<S3ClientConfig['requestHandler']>

  constructor(private readonly settings: SdkSettings) {
    const { trust } = settings
    this.requestHandler = { ...agentsFor(trust), connectionTimeout: connectTimeout(trust) }
  }

  /** The endpoint that the environment or a config file names. */
  configuredEndpoint(region: string): Promise<string | undefined> {
    return configuredEndpoint(this.client(region, false))
  }

  /** Provides the credentials of the AWS environment. */
  credentials(region: string): ProvideCredentials {
    return this.client(region, false).config.credentials
  }

  /** Where requests for a bucket go. A bucket that S3 could not have is a `UserError`. */
  target(bucket: string, region: string, pathStyle: boolean, variant: Variant): Promise<Target> {
    return resolve(this.client(region, pathStyle, variant), bucket)
  }

  /** What any client of the SDK is told that sends. */
  sending(region: string): SendingConfig {
    const { profile, fixed, trust } = this.settings
    return {
      region,
      ...(profile === undefined ? {} : { profile }),
      ...(fixed === undefined ? {} : { credentials: fixed }),
      requestHandler: {
        ...agentsFor(trust),
        connectionTimeout: connectTimeout(trust),
        socketTimeout: trust.readTimeout ?? READ_TIMEOUT,
      },
      maxAttempts: 1,
      logger: SILENT,
    }
  }

  /** A client that sends. */
  sender({ region, endpoint, pathStyle, variant }: SenderOptions): S3Client {
    const { fixed } = this.settings
    const sender = new S3Client({
      ...this.sending(region),
      // Found already: the SDK would look for it in the profile of the environment, whatever profile it is given.
      ...(endpoint === undefined ? { ignoreConfiguredEndpointUrls: true } : { endpoint }),
      ...(fixed?.accessKeyId === '' ? { signer: { sign: (request) => Promise.resolve(request) } } : {}),
      forcePathStyle: pathStyle,
      ...variant,
      // Of other stores many do not know the checksums of AWS.
      requestChecksumCalculation: endpoint === undefined ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
      followRegionRedirects: true,
    })
    this.clients.set(`sender ${this.clients.size}`, sender)
    return sender
  }

  close(): void {
    for (const one of this.clients.values()) one.destroy()
  }

  private client(region: string, pathStyle: boolean, variant: Variant = {}): S3Client {
    const { profile, endpointUrl, fixed } = this.settings
    const id = JSON.stringify([region, pathStyle, variant])
    let known = this.clients.get(id)
    if (known === undefined) {
      known = new S3Client({
        region,
        ...(profile === undefined ? {} : { profile }),
        ...(endpointUrl === undefined ? {} : { endpoint: endpointUrl }),
        ...(fixed === undefined ? {} : { credentials: fixed }),
        forcePathStyle: pathStyle,
        ...variant,
        requestHandler: this.requestHandler,
        // Retrying is the caller's: the SDK's budget of retries empties at our concurrency.
        maxAttempts: 1,
        logger: SILENT,
      })
      known.middlewareStack.add(capture, { step: 'finalizeRequest', priority: 'high', name: 'captureRequest' })
      this.clients.set(id, known)
    }
    return known
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
    // For a directory bucket it would begin a session first.
    const named = { Bucket: bucket }
    if (isDirectoryBucket(named.Bucket)) await client.send(new CreateSessionCommand(named))
    else await client.send(new HeadBucketCommand(named))
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
    path: path.replace(/\/+$/, ''),
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

function configurationProblem(error: unknown, bucket?: string): unknown {
  if (!(error instanceof Error) || error instanceof UserError || error instanceof StorageError) return error
  const about = bucket === undefined ? '' : ` (for ${printable(bucket)})`
  return new UserError(
    `the AWS configuration does not hold together${about}: ${printable(error.message)}`,
    'check the bucket’s name, --profile, --region, --endpoint-url, and the AWS config files and environment variables',
  )
}
