import {
  DeleteObjectCommand,
  GetObjectTaggingCommand,
  ListObjectVersionsCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contentOf, expectSame, put, RICH, sandbox, traitsOf, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Finished } from '../support/cli-program.js'
import { front } from '../support/front.js'

const setTags = (server: { readonly url: string }, cwd: string, place: string, ...flags: string[]): Promise<Finished> =>
  run(['set-tags', place, '--endpoint-url', server.url, '--checkpoint', 'run', ...flags], { cwd })

/** The tags of an object, or of a version of it, as `name=value` in the order of names. */
async function tagsOf({ s3 }: TestSandbox, Key: string, VersionId?: string, Bucket = 'box'): Promise<string[]> {
  const { TagSet = [] } = await s3.send(new GetObjectTaggingCommand({ Bucket, Key, VersionId }))
  return TagSet.map((tag) => `${tag.Key}=${tag.Value}`).sort()
}

const sent = (server: TestSandbox, operation: string): number => server.stats().byOperation[operation] ?? 0
const changes = (server: TestSandbox): number => sent(server, 'PutObjectTagging') + sent(server, 'DeleteObjectTagging')

async function ledger(cwd: string): Promise<{ key: string; version?: string; code: string; operation: string }[]> {
  const text = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { key: string; code: string; operation: string })
}

/** Starts a server before that of a port which takes each request about tags for one about the content. */
async function withoutTagging(port: number): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const { method, url = '', headers } = incoming
    const path = url.replace(/[?&]tagging=/, '')
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

const says = (text: string) => expect.stringContaining(text) as string

