import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { UserError } from '../../../src/errors.js'
import type { Connection } from '../../../src/job/connection.js'
import { startSandbox, type Sandbox, type SandboxOptions } from '../../../src/sandbox/server.js'
import { settingsAt } from '../../../src/job/pace.js'
import { openEnds, type OpenStores, type OpenOptions } from '../../../src/storage/open.js'
import { openAccount } from '../../../src/storage/s3/account.js'
import { S3Store } from '../../../src/storage/s3/store.js'
import type { ObjectSummary } from '../../../src/storage/storage.js'
import { selfSigned } from '../../support/certificate.js'
import { s3Stores, storageContract } from '../../support/storage-contract.js'

const keys = { accessKeyId: 'AKIDSANDBOX', secretAccessKey: 'secret/of+sandbox' }
const real = {
  endpoint: process.env.S3MOVE_TEST_ENDPOINT ?? '',
  accessKeyId: process.env.AWS_ACCESS_KEY_ID ?? '',
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY ?? '',
}

const folder = mkdtempSync(join(tmpdir(), 's3move-storage-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The AWS environment as these tests have it, whatever the machine's is. */
function cleanEnvironment(accessKeyId: string, secretAccessKey: string): void {
  for (const name of Object.keys(process.env)) {
    if (/^AWS_|^(?:https?|all|no)_proxy$/i.test(name)) vi.stubEnv(name, undefined)
  }
  vi.stubEnv('AWS_ACCESS_KEY_ID', accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', secretAccessKey)
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'))
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'))
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
}

storageContract('S3Store on the sandbox', async () => {
  cleanEnvironment(keys.accessKeyId, keys.secretAccessKey)
  const sandbox = await startSandbox(keys)
  const stores = await s3Stores({ endpoint: sandbox.url, ...keys, storageClasses: true })
  const close = async (): Promise<void> => {
    await stores.close()
    await sandbox.close()
  }
  return { ...stores, close }
})

// Any S3 store: its URL in S3MOVE_TEST_ENDPOINT, its keys in the AWS environment variables.
if (real.endpoint !== '') {
  storageContract(`S3Store on ${real.endpoint}`, () => {
    cleanEnvironment(real.accessKeyId, real.secretAccessKey)
    return s3Stores({ ...real, storageClasses: process.env.S3MOVE_TEST_STORAGE_CLASSES === 'true' })
  })
}

const closing: (() => unknown)[] = []
beforeEach(() => cleanEnvironment(keys.accessKeyId, keys.secretAccessKey))
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(() => vi.unstubAllEnvs())

async function sandboxed(options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ buckets: ['src:seq:20', 'dst'], ...options })
  closing.push(() => sandbox.close())
  return sandbox
}

async function storeAt(url: string, bucket: string, prefix = ''): Promise<S3Store> {
  const account = await openAccount({ endpointUrl: url }, () => undefined)
  const target = await account.target(bucket)
  const store = new S3Store({ bucket, prefix }, { target, credentials: account.credentials, trust: {} })
  closing.push(() => {
    store.close()
    account.close()
  })
  return store
}

/** A server that answers everything with one body. */
function canned(body: string, status = 200): Promise<string> {
  return serving((_request, response) => response.writeHead(status).end(body))
}

async function serving(answer: RequestListener): Promise<string> {
  const server = createHttpServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const listing = (inside: string) => `<ListBucketResult><EncodingType>url</EncodingType>${inside}</ListBucketResult>`
const contents = (...listed: string[]) =>
  listed.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join('')
const object = (key: string, more: Partial<ObjectSummary> = {}): ObjectSummary => ({
  ...{ key, size: 1, etag: 'e', lastModified: '2024-01-01T00:00:00.000Z', storageClass: 'STANDARD', ...more },
})

describe('a listing', () => {
  test('that is empty and yet truncated goes on at its token', async () => {
    const url = await canned(
      listing(
        '<IsTruncated>true</IsTruncated><KeyCount>0</KeyCount><NextContinuationToken>a+/=</NextContinuationToken>',
      ),
    )
    expect(await (await storeAt(url, 'src')).list({})).toEqual({ objects: [], truncated: true, token: 'a+/=' })
  })

  test('that is empty, truncated and without a token may be tried again', async () => {
    const store = await storeAt(await canned(listing('<IsTruncated>true</IsTruncated>')), 'src')
    await expect(store.list({})).rejects.toMatchObject({ severity: 'retry', code: 'BrokenAnswer' })
  })

  test('that is out of order stops the run, and so does one that goes back behind where it was to begin', async () => {
    const sandbox = await sandboxed({ faults: ['disorder=1'] })
    const stops = {
      severity: 'stop-run',
      code: 'UnorderedListing',
      hint: expect.stringContaining('no key is lost') as string,
    }
    await expect((await storeAt(sandbox.url, 'src')).list({})).rejects.toMatchObject(stops)
    const store = await storeAt(await canned(listing(`<IsTruncated>false</IsTruncated>${contents('a', 'b')}`)), 'src')
    await expect(store.list({ after: 'a' })).rejects.toMatchObject(stops)
    expect((await store.list({})).objects).toHaveLength(2)
    const twice = await storeAt(await canned(listing(`<IsTruncated>false</IsTruncated>${contents('a', 'a')}`)), 'src')
    await expect(twice.list({})).rejects.toMatchObject(stops)
  })

  test('that holds a key of another prefix stops the run, and so does a key that is no UTF-8', async () => {
    const foreign = await storeAt(
      await canned(listing(`<IsTruncated>false</IsTruncated>${contents('p/a', 'q')}`)),
      'src',
      'p/',
    )
    await expect(foreign.list({})).rejects.toMatchObject({ severity: 'stop-run', code: 'ForeignKey' })
    const broken = await storeAt(await canned(listing(`<IsTruncated>false</IsTruncated>${contents('%FF')}`)), 'src')
    await expect(broken.list({})).rejects.toMatchObject({ severity: 'stop-run', code: 'UndecodableKey' })
  })

  test.each([
    ['is cut', listing('<IsTruncated>false</IsTruncated>').slice(0, -5), 'BrokenAnswer', 'retry'],
    ['is empty', '', 'BrokenAnswer', 'retry'],
    ['is HTML', '<html></html>', 'BrokenAnswer', 'retry'],
    ['is an error', '<Error><Code>InternalError</Code><Message>x</Message></Error>', 'InternalError', 'retry'],
    ['is throttled', '<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>', 'SlowDown', 'throttle'],
  ])('with status 200 that %s is understood', async (_what, body, code, severity) => {
    await expect((await storeAt(await canned(body), 'src')).list({})).rejects.toMatchObject({
      code,
      severity,
      status: 200,
    })
  })

  test('refuses a success of another status', async () => {
    const store = await storeAt(await canned('', 204), 'src')
    await expect(store.list({})).rejects.toMatchObject({ severity: 'retry', code: 'BrokenAnswer', status: 204 })
  })
})

describe('a copy', () => {
  test('has its fields in the order in which they are signed, whatever is sent with it', async () => {
    let signed: string[] = []
    const url = await serving(({ headers }, response) => {
      signed = /SignedHeaders=([^,]*)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? []
      response.end('<CopyObjectResult><ETag>&quot;e&quot;</ETag></CopyObjectResult>')
    })
    const account = await openAccount({ endpointUrl: url }, () => undefined)
    const everything = { requestPayer: true, expectedOwner: '1', expectedSourceOwner: '2' }
    const secrets = { customerKey: new Uint8Array(32), customerKeyOfSource: new Uint8Array(32).fill(1) }
    const { credentials } = account
    const options = { target: await account.target('dst'), credentials, trust: {}, ...everything, ...secrets }
    const store = new S3Store({ bucket: 'dst', prefix: '' }, options)
    closing.push(() => {
      store.close()
      account.close()
    })
    expect(await store.copyFrom(store, object('a', { storageClass: 'GLACIER_IR' }))).toBe('e')
    expect(signed).toHaveLength(14)
    expect(signed).toEqual([...signed].sort())
  })

  const copied = async (options: SandboxOptions, key = 'k', more: Partial<ObjectSummary> = {}) => {
    const { url } = await sandboxed(options)
    const from = await storeAt(url, 'src')
    const [first] = (await from.list({ limit: 1 })).objects
    return (await storeAt(url, 'dst')).copyFrom(from, { ...first!, ...(key === 'k' ? {} : { key }), ...more })
  }

  test.each([
    ['copy200err=1', { severity: 'retry', code: 'InternalError', status: 200 }],
    ['copy200empty=1', { severity: 'retry', code: 'BrokenAnswer', status: 200 }],
    ['500=1@CopyObject', { severity: 'retry', code: 'InternalError', status: 500 }],
    ['503=1@CopyObject', { severity: 'throttle', code: 'SlowDown', status: 503 }],
    ['denied=1@CopyObject', { severity: 'fail-object', code: 'AccessDenied', status: 403 }],
    ['expired=1@CopyObject', { severity: 'stop-run', code: 'ExpiredToken', status: 400 }],
    ['reset=1@CopyObject', { severity: 'retry', code: 'ECONNRESET', status: undefined }],
    ['reset-after=1@CopyObject', { severity: 'retry', code: 'ECONNRESET', status: undefined }],
    ['truncate=1@CopyObject', { severity: 'retry' }],
  ])('that meets %s is judged', async (fault, expected) => {
    await expect(copied({ faults: [fault] })).rejects.toMatchObject({
      operation: 'CopyObject',
      bucket: 'dst',
      ...expected,
    })
  })

  test('is understood when white space comes before its answer', async () => {
    await copied({ faults: ['space=1'] })
    await copied({ faults: ['space=1'], seed: 2 })
  })

  test('of an object of more than 5 GiB fails that object', async () => {
    const { url } = await sandboxed({ buckets: ['src:seq:2:big=1', 'dst'] })
    const from = await storeAt(url, 'src')
    const { objects } = await from.list({})
    expect(objects[0]!.size).toBeGreaterThan(5 * 1024 ** 3)
    const failure = (await storeAt(url, 'dst')).copyFrom(from, objects[0]!)
    await expect(failure).rejects.toMatchObject({ severity: 'fail-object', code: 'InvalidRequest' })
  })

  test('of an archived object fails that object', async () => {
    const { url } = await sandboxed({ buckets: ['src:seq:2:glacier=1', 'dst'] })
    const from = await storeAt(url, 'src')
    const [first] = (await from.list({})).objects
    const failure = (await storeAt(url, 'dst')).copyFrom(from, first!)
    await expect(failure).rejects.toMatchObject({ severity: 'fail-object', code: 'InvalidObjectState' })
  })

  test('whose answer is a proxy’s page is no success', async () => {
    const store = await storeAt(await canned('<html>all is well</html>'), 'dst')
    await expect(store.copyFrom(store, object('k'))).rejects.toMatchObject({ severity: 'retry', code: 'BrokenAnswer' })
  })
})

test('restoring says for how many days, if any, and how fast; one that is under way is as good as one that was asked for', async () => {
  const asked: string[] = []
  const url = await serving((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      asked.push(`${String(request.method)} ${String(request.url)} ${body.replace(/ xmlns="[^"]*"/, '')}`)
      const late = asked.length > 1
      response.writeHead(late ? 409 : 202).end(late ? '<Error><Code>RestoreAlreadyInProgress</Code></Error>' : '')
    })
  })
  const { restoring } = await storeAt(url, 'src')
  await restoring!.restore('k', { days: 7, tier: 'expedited' })
  await restoring!.restore('k', { days: undefined, tier: 'standard' }, 'v1')
  const tier = (name: string) => `<GlacierJobParameters><Tier>${name}</Tier></GlacierJobParameters></RestoreRequest>`
  expect(asked).toEqual([
    `POST /src/k?restore= <RestoreRequest><Days>7</Days>${tier('Expedited')}`,
    `POST /src/k?restore=&versionId=v1 <RestoreRequest>${tier('Standard')}`,
  ])
})

