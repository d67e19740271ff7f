import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeleteObjectCommand, GetObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { contentOf, expectSame, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Finished } from '../support/cli-program.js'

const args = (server: TestSandbox, ...more: string[]) =>
  ['sync', 's3://aaa/in/', 's3://bbb', '--endpoint-url', server.url, '--checkpoint', 'run', ...more] as const
const asked = (server: TestSandbox, operation: string) => server.stats().byOperation[operation as 'HeadObject'] ?? 0

async function bodyOf(server: TestSandbox, Bucket: string, Key: string): Promise<string> {
  return (await server.s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString()
}

async function totalsOf(cwd: string): Promise<Record<string, unknown>> {
  return (JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')) as { totals: Record<string, unknown> })
    .totals
}

const finished = (result: Finished, headline: string, code = 0) =>
  expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(headline) as string])

describe('s3move sync s3://aaa/in/ s3://bbb', () => {
  test('copies what is missing or different, and then nothing, at the cost of listings alone', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['aaa', 'bbb'] })
    for (const key of ['same', 'other size', 'other content', 'missing', 'odd\n\u001b[2J', '//../x', 'empty']) {
      await put(server, 'aaa', `in/${key}`, { Body: key === 'empty' ? '' : `${key} 12` })
    }
    await put(server, 'aaa', 'inside', { Body: 'not below the prefix' })
    await put(server, 'bbb', 'same', { Body: 'same 12' })
    await put(server, 'bbb', 'other size', { Body: 'x' })
    await put(server, 'bbb', 'other content', { Body: 'OTHER CONTENT 12' })
    await put(server, 'bbb', 'empty', { Body: '' })
    await put(server, 'bbb', 'extra', { Body: 'extra' })
    const first = await run(args(server), { cwd })
    finished(first, 'finished: 5 objects copied, 3 skipped, none failed')
    expect(first.stderr).toMatch(/^syncing s3:\/\/aaa\/in\/ to s3:\/\/bbb\/$/m)
    expect(first.stderr).toMatch(/skipped.*2 unchanged, 1 only at the destination/)
    // One pair of different MD5s was looked at, one that is listed as empty, one object for what copies would lose, and three copies with their sources.
    expect(asked(server, 'HeadObject')).toBe(5 + 3 * 2)
    const there = await contentOf(server, 'bbb')
    expect([...there.keys()]).toContain('extra')
    there.delete('extra')
    expectSame(there, await contentOf(server, 'aaa', 'in/'), (key) => key.slice(3))
    const [copies, lists, all] = [asked(server, 'CopyObject'), asked(server, 'ListObjectsV2'), server.stats().requests]
    finished(await run(args(server), { cwd }), 'finished: none copied, 8 skipped'.replace('none', '0 objects'))
    // The probe of the preflight is the only copy; one object and two settings of the bucket tell what copies would lose. What is listed as empty is
    // looked at on both sides.
    expect(asked(server, 'CopyObject')).toBe(copies + 1)
    expect(server.stats().requests - all).toBe(asked(server, 'ListObjectsV2') - lists + 6)
  })

  test('where ETags say nothing it is copied when the source is newer', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:300:size=10,prefix=in/', 'bbb'] })
    const place = ['sync', 's3://src/in/', 's3://bbb', '--endpoint-url', server.url, '--checkpoint', 'run'] as const
    finished(await run(place, { cwd }), '300 objects copied')
    finished(await run([...place, '--newer', '--fresh'], { cwd }), '0 objects copied, 300 skipped')
    finished(await run([...place, '--size-only', '--fresh'], { cwd }), '0 objects copied, 300 skipped')
    const [key = ''] = (await contentOf(server, 'bbb')).keys()
    await put(server, 'bbb', key, { Body: '0123456789' })
    finished(await run([...place, '--newer', '--fresh'], { cwd }), '0 objects copied, 300 skipped')
    finished(await run([...place, '--size-only', '--fresh'], { cwd }), '0 objects copied, 300 skipped')
    finished(await run([...place, '--fresh'], { cwd }), '1 object copied, 299 skipped')
    await put(server, 'bbb', key, { Body: '012345678' })
    finished(await run([...place, '--newer', '--fresh'], { cwd }), '0 objects copied, 300 skipped')
    finished(await run([...place, '--size-only', '--fresh'], { cwd }), '1 object copied, 299 skipped')
  })

  test('a rehearsal tells what would be copied and what deleted, and changes nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:2500:size=10,prefix=in/', 'bbb'] })
    await put(server, 'bbb', 'extra\n1', { Body: 'extra' })
    const place = [
      'sync',
      's3://src/in/',
      's3://bbb',
      '--endpoint-url',
      server.url,
      '--delete',
      '--yes',
      '--dry-run',
    ] as const
    const { code, stdout } = await run(place, { cwd })
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining(
        'would copy   2,500 objects, 24.4 KiB, from s3://src/in/ to s3://bbb/\nwould delete 1 object, 5 B, in s3://bbb/\nrequests     2,500 CopyObject, 1 DeleteObjects',
      ) as string,
    ])
    const told = await run([...place, '-v'], { cwd })
    expect(told.stdout).toContain('delete s3://bbb/extra\\n1\n')
    const kept = await run([...place, '--max-delete', '0'], { cwd })
    expect(kept.stdout).toContain('would keep   what is extra: 1 object is only at the destination')
    expect((await contentOf(server, 'bbb')).size).toBe(1)
    expect(asked(server, 'DeleteObjects')).toBe(0)
  })

  test.each([
    [['s3://aaa', 's3://aaa'], 'source and destination are the same'],
    [['s3://aaa/x/', 's3://aaa/x/y/'], 'lies inside the source'],
    [['s3://aaa/x/', 's3://aaa', '--delete', '--yes'], '--delete would delete the source'],
    [['s3://aaa', 's3://bbb', '--max-delete', '3'], '--max-delete limits --delete'],
    [['s3://aaa', 's3://bbb', '--newer', '--size-only'], 'two ways to compare'],
  ])('%j is refused before any request', async (given, message) => {
    expect(refusal(await run(['sync', ...given], { cwd: await workFolder() }))).toContain(message)
  })
})

