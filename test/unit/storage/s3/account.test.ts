import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { UserError } from '../../../../src/errors.js'
import type { Connection } from '../../../../src/job/connection.js'
import { openAccount, type Account } from '../../../../src/storage/s3/account.js'
import { awsEnvironment } from '../../../support/aws-environment.js'

const { folder, open } = awsEnvironment()
const config = join(folder, 'config')
writeFileSync(
  config,
  [
    '[default]\nregion = eu-central-1',
    '[profile other]\nregion = ap-south-1\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\naws_session_token = t',
    '[profile minio]\nregion = eu-west-3\nendpoint_url = http://minio.example:9000/base\naws_access_key_id = AKIDMINIO\naws_secret_access_key = s',
    '',
  ].join('\n'),
)

async function account(
  connection: Connection = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<Account> {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  const opened = await openAccount(connection, () => undefined)
  open.push(opened)
  return opened
}

async function where(bucket: string, connection?: Connection, environment?: Readonly<Record<string, string>>) {
  const target = await (await account(connection, environment)).target(bucket)
  return [target.origin + target.path, target.region, target.service]
}

const accessPoint = 'arn:aws:s3:eu-west-1:123456789012:accesspoint/mine'

describe('where requests for a bucket go', () => {
  test.each<[string, string, Connection, Record<string, string>, string[]]>([
    [
      'the zonal endpoint of a directory bucket',
      'fast--use1-az4--x-s3',
      {},
      {},
      ['https://fast--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com', 'us-east-1', 's3express'],
    ],
    [
      'the path of a directory bucket at an endpoint that was given',
      'fast--use1-az4--x-s3',
      { endpointUrl: 'http://127.0.0.1:9000' },
      {},
      ['http://127.0.0.1:9000/fast--use1-az4--x-s3', 'us-east-1', 's3express'],
    ],
    ['the bucket’s own host', 'bkt', {}, {}, ['https://bkt.s3.us-east-1.amazonaws.com', 'us-east-1', 's3']],
    [
      'the region of --region',
      'bkt',
      { region: 'eu-west-1' },
      {},
      ['https://bkt.s3.eu-west-1.amazonaws.com', 'eu-west-1', 's3'],
    ],
    [
      'the region of AWS_REGION',
      'bkt',
      {},
      { AWS_REGION: 'eu-north-1' },
      ['https://bkt.s3.eu-north-1.amazonaws.com', 'eu-north-1', 's3'],
    ],
    [
      'the region of the config file',
      'bkt',
      {},
      { AWS_CONFIG_FILE: config },
      ['https://bkt.s3.eu-central-1.amazonaws.com', 'eu-central-1', 's3'],
    ],
    [
      'the region of the profile',
      'bkt',
      { profile: 'other' },
      { AWS_CONFIG_FILE: config },
      ['https://bkt.s3.ap-south-1.amazonaws.com', 'ap-south-1', 's3'],
    ],
    [
      'a path when asked',
      'bkt',
      { pathStyle: true },
      {},
      ['https://s3.us-east-1.amazonaws.com/bkt', 'us-east-1', 's3'],
    ],
    ['a path for a name with dots', 'a.b', {}, {}, ['https://s3.us-east-1.amazonaws.com/a.b', 'us-east-1', 's3']],
    [
      'a path for a name of old',
      'Old_Bucket',
      {},
      {},
      ['https://s3.us-east-1.amazonaws.com/Old_Bucket', 'us-east-1', 's3'],
    ],
    [
      'dual-stack',
      'bkt',
      {},
      { AWS_USE_DUALSTACK_ENDPOINT: 'true' },
      ['https://bkt.s3.dualstack.us-east-1.amazonaws.com', 'us-east-1', 's3'],
    ],
    [
      'FIPS',
      'bkt',
      {},
      { AWS_USE_FIPS_ENDPOINT: 'true' },
      ['https://bkt.s3-fips.us-east-1.amazonaws.com', 'us-east-1', 's3'],
    ],
    ['China', 'bkt', { region: 'cn-north-1' }, {}, ['https://bkt.s3.cn-north-1.amazonaws.com.cn', 'cn-north-1', 's3']],
    [
      'an access point',
      accessPoint,
      { region: 'eu-west-1' },
      {},
      ['https://mine-123456789012.s3-accesspoint.eu-west-1.amazonaws.com', 'eu-west-1', 's3'],
    ],
    [
      'an access point in its own region',
      accessPoint,
      { region: 'us-east-1' },
      {},
      ['https://mine-123456789012.s3-accesspoint.eu-west-1.amazonaws.com', 'eu-west-1', 's3'],
    ],
    [
      'a custom endpoint, by path',
      'bkt',
      { endpointUrl: 'http://127.0.0.1:9000' },
      {},
      ['http://127.0.0.1:9000/bkt', 'us-east-1', 's3'],
    ],
    [
      'a custom endpoint with a path of its own',
      'bkt',
      { endpointUrl: 'https://h/base' },
      {},
      ['https://h/base/bkt', 'us-east-1', 's3'],
    ],
    [
      'a custom endpoint, by host',
      'bkt',
      { endpointUrl: 'http://s3.example:9000', pathStyle: false },
      {},
      ['http://bkt.s3.example:9000', 'us-east-1', 's3'],
    ],
    [
      'the endpoint of AWS_ENDPOINT_URL_S3',
      'bkt',
      {},
      { AWS_ENDPOINT_URL_S3: 'http://h:1' },
      ['http://h:1/bkt', 'us-east-1', 's3'],
    ],
    [
      'the endpoint of AWS_ENDPOINT_URL',
      'bkt',
      {},
      { AWS_ENDPOINT_URL: 'http://h:2' },
      ['http://h:2/bkt', 'us-east-1', 's3'],
    ],
    [
      'the endpoint of the profile',
      'bkt',
      { profile: 'minio' },
      { AWS_CONFIG_FILE: config },
      ['http://minio.example:9000/base/bkt', 'eu-west-3', 's3'],
    ],
    ['IPv6', 'bkt', { endpointUrl: 'http://[::1]:9000' }, {}, ['http://[::1]:9000/bkt', 'us-east-1', 's3']],
  ])('%s', async (_what, bucket, connection, environment, expected) => {
    expect(await where(bucket, connection, environment)).toEqual(expected)
  })

  test('changes with the region that the store names', async () => {
    const target = await (await account({ region: 'us-east-1' })).target('bkt', 'eu-west-1')
    expect([new URL(target.origin).host, target.region]).toEqual(['bkt.s3.eu-west-1.amazonaws.com', 'eu-west-1'])
  })
})

describe('an account', () => {
  test('remembers a custom endpoint, so that a resume reaches the same place', async () => {
    expect(await account({}, { AWS_ENDPOINT_URL_S3: 'http://h:1' })).toMatchObject({
      endpointUrl: 'http://h:1',
      pathStyle: true,
    })
    vi.stubEnv('AWS_ENDPOINT_URL_S3', undefined)
    expect(await account()).toMatchObject({ endpointUrl: undefined, pathStyle: false })
  })

  test('takes the path of an endpoint, but no password, which it does not show', async () => {
    const { endpointUrl } = await account({}, { AWS_ENDPOINT_URL_S3: 'http://h:1/base/' })
    expect(endpointUrl).toBe('http://h:1/base')
    for (const environment of [
      { AWS_ENDPOINT_URL_S3: 'http://user:secret@h:1/' },
      { AWS_ENDPOINT_URL: 'user:secret@h' },
    ]) {
      const error = await account({}, environment).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(UserError)
      expect((error as UserError).message).toMatch(/^(?!.*(?:user:|secret)).*holds a user name or password/)
    }
  })

  test('refuses an endpoint of the environment that is no URL, naming where it may come from', async () => {
    const error = await account({}, { AWS_ENDPOINT_URL: 'localhost:9000' }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UserError)
    expect((error as UserError).hint).toContain('AWS_ENDPOINT_URL')
  })

  test('takes the keys of the environment, of the profile, or none', async () => {
    vi.stubEnv('AWS_CONFIG_FILE', config)
    expect((await account()).credentials.current).toMatchObject({ accessKeyId: 'AKIDENV', secretAccessKey: 'secret' })
    const profile = await account({ profile: 'other' })
    expect(profile.credentials.current).toMatchObject({ accessKeyId: 'AKIDPROFILE', sessionToken: 't' })
    expect((await account({ noSignRequest: true })).credentials.current).toBeUndefined()
  })

  test('says that credentials which are fixed cannot be renewed', async () => {
    expect(await (await account()).credentials.refresh()).toBe('impossible')
    expect(await (await account({ noSignRequest: true })).credentials.refresh()).toBe('impossible')
  })

  test.each([
    ['a multi-region access point', 'arn:aws:s3::123456789012:accesspoint/abc.mrap', {}, /multi-region access point/],
    ['an ARN of something else', 'arn:aws:sns:us-east-1:123456789012:topic', {}, /arn:aws:sns/],
    ['a region that is none', 'bkt', { region: 'no/where' }, /no\/where/],
  ])('refuses %s in one line', async (_what, bucket, connection, message) => {
    const error = await account(connection)
      .then((opened) => opened.target(bucket))
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UserError)
    expect((error as UserError).message).toMatch(message)
    expect((error as UserError).message).not.toMatch(/[\p{Cc}]/u)
    expect((error as UserError).hint).toMatch(/\S/)
  })
})

describe('credentials that are about to expire', () => {
  test('are renewed without a refusal, and whoever signs with them is told', async () => {
    const script = join(folder, 'provider.cjs')
    writeFileSync(
      script,
      `console.log(JSON.stringify({ Version: 1, AccessKeyId: 'AKID' + process.hrtime.bigint(), SecretAccessKey: 's', SessionToken: 't',
        Expiration: new Date(Date.now() + 60e3).toISOString() }))`,
    )
    const turning = join(folder, 'turning')
    writeFileSync(turning, `[profile turning]\ncredential_process = "${process.execPath}" "${script}"\n`)
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const { credentials } = await account({ profile: 'turning' }, { AWS_CONFIG_FILE: turning })
    const first = credentials.current
    const told: unknown[] = []
    credentials.onChange((current) => told.push(current))
    // It is asked every half minute; the provider takes its time.
    for (let tries = 0; told.length === 0 && tries < 1000; tries++) {
      vi.advanceTimersByTime(30_000)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(told.at(-1)).toEqual(credentials.current)
    expect(credentials.current?.accessKeyId).not.toBe(first?.accessKeyId)
  })
})
