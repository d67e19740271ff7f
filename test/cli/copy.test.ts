import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, expectCopiedOnce, expectSame, put, sandbox, type Server, traitsOf } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const ODD = 'src:odd:1200:tags=5'

async function sampleTraits(server: Server, pairs: readonly (readonly [string, string])[]): Promise<void> {
  for (const [from, to] of pairs) expect(await traitsOf(server, 'dst', to)).toEqual(await traitsOf(server, 'src', from))
}

describe('s3move copy s3://src s3://dst', () => {
  test('every object of a bucket of odd keys arrives under the very same name, with headers, metadata and tags', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [ODD, 'dst'] })
    const { code, stdout, stderr } = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', server.url], { cwd })
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toContain('finished: 1,200 objects copied, none skipped, none failed')
    const source = await contentOf(server, 'src')
    expect(source.size).toBe(1200)
    expectSame(await contentOf(server, 'dst'), source)
    const sample = [...source.keys()].filter((_, index) => index % 20 === 0)
    await sampleTraits(
      server,
      sample.map((key) => [key, key]),
    )
    expectCopiedOnce(server, 'dst', 1200)
  })

  test.each(['seq', 'hex', 'dates', 'hot', 'deep'])('a bucket of the layout %s arrives whole', async (layout) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`src:${layout}:2k`, 'dst'] })
    const { code } = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', server.url], { cwd })
    expect(code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expectCopiedOnce(server, 'dst', 2000)
  })

  test('an object keeps its storage class, content type, caching, encoding, metadata and tags', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await put(server, 'src', 'rich', {
      Body: 'text',
      StorageClass: 'STANDARD_IA',
      ContentType: 'text/plain; charset=utf-8',
      CacheControl: 'max-age=60',
      ContentEncoding: 'gzip',
      ContentLanguage: 'de-CH',
      ContentDisposition: 'attachment; filename="a b.txt"',
      Expires: new Date('2031-05-01T10:00:00Z'),
      Metadata: { owner: 'me; "you" = 100%', empty: '' },
      Tagging: 'team=red%20blue&plus=a%2Bb',
    })
    await put(server, 'src', 'intelligent', { StorageClass: 'INTELLIGENT_TIERING' })
    const { code } = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', server.url], { cwd })
    expect(code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    for (const key of ['rich', 'intelligent']) {
      expect(await traitsOf(server, 'dst', key)).toEqual(await traitsOf(server, 'src', key))
    }
    expect(await traitsOf(server, 'dst', 'rich')).toMatchObject({
      StorageClass: 'STANDARD_IA',
      ContentType: 'text/plain; charset=utf-8',
      Metadata: { owner: 'me; "you" = 100%' },
      tags: [
        { Key: 'team', Value: 'red blue' },
        { Key: 'plus', Value: 'a+b' },
      ],
    })
  })

  test('an empty source is said to be empty, and is done', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    const { code, stderr } = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', server.url], { cwd })
    expect(code).toBe(0)
    expect(stderr).toContain('s3://src/ has no objects, so nothing was copied')
  })

  test('objects that cannot be copied are in the ledger, each with its reason, and all others are copied', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:1000:glacier=50,denied=70,big=90', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    const { code, stdout, stderr } = await run(args, { cwd })
    expect([code, stdout]).toEqual([3, ''])
    expect(stderr).toMatch(/^finished with failures: /m)
    expect(stderr).toContain('s3move resume --only-failed run')
    const source = await contentOf(server, 'src')
    const copied = await contentOf(server, 'dst')
    const ledger = (await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).trimEnd().split('\n')
    const failures = ledger.map((line) => JSON.parse(line) as { key: string; code: string; size: number })
    const left = [...source.keys()].filter((key) => !copied.has(key))
    const archived = left.filter((key) => source.get(key)?.storageClass === 'GLACIER')
    const failed = failures.map(({ key }) => key)
    // What is forbidden and archived is refused as forbidden.
    const skipped = archived.filter((key) => !failed.includes(key))
    expect([...failed, ...skipped].sort()).toEqual(left.sort())
    expect(stderr).toContain(`${skipped.length} archived, to be restored first`)
    expect(skipped.length).toBeGreaterThan(0)
    // In parts of another size, large ones have another ETag.
    const alike = (objects: typeof source) =>
      new Map([...objects].map(([key, one]) => [key, one.size > 5 * 2 ** 30 ? { ...one, etag: 'in parts' } : one]))
    expectSame(alike(copied), alike(new Map([...source].filter(([key]) => copied.has(key)))))
    expect([...copied.values()].some(({ size }) => size > 5 * 2 ** 30)).toBe(true)
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(['AccessDenied']))
  })
})