describe('credentials that the store calls expired', () => {
  test('are fetched anew, and the request may be tried again whether there are new ones yet or not', async () => {
    const script = join(folder, 'provider.cjs')
    const counter = join(folder, 'counter')
    writeFileSync(
      script,
      `const fs = require('fs'); const n = fs.existsSync(${JSON.stringify(counter)}) ? Number(fs.readFileSync(${JSON.stringify(counter)})) : 0
      fs.writeFileSync(${JSON.stringify(counter)}, String(Math.min(n + 1, 1)))
      console.log(JSON.stringify({ Version: 1, AccessKeyId: 'AKID' + n, SecretAccessKey: 's', SessionToken: 't' + n,
        Expiration: new Date(Date.now() + 3600e3).toISOString() }))`,
    )
    writeFileSync(
      join(folder, 'turning'),
      `[profile turning]\ncredential_process = "${process.execPath}" "${script}"\n`,
    )
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'turning'))
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined)
    const { url } = await sandboxed({ faults: ['expired=1'] })
    const warned: string[] = []
    const account = await openAccount({ endpointUrl: url, profile: 'turning' }, (message) => warned.push(message))
    const target = await account.target('src')
    const store = new S3Store({ bucket: 'src', prefix: '' }, { target, credentials: account.credentials, trust: {} })
    closing.push(() => {
      store.close()
      account.close()
    })
    expect(account.credentials.current?.accessKeyId).toBe('AKID0')
    vi.useFakeTimers({ now: Date.now(), toFake: ['setTimeout', 'clearTimeout'] })
    closing.push(() => vi.useRealTimers())
    await expect(store.list({})).rejects.toMatchObject({ code: 'ExpiredToken', severity: 'retry' })
    expect([account.credentials.current?.accessKeyId, warned]).toEqual(['AKID1', []])
    // Hundreds of requests in flight find out together: the provider is asked once for all of them.
    await Promise.allSettled(Array.from({ length: 20 }, () => store.list({})))
    expect(warned).toEqual([])
    // Others that expire a moment later are renewed at once, and only a provider that has none is left alone for a while.
    writeFileSync(counter, '2')
    vi.advanceTimersByTime(500)
    await expect(store.list({})).rejects.toMatchObject({ code: 'ExpiredToken', severity: 'retry' })
    expect([account.credentials.current?.accessKeyId, warned]).toEqual(['AKID2', []])
    vi.advanceTimersByTime(500)
    const working = readFileSync(script)
    writeFileSync(script, 'process.exit(1)')
    expect(await account.credentials.refresh()).toBe('not-yet')
    writeFileSync(script, working)
    vi.advanceTimersByTime(4_999)
    expect(await account.credentials.refresh()).toBe('not-yet')
    vi.advanceTimersByTime(1)
    expect(await account.credentials.refresh()).toBe('renewed')
  })

  test('are not asked for again because of a request that was signed with those of before', async () => {
    let current = { accessKeyId: 'OLD', secretAccessKey: 's', sessionToken: 'old' }
    const asked: string[] = []
    const url = await serving((_request, response) => {
      current = { ...current, sessionToken: 'new' }
      response.writeHead(400).end('<Error><Code>ExpiredToken</Code><Message>no more</Message></Error>')
    })
    const account = await openAccount({ endpointUrl: url }, () => undefined)
    const credentials = {
      get current() {
        return current
      },
      refresh: () => {
        asked.push(current.sessionToken)
        return Promise.resolve('not-yet' as const)
      },
    }
    const store = new S3Store(
      { bucket: 'src', prefix: '' },
      { target: await account.target('src'), credentials, trust: {} },
    )
    closing.push(() => {
      store.close()
      account.close()
    })
    await expect(store.list({})).rejects.toMatchObject({ code: 'ExpiredToken', severity: 'retry' })
    expect(asked).toEqual([])
    await expect(store.list({})).rejects.toMatchObject({ code: 'ExpiredToken', severity: 'retry' })
    expect(asked).toEqual(['new'])
  })

  test('cannot be renewed when they are keys in the environment, which ends the run', async () => {
    const { url } = await sandboxed({ faults: ['expired=1'] })
    const account = await openAccount({ endpointUrl: url }, () => undefined)
    const target = await account.target('src')
    const store = new S3Store({ bucket: 'src', prefix: '' }, { target, credentials: account.credentials, trust: {} })
    closing.push(() => {
      store.close()
      account.close()
    })
    await expect(store.list({})).rejects.toMatchObject({ code: 'ExpiredToken', severity: 'stop-run' })
  })
})

