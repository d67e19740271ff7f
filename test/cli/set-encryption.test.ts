import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  type HeadObjectCommandOutput,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { asAws } from '../support/as-aws.js'
import { contentOf, expectSame, put, RICH, sandbox, traitsOf, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Finished } from '../support/cli-program.js'
import { front } from '../support/front.js'

const key = (name: string, region = 'us-east-1'): string => `arn:aws:kms:${region}:111122223333:key/${name}`
const KMS = (name: string) => ({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: key(name) }) as const
const SSE_C = { SSECustomerAlgorithm: 'AES256', SSECustomerKey: Buffer.alloc(32, 7).toString('base64') } as const

const setEncryption = (
  server: { readonly url: string },
  cwd: string,
  to: readonly string[] = ['new'],
  ...flags: string[]
): Promise<Finished> =>
  run(
    [
      ...['set-encryption', 's3://box', '--endpoint-url', server.url, '--checkpoint', 'run'],
      ...(to.length === 1 ? ['--sse', 'aws:kms', '--sse-kms-key-id', key(to[0]!)] : to),
      ...flags,
    ],
    { cwd },
  )

const sent = (server: TestSandbox, operation: string): number => server.stats().byOperation[operation] ?? 0
const says = (text: string) => expect.stringContaining(text) as string
const head = ({ s3 }: TestSandbox, Key: string, VersionId?: string): Promise<HeadObjectCommandOutput> =>
  s3.send(new HeadObjectCommand({ Bucket: 'box', Key, VersionId }))
const keyOf = async (server: TestSandbox, name: string, version?: string): Promise<string | undefined> => {
  const { ServerSideEncryption, SSEKMSKeyId, BucketKeyEnabled } = await head(server, name, version)
  if (ServerSideEncryption === undefined) return 'none'
  return [
    SSEKMSKeyId?.split('/').at(-1) ?? ServerSideEncryption,
    ...(BucketKeyEnabled === true ? ['bucket key'] : []),
  ].join(', ')
}

async function ledger(cwd: string): Promise<{ key: string; code: string; operation: string }[]> {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { key: string; code: string; operation: string })
}

