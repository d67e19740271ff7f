import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import { printable } from '../../keys.js'
import type { Credentials, CredentialSource, Renewal } from '../credential-source.js'
import { profileNames } from '../profile-names.js'
import { sameCredentials } from './sign.js'

/** The keys in the environment, if there are any. They come before AWS_PROFILE, as in the AWS CLI; the SDK would take the profile. */
export function environmentKeys(): { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = process.env
  if (accessKeyId === '' || secretAccessKey === '') return undefined
  const sessionToken = process.env.AWS_SESSION_TOKEN ?? ''
  return { accessKeyId, secretAccessKey, ...(sessionToken === '' ? {} : { sessionToken }) }
}

/** Where credentials came from, in words: the SDK notes with those that it finds how it found them, by names of its own. */
export function originOf({ noSignRequest }: Connection, found: (Credentials & WithSource) | undefined): string {
  if (noSignRequest === true) return 'none: requests are not signed (--no-sign-request)'
  const ways = Object.keys(found?.$source ?? {})
  const known = ORIGINS.find(([name]) => ways.includes(name))
  return known?.[1] ?? (ways.length === 0 ? 'AWS_ACCESS_KEY_ID of the environment' : 'the AWS SDK')
}

interface WithSource {
  readonly $source?: Readonly<Record<string, unknown>>
}

// The more particular first: a role that was assumed with the keys of a profile has both.
const ORIGINS: readonly (readonly [string, string])[] = [
  ['CREDENTIALS_ENV_VARS_STS_WEB_ID_TOKEN', 'a web identity token (AWS_WEB_IDENTITY_TOKEN_FILE)'],
  ['CREDENTIALS_PROFILE_STS_WEB_ID_TOKEN', 'a web identity token of the AWS config files'],
  ['CREDENTIALS_STS_ASSUME_ROLE_WEB_ID', 'a web identity token'],
  ['CREDENTIALS_STS_ASSUME_ROLE', 'a role of the AWS config files'],
  ['CREDENTIALS_PROFILE_SSO', 'SSO (aws sso login)'],
  ['CREDENTIALS_SSO', 'SSO (aws sso login)'],
  ['CREDENTIALS_PROFILE_SSO_LEGACY', 'SSO (aws sso login)'],
  ['CREDENTIALS_SSO_LEGACY', 'SSO (aws sso login)'],
  ['CREDENTIALS_PROFILE_LOGIN', 'aws login'],
  ['CREDENTIALS_LOGIN', 'aws login'],
  ['CREDENTIALS_PROFILE_PROCESS', 'credential_process of the AWS config files'],
  ['CREDENTIALS_PROCESS', 'credential_process of the AWS config files'],
  ['CREDENTIALS_PROFILE', 'keys in the AWS config files'],
  ['CREDENTIALS_HTTP', 'the container that this runs in'],
  ['CREDENTIALS_IMDS', 'the EC2 instance that this runs on'],
  ['CREDENTIALS_ENV_VARS', 'AWS_ACCESS_KEY_ID of the environment'],
]

/** Credentials that could not be renewed are not asked for again for so many milliseconds. */
const RENEWAL_PAUSE = 5_000
/** The same of those that were renewed: refused again, they have expired as well, and every moment is lost. */
const RENEWED_PAUSE = 500

/** Providers keep what they have until shortly before it expires, so asking often costs nothing. */
const REFRESH_INTERVAL = 30_000

/** Provides credentials that it keeps until shortly before they expire, or are to be fetched anew at once. */
export type ProvideCredentials = (options?: { readonly forceRefresh?: boolean }) => Promise<Credentials>

/** Fetches the first credentials of a provider, which are `fixed` where they cannot change; without any it is a `UserError`. `warn` is told of their end. */
export async function openCredentials(
  provide: ProvideCredentials,
  connection: Connection,
  profile: string | undefined,
  fixed: boolean,
  warn: (message: string) => void,
): Promise<CredentialSource> {
  if (connection.noSignRequest === true) {
    return { current: undefined, refresh: () => Promise.resolve('impossible'), onChange: ignore, close: ignore }
  }
  let current: Credentials
  try {
    current = await provide()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (profile !== undefined) await refuseUnknownProfile(profile)
    throw new UserError(
      `no AWS credentials${profile === undefined ? '' : ` for profile ${printable(profile)}`}: ${printable(reason)}`,
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

async function refuseUnknownProfile(profile: string): Promise<void> {
  const names = await profileNames()
  if (names.includes(profile)) return
  throw new UserError(
    `there is no profile ${printable(profile)} in the AWS config files`,
    names.length === 0
      ? 'there is none at all: ‘aws configure’ makes one'
      : `they have: ${printable(names.join(', '))}`,
  )
}

function ignore(): void {
  // Nobody needs to be told.
}
