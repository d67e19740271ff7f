import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { UserError } from '../../../../src/errors.js'
import type { Connection } from '../../../../src/job/connection.js'
import { openAccount, type Account } from '../../../../src/storage/s3/account.js'
import { profileSettings } from '../../../../src/storage/s3/aws-config.js'
import { awsEnvironment } from '../../../support/aws-environment.js'

const { folder, open } = awsEnvironment()

let files = 0

/** A file of its own: the SDK keeps what it has read. */
function file(...lines: readonly string[]): string {
  const path = join(folder, `file-${String(++files)}`)
  writeFileSync(path, lines.join('\n'))
  return path
}

function config(...lines: readonly string[]): void {
  vi.stubEnv('AWS_CONFIG_FILE', file(...lines))
}

async function account(connection: Connection = {}): Promise<Account> {
  const opened = await openAccount(connection, () => undefined)
  open.push(opened)
  return opened
}

async function where(connection: Connection = {}): Promise<string> {
  const { origin, path } = await (await account(connection)).target('bkt')
  return origin + path
}

async function regionOf(connection: Connection = {}): Promise<string> {
  return (await (await account(connection)).target('bkt')).region
}

async function refused(connection: Connection = {}): Promise<string> {
  const error = await where(connection).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(UserError)
  const { message, hint } = error as UserError
  return `${message}\n${hint ?? ''}`
}

describe('the region', () => {
  test('is that of --region, AWS_REGION, AWS_DEFAULT_REGION, the profile, in this order', async () => {
    expect(await regionOf()).toBe('us-east-1')
    config('[default]', 'region = eu-north-1')
    expect(await regionOf()).toBe('eu-north-1')
    vi.stubEnv('AWS_DEFAULT_REGION', 'cn-north-1')
    expect(await regionOf()).toBe('cn-north-1')
    expect(await where()).toBe('https://bkt.s3.cn-north-1.amazonaws.com.cn')
    vi.stubEnv('AWS_REGION', 'eu-west-1')
    expect(await regionOf()).toBe('eu-west-1')
    expect(await regionOf({ region: 'sa-east-1' })).toBe('sa-east-1')
  })

  test('of a variable that is empty is not asked for', async () => {
    vi.stubEnv('AWS_REGION', '')
    vi.stubEnv('AWS_DEFAULT_REGION', 'ap-south-1')
    expect(await regionOf()).toBe('ap-south-1')
    vi.stubEnv('AWS_DEFAULT_REGION', '')
    config('[default]', 'region = eu-north-1')
    expect(await regionOf()).toBe('eu-north-1')
  })

  test('of the environment comes before that of --profile', async () => {
    config('[profile one]', 'region = eu-north-1', 'aws_access_key_id = AKIDONE', 'aws_secret_access_key = s')
    expect(await regionOf({ profile: 'one' })).toBe('eu-north-1')
    vi.stubEnv('AWS_DEFAULT_REGION', 'ap-south-1')
    expect(await regionOf({ profile: 'one' })).toBe('ap-south-1')
  })
})