describe('s3move set-tags s3://bucket', () => {
  test('sets and removes tags and keeps the others, on odd keys, and changes nothing else; again it sends no change', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    const keys = ['a b+c%20', 'ü/\u{1f600}', 'cr\rx', '//two', 'quote\'"<&>', 'folder/']
    for (const key of keys)
      await put(server, 'box', key, { ...RICH, Body: key, Tagging: 'team=red%20one&old=1&%C3%BC=%26' })
    await put(server, 'box', 'archived', { ...RICH, StorageClass: 'GLACIER' })
    const before = await contentOf(server, 'box')
    const traits = (await traitsOf(server, 'box', 'a b+c%20')) as Record<string, unknown>
    const flags = ['--tag', 'team=web & <co>', '--tag', 'née=été 😀', '--remove-tag', 'old', '--remove-tag', 'never']
    const first = await setTags(server, cwd, 's3://box', ...flags, '-v')
    expect([first.code, first.stderr]).toEqual([0, says('finished: 7 objects tagged, none skipped, none failed')])
    expect(first.stderr).toMatch(/^setting tags of s3:\/\/box\/$/m)
    expect(first.stderr).toMatch(/^tagged archived \(0 B\)$/m)
    expect(first.stderr).toMatch(/^ {2}time .* on average [\d,.]+\/s$/m)
    for (const key of keys) expect(await tagsOf(server, key)).toEqual(['née=été 😀', 'team=web & <co>', 'ü=&'])
    expect(await tagsOf(server, 'archived')).toEqual(['née=été 😀', 'sum=1+1', 'team=web & <co>'])
    expectSame(await contentOf(server, 'box'), before)
    expect({ ...((await traitsOf(server, 'box', 'a b+c%20')) as object), tags: traits.tags }).toEqual(traits)
    expect([sent(server, 'CopyObject'), sent(server, 'HeadObject') - 2]).toEqual([0, 0])

    const now = changes(server)
    const again = await setTags(server, cwd, 's3://box', ...flags, '--again')
    expect([again.code, again.stderr]).toEqual([0, says('7 unchanged')])
    expect(changes(server) - now, 'but for the probe').toBe(1)
  })

  test('--tagging replaces all tags, --remove-all-tags leaves none', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'one', { Tagging: 'a=1&b=2' })
    await put(server, 'box', 'right', { Tagging: 'b=2&c=%20x' })
    await put(server, 'box', 'bare')
    const whole = await setTags(server, cwd, 's3://box', '--tagging', 'c=%20x&b=2')
    expect([whole.code, whole.stderr]).toEqual([0, says('2 objects tagged, 1 skipped')])
    for (const key of ['one', 'right', 'bare']) expect(await tagsOf(server, key)).toEqual(['b=2', 'c= x'])
    const none = await setTags(server, cwd, 's3://box', '--remove-all-tags', '--fresh')
    expect([none.code, none.stderr]).toEqual([0, says('3 objects tagged')])
    for (const key of ['one', 'right', 'bare']) expect(await tagsOf(server, key)).toEqual([])
    // The last tag is taken away by the request that costs nothing, too.
    await put(server, 'box', 'one', { Tagging: 'a=1' })
    const deletions = sent(server, 'DeleteObjectTagging')
    expect((await setTags(server, cwd, 's3://box/one', '--remove-tag', 'a', '--fresh')).code).toBe(0)
    expect([await tagsOf(server, 'one'), sent(server, 'DeleteObjectTagging') - deletions]).toEqual([[], 2])
  })

  test('an object that would have more than ten tags fails and stays as it was; the others are done', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    const ten = Array.from({ length: 10 }, (_, n) => `t${n}=${n}`)
    await put(server, 'box', 'full', { Tagging: ten.join('&') })
    await put(server, 'box', 'one')
    const { code, stderr } = await setTags(server, cwd, 's3://box', '--tag', 'more=1')
    expect([code, stderr]).toEqual([3, says('1 object tagged, none skipped, 1 failed')])
    expect(await ledger(cwd)).toMatchObject([{ key: 'full', code: 'TooManyTags', operation: 'GetObjectTagging' }])
    expect(await tagsOf(server, 'full')).toEqual(ten)
    await server.s3.send(new PutObjectTaggingCommand({ Bucket: 'box', Key: 'full', Tagging: { TagSet: [] } }))
    const again = await run(['resume', 'run', '--only-failed', '--endpoint-url', server.url], { cwd })
    expect([again.code, await tagsOf(server, 'full')]).toEqual([0, ['more=1']])
  })

  test('filters choose objects, and a list names them, and versions, without a look at the object', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box:versioned'] })
    for (const key of ['a.jpg', 'b.txt', 'c.jpg']) await put(server, 'box', key, { Body: key })
    await put(server, 'box', 'a.jpg', { Body: 'new' })
    const filtered = await setTags(server, cwd, 's3://box', '--exclude', '*', '--include', '*.jpg', '--tag', 'x=1')
    expect([filtered.code, filtered.stderr]).toEqual([0, says('2 objects tagged, 1 skipped')])
    expect(await tagsOf(server, 'b.txt')).toEqual([])
    const { Versions = [] } = await server.s3.send(new ListObjectVersionsCommand({ Bucket: 'box', Prefix: 'a.jpg' }))
    const older = Versions.find(({ IsLatest }) => IsLatest === false)?.VersionId ?? ''
    await writeFile(
      join(cwd, 'list.ndjson'),
      [{ key: 'a.jpg', versionId: older }, { key: 'c.jpg' }, { key: 'never' }]
        .map((one) => JSON.stringify(one))
        .join('\n'),
    )
    const heads = sent(server, 'HeadObject')
    const listed = await setTags(server, cwd, 's3://box', '--files-from', 'list.ndjson', '--tag', 'y=2', '--fresh')
    expect([listed.code, listed.stderr]).toEqual([3, says('2 objects tagged, none skipped, 1 failed')])
    expect(sent(server, 'HeadObject')).toBe(heads)
    expect(await ledger(cwd)).toMatchObject([{ key: 'never', code: 'NoSuchKey' }])
    expect(await tagsOf(server, 'a.jpg', older)).toEqual(['y=2'])
    expect(await tagsOf(server, 'a.jpg')).toEqual(['x=1'])
    expect(await tagsOf(server, 'c.jpg')).toEqual(['x=1', 'y=2'])
  })

  test('--all-versions changes each version, and lets delete markers be; a key that has only these is left alone', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box:versioned'] })
    for (const Body of ['1', '2', '3']) await put(server, 'box', 'k', { Body, Tagging: `n=${Body}` })
    await server.s3.send(new DeleteObjectCommand({ Bucket: 'box', Key: 'k' }))
    await server.s3.send(new DeleteObjectCommand({ Bucket: 'box', Key: 'marker' }))
    const dry = await setTags(server, cwd, 's3://box', '--all-versions', '--tag', 'n=2', '--dry-run')
    expect([dry.code, dry.stdout]).toEqual([0, says('would set    tags of 1 object')])
    expect(dry.stdout).toMatch(/^requests {5}2 PutObjectTagging; as in this dry run, .*3 GetObjectTagging/m)
    const { code, stderr } = await setTags(server, cwd, 's3://box', '--all-versions', '--tag', 'n=2')
    expect([code, stderr]).toEqual([0, says('1 object tagged, 1 skipped')])
    const { Versions = [], DeleteMarkers = [] } = await server.s3.send(new ListObjectVersionsCommand({ Bucket: 'box' }))
    expect([Versions.length, DeleteMarkers.length]).toEqual([3, 2])
    for (const { VersionId } of Versions) expect(await tagsOf(server, 'k', VersionId)).toEqual(['n=2'])
  })

  test('--dry-run says what would change, and how many requests of which price class, and changes nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'a', { Tagging: 'team=red&tier=1' })
    await put(server, 'box', 'b', { Tagging: 'team=web' })
    const { code, stdout } = await setTags(server, cwd, 's3://box', '--tag', 'team=web', '--remove-tag', 'tier', '-n')
    expect([code, stdout]).toEqual([0, says('would set    tags of 1 object')])
    expect(stdout).toMatch(
      /^requests {5}1 PutObjectTagging; as in this dry run, 2 GetObjectTagging.*\(changes of tags and lists are in the price class of PUT; see docs\/cost.md\)$/m,
    )
    expect(stdout).toContain(
      'set s3://box/a\n               team: "red" -> "web"\n               tier: "1" -> (none)\n',
    )
    expect(await tagsOf(server, 'a')).toEqual(['team=red', 'tier=1'])
    const plan = await run(['plan', 'set-tags', 's3://box', '--tag', 'x=1', '--endpoint-url', server.url], { cwd })
    expect([plan.code, plan.stdout]).toEqual([0, says('would set    tags of 2 objects')])
  })

  test('JSON has a record for each object, and one of what would change', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'a', { Body: 'xyz', Tagging: 'team=red' })
    const rehearsed = await setTags(server, cwd, 's3://box', '--tag', 'team=web', '-n', '--json', '-v')
    const records = rehearsed.stdout.split('\n').filter(Boolean)
    expect(
      records.map((line) => JSON.parse(line) as { type: string }).find(({ type }) => type === 'would-set'),
    ).toMatchObject({
      ...{ key: 'a', changes: [{ name: 'team', from: 'red', to: 'web' }] },
    })
    const { stdout } = await setTags(server, cwd, 's3://box', '--tag', 'team=web', '--json', '-v')
    const told = stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { type: string })
    expect(told.find(({ type }) => type === 'tagged')).toMatchObject({ key: 'a', bytes: 3 })
    expect(told.find(({ type }) => type === 'start')).toMatchObject({
      job: { kind: 'set-tags', set: [['team', 'web']], remove: [] },
    })
  })

  test.each([
    [[], 'nothing to set: no tag was named'],
    [['--tag', 'web'], '--tag web is not NAME=VALUE'],
    [['--tag', 'a=1', '--tag', 'a=2'], '--tag names a tag twice'],
    [['--tag', 'a=1', '--remove-tag', 'a'], 'the tag a is both to be set and to be removed'],
    [['--tag', 'a=1', '--tagging', 'b=2'], '--tag and --remove-tag and --tagging contradict each other'],
    [['--tagging', 'b=2', '--remove-all-tags'], '--tagging and --remove-all-tags contradict each other'],
    [['--tagging', 'b=2&b=3'], '--tagging b=2&b=3 names a tag twice'],
    [['--tag', `${'k'.repeat(129)}=1`], '--tag has a tag that is too long for S3 (128 characters for a name'],
    [Array.from({ length: 11 }, (_, n) => ['--tag', `t${n}=1`]).flat(), '--tag names 11 tags, and S3 keeps 10'],
    [['--tag', 'a=1', '--all-versions', '--files-from', 'list'], '--all-versions does not go with --files-from'],
  ])('%j is refused, before any request', async (flags, message) => {
    const cwd = await workFolder()
    await writeFile(join(cwd, 'list'), 'a\n')
    const finished = await run(['set-tags', 's3://box', '--endpoint-url', 'http://127.0.0.1:9', ...flags], { cwd })
    expect(refusal(finished)).toContain(message)
  })

  test('a store without tags is refused by name before the start, and nothing is written to it', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box:seq:10'], dialect: 'swift' })
    const line = refusal(await setTags(server, cwd, 's3://box', '--tag', 'a=1'))
    expect(line).toMatch(
      /the store of s3:\/\/box does not know tags of objects: .*\(NotImplemented, HTTP 501\)\n.*set-headers/,
    )
    expect((await contentOf(server, 'box')).size).toBe(10)
  })

  test('a store that takes the question for one of the content is not sent any tags: they would replace that', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'small', { Body: 'hello' })
    await put(server, 'box', 'large', { Body: 'x'.repeat(300_000) })
    const before = await contentOf(server, 'box')
    const url = await withoutTagging(server.port)
    const { code } = await setTags({ url }, cwd, 's3://box', '--tag', 'a=1')
    expect(code).toBe(3)
    expect(await ledger(cwd)).toMatchObject([{ code: 'TagsNotSupported' }, { code: 'TagsNotSupported' }])
    expectSame(await contentOf(server, 'box'), before)
  })

  test('what was deleted after it was listed is skipped, and what the listing still shows fails', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'] })
    for (const key of ['a', 'gone', 'z']) await put(server, 'box', key)
    const { url } = await front(server.port, ({ method, url }) => {
      if (method === 'GET' && url.startsWith('/box/gone?tagging')) {
        void server.s3.send(new DeleteObjectCommand({ Bucket: 'box', Key: 'gone' }))
        return { status: 404, code: 'NoSuchKey' }
      }
      return method === 'GET' && url.startsWith('/box/z?tagging') ? { status: 404, code: 'NoSuchKey' } : undefined
    })
    const { code, stderr } = await setTags({ url }, cwd, 's3://box', '--tag', 'a=1')
    expect([code, stderr]).toEqual([3, says('1 object tagged, 1 skipped, 1 failed')])
    expect(stderr).toContain('1 deleted after being listed')
    expect(await ledger(cwd)).toMatchObject([{ key: 'z', code: 'ListedButNotFound' }])
  })

  test('a change whose answer was lost counts as made once it is seen', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'], faults: ['reset-after=20%@PutObjectTagging'] })
    await Promise.all(Array.from({ length: 60 }, (_, n) => put(server, 'box', `k${n}`)))
    const { code, stderr } = await setTags(server, cwd, 's3://box', '--tag', 'a=1', '--retry-for', '1m')
    expect([code, stderr]).toEqual([0, says('60 objects tagged, none skipped, none failed')])
    expect(sent(server, 'PutObjectTagging')).toBeLessThanOrEqual(61)
  })

  test('kill -9 at any point and resume: each object has its tags in the end, and those that it had', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['box'], latency: 'other=1-3' })
    const keys = Array.from({ length: 400 }, (_, n) => `k${n}`)
    await Promise.all(keys.map((key) => put(server, 'box', key, { Tagging: `own=${key}` })))
    const where = ['--endpoint-url', server.url, '--concurrency', '8', '--lanes', '2']
    let args = ['set-tags', 's3://box', '--tag', 'new=1', '--checkpoint', 'run']
    for (const after of [40, 120, 250]) {
      const running = start([...args, ...where], { cwd })
      await until(() => running.isOver() || changes(server) >= after)
      running.kill('SIGKILL')
      await running.finished
      const isSaved = await readFile(join(cwd, 'run/checkpoint.json')).catch(() => undefined)
      if (isSaved !== undefined) args = ['resume', 'run']
    }
    const { code, stderr } = await run([...args, '--endpoint-url', server.url], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringMatching(/finished: [\d,]+ objects tagged, .* none failed/)])
    const tags = await Promise.all(keys.map((key) => tagsOf(server, key)))
    expect(tags).toEqual(keys.map((key) => ['new=1', `own=${key}`]))
  })

  test('check says what it needs, and what is missing', async () => {
    const server = await sandbox({ buckets: ['box'] })
    await put(server, 'box', 'a')
    const { url } = await front(server.port, ({ method, url }) =>
      method === 'DELETE' && url.includes('tagging') ? { status: 403, code: 'AccessDenied' } : undefined,
    )
    const args = ['check', 's3://box', '--for', 'set-tags', '--endpoint-url']
    const good = await run([...args, server.url], { cwd: await workFolder() })
    expect([good.code, good.stdout]).toEqual([0, says('set-tags has all that it needs')])
    const bad = await run([...args, url], { cwd: await workFolder() })
    expect([bad.code, bad.stdout]).toEqual([2, says('set-tags lacks: s3:DeleteObjectTagging on the source')])
  })
})