describe('s3move sync --delete', () => {
  test('without a terminal and without --yes nothing is asked of the stores', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['aaa', 'bbb'] })
    const line = refusal(await run(args(server, '--delete'), { cwd }))
    expect(line).toMatch(/^s3move: what only s3:\/\/bbb\/ has would be deleted, and there is no terminal.*\n.*--yes/)
    expect(server.stats().requests).toBe(0)
  })

  test('deletes what only the destination has, and nothing else', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:3000:prefix=in/', 'old:seq:2000', 'bbb'] })
    expect((await run(['copy', 's3://old', 's3://bbb', '--endpoint-url', server.url], { cwd })).code).toBe(0)
    for (const key of ['odd\r\n', 'control\u0001', ' lead']) await put(server, 'bbb', key)
    const place = ['sync', 's3://src/in/', 's3://bbb', '--endpoint-url', server.url, '--checkpoint', 'run'] as const
    const told = await run([...place, '--delete', '--yes', '--max-delete', '2003', '-v'], { cwd })
    finished(told, 'finished: 3,000 objects copied, 2,003 deleted, none skipped, none failed')
    expect(told.stderr).toContain('deleted odd\\r\\n (0 B)')
    expect(told.stderr).toMatch(/^ {2}deleted {3}2,003 objects, /m)
    expectSame(await contentOf(server, 'bbb'), await contentOf(server, 'src'), (key) => key.slice(3))
    const ledger = (await readFile(join(cwd, 'run/extra.ndjson'), 'utf8')).trimEnd().split('\n')
    expect(ledger.length).toBe(2003)
    const again = await run([...place, '--delete', '--yes', '--max-delete', '2003'], { cwd })
    finished(again, '0 objects copied, 3,000 skipped')
  })

  test('is not done at all when there is more than --max-delete, or when the source has nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['aaa', 'bbb', 'ccc'] })
    for (const key of ['1', '2', '3']) await put(server, 'bbb', key)
    const empty = await run(args(server, '--delete', '--yes'), { cwd })
    finished(empty, 'warning: the source has no objects at all: nothing was deleted', 3)
    expect(empty.stderr).toContain('finished: 0 objects copied, 3 skipped')
    await put(server, 'aaa', 'in/1')
    const many = await run(args(server, '--delete', '--yes', '--max-delete', '1', '--fresh'), { cwd })
    finished(
      many,
      'warning: 2 objects are only at the destination, more than --max-delete 1 allows: nothing was deleted',
      3,
    )
    expect(many.stderr).toMatch(/^ {2}kept {6}what only the destination has, as 2 objects are only/m)
    expect((await contentOf(server, 'bbb')).size).toBe(3)
    finished(await run(args(server, '--delete', '--yes', '--max-delete', '2', '--fresh'), { cwd }), '2 deleted')
    expect([...(await contentOf(server, 'bbb')).keys()]).toEqual(['1'])
    // A whole bucket can have no object of the name of the folder that the destination is.
    for (const key of ['copy/', 'copy/x']) await put(server, 'bbb', key)
    const bucket = ['sync', 's3://ccc', 's3://bbb/copy/', '--endpoint-url', server.url, '--delete', '--yes'] as const
    expect((await run(bucket, { cwd })).code).toBe(3)
    await put(server, 'ccc', 'y')
    finished(await run(bucket, { cwd }), '1 object copied, 1 deleted, 1 skipped')
    expect([...(await contentOf(server, 'bbb', 'copy/')).keys()]).toEqual(['copy/', 'copy/y'])
  })

  test('a source that changes between listing and deletion: what it has by then is not deleted', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['aaa', 'bbb'], latency: 'head=30' })
    await put(server, 'aaa', 'in/k')
    for (let n = 10; n < 50; n++) await put(server, 'bbb', `x${n}`, { Body: 'old' })
    const running = start(args(server, '--delete', '--yes', '--concurrency', '1'), { cwd })
    // One after the other is looked at. Seven looks come before the listing.
    await until(() => asked(server, 'HeadObject') >= 12, running)
    for (let n = 30; n < 50; n++) await put(server, 'aaa', `in/x${n}`, { Body: 'new' })
    const told = await running.finished
    finished(told, '1 object copied, 20 deleted, 20 skipped, none failed')
    expect(told.stderr).toContain('20 at the source by now')
    const left = [...(await contentOf(server, 'bbb')).keys()].filter((key) => key.startsWith('x'))
    expect(left).toEqual(Array.from({ length: 20 }, (_, n) => `x${n + 30}`))
  })

  test('a source that is not answering, or denies, while extras are deleted: nothing is deleted that it has', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['aaa', 'bbb'], latency: 'head=5-10', seed: 1 })
    for (let n = 0; n < 20; n++) await put(server, 'bbb', `x${n}`)
    for (let n = 0; n < 10; n++) await put(server, 'aaa', `in/k${n}`)
    await server.fault('503', '1/3', 'HeadObject')
    await server.fault('reset', '1/4', 'HeadObject')
    finished(await run(args(server, '--delete', '--yes'), { cwd }), '10 objects copied, 20 deleted')
    for (let n = 0; n < 20; n++) await put(server, 'bbb', `x${n}`)
    await server.fault('503', '0', 'HeadObject')
    await server.fault('reset', '0', 'HeadObject')
    await server.fault('denied', '1', 'HeadObject')
    finished(await run(args(server, '--delete', '--yes'), { cwd }), '0 objects copied, 10 skipped, 20 failed', 3)
    expect((await contentOf(server, 'bbb')).size).toBe(30)
    await server.fault('denied', '0', 'HeadObject')
    await put(server, 'aaa', 'in/x7')
    const again = await run(['resume', '--only-failed', 'run'], { cwd })
    finished(again, '19 deleted, 11 skipped, none failed')
    expect([...(await contentOf(server, 'bbb')).keys()].filter((key) => key.startsWith('x'))).toEqual(['x7'])
  })

  test.each(['truncate', '500', 'disorder'])(
    'listings that fail or are cut (%s): nothing is taken for extra that is not',
    async (fault) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets: ['src:hex:6000:prefix=in/', 'bbb'] })
      const place = ['sync', 's3://src/in/', 's3://bbb', '--endpoint-url', server.url, '--checkpoint', 'run'] as const
      finished(await run(place, { cwd }), '6,000 objects copied')
      await put(server, 'bbb', 'zz extra')
      await server.fault(fault, fault === 'disorder' ? '1/3' : '1/2', 'ListObjectsV2')
      const { code } = await run([...place, '--delete', '--yes', '--fresh'], { cwd })
      await server.fault(fault, '0', 'ListObjectsV2')
      const there = await contentOf(server, 'bbb')
      // A store that does not list in order stops the run, before anything is deleted.
      if (fault === 'disorder') expect([[2, 4], there.has('zz extra')]).toEqual([expect.arrayContaining([code]), true])
      else expect([code, there.has('zz extra')]).toEqual([0, false])
      there.delete('zz extra')
      expectSame(there, await contentOf(server, 'src'), (key) => key.slice(3))
    },
  )

  test.each([1, 2, 3, 4])('kill -9 in either pass, round %i: a resume ends with two equal sides', async (round) => {
    const cwd = await workFolder()
    const server = await sandbox({
      ...{ buckets: ['src:hex:1500:prefix=in/', 'old:seq:1500', 'bbb'], seed: round },
      latency: 'copy=2-6,head=2-6,delete=5-20',
    })
    expect((await run(['copy', 's3://old', 's3://bbb', '--endpoint-url', server.url], { cwd })).code).toBe(0)
    const place = ['sync', 's3://src/in/', 's3://bbb', '--endpoint-url', server.url, '--checkpoint', 'run'] as const
    const done = (): number => asked(server, 'CopyObject') - 1502 + asked(server, 'HeadObject') / 2
    let line: readonly string[] = [...place, '--delete', '--yes', '--concurrency', '16', '--lanes', '4']
    for (let kill = 0; kill < 4; kill++) {
      const target = done() + ((round * 131 + kill * 277) % 700) + 50
      const running = start(line, { cwd })
      await until(() => running.isOver() || done() >= target)
      running.kill('SIGKILL')
      const { signal } = await running.finished
      if (signal === undefined) break
      if ((await readFile(join(cwd, 'run/checkpoint.json')).catch(() => undefined)) !== undefined)
        line = ['resume', 'run']
    }
    const last = await run(['resume', 'run'], { cwd })
    expect([last.code, last.stderr]).toEqual([0, expect.stringMatching(/finished|nothing to resume/) as string])
    expectSame(await contentOf(server, 'bbb'), await contentOf(server, 'src'), (key) => key.slice(3))
    expect(await totalsOf(cwd)).toMatchObject({ deleted: 1500, failed: {} })
  })

  test('what failed is tried again while large objects remain: nothing is deleted before all is done', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:400:big=200', 'bbb'] })
    const extras = Array.from({ length: 10 }, (_, n) => `x${n}`)
    for (const key of extras) await put(server, 'bbb', key)
    await server.fault('denied', '1/40', 'CopyObject')
    await server.fault('hang', '1', 'UploadPartCopy')
    const place = ['sync', 's3://src', 's3://bbb', '--endpoint-url', server.url, '--checkpoint', 'run'] as const
    const running = start([...place, '--delete', '--yes'], { cwd })
    const saved = async (): Promise<{ ranges: unknown[]; large?: { open: unknown[] }; ledger: { entries: number } }> =>
      JSON.parse(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8').catch(() => '{"ranges":[{}]}')) as never
    await until(async () => {
      const { ranges, large } = await saved()
      return ranges.length === 0 && large?.open.length === 2
    }, running)
    running.kill('SIGKILL')
    await running.finished
    expect((await saved()).ledger.entries).toBeGreaterThan(0)
    await server.fault('denied', '0', 'CopyObject')
    const again = await run(['resume', '--only-failed', 'run'], { cwd })
    finished(again, 'only the failed objects were tried again; the rest of the run is still to be done', 4)
    expect([...(await contentOf(server, 'bbb')).keys()]).toEqual(expect.arrayContaining(extras))
    expect((await contentOf(server, 'bbb')).size).toBe(408)
    await server.fault('hang', '0', 'UploadPartCopy')
    finished(await run(['resume', 'run'], { cwd }), '400 objects copied, 10 deleted, none skipped, none failed')
    const keys = async (bucket: string) => [...(await contentOf(server, bucket)).keys()]
    expect(await keys('bbb')).toEqual(await keys('src'))
  })

  test('an extra that was written since it was listed is left, and is in the ledger', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['aaa', 'bbb'], latency: 'head=30' })
    for (const key of ['in/1', 'in/2']) await put(server, 'aaa', key)
    for (let n = 0; n < 50; n++) await put(server, 'bbb', `x${n}`, { Body: 'old' })
    const running = start(args(server, '--delete', '--yes', '--concurrency', '1'), { cwd })
    // Seven looks come before the listing.
    await until(() => asked(server, 'HeadObject') >= 8, running)
    await put(server, 'bbb', 'x49', { Body: 'new' })
    finished(await running.finished, '49 deleted, none skipped, 1 failed', 3)
    expect(await bodyOf(server, 'bbb', 'x49')).toBe('new')
    const ledger = await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')
    expect(JSON.parse(ledger)).toMatchObject({ key: 'in/x49', code: 'DestinationChanged', operation: 'DeleteObjects' })
    await server.s3.send(new DeleteObjectCommand({ Bucket: 'bbb', Key: '2' }))
    // It is as the retry finds it, so that is what is deleted.
    finished(await run(['resume', '--only-failed', 'run'], { cwd }), '50 deleted, none skipped, none failed')
  })
})