describe('the profile', () => {
  const keys = (id: string): string => `aws_access_key_id = ${id}\naws_secret_access_key = s`

  test('is that of --profile, AWS_PROFILE, AWS_DEFAULT_PROFILE, in this order', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
    config(...['one', 'two', 'three'].map((name) => `[profile ${name}]\nregion = eu-${name}-1\n${keys(name)}`))
    vi.stubEnv('AWS_DEFAULT_PROFILE', 'three')
    const named = async (connection?: Connection): Promise<string | undefined> =>
      (await account(connection)).credentials.current?.accessKeyId
    expect([await named(), await regionOf()]).toEqual(['three', 'eu-three-1'])
    vi.stubEnv('AWS_PROFILE', 'two')
    expect([await named(), await regionOf()]).toEqual(['two', 'eu-two-1'])
    expect([await named({ profile: 'one' }), await regionOf({ profile: 'one' })]).toEqual(['one', 'eu-one-1'])
  })

  test('of AWS_DEFAULT_PROFILE has an endpoint, though keys of the environment come before its own', async () => {
    config('[profile three]', 'endpoint_url = http://store.example:9000', keys('three'))
    vi.stubEnv('AWS_DEFAULT_PROFILE', 'three')
    expect(await where()).toBe('http://store.example:9000/bkt')
    expect((await account()).credentials.current?.accessKeyId).toBe('AKIDENV')
  })

  test('of --profile that has settings alone is used with the keys of the environment, which is told', async () => {
    config('[profile settings]', 'region = eu-west-3', '[profile role]', 'role_arn = arn:aws:iam::1:role/r')
    const told: string[] = []
    const opened = await openAccount({ profile: 'settings' }, (message) => told.push(message))
    open.push(opened)
    expect(opened.credentials.current?.accessKeyId).toBe('AKIDENV')
    expect(told).toEqual([expect.stringMatching(/profile settings names no credentials/)])
    expect(await refused({ profile: 'role' })).toContain('for profile role')
    expect(await refused({ profile: 'absent' })).toContain('there is no profile absent')
  })

  test('that has no credentials is named', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
    vi.stubEnv('AWS_DEFAULT_PROFILE', 'absent')
    expect(await refused()).toContain('there is no profile absent')
  })
})