describe('s3move copy s3://src/PREFIX s3://dst/PREFIX', () => {
  test.each([
    ['in/', 'out/deeper/'],
    ['in/', ''],
    ['', 'out/'],
    ['in/ra', 'out/$&'],
    ['i', 'a+b%2F \u{1f600}'],
  ])('the prefix %j is replaced by %j, letter by letter', async (from, to) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    const names = [
      'in/a',
      'in//b',
      'in/ra$1',
      'in/rain/in/ra',
      'in/+ %2B',
      'in/\u{1f600}\uffee',
      'inside',
      'other/in/x',
    ]
    for (const name of names) await put(server, 'src', name, { Body: name })
    const source = await contentOf(server, 'src', from)
    expect(source.size).toBeGreaterThan(1)
    const args = ['copy', `s3://src/${from}`, `s3://dst/${to}`, '--endpoint-url', server.url]
    expect((await run(args, { cwd })).code).toBe(0)
    expectSame(await contentOf(server, 'dst'), source, (key) => to + key.slice(from.length))
  })

  test('odd keys behind a prefix keep every letter when it is taken away', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:600:prefix=in/', 'dst'] })
    const args = ['copy', 's3://src/in/', 's3://dst', '--endpoint-url', server.url]
    const { code } = await run(args, { cwd })
    expect(code).toBe(0)
    const source = await contentOf(server, 'src')
    expectSame(await contentOf(server, 'dst'), source, (key) => key.slice(3))
    await sampleTraits(
      server,
      [...source.keys()].filter((_, index) => index % 40 === 0).map((key) => [key, key.slice(3)]),
    )
  })

  test('a name that grows beyond 1,024 bytes is in the ledger, not cut', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await put(server, 'src', 'é'.repeat(512))
    await put(server, 'src', 'short')
    const args = [
      'copy',
      's3://src',
      's3://dst/x',
      '--prefix-as-text',
      '--endpoint-url',
      server.url,
      '--checkpoint',
      'run',
    ]
    expect((await run(args, { cwd })).code).toBe(3)
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(['xshort'])
    expect(await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).toContain('"code":"KeyTooLong')
  })

  test('the folder marker named like the source prefix is skipped and told, when nothing of its name is left', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'other'] })
    for (const name of ['in/', 'in/a', 'in/b/']) await put(server, 'src', name)
    const args = ['s3://src/in/', '--endpoint-url', server.url]
    const { code, stderr } = await run(['copy', ...args, 's3://dst'], { cwd })
    expect(code).toBe(0)
    expect(stderr).toContain('finished: 2 objects copied, 1 skipped, none failed')
    expect(stderr).toContain('folder marker named like the source prefix')
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(['a', 'b/'])
    expect((await run(['copy', ...args, 's3://other/out/'], { cwd })).code).toBe(0)
    expect([...(await contentOf(server, 'other')).keys()]).toEqual(['out/', 'out/a', 'out/b/'])
  })

  test('a folder is copied to its neighbour in the same bucket, and nothing else is touched', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src'] })
    for (const name of ['a/1', 'a/2/3', 'ab', 'b/old']) await put(server, 'src', name)
    const { code } = await run(['copy', 's3://src/a/', 's3://src/b/', '--endpoint-url', server.url], { cwd })
    expect(code).toBe(0)
    expect([...(await contentOf(server, 'src')).keys()]).toEqual(['a/1', 'a/2/3', 'ab', 'b/1', 'b/2/3', 'b/old'])
  })
})