test('a temporary redirect is not followed, and the next request looks the name up anew, over another connection', async () => {
  const ports: (number | undefined)[] = []
  const url = await serving(({ socket }, response) => {
    ports.push(socket.remotePort)
    if (ports.length === 2) response.writeHead(307, { Location: `${url}/elsewhere` }).end()
    else response.end(listing('<KeyCount>0</KeyCount><IsTruncated>false</IsTruncated>'))
  })
  const store = await storeAt(url, 'src')
  await store.list({})
  await expect(store.list({})).rejects.toMatchObject({ code: 'TemporaryRedirect', severity: 'retry' })
  await store.list({})
  expect(ports).toHaveLength(3)
  expect(ports[1]).toBe(ports[0])
  expect(ports[2]).not.toBe(ports[0])
})

describe('a store that is opened where another one has been', () => {
  test('knows how long answers take there, and so finds a silent server at once', async () => {
    let silent = false
    const url = await serving((_request, response) => {
      if (!silent) response.end(listing('<KeyCount>0</KeyCount><IsTruncated>false</IsTruncated>'))
    })
    const first = await storeAt(url, 'src')
    expect(first.address.usual).toEqual({})
    await first.list({})
    expect(Object.keys(first.address.usual!)).toEqual(['ListObjectsV2'])
    for (let i = 0; i < 100; i++) await first.list({})
    silent = true
    // As an address crosses to a thread.
    const second = new S3Store(first.place, {
      ...structuredClone(first.address),
      credentials: { current: undefined, refresh: () => Promise.resolve('impossible') },
    })
    closing.push(() => second.close())
    // It would be a minute otherwise, longer than a test may take.
    await expect(second.list({})).rejects.toMatchObject({ code: 'ETIMEDOUT', severity: 'retry' })
  })
})