/** Starts a server before that of a port which takes a change of encryption for content, as stores do that do not know it. */
async function withoutUpdates(port: number): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const { method, url = '', headers } = incoming
    const path = url.replace(/([?&])encryption=?(&|$)/, '$1').replace(/[?&]$/, '')
    const onward = request({ host: '127.0.0.1', port, method, path, headers }, (back) => {
      outgoing.writeHead(back.statusCode ?? 0, back.headers)
      back.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('s3move set-encryption s3://box', () => {
  test('puts objects under the key, archived ones too, without a copy; all else stays; again it sends no change', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    const objects: Record<string, Partial<PutObjectCommandInput>> = {
      'a b+c%20': {},
      'ü/\u{1f600}': KMS('old'),
      'cr\rx': { ...KMS('old'), BucketKeyEnabled: true },
      archived: { StorageClass: 'DEEP_ARCHIVE' },
      'folder/': {},
    }
    for (const [name, more] of Object.entries(objects)) await put(server, 'box', name, { ...RICH, Body: name, ...more })
    await put(server, 'box', 'right', { Body: 'right', ...KMS('new') })
    const names = Object.keys(objects)
    const before = await Promise.all(names.map((name) => traitsOf(server, 'box', name)))
    const dates = await Promise.all(names.map(async (name) => (await head(server, name)).LastModified))
    const content = await contentOf(server, 'box')
    const first = await setEncryption(server, cwd, ['new'], '-v')
    expect([first.code, first.stderr]).toEqual([0, says('finished: 5 objects encrypted, 1 skipped, none failed')])
    expect(first.stderr).toMatch(/^setting the encryption of s3:\/\/box\/$/m)
    expect(first.stderr).toMatch(/^encrypted archived \(/m)
    const after = await Promise.all(names.map((name) => traitsOf(server, 'box', name)))
    expect(after).toEqual(
      before.map((traits) => ({ ...(traits as object), ServerSideEncryption: 'aws:kms', SSEKMSKeyId: key('new') })),
    )
    expect(await keyOf(server, 'cr\rx'), 'a bucket key stays').toBe('new, bucket key')
    expect(await Promise.all(names.map(async (name) => (await head(server, name)).LastModified))).toEqual(dates)
    expectSame(await contentOf(server, 'box'), content)
    expect(sent(server, 'CopyObject')).toBe(0)

    const [updates, heads] = [sent(server, 'UpdateObjectEncryption'), sent(server, 'HeadObject')]
    const again = await setEncryption(server, cwd, ['new'], '--again')
    expect([again.code, again.stderr]).toEqual([0, says('6 unchanged')])
    expect(
      [sent(server, 'UpdateObjectEncryption') - updates, sent(server, 'HeadObject') - heads],
      'but for the probes',
    ).toEqual([2, 6])
  })

  test('--bucket-key and --no-bucket-key change what is under the key already', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'a', KMS('new'))
    expect((await setEncryption(server, cwd, ['new'], '--bucket-key')).code).toBe(0)
    expect(await keyOf(server, 'a')).toBe('new, bucket key')
    expect((await setEncryption(server, cwd, ['new'], '--no-bucket-key', '--fresh')).code).toBe(0)
    expect(await keyOf(server, 'a')).toBe('new')
  })

  test('what S3 cannot change without a copy is skipped, each for its reason; --rewrite-others copies what that helps', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box:unencrypted'] })
    await put(server, 'box', 'plain', { ...RICH, Body: 'plain' })
    await put(server, 'box', 'twice', {
      ...RICH,
      Body: 'twice',
      ServerSideEncryption: 'aws:kms:dsse',
      SSEKMSKeyId: key('old'),
    })
    await put(server, 'box', 'yours', { Body: 'yours', ...SSE_C })
    await put(server, 'box', 'cold', { Body: 'cold', StorageClass: 'GLACIER' })
    await put(server, 'box', 's3', { Body: 's3', ServerSideEncryption: 'AES256' })
    const plain = await traitsOf(server, 'box', 'plain')
    const first = await setEncryption(server, cwd)
    expect([first.code, first.stderr]).toEqual([0, says('1 object encrypted, 4 skipped')])
    for (const reason of ['2 not encrypted', '1 encrypted twice, DSSE-KMS', '1 encrypted with a customer’s key'])
      expect(first.stderr).toContain(reason)
    expect(await Promise.all(['plain', 'twice', 's3'].map((name) => keyOf(server, name)))).toEqual([
      'none',
      'old',
      'new',
    ])

    const dry = await setEncryption(server, cwd, ['new'], '--rewrite-others', '-n')
    // That it is archived, a store other than AWS tells by its refusal alone.
    expect(dry.stdout).toMatch(/^requests {5}3 CopyObject,/m)
    const others = await setEncryption(server, cwd, ['new'], '--rewrite-others', '--fresh')
    expect([others.code, others.stderr]).toEqual([0, says('2 objects encrypted, 3 skipped')])
    expect(others.stderr).toContain('1 archived, to be restored first')
    expect(await Promise.all(['plain', 'twice', 's3'].map((name) => keyOf(server, name)))).toEqual([
      'new',
      'new',
      'new',
    ])
    expect(await traitsOf(server, 'box', 'plain')).toEqual({
      ...(plain as object),
      ...{ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: key('new') },
    })
    const { Body } = await server.s3.send(new GetObjectCommand({ Bucket: 'box', Key: 'plain' }))
    expect(await Body!.transformToString()).toBe('plain')
  })

  test('AES256 takes a rewrite, and is said to', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'a', { Body: 'a', ...KMS('old') })
    await put(server, 'box', 'right', { Body: 'b' })
    expect(refusal(await setEncryption(server, cwd, ['--sse', 'AES256']))).toContain(
      'only by a copy of the object onto itself',
    )
    const { code, stderr } = await setEncryption(server, cwd, ['--sse', 'AES256', '--rewrite-others'])
    expect([code, stderr]).toEqual([0, says('1 object encrypted, 1 skipped')])
    expect([await keyOf(server, 'a'), await keyOf(server, 'right')]).toEqual(['AES256', 'AES256'])
    expect(sent(server, 'UpdateObjectEncryption')).toBe(0)
  })

  test('an inventory that tells how objects are encrypted saves the look: what is right costs nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box:unencrypted'] })
    const listed = {
      right: ['SSE-KMS', key('new')],
      other: ['SSE-KMS', key('old')],
      s3: ['SSE-S3', ''],
      plain: ['NOT-SSE', ''],
      twice: ['DSSE-KMS', key('old')],
      yours: ['SSE-C', ''],
      // Since the list was made, somebody has written it without encryption.
      stale: ['SSE-S3', ''],
      untold: ['', ''],
    } as const
    for (const name of Object.keys(listed)) await put(server, 'box', name, { Body: name })
    await put(server, 'box', 'other', KMS('old'))
    for (const name of ['s3', 'untold']) await put(server, 'box', name, { ServerSideEncryption: 'AES256' })
    const rows = Object.entries(listed).map(([name, [status, arn]]) => `box,${name},${status},${arn},false`)
    await writeFile(
      join(cwd, 'list.csv'),
      ['bucket,key,encryption_status,kms_key_arn,is_bucket_key_enabled', ...rows].join('\n'),
    )
    const { code, stderr } = await setEncryption(server, cwd, ['new'], '--files-from', 'list.csv')
    expect([code, stderr]).toEqual([0, says('3 objects encrypted, 5 skipped, none failed')])
    for (const reason of ['1 unchanged', '2 not encrypted', '1 encrypted twice', '1 encrypted with a customer'])
      expect(stderr).toContain(reason)
    expect(sent(server, 'HeadObject'), 'of what is not told, and of what is refused').toBe(2)
    expect(await Promise.all(['other', 's3', 'untold'].map((name) => keyOf(server, name)))).toEqual([
      'new',
      'new',
      'new',
    ])
  })

  test('--all-versions changes each version, and lets delete markers be', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box:versioned'] })
    for (const Body of ['1', '2', '3']) await put(server, 'box', 'k', { Body, ...KMS(Body) })
    await put(server, 'box', 'mixed', { Body: '1', ServerSideEncryption: 'aws:kms:dsse', SSEKMSKeyId: key('old') })
    await put(server, 'box', 'mixed', { Body: '2' })
    await server.s3.send(new DeleteObjectCommand({ Bucket: 'box', Key: 'k' }))
    const { code, stderr } = await setEncryption(server, cwd, ['2'], '--all-versions')
    expect([code, stderr]).toEqual([0, says('1 object encrypted, 1 skipped')])
    expect(stderr).toContain('1 encrypted twice')
    const { Versions = [] } = await server.s3.send(new ListObjectVersionsCommand({ Bucket: 'box' }))
    const found = await Promise.all(
      Versions.map(async (one) => `${one.Key} ${await keyOf(server, one.Key!, one.VersionId)}`),
    )
    expect(found).toEqual(['k 2', 'k 2', 'k 2', 'mixed 2', 'mixed old'])
  })

  test('--dry-run says what would change and what that costs, and changes nothing; the plan prices requests alone', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'a', { Body: Buffer.alloc(2 ** 20), StorageClass: 'STANDARD_IA', ...KMS('old') })
    const { code, stdout } = await setEncryption(server, cwd, ['new'], '-n')
    expect([code, stdout]).toEqual([0, says('would set    the encryption of 1 object, 1.0 MiB, in s3://box/')])
    expect(stdout).toMatch(/^requests {5}1 UpdateObjectEncryption; as in this dry run, 1 HeadObject/m)
    expect(stdout).toContain(`KMS key: "${key('old')}" -> "${key('new')}"`)
    const flags = ['--sse', 'aws:kms', '--sse-kms-key-id', key('new'), '--endpoint-url', server.url, '--json']
    const planned = await run(['plan', 'set-encryption', 's3://box', ...flags], { cwd })
    const { cost, groups } = JSON.parse(planned.stdout.trim().split('\n').at(-1)!) as {
      cost: { rows: { kind: string; what: string; amount?: number }[] }
      groups: { fate: string }[]
    }
    expect(groups.map(({ fate }) => fate)).toEqual(['updated'])
    expect([...new Set(cost.rows.map(({ kind }) => kind))].sort()).toEqual(['kms', 'requests'])
    expect(cost.rows.find(({ what }) => what.includes('UpdateObjectEncryption (STANDARD_IA)'))?.amount).toBe(1)
    expect(await keyOf(server, 'a')).toBe('old')
  })

  test.each([
    [[], 'nothing to set: no encryption was named'],
    [['--sse', 'aws:kms'], 'no key was named: S3 takes the whole ARN'],
    [['--sse', 'aws:kms', '--sse-kms-key-id', 'alias/mine'], '--sse-kms-key-id alias/mine is no ARN of a key'],
    [['--sse', 'aws:kms:dsse'], 'S3 changes nothing to aws:kms:dsse in place'],
    [['--sse', 'AES256', '--rewrite-others', '--sse-kms-key-id', 'x'], '--sse-kms-key-id is for --sse aws:kms'],
    [['--sse', 'aws:kms', '--sse-kms-key-id', key('k'), '--reset-acl'], 'access control lists stay as they are'],
    [
      ['--sse', 'aws:kms', '--sse-kms-key-id', key('k'), '--rewrite-others', '--all-versions'],
      '--all-versions does not go with --rewrite-others',
    ],
  ])('%j is refused before any request', async (flags, message) => {
    const finished = await run(['set-encryption', 's3://box', '--endpoint-url', 'http://127.0.0.1:9', ...flags], {
      cwd: await workFolder(),
    })
    expect(refusal(finished)).toContain(message)
  })

  test.each([
    ['missing', 'does not take the key', 'KMS.NotFoundException'],
    ['disabled', 'does not take the key', 'KMS.DisabledException'],
    ['denied', 'UpdateObjectEncryption failed: Access Denied', 'AccessDenied'],
  ])('a key that S3 refuses (%s) ends it with one line, and nothing is touched', async (name, message, code) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'a')
    const { env, aws } = await asAws(server)
    const flags = ['--sse', 'aws:kms', '--sse-kms-key-id', key(name)]
    const line = refusal(await run(['set-encryption', 's3://box', ...flags, ...aws], { cwd, env }))
    expect(line).toContain(message)
    expect(line).toContain(code)
    expect([await keyOf(server, 'a'), sent(server, 'UpdateObjectEncryption')]).toEqual(['AES256', 1])
  })

  test('a key of another Region is named', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    const { env, aws } = await asAws(server)
    const flags = ['--sse', 'aws:kms', '--sse-kms-key-id', key('k', 'eu-west-1')]
    expect(refusal(await run(['set-encryption', 's3://box', ...flags, ...aws], { cwd, env }))).toContain('eu-west-1')
  })

  test.each([
    [{ status: 501, code: 'NotImplemented' }, 'NotImplemented, HTTP 501'],
    [{ status: 405, code: 'MethodNotAllowed' }, 'MethodNotAllowed, HTTP 405'],
    [{ status: 404, code: 'NoSuchUpload' }, 'NoSuchUpload, HTTP 404'],
  ])('a store that answers %j is refused by name before the start', async (answer, told) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box:seq:3'] })
    const { url } = await front(server.port, ({ url }) => (url.includes('encryption') ? answer : undefined))
    const line = refusal(await setEncryption({ url }, cwd))
    expect(line).toContain('does not know UpdateObjectEncryption')
    expect(line).toContain(told)
  })

  test('a store that takes the request for content is never sent one for an object: it would replace that', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'a', { Body: 'hello' })
    const before = await contentOf(server, 'box')
    const line = refusal(await setEncryption({ url: await withoutUpdates(server.port) }, cwd))
    expect(line).toContain('does not know UpdateObjectEncryption')
    expectSame(await contentOf(server, 'box'), before)
    expect(sent(server, 'PutObject')).toBe(1)
  })

  test('what was deleted after it was listed is skipped', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    for (const name of ['a', 'gone', 'z']) await put(server, 'box', name)
    const { url } = await front(server.port, ({ method, url }) => {
      if (method !== 'PUT' || !url.startsWith('/box/gone?encryption')) return undefined
      void server.s3.send(new DeleteObjectCommand({ Bucket: 'box', Key: 'gone' }))
      return { status: 404, code: 'NoSuchKey' }
    })
    const { code, stderr } = await setEncryption({ url }, cwd)
    expect([code, stderr]).toEqual([0, says('2 objects encrypted, 1 skipped')])
    expect(stderr).toContain('1 deleted after being listed')
  })

  test('what fails is in the ledger, and is done once it can be', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    for (const name of ['a', 'b']) await put(server, 'box', name)
    const { url } = await front(server.port, ({ method, url }) =>
      method === 'PUT' && url.startsWith('/box/b?encryption') ? { status: 403, code: 'AccessDenied' } : undefined,
    )
    const { code, stderr } = await setEncryption({ url }, cwd)
    expect([code, stderr]).toEqual([3, says('1 object encrypted, none skipped, 1 failed')])
    expect(await ledger(cwd)).toMatchObject([{ key: 'b', code: 'AccessDenied', operation: 'UpdateObjectEncryption' }])
    const again = await run(['resume', 'run', '--only-failed', '--endpoint-url', server.url], { cwd })
    expect([again.code, await keyOf(server, 'b')]).toEqual([0, 'new'])
  })

  test('kill -9 at any point and resume: each object is under the key in the end, with all that it had', async () => {
    const cwd = await workFolder()
    const server = await sandbox({
      buckets: ['box'],
      latency: 'other=1-3',
      faults: ['reset-after=5%@UpdateObjectEncryption'],
    })
    const names = Array.from({ length: 300 }, (_, n) => `k${n}`)
    await Promise.all(names.map((name) => put(server, 'box', name, { Body: name, Tagging: `own=${name}` })))
    const before = await Promise.all(names.map((name) => traitsOf(server, 'box', name)))
    const where = ['--endpoint-url', server.url, '--concurrency', '8', '--lanes', '2']
    let args = ['set-encryption', 's3://box', '--sse', 'aws:kms', '--sse-kms-key-id', key('new'), '--checkpoint', 'run']
    for (const after of [40, 120, 220]) {
      const running = start([...args, ...where], { cwd })
      await until(() => running.isOver() || sent(server, 'UpdateObjectEncryption') >= after)
      running.kill('SIGKILL')
      await running.finished
      const isSaved = await readFile(join(cwd, 'run/checkpoint.json')).catch(() => undefined)
      if (isSaved !== undefined) args = ['resume', 'run']
    }
    const { code, stderr } = await run([...args, '--endpoint-url', server.url], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringMatching(/finished: [\d,]+ objects encrypted, .* none failed/)])
    const after = await Promise.all(names.map((name) => traitsOf(server, 'box', name)))
    expect(after).toEqual(
      before.map((traits) => ({ ...(traits as object), ServerSideEncryption: 'aws:kms', SSEKMSKeyId: key('new') })),
    )
  })
})