describe('s3move copy --dry-run', () => {
  test('it says how many objects and requests there would be, writes nothing, and makes no folder', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:2500:big=500', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--dry-run']
    const { code, stdout } = await run(args, { cwd })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^dry run: nothing was changed\nwould copy {3}2,500 objects, /)
    expect(stdout).toMatch(
      /^requests {5}2,495 CopyObject, .*5 CreateMultipartUpload, .*UploadPartCopy.*; as in this dry run, about \d+ ListObjectsV2, 4 to begin with /m,
    )
    const { byOperation } = server.stats()
    expect(await contentOf(server, 'dst')).toEqual(new Map())
    // One object is looked at for what its copy would lose, and a copy of none is tried.
    expect(byOperation.CopyObject).toBe(1)
    expect(Object.keys(byOperation).sort()).toEqual(
      ['CopyObject', 'GetObjectAcl', 'GetObjectTagging', 'HeadObject', 'ListObjectsV2'].sort(),
    )
    expect(await readdir(cwd)).toEqual([])
  })

  test.each([
    ['copy', 's3://dst'],
    ['sync', 's3://dst'],
    ['move', 's3://dst', '--yes'],
    ['set-headers', '--cache-control', 'no-store', '--reset-acl'],
  ])('a job that may not write is refused as its run is: %s', async (command, ...more) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await put(server, 'src', 'x', { Body: 'x' })
    await server.fault('denied', '100%', 'CopyObject')
    const args = [command, 's3://src', ...more, '--endpoint-url', server.url]
    const [dry, wet] = [await run([...args, '--dry-run'], { cwd }), await run(args, { cwd })]
    expect(refusal(dry)).toMatch(/^s3move: s3:\/\/(src|dst): CopyObject failed: .*AccessDenied/)
    expect(dry).toEqual(wet)
  })

  test('a reader that is slow gets every line; one that goes away is no error', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:20k', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--dry-run', '--verbose']
    const { code, stdout } = await run(args, { cwd, slowReader: true })
    const lines = stdout.split('\n')
    expect([code, lines.filter((line) => line.startsWith('copy s3://src/')).length]).toEqual([0, 20_000])
    expect(stdout).toMatch(/dry run: nothing was changed\n.+\nrequests .+\ntime .+\n$/)
    const left = start(args, { cwd })
    await until(() => left.stdout().length > 0, left)
    left.close('stdout')
    const { code: after, stderr } = await left.finished
    expect([after, stderr]).toEqual([0, expect.stringMatching(/^example .*\n$/)])
  })

  test.runIf(existsSync('/dev/full'))('what could not be written is told, and is no success', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:10', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--dry-run']
    const { code, stderr } = await run(args, { cwd, stdout: '/dev/full' })
    expect([code, stderr]).toEqual([1, expect.stringContaining('standard output is not whole: ENOSPC') as string])
  })

  test('with --json it is one object whose counts are what a run then does', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:2500:big=500', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--json']
    const { stdout } = await run([...args, '--dry-run'], { cwd })
    const plan = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<
      'requests' | 'checkRequestsAtMost',
      Record<string, number>
    >
    expect(plan).toMatchObject({ type: 'plan', complete: true, totals: { copied: 2500, failed: {} } })
    const before = server.stats().byOperation
    const { code } = await run(args, { cwd })
    expect(code).toBe(0)
    expect(server.stats().copies.dst?.total).toBe(2500)
    const sent = server.stats().byOperation
    for (const operation of ['CreateMultipartUpload', 'UploadPartCopy', 'CompleteMultipartUpload']) {
      expect(plan.requests[operation], operation).toBe(sent[operation])
    }
    // One more, by the dry run itself, to ask whether it may write.
    expect(plan.requests.CopyObject).toBe(sent.CopyObject! - 1)
    // How many lanes there is work for shows only then: some copies are looked at, at least the first.
    const checks = sent.HeadObject! - before.HeadObject! - plan.requests.HeadObject!
    expect(checks).toBeGreaterThanOrEqual(2 * 3)
    expect(checks).toBeLessThanOrEqual(plan.checkRequestsAtMost.HeadObject!)
  })
})