describe('a clock that is wrong', () => {
  test('is corrected by the server’s, and only a server that refuses that as well is believed', async () => {
    let ahead = 30 * 60_000
    const stamps: number[] = []
    const url = await serving((request, response) => {
      const [, y, mo, d, h, mi, s] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(String(request.headers['x-amz-date']))!
      const stamp = Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s))
      stamps.push(stamp)
      const now = Date.now() + ahead
      response.setHeader('date', new Date(now).toUTCString())
      if (Math.abs(stamp - now) > 15 * 60_000 || ahead > 86_400_000) {
        response.statusCode = 403
        response.end('<Error><Code>RequestTimeTooSkewed</Code><Message>too far</Message></Error>')
      } else {
        response.end('<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>')
      }
    })
    const store = await storeAt(url, 'src')
    // All that were under way may be tried again, not only the first that is refused.
    for (const sent of await Promise.allSettled([store.list({}), store.list({}), store.list({})])) {
      expect(sent).toMatchObject({ reason: { code: 'RequestTimeTooSkewed', severity: 'retry' } })
    }
    await expect(store.list({})).resolves.toMatchObject({ objects: [] })
    expect(stamps.at(-1)! - stamps[0]!).toBeGreaterThan(29 * 60_000)
    ahead = 48 * 3_600_000
    await expect(store.list({})).rejects.toMatchObject({ severity: 'retry' })
    await expect(store.list({})).rejects.toMatchObject({ severity: 'stop-run' })
  })

  test('fails no object whose HEAD was refused, without a word, before another answer put the clock right', async () => {
    const methods: string[] = []
    const url = await serving((request, response) => {
      methods.push(String(request.method))
      if (methods.length === 1) response.statusCode = 403
      response.setHeader('etag', '"e"').setHeader('content-length', '0').end()
    })
    await expect((await storeAt(url, 'src')).reading.head('k')).resolves.toMatchObject({ etag: 'e' })
    expect(methods).toEqual(['HEAD', 'GET', 'HEAD'])
  })
})

