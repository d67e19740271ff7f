import { ListObjectVersionsCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { CREDENTIALS, refusal, run, workFolder } from '../support/cli-program.js'
import { front, type FrontAnswer, type FrontRequest } from '../support/front.js'

interface Told {
  readonly holds: boolean
  readonly findings: readonly {
    readonly side?: string
    readonly what: string
    readonly state: string
    readonly told: string
  }[]
  readonly policy?: { readonly Statement: readonly unknown[] }
}

/** Buckets `src`, with an object, and `dst`, without. */
async function buckets(): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['src', 'dst'] })
  await put(server, 'src', 'a', { Body: 'hello' })
  return server
}

async function check(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const finished = await run(['check', ...args, '--json'], { cwd: await workFolder(), env })
  const told = JSON.parse(finished.stdout) as Told
  const states = new Map(told.findings.map(({ side = 'both', what, state }) => [`${side} ${what}`, state]))
  return { ...finished, ...told, states }
}

const DENIED: FrontAnswer = { status: 403, code: 'AccessDenied' }

describe('check', () => {
  test('finds all that a copy needs, in lines for people, and changes nothing', async () => {
    const server = await buckets()
    const args = ['check', 's3://src', 's3://dst/to/', '--endpoint-url', server.url]
    const { code, stdout, stderr } = await run(args, { cwd: await workFolder() })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^source s3:\/\/src\/\n {2}ok {7}endpoint /)
    expect(stdout).toMatch(/^ {2}ok {7}credentials +AWS_ACCESS_KEY_ID of the environment, key ending in ESTS$/m)
    expect(stdout).toMatch(/^ {2}ok {7}s3:PutObject$/m)
    expect(stdout).toMatch(/copy has all that it needs\n$/)
    expect(stdout).not.toContain(CREDENTIALS.secretAccessKey)
    expect([...(await contentOf(server, 'src')).keys()]).toEqual(['a'])
    expect((await contentOf(server, 'dst')).size).toBe(0)
    const { byOperation } = server.stats()
    expect(Object.keys(byOperation)).not.toEqual(expect.arrayContaining(['CreateMultipartUpload', 'PutObject']))
  })

  test.each([
    [
      'GetObjectTagging',
      'source s3:GetObjectTagging',
      { Action: ['s3:GetObjectTagging'], Resource: 'arn:aws:s3:::src/*' },
    ],
    ['GetObject', 'source s3:GetObject', { Action: ['s3:GetObject'], Resource: 'arn:aws:s3:::src/*' }],
    [
      'AbortMultipartUpload',
      'destination s3:AbortMultipartUpload',
      { Action: ['s3:AbortMultipartUpload'], Resource: 'arn:aws:s3:::dst/to/*' },
    ],
  ] as const)('names %s that is refused, with a policy, and ends with 2', async (operation, what, statement) => {
    const server = await buckets()
    await server.fault('denied', '100%', operation)
    const { code, holds, states, policy } = await check(['s3://src', 's3://dst/to/', '--endpoint-url', server.url])
    expect([code, holds, states.get(what)]).toEqual([2, false, 'no'])
    expect(policy?.Statement).toContainEqual({ Effect: 'Allow', ...statement })
  })

  test('tells a destination that may not be written to from a source that may not be read', async () => {
    const server = await buckets()
    const writes = ({ method, url }: FrontRequest): boolean => method === 'PUT' && url.startsWith('/dst/')
    const { url } = await front(server.port, (asked) => (writes(asked) ? DENIED : undefined))
    const { code, states, policy } = await check(['s3://src', 's3://dst', '--endpoint-url', url])
    expect(code).toBe(2)
    expect([states.get('source s3:GetObject'), states.get('destination s3:PutObject')]).toEqual(['ok', 'no'])
    expect(policy?.Statement).toEqual([{ Effect: 'Allow', Action: ['s3:PutObject'], Resource: 'arn:aws:s3:::dst/*' }])
  })

  test('knows nothing of a bucket whose objects it may neither list nor find', async () => {
    const server = await buckets()
    const listing = ({ url }: FrontRequest): boolean => /[?&]list-type=/.test(url)
    // As AWS: who may not list is not to learn what does not exist.
    const absent = ({ url }: FrontRequest): boolean => /^\/src\/s3move-probe/.test(url)
    const { url } = await front(server.port, (asked) => (listing(asked) || absent(asked) ? DENIED : undefined))
    const { code, states } = await check(['s3://src', '--endpoint-url', url])
    expect(code).toBe(2)
    expect([states.get('source s3:ListBucket'), states.get('source s3:GetObject')]).toEqual(['no', 'unknown'])
    expect(states.get('source s3:PutObject')).toBe('unknown')
  })

  test('asks of a bucket with versions for no deletion, which would leave a marker', async () => {
    const server = await buckets()
    const args = ['s3://src', '--for', 'delete', '--endpoint-url', server.url]
    expect((await check(args)).states.get('source s3:DeleteObject')).toBe('ok')
    for (const Status of ['Enabled', 'Suspended'] as const) {
      await server.s3.send(new PutBucketVersioningCommand({ Bucket: 'src', VersioningConfiguration: { Status } }))
      const { code, states } = await check(args)
      expect([code, states.get('source s3:DeleteObject')]).toEqual([0, 'unknown'])
    }
    const { Versions = [], DeleteMarkers = [] } = await server.s3.send(new ListObjectVersionsCommand({ Bucket: 'src' }))
    expect([Versions.length, DeleteMarkers.length]).toEqual([1, 0])
  })

  test('asks with --for only for what that command needs', async () => {
    const server = await buckets()
    const { states } = await check(['s3://src', '--for', 'ls', '--endpoint-url', server.url])
    expect([...states.keys()].filter((what) => what.includes('s3:'))).toEqual(['source s3:ListBucket'])
  })

  test.each(['InvalidAccessKeyId', 'SignatureDoesNotMatch'])('says that credentials are wrong (%s)', async (code) => {
    const server = await buckets()
    const { url } = await front(server.port, () => ({ status: 403, code }))
    const found = await check(['s3://src', '--endpoint-url', url])
    expect([found.code, found.states.get('source credentials')]).toEqual([2, 'no'])
    expect(found.stdout).toContain(code)
  })

  test('says that there is no such bucket, no such endpoint, no credentials', async () => {
    const server = await buckets()
    const absent = await check(['s3://nowhere', '--endpoint-url', server.url])
    expect([absent.code, absent.states.get('source bucket')]).toEqual([2, 'no'])
    const silent = await check(['s3://src', '--endpoint-url', 'http://127.0.0.1:1'])
    expect([silent.code, silent.states.get('source endpoint')]).toEqual([2, 'no'])
    const unknown = await check(['s3://src', '--profile', 'nobody', '--endpoint-url', server.url])
    expect([unknown.code, unknown.states.get('source configuration')]).toEqual([2, 'no'])
  })

  test('says whose the credentials are, where a token service tells', async () => {
    const server = await buckets()
    const arn = 'arn:aws:iam::111122223333:user/ann\u001b[31m'
    const asked: string[] = []
    const service = createServer(({ url = '', headers }, answer) => {
      asked.push(`${url} ${headers.authorization ?? ''}`)
      answer.end(`<GetCallerIdentityResponse><Arn>${arn}</Arn></GetCallerIdentityResponse>`)
    })
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void service.close())
    const env = { AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${(service.address() as AddressInfo).port}` }
    const args = ['check', 's3://src', '--endpoint-url', server.url]
    const { stdout } = await run(args, { cwd: await workFolder(), env })
    expect(stdout).toContain('identity                       arn:aws:iam::111122223333:user/ann\\x1b[31m\n')
    expect(asked).toEqual([
      expect.stringMatching(/^\/\?Action=GetCallerIdentity.* AWS4-HMAC-SHA256 .*\/sts\/aws4_request/),
    ])
    const { states } = await check(args.slice(1))
    expect(states.get('source identity')).toBe('unknown')
  })

  test('looks at folders', async () => {
    const cwd = await workFolder()
    const { code, states } = await check([`file://${cwd}`, `file://${cwd}-new`, '--for', 'copy'])
    expect([code, states.get('source folder'), states.get('destination folder')]).toEqual([0, 'ok', 'ok'])
    const into = await check([`file://${cwd}-none`, `file:///proc/s3move`])
    expect([into.code, into.states.get('source folder')]).toEqual([2, 'no'])
  })

  test('refuses a second place for what works in one', async () => {
    const cwd = await workFolder()
    refusal(await run(['check', 's3://a', 's3://b', '--for', 'delete'], { cwd }))
  })
})