describe('s3move copy --json | --quiet | -v', () => {
  const HOSTILE = 'line\nbreak \u001b[31mred\u001b[0m \u0007\r\u202egnp.exe'

  test('--json is one event a line, keys whole, and stderr stays empty', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await put(server, 'src', HOSTILE, { Body: 'four' })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--json', '-v']
    const { code, stdout, stderr } = await run(args, { cwd })
    expect([code, stderr]).toEqual([0, ''])
    const lines = stdout.trimEnd().split('\n')
    const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(events[0]).toMatchObject({ type: 'start', job: { source: { bucket: 'src', prefix: '' } }, resumed: false })
    expect(events).toContainEqual(expect.objectContaining({ type: 'copied', key: HOSTILE, bytes: 4 }))
    expect(events.at(-1)).toMatchObject({ type: 'summary', end: 'finished', exitCode: 0, totals: { copied: 1 } })
    // What a terminal would obey is escaped even here.
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })

  test('a hostile key is never shown raw, neither when copied nor when failed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:600:denied=3', 'dst', 'own'] })
    await put(server, 'own', HOSTILE)
    const odd = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '-v'], { cwd })
    const own = await run(['copy', 's3://own', 's3://dst', '--endpoint-url', server.url, '-v'], { cwd })
    expect([odd.code, own.code]).toEqual([3, 0])
    for (const { stderr } of [odd, own]) expect(stderr.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    expect(own.stderr).toContain('copied line\\nbreak \\x1b[31mred\\x1b[0m \\x07\\r\\u{202e}gnp.exe (0 B)\n')
    expect(odd.stderr.split('\n').filter((line) => line.startsWith('copied ')).length).toBe(400)
    expect(odd.stderr.split('\n').filter((line) => line.startsWith('failed ')).length).toBe(200)
  })

  test('--quiet says nothing of a run that did all it was asked for', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:50', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--quiet']
    expect(await run(args, { cwd })).toEqual({ code: 0, signal: undefined, stdout: '', stderr: '' })
  })

  test('--quiet still tells of failures and of what to run next', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:50:denied=10', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '-q']
    const { code, stderr } = await run(args, { cwd })
    expect(code).toBe(3)
    expect(stderr).toContain('finished with failures: 45 objects copied, none skipped, 5 failed')
    expect(stderr).toMatch(/^next: s3move resume --only-failed \.s3move\/src-to-dst-[0-9a-f]{8}$/m)
  })
})

describe('s3move copy --max-errors N', () => {
  test('it stops when more objects than that have failed, and can be resumed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:2000:denied=2', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    const { code, stderr } = await run([...args, '--max-errors', '10', '--concurrency', '8'], { cwd })
    expect(code).toBe(4)
    expect(stderr).toContain('more than 10 objects failed (--max-errors 10)')
    expect(stderr).toContain('s3move resume run')
    const resumed = await run(['resume', 'run', '--max-errors', '2000'], { cwd })
    expect(resumed.code).toBe(3)
    expect((await contentOf(server, 'dst')).size).toBe(1000)
    const ledger = (await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).trimEnd().split('\n')
    expect(new Set(ledger.map((line) => (JSON.parse(line) as { key: string }).key)).size).toBe(1000)
    expect(server.stats().copies.dst?.duplicates).toBe(0)
  })
})