interface Asked {
  readonly connection?: Connection
  readonly source?: string
  readonly destination?: string
  readonly readOnly?: boolean
  readonly notes?: string[]
  /** Nothing is tried again, so that nobody waits for it. */
  readonly impatient?: boolean
}

async function ends(asked: Asked): Promise<OpenStores> {
  const options: OpenOptions = {
    source: { bucket: asked.source ?? 'src', prefix: '' },
    destination: { bucket: asked.destination ?? 'dst', prefix: '' },
    connection: asked.connection ?? {},
    settings: settingsAt(
      { concurrency: 1, lanes: 1, retryFor: 1000 },
      { threads: 0, nameLocks: new SharedArrayBuffer(0) },
    ),
    giveUp: asked.impatient === true ? AbortSignal.abort() : new AbortController().signal,
    readOnly: asked.readOnly ?? false,
    warn: (message) => asked.notes?.push(message),
    note: (message) => asked.notes?.push(message),
  }
  const opened = await openEnds(options)
  closing.push(() => opened.close())
  return opened
}

/** The refusal that a person reads: one line, something to do next, no stack, no secret. */
async function problem(asked: Asked): Promise<UserError> {
  const error = await ends(asked).then(
    () => expect.unreachable('the ends were opened'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(UserError)
  const { message, hint } = error as UserError
  expect(message).not.toMatch(/[\p{Cc}\p{Zl}]/u)
  expect(message).not.toContain(keys.secretAccessKey)
  expect(hint).toMatch(/\S/)
  return error as UserError
}

describe('opening both ends', () => {
  test('reaches buckets, writes nothing, and counts its requests', async () => {
    const sandbox = await sandboxed(keys)
    const { url } = sandbox
    const opened = await ends({ connection: { endpointUrl: url } })
    expect(opened.connection).toEqual({ endpointUrl: url, pathStyle: true, region: 'us-east-1' })
    expect(opened.meter.requests).toEqual({ ListObjectsV2: 2, CopyObject: 1 })
    expect(opened.source.first).toEqual(await opened.source.store.list({}))
    expect(opened.source.route).toHaveProperty('address.usual.ListObjectsV2')
    expect((await opened.destination!.store.list({})).objects).toEqual([])
    expect(sandbox.stats().copies).toEqual({})
    const [first] = (await opened.source.store.list({ limit: 1 })).objects
    await opened.destination!.store.copyFrom!(opened.source.store, first!)
    expect((await opened.destination!.store.list({})).objects.map(({ key }) => key)).toEqual([first!.key])
  })

  test('sends no write request when it is only to look', async () => {
    const { url } = await sandboxed(keys)
    const opened = await ends({ connection: { endpointUrl: url }, readOnly: true })
    expect(opened.meter.requests).toEqual({ ListObjectsV2: 2, HeadBucket: 1 })
  })

  test('takes the endpoint from AWS_ENDPOINT_URL_S3 and remembers it', async () => {
    const { url } = await sandboxed(keys)
    vi.stubEnv('AWS_ENDPOINT_URL_S3', url)
    expect((await ends({})).connection.endpointUrl).toBe(url)
  })

  test('goes to the region that the store names, and says so', async () => {
    const { url } = await sandboxed({ ...keys, region: 'eu-west-1' })
    const notes: string[] = []
    const opened = await ends({ connection: { endpointUrl: url, region: 'us-east-1' }, notes })
    expect(opened.connection.region).toBe('eu-west-1')
    expect(notes[0]).toContain('eu-west-1')
    expect((await opened.source.store.list({ limit: 2 })).objects).toHaveLength(2)
  })

  test.each<[string, Asked, RegExp, RegExp]>([
    ['a missing source', { source: 'none' }, /^s3:\/\/none: ListObjectsV2 failed: .*NoSuchBucket/, /bucket’s name/],
    [
      'a missing destination',
      { destination: 'none' },
      /^s3:\/\/none: CopyObject failed: .*NoSuchBucket/,
      /bucket’s name/,
    ],
    [
      'a missing destination, only looked at',
      { destination: 'none', readOnly: true },
      /^s3:\/\/none: HeadBucket/,
      /bucket’s name/,
    ],
  ])('refuses %s', async (_what, asked, message, hint) => {
    const { url } = await sandboxed(keys)
    const error = await problem({ ...asked, connection: { endpointUrl: url } })
    expect(error.message).toMatch(message)
    expect(error.hint).toMatch(hint)
  })

  test('refuses a wrong secret key and a wrong access key, each by name', async () => {
    const { url } = await sandboxed(keys)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wrong')
    const secret = await problem({ connection: { endpointUrl: url } })
    expect(secret.message).toContain('SignatureDoesNotMatch')
    expect(secret.hint).toContain('AWS_SECRET_ACCESS_KEY')
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDNOBODY')
    const access = await problem({ connection: { endpointUrl: url } })
    expect(access.message).toContain('InvalidAccessKeyId')
    expect(access.hint).toContain('AWS_ACCESS_KEY_ID')
  })

  test('refuses an expired token', async () => {
    const { url } = await sandboxed({ faults: ['expired=1'] })
    const error = await problem({ connection: { endpointUrl: url } })
    expect(error.message).toContain('ExpiredToken')
    expect(error.hint).toContain('aws sso login')
  })

  test('refuses a destination that may not be written to', async () => {
    const { url } = await sandboxed({ faults: ['denied=1@CopyObject'] })
    const error = await problem({ connection: { endpointUrl: url } })
    expect(error.message).toMatch(/^s3:\/\/dst: CopyObject failed: .*AccessDenied, HTTP 403/)
    expect(error.hint).toContain('s3move check')
  })

  test('refuses to go unsigned where that is not allowed, and does where it is', async () => {
    const closed = await sandboxed(keys)
    const connection = { endpointUrl: closed.url, noSignRequest: true }
    expect((await problem({ connection })).message).toContain('AccessDenied')
    const open = await sandboxed()
    await ends({ connection: { ...connection, endpointUrl: open.url } })
  })

  test('bears a transient fault', async () => {
    const { url } = await sandboxed({ faults: ['503=1/2'], seed: 1 })
    const opened = await ends({ connection: { endpointUrl: url } })
    expect(opened.meter.retried).toBeGreaterThan(0)
  })

  test('refuses an endpoint where nobody listens', async () => {
    const sandbox = await startSandbox({})
    await sandbox.close()
    const error = await problem({ connection: { endpointUrl: sandbox.url }, impatient: true })
    expect(error.message).toMatch(/no answer from 127\.0\.0\.1.*ECONNREFUSED/)
    expect(error.hint).toContain('--endpoint-url')
  })

  test('refuses an endpoint whose name does not exist', async () => {
    const error = await problem({ connection: { endpointUrl: 'http://s3move-test.invalid' }, impatient: true })
    expect(error.message).toMatch(/ENOTFOUND|EAI_AGAIN/)
    expect(error.hint).toContain('look up names')
  })

  test('refuses an endpoint whose certificate nobody vouches for, and trusts it when told to', async () => {
    const tls = selfSigned()
    const { url } = await sandboxed({ tls })
    const error = await problem({ connection: { endpointUrl: url } })
    expect(error.message).toContain('the TLS certificate of 127.0.0.1')
    expect(error.hint).toContain('--ca-bundle')
    const caBundle = join(folder, 'ca.pem')
    writeFileSync(caBundle, tls.cert)
    await ends({ connection: { endpointUrl: url, caBundle } })
    await ends({ connection: { endpointUrl: url, noVerifySsl: true } })
  })

  test('refuses https where http is spoken, and the other way round', async () => {
    const plain = await sandboxed()
    const asTls = await problem({ connection: { endpointUrl: plain.url.replace('http:', 'https:') }, impatient: true })
    expect(asTls.hint).toMatch(/http:\/\/ or https:\/\/|--endpoint-url/)
    const secure = await sandboxed({ tls: selfSigned() })
    await problem({ connection: { endpointUrl: secure.url.replace('https:', 'http:') }, impatient: true })
  })

  test('refuses an endpoint that speaks something else', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end('SSH-2.0-OpenSSH\r\n\r\n'))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => server.close())
    const { port } = server.address() as AddressInfo
    const error = await problem({ connection: { endpointUrl: `http://127.0.0.1:${port}` }, impatient: true })
    expect(error.message).toContain('not HTTP/1.1')
  })

  test('refuses to begin without credentials, naming the ways to give them', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined)
    const { url } = await sandboxed()
    const error = await problem({ connection: { endpointUrl: url, region: 'us-east-1' } })
    expect(error.message).toContain('no AWS credentials')
    expect(error.hint).toContain('--no-sign-request')
  })

  test('refuses a profile that does not exist', async () => {
    const { url } = await sandboxed()
    const error = await problem({ connection: { endpointUrl: url, profile: 'no\u001bbody' } })
    expect(error.message).toContain('there is no profile no\\x1bbody in the AWS config files')
  })

  test('says which profiles there are where the one that is named is none of them', async () => {
    writeFileSync(join(folder, 'two'), '[profile work]\nregion = us-east-1\n[default]\nregion = us-east-1\n')
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'two'))
    const { url } = await sandboxed()
    const error = await problem({ connection: { endpointUrl: url, profile: 'wrok' } })
    expect([error.message, error.hint]).toEqual([
      'there is no profile wrok in the AWS config files',
      'they have: default, work',
    ])
  })
})
