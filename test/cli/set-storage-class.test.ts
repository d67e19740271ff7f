import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ListObjectVersionsCommand, RestoreObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { asAws } from '../support/as-aws.js'
import { contentOf, put, RICH, sandbox, traitsOf, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Finished } from '../support/cli-program.js'
import { front } from '../support/front.js'

const setClass = (
  server: { readonly url: string },
  cwd: string,
  storageClass: string,
  ...flags: string[]
): Promise<Finished> =>
  run(
    [
      ...['set-storage-class', 's3://box', '--storage-class', storageClass, '--endpoint-url', server.url],
      ...['--checkpoint', 'run', ...flags],
    ],
    { cwd },
  )

const sent = (server: TestSandbox, operation: string): number => server.stats().byOperation[operation] ?? 0
const says = (text: string) => expect.stringContaining(text) as string
const classesOf = async (server: TestSandbox): Promise<Record<string, string>> =>
  Object.fromEntries([...(await contentOf(server, 'box'))].map(([key, { storageClass }]) => [key, storageClass]))

describe('s3move set-storage-class s3://box', () => {
  test('gives objects the class, and keeps content, headers, metadata and tags; what has it costs no request', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    const keys = ['a b+c%20', 'ü/\u{1f600}', 'cr\rx', '//two']
    for (const key of keys) await put(server, 'box', key, { ...RICH, Body: key, WebsiteRedirectLocation: '/x' })
    await put(server, 'box', 'right', { ...RICH, Body: 'right', StorageClass: 'GLACIER_IR' })
    await put(server, 'box', 'folder/')
    const before = await Promise.all(keys.map((key) => traitsOf(server, 'box', key)))
    const content = await contentOf(server, 'box')
    const first = await setClass(server, cwd, 'GLACIER_IR', '-v')
    expect([first.code, first.stderr]).toEqual([0, says('finished: 4 objects rewritten, 2 skipped, none failed')])
    expect(first.stderr).toMatch(/^setting the storage class of s3:\/\/box\/$/m)
    expect(first.stderr).toContain('1 folder marker, 1 unchanged')
    const after = await Promise.all(keys.map((key) => traitsOf(server, 'box', key)))
    expect(after).toEqual(before.map((traits) => ({ ...(traits as object), StorageClass: 'GLACIER_IR' })))
    const moved = [...content].map(([key, listed]) => [
      key,
      { ...listed, ...(key === 'folder/' ? {} : { storageClass: 'GLACIER_IR' }) },
    ])
    expect([...(await contentOf(server, 'box'))]).toEqual(moved)

    const heads = sent(server, 'HeadObject')
    const copies = sent(server, 'CopyObject')
    const again = await setClass(server, cwd, 'GLACIER_IR', '--again')
    expect([again.code, again.stderr]).toEqual([0, says('5 unchanged')])
    expect([sent(server, 'HeadObject') - heads, sent(server, 'CopyObject') - copies - 2], 'but for the probes').toEqual(
      [0, 0],
    )
  })

  test('back to STANDARD, folder markers where they are asked for', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'a', { Body: 'a', StorageClass: 'STANDARD_IA' })
    await put(server, 'box', 'f/', { StorageClass: 'STANDARD_IA' })
    const { code } = await setClass(server, cwd, 'STANDARD', '--folder-markers')
    expect([code, await classesOf(server)]).toEqual([0, { a: 'STANDARD', 'f/': 'STANDARD' }])
  })

  test('what is archived is skipped for that reason, until it is restored', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'cold', { Body: 'x', StorageClass: 'DEEP_ARCHIVE' })
    await put(server, 'box', 'restored', { Body: 'y', StorageClass: 'GLACIER' })
    await server.s3.send(new RestoreObjectCommand({ Bucket: 'box', Key: 'restored', RestoreRequest: { Days: 2 } }))
    const { code, stderr } = await setClass(server, cwd, 'STANDARD_IA')
    expect([code, stderr]).toEqual([0, says('1 object rewritten, 1 skipped')])
    expect(stderr).toContain('1 archived, to be restored first')
    expect(await classesOf(server)).toEqual({ cold: 'DEEP_ARCHIVE', restored: 'STANDARD_IA' })
  })

  test('filters choose, lists name; an object in a bucket with lists needs a word about them', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box:acl'] })
    for (const key of ['a.log', 'b.txt', 'c.log']) await put(server, 'box', key, { Body: key, ACL: 'public-read' })
    expect(refusal(await setClass(server, cwd, 'STANDARD_IA'))).toContain('has access control lists')
    await writeFile(join(cwd, 'list'), 'a.log\nb.txt\n')
    const flags = ['--files-from', 'list', '--preserve', 'acl', '--exclude', '*', '--include', '*.log']
    const { code, stderr } = await setClass(server, cwd, 'STANDARD_IA', ...flags)
    expect([code, stderr]).toEqual([0, says('1 object rewritten, 1 skipped')])
    expect(await classesOf(server)).toEqual({ 'a.log': 'STANDARD_IA', 'b.txt': 'STANDARD', 'c.log': 'STANDARD' })
  })

  test('a dry run and a plan tell old and new classes, early deletion, retrieval and what it costs then, and change nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'ia', { Body: Buffer.alloc(2 ** 20), StorageClass: 'STANDARD_IA' })
    await put(server, 'box', 'std', { Body: Buffer.alloc(2 ** 20) })
    const dry = await setClass(server, cwd, 'GLACIER_IR', '-n')
    expect([dry.code, dry.stdout]).toEqual([
      0,
      says('would set    the storage class of 2 objects, 2.0 MiB, in s3://box/'),
    ])
    expect(dry.stdout).toContain('x-amz-storage-class: "STANDARD_IA" -> "GLACIER_IR"')
    const args = [
      'plan',
      'set-storage-class',
      's3://box',
      '--storage-class',
      'GLACIER_IR',
      '--endpoint-url',
      server.url,
      '--json',
    ]
    const { stdout } = await run(args, { cwd })
    const plan = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
      cost: { rows: { kind: string; storageClass?: string; amount?: number; paid: string }[] }
      groups: unknown[]
    }
    const row = (kind: string) => plan.cost.rows.filter((one) => one.kind === kind)
    expect(row('early-deletion')).toMatchObject([{ storageClass: 'STANDARD_IA', paid: 'once' }])
    expect(row('retrieval')).toMatchObject([{ storageClass: 'STANDARD_IA', amount: 2 ** -10 }])
    expect(row('storage')).toMatchObject([
      { storageClass: 'GLACIER_IR', paid: 'monthly', amount: 2 ** -10 },
      { storageClass: 'GLACIER_IR', paid: 'monthly', amount: 2 ** -10 },
    ])
    expect(await classesOf(server)).toEqual({ ia: 'STANDARD_IA', std: 'STANDARD' })
  })

  test('where versions are kept it is said that the old ones stay, and they do', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box:versioned'] })
    await put(server, 'box', 'a', { Body: 'a' })
    const { code, stderr } = await setClass(server, cwd, 'STANDARD_IA')
    expect([code, stderr]).toEqual([0, says('keeps versions')])
    const { Versions = [] } = await server.s3.send(new ListObjectVersionsCommand({ Bucket: 'box' }))
    expect(Versions.map(({ StorageClass }) => StorageClass)).toEqual(['STANDARD_IA', 'STANDARD'])
  })

  test.each([
    [[], 'nothing to set: no storage class was named'],
    [['--storage-class', 'glacier ir'], '--storage-class cannot be glacier ir'],
  ])('%j is refused before any request', async (flags, message) => {
    const finished = await run(['set-storage-class', 's3://box', '--endpoint-url', 'http://127.0.0.1:9', ...flags], {
      cwd: await workFolder(),
    })
    expect(refusal(finished)).toContain(message)
  })

  test('a class that the store does not have fails each object, which stays as it was; AWS is told to have none', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'a', { Body: 'a' })
    const { code, stderr } = await setClass(server, cwd, 'LUKEWARM')
    expect([code, stderr, await classesOf(server)]).toEqual([3, says('1 InvalidStorageClass'), { a: 'STANDARD' }])
    const { env, aws } = await asAws(server)
    const args = ['set-storage-class', 's3://box', '--storage-class', 'GLACIER_IRR', '--checkpoint', 'aws', ...aws]
    const warned = await run(args, { cwd, env })
    expect(warned.stderr).toContain(
      'none that AWS is known to have, and it may refuse each copy; did you mean GLACIER_IR?',
    )
  })

  test('what somebody writes between look and rewrite stays as they wrote it, and gets the class', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'a', { Body: 'old' })
    let raced = false
    const { url } = await front(server.port, ({ method, url, headers }) => {
      if (method === 'PUT' && url === '/box/a' && headers['x-amz-copy-source'] !== undefined && !raced) {
        raced = true
        return { status: 412, code: 'PreconditionFailed' }
      }
      return undefined
    })
    const { code } = await setClass({ url }, cwd, 'STANDARD_IA')
    expect([code, raced, await classesOf(server)]).toEqual([0, true, { a: 'STANDARD_IA' }])
  })

  test('kill -9 at any point and resume: each object has the class in the end, and all that it had', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'], latency: 'copy=1-3' })
    const keys = Array.from({ length: 300 }, (_, n) => `k${n}`)
    await Promise.all(
      keys.map((key) => put(server, 'box', key, { Body: key, Tagging: `own=${key}`, CacheControl: key })),
    )
    const before = await Promise.all(keys.map((key) => traitsOf(server, 'box', key)))
    const where = ['--endpoint-url', server.url, '--concurrency', '8', '--lanes', '2']
    let args = ['set-storage-class', 's3://box', '--storage-class', 'STANDARD_IA', '--checkpoint', 'run']
    for (const after of [40, 120, 220]) {
      const running = start([...args, ...where], { cwd })
      await until(() => running.isOver() || sent(server, 'CopyObject') >= after)
      running.kill('SIGKILL')
      await running.finished
      const isSaved = await readFile(join(cwd, 'run/checkpoint.json')).catch(() => undefined)
      if (isSaved !== undefined) args = ['resume', 'run']
    }
    const { code, stderr } = await run([...args, '--endpoint-url', server.url], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringMatching(/finished: [\d,]+ objects rewritten, .* none failed/)])
    const after = await Promise.all(keys.map((key) => traitsOf(server, 'box', key)))
    expect(after).toEqual(before.map((traits) => ({ ...(traits as object), StorageClass: 'STANDARD_IA' })))
  })
})