describe('the s3 section of a profile', () => {
  const section = (...lines: readonly string[]): void => config('[default]', 'region = eu-west-1', 's3 =', ...lines)

  test.each<[string, string, Connection, string]>([
    ['path', '  addressing_style = path', {}, 'https://s3.eu-west-1.amazonaws.com/bkt'],
    ['path, by a tab', '\taddressing_style=path', {}, 'https://s3.eu-west-1.amazonaws.com/bkt'],
    ['path in capitals', '  addressing_style = PATH', {}, 'https://s3.eu-west-1.amazonaws.com/bkt'],
    ['auto', '  addressing_style = auto', {}, 'https://bkt.s3.eu-west-1.amazonaws.com'],
    ['virtual', '  addressing_style = virtual', {}, 'https://bkt.s3.eu-west-1.amazonaws.com'],
    ['virtual', '  addressing_style = virtual', { endpointUrl: 'http://h.example:1' }, 'http://bkt.h.example:1'],
    ['auto', '  addressing_style = auto', { endpointUrl: 'http://h.example:1' }, 'http://h.example:1/bkt'],
    [
      'path, against --no-path-style',
      '  addressing_style = path',
      { pathStyle: false },
      'https://bkt.s3.eu-west-1.amazonaws.com',
    ],
    [
      'virtual, against --path-style',
      '  addressing_style = virtual',
      { pathStyle: true },
      'https://s3.eu-west-1.amazonaws.com/bkt',
    ],
  ])('may ask for addressing_style %s', async (_what, line, connection, expected) => {
    section(line)
    expect(await where(connection)).toBe(expected)
  })

  test('of another profile than the one in use does nothing', async () => {
    config('[profile other]', 's3 =', '  addressing_style = path', '[default]', 'region = eu-west-1')
    expect(await where()).toBe('https://bkt.s3.eu-west-1.amazonaws.com')
  })

  test('goes on below comments and settings of its own, and ends where the next setting begins', async () => {
    config(
      '[default]',
      's3 =',
      '  # of old',
      '  max_concurrent_requests = 20',
      '  addressing_style = path',
      'region = eu-west-1',
    )
    expect(await where()).toBe('https://s3.eu-west-1.amazonaws.com/bkt')
    config('[default]', 's3 =', '  max_concurrent_requests = 20', 'addressing_style = path')
    expect(await where()).toBe('https://bkt.s3.us-east-1.amazonaws.com')
  })

  test('is also read in the credentials file, which comes before the config file', async () => {
    section('  addressing_style = virtual')
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file('[default]', 's3 =', '  addressing_style = path'))
    expect(await where()).toBe('https://s3.eu-west-1.amazonaws.com/bkt')
  })

  test('may ask for dual-stack endpoints, or against those of the environment', async () => {
    section('  use_dualstack_endpoint = true')
    expect(await where()).toBe('https://bkt.s3.dualstack.eu-west-1.amazonaws.com')
    vi.stubEnv('AWS_USE_DUALSTACK_ENDPOINT', 'true')
    section('  use_dualstack_endpoint = False')
    expect(await where()).toBe('https://bkt.s3.eu-west-1.amazonaws.com')
  })

  test('does not make a custom endpoint dual-stack', async () => {
    section('  use_dualstack_endpoint = true')
    expect(await where({ endpointUrl: 'http://h:1' })).toBe('http://h:1/bkt')
  })

  test('may ask for acceleration, which names the bucket in the host', async () => {
    section('  use_accelerate_endpoint = true', '  addressing_style = path')
    expect(await where()).toBe('https://bkt.s3-accelerate.amazonaws.com')
    expect(await account()).toMatchObject({ accelerated: true, pathStyle: false })
    section('  use_accelerate_endpoint = true', '  use_dualstack_endpoint = true')
    expect(await where()).toBe('https://bkt.s3-accelerate.dualstack.amazonaws.com')
    section('  use_accelerate_endpoint = false')
    expect(await account()).toMatchObject({ accelerated: false })
  })

  test('that asks for acceleration is refused with an endpoint of one’s own', async () => {
    section('  use_accelerate_endpoint = true')
    expect(await refused({ endpointUrl: 'http://h:1' })).toMatch(
      /default has use_accelerate_endpoint.*http:\/\/h:1.*\n.*--profile/,
    )
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://other:2')
    expect(await refused()).toContain('http://other:2')
  })

  test('may ask for signed payloads', async () => {
    expect(await account()).toMatchObject({ signPayload: false })
    section('  payload_signing_enabled = true')
    expect(await account()).toMatchObject({ signPayload: true })
    section('  payload_signing_enabled = false')
    expect(await account()).toMatchObject({ signPayload: false })
  })

  test.each([
    ['addressing_style', 'dns', 'auto, path, virtual'],
    ['use_dualstack_endpoint', 'yes', 'true, false'],
    ['use_accelerate_endpoint', '1', 'true, false'],
    ['payload_signing_enabled', 'on', 'true, false'],
  ])('with %s = %s is refused, with what it could be', async (name, value, allowed) => {
    section(`  ${name} = ${value}`)
    expect(await refused()).toMatch(new RegExp(`${name} of the profile default cannot be ${value}\\n.*${allowed}`))
  })
})

describe('ca_bundle of a profile', () => {
  test('comes after --ca-bundle and AWS_CA_BUNDLE', async () => {
    const bundle = file('-----BEGIN CERTIFICATE-----')
    config('[default]', `ca_bundle = ${bundle}`)
    expect((await account()).trust.caBundle).toBe(bundle)
    const [other, third] = [file('-----BEGIN CERTIFICATE-----'), file('-----BEGIN CERTIFICATE-----')]
    vi.stubEnv('AWS_CA_BUNDLE', other)
    expect((await account()).trust.caBundle).toBe(other)
    expect((await account({ caBundle: third })).trust.caBundle).toBe(third)
  })

  test('may begin in the home folder', async () => {
    vi.stubEnv('HOME', '/home/me')
    config('[profile p]', 'ca_bundle = ~/ca.pem')
    expect((await profileSettings('p')).caBundle).toBe('/home/me/ca.pem')
  })

  test('that is not there is refused, with where it may come from', async () => {
    config('[default]', 'ca_bundle = /does/not/exist.pem')
    expect(await refused()).toMatch(/\/does\/not\/exist\.pem cannot be read.*\n.*ca_bundle/)
  })
})