describe('s3move copy, from a server with faults', () => {
  const FAULTS = ['500', '503', 'reset', 'reset-after', 'truncate', 'copy200err', 'copy200empty', 'space'] as const

  test.each(FAULTS)('%s at a few percent: every object is copied', async (kind) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:600', 'dst'], faults: [`${kind}=4%`], seed: 7 })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url]
    const { code, stderr } = await run(args, { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('finished: 600 objects copied') as string])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expect(server.stats().faults[kind]).toBeGreaterThan(10)
  })

  test('all of them together: every object is copied, and what was retried is told', async () => {
    const cwd = await workFolder()
    const faults = FAULTS.map((kind) => `${kind}=1%`)
    const server = await sandbox({ buckets: ['src:hex:2000', 'dst'], faults, seed: 11 })
    const { code, stderr } = await run(['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '-v'], { cwd })
    expect(code).toBe(0)
    expect(stderr).toMatch(/^ {2}requests .* of them sent again$/m)
    expect(stderr).toMatch(/^ {2}throttled asked to slow down/m)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('a page out of order stops the run with a clear error, resumable', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:6000', 'dst'], latency: 'copy=2-4' })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    const running = start([...args, '--concurrency', '16', '--lanes', '1'], { cwd })
    await until(() => (server.stats().copies.dst?.total ?? 0) > 300, running)
    await server.fault('disorder', '1')
    const { code, stderr } = await running.finished
    expect(code).toBe(4)
    expect(stderr).toMatch(/not in UTF-8 byte order: photos\/\d+\.jpg comes after photos\/\d+\.jpg/)
    expect(stderr).toContain('s3move resume run')
    await server.fault('disorder', '0')
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('a rate limit is held without a failure, and few requests are refused', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:4000', 'dst'], rate: 'write=500', latency: 'copy=5-15' })
    const args = [
      'copy',
      's3://src',
      's3://dst',
      '--endpoint-url',
      server.url,
      '--checkpoint',
      'run',
      '--json',
      '--concurrency',
      '64',
    ]
    const { code, stdout } = await run(args, { cwd })
    expect(code).toBe(0)
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { held?: { objectsPerSecond: number } })
    const { byOperation } = server.stats()
    expectCopiedOnce(server, 'dst', 4000)
    // Backing off alone had a third of them refused.
    expect(byOperation.CopyObject! - 4000).toBeLessThan(800)
    const held = events.flatMap(({ held }) => (held === undefined ? [] : [held.objectsPerSecond]))
    expect(held.length).toBeGreaterThan(2)
    expect(Math.min(...held)).toBeLessThan(1000)
  })

  test('a thousand objects that all fail alike end the run, unless --max-errors allows them', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:6000:denied=1', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url]
    const first = await run([...args, '--checkpoint', 'run', '--concurrency', '32'], { cwd })
    expect(first.code).toBe(4)
    expect(first.stderr).toMatch(/all of the first 1,?\d{3} objects failed alike \(AccessDenied\)/)
    expect(first.stderr).toContain('s3move resume run')
    expect(server.stats().byOperation.CopyObject).toBeLessThan(3000)
    const second = await run([...args, '--checkpoint', 'all', '--max-errors', '6000'], { cwd })
    expect([second.code, second.stderr]).toEqual([3, expect.stringContaining('6,000 failed') as string])
  })

  test('an object that fails for longer than --retry-for is in the ledger', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3', 'dst'] })
    const running = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--retry-for', '300ms']
    await server.fault('500', '1', 'CopyObject')
    // The probe before the first copy is refused as well.
    expect((await run(running, { cwd })).code).toBe(2)
    const slow = await sandbox({ buckets: ['src:seq:40', 'dst'], latency: 'copy=50' })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', slow.url, '--checkpoint', 'run']
    const begun = start([...args, '--concurrency', '1', '--lanes', '1', '--retry-for', '300ms'], { cwd })
    await until(() => (slow.stats().copies.dst?.total ?? 0) > 3, begun)
    await slow.fault('500', '1', 'CopyObject')
    const { code, stderr } = await begun.finished
    expect([code, stderr]).toEqual([3, expect.stringContaining('InternalError') as string])
  })

  test('credentials that expire and cannot be renewed yet are waited for', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3000', 'dst'], latency: 'copy=2-4' })
    const script = join(cwd, 'provider.cjs')
    const provider = (id: string) =>
      writeFile(
        script,
        `console.log(JSON.stringify({ Version: 1, AccessKeyId: '${id}', SecretAccessKey: 's', SessionToken: '${id}', Expiration: new Date(Date.now() + 3600e3).toISOString() }))`,
      )
    await provider('OLD')
    await writeFile(join(cwd, 'config'), `[profile turning]\ncredential_process = "${process.execPath}" "${script}"\n`)
    const env = {
      ...{ AWS_CONFIG_FILE: join(cwd, 'config'), AWS_PROFILE: 'turning' },
      ...{ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
    }
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    const running = start([...args, '--concurrency', '16', '--threads', '2'], { cwd, env })
    await until(() => (server.stats().copies.dst?.total ?? 0) > 300, running)
    await writeFile(script, 'process.exit(1)')
    await server.fault('expired', '1')
    await until(() => running.stderr().includes('could not be renewed'), running)
    await provider('NEW')
    await server.fault('expired', '0')
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([0, expect.stringContaining('3,000 objects copied') as string])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('credentials that expire on the way stop the run, and a resume goes on', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst'], latency: 'copy=2-4' })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    const running = start([...args, '--concurrency', '16'], { cwd })
    await until(() => (server.stats().copies.dst?.total ?? 0) > 300, running)
    await server.fault('expired', '1')
    const { code, stderr } = await running.finished
    expect(code).toBe(4)
    expect(stderr).toContain('ExpiredToken')
    expect(stderr).toContain('get new credentials')
    await server.fault('expired', '0')
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })
})

describe('a redirect in the middle of a run', () => {
  test.each([
    ['301', 'PermanentRedirect'],
    ['region', 'AuthorizationHeaderMalformed'],
  ])('to another region (%s) stops it, naming the region, and no object is blamed', async (fault, code) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst'], latency: 'copy=2-4' })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    const running = start([...args, '--concurrency', '16', '--threads', '2'], { cwd })
    await until(() => (server.stats().copies.dst?.total ?? 0) > 300, running)
    await server.fault(fault, '1', 'CopyObject')
    const ended = await running.finished
    expect([ended.code, ended.stderr]).toEqual([4, expect.stringContaining(code) as string])
    expect(ended.stderr).toMatch(/region ap-southeast-2 by now.* resume .*--fresh/)
    expect(await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).toBe('')
    await server.fault(fault, '0', 'CopyObject')
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('that is temporary is not followed, and the request is sent again until it succeeds', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst'], faults: ['307=1/10'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--concurrency', '16']
    const { code, stderr } = await run([...args, '--threads', '2'], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('2,000 objects copied, none skipped, none failed')])
    expect(server.stats().faults['307']).toBeGreaterThan(100)
    expectCopiedOnce(server, 'dst', 2000)
  })

  test('that is temporary and does not pass stops it, and no object is blamed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst'], latency: 'copy=2-4' })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    const running = start([...args, '--concurrency', '16', '--retry-for', '1s'], { cwd })
    await until(() => (server.stats().copies.dst?.total ?? 0) > 300, running)
    await server.fault('307', '1', 'CopyObject')
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([4, expect.stringContaining('TemporaryRedirect') as string])
    expect(await readFile(join(cwd, 'run/failures.ndjson'), 'utf8')).toBe('')
    await server.fault('307', '0', 'CopyObject')
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })
})
