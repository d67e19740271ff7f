import { CopyObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ASKED, jobsOf, ledgerOf } from '../support/batch-runs.js'
import { contentOf, put, sandbox, traitsOf, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { killedAgain, randomOf, requestsOf } from '../support/kills.js'

const SET = ['batch', 'set-headers', 's3://src', ...ASKED]

/** All that objects of the sandbox differ in but Content-Type, Cache-Control and their owner, who are seven. */
const PLAIN = [
  ...['content-encoding', 'content-disposition', 'content-language', 'expires'].flatMap((name) => ['--remove', name]),
  ...['--remove-metadata', 'origin'],
]
const ALIKE = [...PLAIN, '--remove-metadata', 'owner', '--cache-control', 'max-age=9']

/** What HEAD tells of every so many-th object. */
async function headsOf(server: TestSandbox, each: number): Promise<Map<string, Record<string, unknown>>> {
  const keys = [...(await contentOf(server, 'src')).keys()].filter((_, at) => at % each === 0)
  return new Map(
    await Promise.all(
      keys.map(async (key) => [key, (await traitsOf(server, 'src', key)) as Record<string, unknown>] as const),
    ),
  )
}

/** The keys that do not have the Cache-Control that they are to have. */
async function others(server: TestSandbox, wanted: (key: string) => string): Promise<string[]> {
  const keys = [...(await contentOf(server, 'src')).keys()]
  const found: string[] = []
  const looking = keys.values()
  const look = async (): Promise<void> => {
    for (const Key of looking) {
      const { CacheControl } = await server.s3.send(new HeadObjectCommand({ Bucket: 'src', Key }))
      if (CacheControl !== wanted(Key)) found.push(Key)
    }
  }
  await Promise.all(Array.from({ length: 32 }, look))
  return found.sort()
}

/** Somebody else gives an object other headers. */
async function change({ s3 }: TestSandbox, Key: string): Promise<void> {
  const CopySource = `src/${encodeURIComponent(Key)}`
  await s3.send(
    new CopyObjectCommand({ Bucket: 'src', Key, CopySource, MetadataDirective: 'REPLACE', ContentType: 'text/new' }),
  )
}

describe('s3move batch set-headers', () => {
  test('a job for each set of headers changes what is asked for, and everything else stays', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:9000:tags=9', 'own'] })
    const before = await headsOf(server, 150)
    const args = [...SET, ...PLAIN, '--cache-control', 'max-age=9', '--yes', '--endpoint-url', server.url]
    const end = await run(args, { cwd })
    expect([end.code, end.stderr]).toEqual([
      0,
      expect.stringContaining('9,000 objects rewritten, none skipped, none failed'),
    ])
    expect(end.stderr).toContain(
      '9,000 objects for 7 jobs of S3 Batch Operations (9,000 STANDARD, in 7 sets of headers)',
    )
    expect(end.stderr).toMatch(/job 7 of 7: Complete, (1,\d{3}) of \1 rewritten, 0 failed/)
    expect(await jobsOf(server)).toEqual(Array.from({ length: 7 }, () => 'Complete'))
    expect(server.stats().copies.src).toMatchObject({ total: 9000 })
    for (const [key, head] of await headsOf(server, 150)) {
      const { ContentEncoding, ContentDisposition, ContentLanguage, Expires, ExpiresString, Metadata, ...rest } =
        before.get(key)!
      const { owner } = Metadata as { owner: string }
      expect(head, key).toEqual({ ...rest, CacheControl: 'max-age=9', Metadata: { owner } })
    }
    expect(await readdir(join(cwd, 'run'))).not.toContain('header-sets.ndjson')
    expect((await run(['resume', 'run'], { cwd })).stderr).toContain('nothing to resume')
    expect((await run(['status', 'run'], { cwd })).stdout).toMatch(
      /\n {2}jobs {6}7 of S3 Batch Operations: 7 Complete; 9,000 of 9,000 objects rewritten, 0 failed\n/,
    )
  })

  test('what jobs cannot do s3move does itself, and what is right or archived is passed over', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:3000:big=500,glacier=300', 'own'] })
    await writeFile(
      join(cwd, 'rules.yaml'),
      'rules:\n  - match: { key: ["0*"] }\n    set: { cache-control: rare }\n' +
        '  - set: { cache-control: max-age=9, content-type: text/plain }\n' +
        '    remove: [expires, content-encoding, content-language, content-disposition, x-amz-meta-origin, x-amz-meta-owner]\n',
    )
    const args = [...SET, '--rules', 'rules.yaml', '--yes', '--endpoint-url', server.url]
    const { code, stderr } = await run(args, { cwd })
    expect(stderr).toContain('for one job of S3 Batch Operations')
    expect(stderr).toMatch(/\d+ objects left to s3move itself: too few objects are to have the same headers/)
    expect(stderr).toContain('6 objects left to s3move itself: it is larger than 5 GB')
    expect(stderr).toMatch(/\d+ objects? left to s3move itself: its content is archived \(GLACIER\)/)
    expect(stderr).toMatch(/skipped {3}\d+ objects: \d+ archived, to be restored first/)
    // A synthetic bucket takes no uploads in parts, so what is too large for one request fails.
    const failed = await ledgerOf(cwd)
    expect([code, failed.length, failed[0]!.code]).toEqual([3, 6, 'AccessDenied'])
    const archived = [...(await contentOf(server, 'src'))].flatMap(([key, { storageClass }]) =>
      storageClass === 'GLACIER' ? [key] : [],
    )
    const left = [...new Set([...archived, ...failed.map(({ key }) => key)])].sort()
    expect(await others(server, (key) => (key.startsWith('0') ? 'rare' : 'max-age=9'))).toEqual(left)
    const again = await run([...args, '--again'], { cwd })
    expect(again.stderr).toContain(
      `0 objects for 0 jobs of S3 Batch Operations\n2,984 objects passed over: 2,984 unchanged`,
    )
    expect(await jobsOf(server)).toEqual(['Complete'])
  })

  test('many sets of headers are written in several readings, each object into the right one', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:19000', 'own'] })
    const digits = '0123456789abcdef'.split('')
    const rules = digits.map(
      (digit) =>
        `  - match: { key: ["${digit}*"] }\n    set: { cache-control: "max-age=${digit.charCodeAt(0)}", content-type: text/plain }\n` +
        '    remove: [expires, content-encoding, content-language, content-disposition, x-amz-meta-origin, x-amz-meta-owner]\n',
    )
    await writeFile(join(cwd, 'rules.yaml'), `rules:\n${rules.join('')}`)
    const args = [...SET, '--rules', 'rules.yaml', '--yes', '--endpoint-url', server.url]
    const end = await run(args, { cwd })
    expect([end.code, end.stderr]).toEqual([0, expect.stringContaining('19,000 objects for 16 jobs')])
    expect(await others(server, (key) => `max-age=${key.charCodeAt(0)}`)).toEqual([])
    const { total } = server.stats().copies.src!
    expect(total).toBe(19_000)
  })

  test('an object that was written to since it was looked at is not overwritten, and is in the ledger', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:2000', 'own'], latency: 'other=20' })
    const running = start([...SET, ...ALIKE, '--yes', '--endpoint-url', server.url], { cwd })
    await until(() => (server.stats().byOperation.CreateJob ?? 0) > 0, running)
    running.kill('SIGKILL')
    await running.finished
    const changed = [...(await contentOf(server, 'src')).keys()].slice(10, 13)
    for (const key of changed) await change(server, key)
    const end = await run(['resume', 'run', '--yes'], { cwd })
    expect(end.code).toBe(3)
    expect(await ledgerOf(cwd)).toMatchObject(changed.map((key) => ({ key, code: 'PreconditionFailed' })))
    const head = await server.s3.send(new HeadObjectCommand({ Bucket: 'src', Key: changed[0] }))
    expect([head.ContentType, head.CacheControl]).toEqual(['text/new', undefined])
    expect((await run(['resume', '--only-failed', 'run'], { cwd })).code).toBe(0)
    const after = await server.s3.send(new HeadObjectCommand({ Bucket: 'src', Key: changed[0] }))
    expect([after.ContentType, after.CacheControl]).toEqual(['text/new', 'max-age=9'])
    expect(await others(server, () => 'max-age=9')).toEqual([])
  })

  test('of a job that fails all objects are in the ledger, and s3move does them', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1500', 'own'], latency: 'other=20' })
    const running = start([...SET, ...ALIKE, '--yes', '--endpoint-url', server.url], { cwd })
    await until(() => (server.stats().byOperation.CreateJob ?? 0) > 0, running)
    running.kill('SIGKILL')
    await running.finished
    for (const key of (await contentOf(server, 'src')).keys()) await change(server, key)
    const end = await run(['resume', 'run', '--yes'], { cwd })
    expect([end.code, end.stderr]).toEqual([3, expect.stringContaining('1,000 PreconditionFailed, 500 BatchJobFailed')])
    expect(new Set((await ledgerOf(cwd)).map(({ key }) => key)).size).toBe(1500)
    expect((await run(['resume', '--only-failed', 'run'], { cwd })).code).toBe(0)
    expect(await others(server, () => 'max-age=9')).toEqual([])
  })

  test('a rehearsal counts objects, sets and jobs, and changes nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:2500', 'own'], faults: ['denied=10%@HeadObject'] })
    const args = [...SET, ...ALIKE, '--dry-run', '--job-rows', '1000', '--endpoint-url', server.url]
    const end = await run(args, { cwd })
    const [, rows, failed] =
      /\n([\d,]+) objects for 3 jobs of S3 Batch Operations \(\1 STANDARD\)\n(\d+) objects could not be looked at: \2 AccessDenied\n/.exec(
        end.stderr,
      ) ?? []
    expect([end.code, Number(rows?.replace(',', '')) + Number(failed)]).toEqual([0, 2500])
    expect(end.stderr).toContain('"Action":["s3:PutObject","s3:PutObjectTagging"],"Resource":"arn:aws:s3:::src/*"')
    expect((await contentOf(server, 'own')).size).toBe(0)
    expect([server.stats().byOperation.CreateJob, server.stats().byOperation.CopyObject]).toEqual([
      undefined,
      undefined,
    ])
    expect(await readdir(cwd)).toEqual([])
  })

  test('ends where nothing can be looked at, and makes no job', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1500', 'own'], faults: ['denied=1@HeadObject'] })
    const end = await run([...SET, ...ALIKE, '--yes', '--endpoint-url', server.url], { cwd })
    expect([end.code, end.stderr]).toEqual([
      4,
      expect.stringContaining('all of the first 1000 objects failed alike (AccessDenied)'),
    ])
    expect(await jobsOf(server)).toEqual([])
    const status = await run(['status', 'run', '--json'], { cwd })
    expect(JSON.parse(status.stdout)).toMatchObject({ state: 'unfinished', done: 0 })
  })

  test('wants to know what becomes of access control lists, and gives objects the one that is asked for', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:acl', 'own'] })
    await put(server, 'src', 'a')
    const args = [...SET, '--cache-control', 'no-cache', '--yes', '--endpoint-url', server.url]
    expect(refusal(await run(args, { cwd }))).toContain('use s3move set-headers --preserve acl, for no job keeps them')
    expect(refusal(await run([...args, '--preserve', 'acl'], { cwd }))).toContain('batch has no option --preserve')
    expect((await run([...args, '--acl', 'public-read'], { cwd })).code).toBe(0)
  })

  test.each([
    [['batch', 'set-headers', 's3://src', 's3://dst'], 'batch set-headers was given too many places'],
    [[...SET, '--storage-class', 'STANDARD_IA'], 'batch set-headers has no option --storage-class'],
    [[...SET], 'nothing to set: no header was named'],
    [['batch', 'set-headers', 's3://src', '--cache-control', 'x'], '--role-arn is missing'],
    [['batch', 'copy', 's3://src'], 'batch copy was given too few places'],
    [['batch', 'copy', 's3://src', 's3://dst', '--cache-control', 'x'], 'batch copy has no option --cache-control'],
  ])('%j is refused', async (args, message) => {
    expect(refusal(await run([...args, '--yes'], { cwd: await workFolder() }))).toContain(message)
  })
})

