import type { S3Client } from '@aws-sdk/client-s3'
import { checkTrust, type Trust } from '../../connections/connect.js'
import { checkEndpoint, endpointHint } from '../../endpoint-url.js'
import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import { isDirectoryBucket } from '../../job/place.js'
import { printable } from '../../keys.js'
import { environmentProfile, environmentRegion } from '../aws-environment.js'
import { profileSettings, type ProfileSettings } from './aws-config.js'
import type { CredentialSource } from '../credential-source.js'
import { environmentKeys, openCredentials, originOf, type ProvideCredentials } from './credentials.js'
import type { Sdk, SendingConfig, Variant } from './sdk.js'
import { plainTarget, plainZonalTarget, type Target } from './target.js'

/** One identity at one endpoint: what the AWS environment, its config files and the flags amount to. */
export interface Account {
  readonly credentials: CredentialSource
  /** Where the credentials came from, in words. */
  readonly origin: string
  /** The profile in use, where one was named. */
  readonly profile: string | undefined
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
  /** A client of the SDK that sends, once each; it goes to the region that S3 names. */
  sender(): Promise<S3Client>
  /** What a client of the SDK is told that sends to another service in a region. */
  sending(region: string): Promise<SendingConfig>
  close(): void
}

/** Resolves region, endpoint and credentials, with the SDK where they are not given. What cannot be resolved is a `UserError` with a hint. */
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
  checkTrust(trust)
  const keys = connection.profile === undefined || settings.keyless ? environmentKeys() : undefined
  const fixed = connection.noSignRequest === true ? { accessKeyId: '', secretAccessKey: '' } : keys
  if (connection.profile !== undefined && fixed === keys && keys !== undefined) {
    warn(`the profile ${printable(connection.profile)} names no credentials: the keys of the environment are used`)
  }
  let loaded: Sdk | undefined
  const sdk = async (): Promise<Sdk> => {
    const { Sdk } = await import('./sdk.js')
    return (loaded ??= new Sdk({ profile, endpointUrl, fixed, trust }))
  }

  const region = connection.region ?? environmentRegion() ?? settings.region ?? 'us-east-1'
  // Before credentials are asked for, which may go there.
  const endpoint = endpointUrl ?? (await (await sdk()).configuredEndpoint(region))
  const variant = variantOf(settings, endpoint)
  const accelerated = variant.useAccelerateEndpoint === true
  const given = fixed === undefined ? (await sdk()).credentials(region) : () => Promise.resolve(fixed)
  let origin = originOf(connection, undefined)
  const provide: ProvideCredentials = async (options) => {
    const found = await given(options)
    origin = originOf(connection, found)
    return found
  }
  const credentials = await openCredentials(provide, connection, profile, fixed !== undefined, warn)
  // Stores other than AWS seldom have a DNS name for each bucket, and the AWS CLI does the same.
  const pathStyle = connection.pathStyle ?? (!accelerated && styleOf(settings, endpoint) === 'path')
  const plain = endpointUrl !== undefined && pathStyle && !settings.fips ? endpointUrl : undefined

  return {
    credentials,
    profile,
    get origin() {
      return origin
    },
    endpointUrl: endpoint === undefined ? undefined : bareUrl(endpoint),
    pathStyle,
    trust,
    signPayload: settings.payloadSigningEnabled === true,
    accelerated,
    async target(bucket, override = region) {
      const known = isDirectoryBucket(bucket) ? plainZonalTarget : plainTarget
      const target = plain === undefined ? undefined : known(plain, bucket, override)
      return (
        target ?? (await asProfile(profile, async () => (await sdk()).target(bucket, override, pathStyle, variant)))
      )
    },
    sending: async (region) => (await sdk()).sending(region),
    sender: async () => (await sdk()).sender({ region, endpoint, pathStyle, variant }),
    close() {
      credentials.close()
      loaded?.close()
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

let turn: Promise<unknown> = Promise.resolve()

// The SDK looks for `endpoint_url` in the profile of the environment only, whatever profile it is given. So there is one call at a time; they do not nest.
function asProfile<T>(profile: string | undefined, work: () => Promise<T>): Promise<T> {
  const mine = turn.then(() => inProfile(profile, work))
  turn = mine.catch(() => undefined)
  return mine
}

async function inProfile<T>(profile: string | undefined, work: () => Promise<T>): Promise<T> {
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

function bareUrl(endpoint: string): string {
  const { protocol, host, pathname } = new URL(endpoint)
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`
}
