import { loadSharedConfigFiles } from '@smithy/core/config'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'

/** What of a profile the AWS CLI reads, and the SDK does not or otherwise. What is absent was not said. */
export interface ProfileSettings {
  /** The profile's name, for messages. */
  readonly profile: string
  /** Whether the profile is there and says nothing of credentials. */
  readonly keyless: boolean
  readonly region?: string | undefined
  /** `ca_bundle`: a path. */
  readonly caBundle?: string | undefined
  /** `addressing_style` of the `s3` section; absent for `auto`. */
  readonly addressingStyle?: 'path' | 'virtual' | undefined
  readonly useDualstackEndpoint?: boolean | undefined
  readonly useAccelerateEndpoint?: boolean | undefined
  readonly payloadSigningEnabled?: boolean | undefined
  /** Whether the profile or the environment says anything of endpoints with FIPS. */
  readonly fips: boolean
}

/**
 * Reads the settings of a profile, `default` where none is named. The files are found and parsed by the SDK, as for everything else that is in them;
 * where both have a setting that of the credentials file holds, as in the AWS CLI. A value that a setting cannot have is a `UserError`.
 */
export async function profileSettings(name: string | undefined): Promise<ProfileSettings> {
  const profile = name ?? 'default'
  const { configFile, credentialsFile } = await loadSharedConfigFiles()
  const settings = new Map<string, string>()
  for (const file of [configFile, credentialsFile]) {
    for (const [key, value] of Object.entries(file[profile] ?? {})) {
      if (value !== undefined) settings.set(key.toLowerCase(), value)
    }
  }
  const oneOf = <T extends string>(key: string, allowed: readonly T[]): T | undefined => {
    const value = settings.get(key)
    if (value === undefined) return undefined
    const found = allowed.find((one) => one === value.toLowerCase())
    if (found !== undefined) return found
    throw new UserError(
      `${key.replace('.', ': ')} of the profile ${printable(profile)} cannot be ${printable(value)}`,
      `write one of these in the AWS config file: ${allowed.join(', ')}`,
    )
  }
  const flag = (key: string): boolean | undefined => {
    const value = oneOf(key, ['true', 'false'])
    return value === undefined ? undefined : value === 'true'
  }
  const style = oneOf('s3.addressing_style', ['auto', 'path', 'virtual'])
  return {
    profile,
    keyless: settings.size > 0 && ![...settings.keys()].some((key) => OF_CREDENTIALS.test(key)),
    region: settings.get('region'),
    caBundle: atHome(settings.get('ca_bundle')),
    addressingStyle: style === 'auto' ? undefined : style,
    useDualstackEndpoint: flag('s3.use_dualstack_endpoint'),
    useAccelerateEndpoint: flag('s3.use_accelerate_endpoint'),
    payloadSigningEnabled: flag('s3.payload_signing_enabled'),
    fips: settings.has('use_fips_endpoint') || process.env.AWS_USE_FIPS_ENDPOINT !== undefined,
  }
}

const OF_CREDENTIALS =
  /^(?:aws_access_key_id|credential_process|credential_source|login_session|role_arn|source_profile|sso_.*|web_identity_token_file)$/

// No shell reads the file.
function atHome(path: string | undefined): string | undefined {
  return path?.startsWith('~/') === true ? join(process.env.HOME ?? homedir(), path.slice(2)) : path
}