describe('kill -9 of s3move batch set-headers, then s3move resume', () => {
  test.each([1, 2, 3])('at random moments, with seed %i: no job twice, no object twice, none lost', async (seed) => {
    const cwd = await workFolder()
    const random = randomOf(seed)
    const server = await sandbox({
      ...{ buckets: ['src:hex:3300:denied=100', 'own'], latency: 'other=3-9,list=2-6,put=2-6,get=2-6', seed },
      faults: ['503=5%@other', 'reset-after=10%@CreateJob', '503=2%@HeadObject'],
    })
    await writeFile(
      join(cwd, 'rules.yaml'),
      ['[0-7]*', '*']
        .map(
          (glob, at) =>
            `${at === 0 ? 'rules:\n' : ''}  - match: { key: ["${glob}"] }\n    set: { cache-control: "max-age=${at}", content-type: a/b }\n` +
            '    remove: [expires, content-encoding, content-language, content-disposition, x-amz-meta-origin, x-amz-meta-owner]\n',
        )
        .join(''),
    )
    const heads = (): number => server.stats().byOperation.HeadObject ?? 0
    // Once in the middle of the looks, then among what follows them.
    const args = await killedAgain([...SET, '--rules', 'rules.yaml', '--job-rows', '1000', '--yes'], {
      ...{ cwd, server, kills: 8, counted: (kill) => (kill === 0 ? heads() : requestsOf(server) - heads()) },
      after: (kill) => (kill === 0 ? 500 + Math.floor(random() * 2000) : 8 + Math.floor(random() * 40)),
    })
    const last = await run([...args, '--endpoint-url', server.url], { cwd })
    expect([last.code, last.stderr]).toEqual([3, expect.stringContaining('s3move resume --only-failed run')])
    expect(await jobsOf(server)).toEqual(['Complete', 'Complete', 'Complete', 'Complete'])
    await server.fault('503', '0', 'HeadObject')
    const failed = await ledgerOf(cwd)
    expect(failed.map(({ key }) => key).sort()).toEqual(
      await others(server, (key) => `max-age=${/^[0-7]/.test(key) ? 0 : 1}`),
    )
    expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(['AccessDenied']))
    const rewritten = 3300 - failed.length
    expect(server.stats().copies.src).toMatchObject({ total: rewritten })
    const { stdout } = await run(['status', 'run', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ state: 'finished', total: 3300, done: 3300 },
      totals: { copied: rewritten, failed: { AccessDenied: failed.length } },
    })
  })
})
