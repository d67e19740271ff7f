import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ASKED, jobsOf, ledgerOf } from '../support/batch-runs.js'
import { contentOf, expectSame, put, sandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { killedAgain, randomOf, requestsOf } from '../support/kills.js'

const COPY = ['batch', 'copy', 's3://src', 's3://dst', ...ASKED]

describe('s3move batch copy', () => {
  test('copies by jobs what these can copy, and the rest itself', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:2500:big=700', 'dst', 'own'] })
    const end = await run([...COPY, '--yes', '--job-rows', '1000', '--endpoint-url', server.url], { cwd })
    expect([end.code, end.stderr]).toEqual([
      0,
      expect.stringContaining('2,500 objects copied, none skipped, none failed'),
    ])
    expect(end.stderr).toContain('objects left to s3move itself: it is larger than 5 GB\n')
    expect(end.stderr).toMatch(/2,49\d objects for 3 jobs of S3 Batch Operations/)
    expect(await jobsOf(server)).toEqual(['Complete', 'Complete', 'Complete'])
    const [there, from] = [await contentOf(server, 'dst'), await contentOf(server, 'src')]
    expect([...there.keys()]).toEqual([...from.keys()])
    expect(server.stats().copies.dst).toMatchObject({ total: 2500, unique: 2500 })
    expect((await run(['resume', 'run'], { cwd })).stderr).toContain('nothing to resume')
    const { stdout } = await run(['status', 'run'], { cwd })
    expect(stdout).toMatch(
      /\n {2}jobs {6}3 of S3 Batch Operations: 3 Complete; (2,49\d) of \1 objects copied, 0 failed\n/,
    )
  })

  test('keeps storage classes, a job for each, and puts a prefix in front', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'own'] })
    for (const [key, StorageClass] of [
      ['in/a', 'STANDARD_IA'],
      ['in/b', 'STANDARD'],
      ['in/ü %', 'GLACIER_IR'],
    ] as const)
      await put(server, 'src', key, { StorageClass, ContentType: 'text/x', Tagging: 'a=b' })
    await put(server, 'src', 'out', {})
    const args = ['batch', 'copy', 's3://src/in/', 's3://dst/old/in/', ...ASKED, '--yes', '--endpoint-url', server.url]
    const end = await run(args, { cwd })
    expect([end.code, end.stderr]).toEqual([0, expect.stringContaining('3 objects for 3 jobs')])
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src', 'in/'), (key) => `old/${key}`)
  })

  test('what its jobs could not copy is in the failure ledger, and is tried again by s3move itself', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1500:denied=50', 'dst', 'own'] })
    const end = await run([...COPY, '--yes', '--endpoint-url', server.url], { cwd })
    expect(end.code).toBe(3)
    const failed = await ledgerOf(cwd)
    const there = await contentOf(server, 'dst')
    const missing = [...(await contentOf(server, 'src')).keys()].filter((key) => !there.has(key))
    expect(failed.map(({ key }) => key).sort()).toEqual(missing)
    expect(failed.length).toBeGreaterThan(10)
    expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(['AccessDenied']))
    const again = await run(['resume', '--only-failed', 'run'], { cwd })
    expect([again.code, (await ledgerOf(cwd)).length]).toEqual([3, failed.length])
  })

  test('of a job that fails all objects are in the ledger, and s3move does them', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1500:denied=1', 'dst', 'own'] })
    const end = await run([...COPY, '--yes', '--endpoint-url', server.url], { cwd })
    expect([end.code, end.stderr]).toEqual([3, expect.stringContaining('1,000 AccessDenied, 500 BatchJobFailed')])
    expect(await jobsOf(server)).toEqual(['Failed'])
    expect(new Set((await ledgerOf(cwd)).map(({ key }) => key)).size).toBe(1500)
  })

  test('a rehearsal says how many objects and jobs there are and what the role needs, and changes nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1500', 'dst', 'own'] })
    const end = await run([...COPY, '--dry-run', '--job-rows', '1000', '--endpoint-url', server.url], { cwd })
    expect([end.code, end.stderr]).toEqual([0, expect.stringContaining('1,500 objects for 2 jobs')])
    expect(end.stderr).toContain('"Service":"batchoperations.s3.amazonaws.com"')
    expect(end.stderr).toContain('"s3:GetObjectTagging"')
    expect((await contentOf(server, 'own')).size + (await contentOf(server, 'dst')).size).toBe(0)
    expect(await jobsOf(server)).toEqual([])
  })

  test('runs what was planned, lists it in the ranges of the plan, and refuses any other job', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:5k', 'dst', 'other', 'own'] })
    const at = ['--endpoint-url', server.url]
    expect((await run(['plan', 'copy', 's3://src', 's3://dst', '--save', 'plan', ...at], { cwd })).code).toBe(0)
    const { marks } = JSON.parse(await readFile(join(cwd, 'plan/plan.json'), 'utf8')) as { marks: string[] }
    expect(marks.length).toBeGreaterThan(0)
    const before = requestsOf(server)
    const elsewhere = COPY.map((word) => (word === 's3://dst' ? 's3://other' : word))
    const other = await run([...elsewhere, '--plan', 'plan', '--yes', ...at], { cwd })
    expect(refusal(other)).toContain('the plan is of another job')
    expect(server.stats().byOperation.CreateJob).toBeUndefined()
    expect(requestsOf(server)).toBeGreaterThan(before)
    const end = await run([...COPY, '--plan', 'plan', '--yes', ...at], { cwd })
    expect([end.code, end.stderr]).toEqual([0, expect.stringContaining('5,000 objects copied')])
    expect(server.stats().copies.dst).toMatchObject({ total: 5000, unique: 5000 })
  })

  test.each([
    [['--map', 's/a/b/'], 'batch has no option --map'],
    [['--account-id', '12'], '--account-id is 12 digits, and was given 12'],
    [['--role-arn', 'batch'], '--role-arn batch is not that of a role'],
  ])('%j is refused', async (args, message) => {
    const given = COPY.filter((word, at) => word !== args[0] && COPY[at - 1] !== args[0])
    expect(refusal(await run([...given, ...args, '--yes'], { cwd: await workFolder() }))).toContain(message)
  })

  test('without a terminal it wants --yes, and names that no job can give are refused', async () => {
    const cwd = await workFolder()
    expect(refusal(await run(COPY, { cwd }))).toContain('add --yes')
    const renamed = ['batch', 'copy', 's3://src/a/', 's3://dst/b/', ...ASKED, '--yes']
    expect(refusal(await run(renamed, { cwd }))).toContain('s3://dst/b/ does not end in a/')
    const point = 's3://arn:aws:s3:us-east-1:123456789012:accesspoint/mine'
    expect(refusal(await run(['batch', 'copy', point, 's3://dst', ...ASKED, '--yes'], { cwd }))).toContain(
      'jobs name buckets',
    )
    expect(refusal(await run(['batch', 'move', 's3://src', 's3://dst', ...ASKED], { cwd }))).toContain(
      'batch cannot move',
    )
  })

  test('while its jobs are at work nothing that failed is tried again, and the same copy does not begin', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:900', 'dst', 'own'], latency: 'other=20' })
    const running = start([...COPY, '--yes', '--endpoint-url', server.url], { cwd })
    await until(() => (server.stats().byOperation.CreateJob ?? 0) > 0, running)
    running.kill('SIGKILL')
    await running.finished
    expect(refusal(await run(['resume', '--only-failed', 'run'], { cwd }))).toContain('have not come to their end')
    const same = ['copy', 's3://src', 's3://dst', '--checkpoint', 'run', '--endpoint-url', server.url]
    expect(refusal(await run(same, { cwd }))).toContain('an unfinished run of this job is in run')
    expect((await run(['resume', 'run', '--yes'], { cwd })).code).toBe(0)
    expect(server.stats().copies.dst).toMatchObject({ total: 900, unique: 900 })
  })
})

describe('Ctrl-C', () => {
  test('leaves the jobs to AWS, and resume counts what they have done', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:2000:denied=100', 'dst', 'own'] })
    const running = start([...COPY, '--yes', '--json', '--endpoint-url', server.url], { cwd })
    await until(() => (server.stats().byOperation.UpdateJobStatus ?? 0) > 0, running)
    running.kill('SIGINT')
    const { code, stdout } = await running.finished
    const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as object
    expect([code, summary]).toEqual([130, expect.objectContaining({ type: 'summary', end: 'interrupted' })])
    const told = await run(['status', 'run', '--json'], { cwd })
    expect(JSON.parse(told.stdout)).toMatchObject({
      ...{ state: 'unfinished', done: 0, total: 2000, jobs: [{ objects: 2000 }] },
      stopped: { reason: 'it was interrupted' },
    })
    // It was confirmed before, so that nobody is asked again.
    expect((await run(['resume', 'run'], { cwd })).code).toBe(3)
    const there = await contentOf(server, 'dst')
    expect(there.size + (await ledgerOf(cwd)).length).toBe(2000)
  })
})

describe('kill -9 of s3move batch copy, then s3move resume', () => {
  test.each([1, 2, 3])('at random moments, with seed %i: no job twice, no object twice, none lost', async (seed) => {
    const cwd = await workFolder()
    const random = randomOf(seed)
    const server = await sandbox({
      ...{ buckets: ['src:hex:3300:denied=100', 'dst', 'own'], latency: 'other=3-9,list=2-6,put=2-6,get=2-6', seed },
      faults: ['503=5%@other', 'reset-after=10%@CreateJob'],
    })
    const args = await killedAgain([...COPY, '--job-rows', '1000', '--yes'], {
      ...{ cwd, server, kills: 6, counted: () => requestsOf(server) },
      after: () => 8 + Math.floor(random() * 40),
    })
    const last = await run([...args, '--endpoint-url', server.url], { cwd })
    expect([last.code, last.stderr]).toEqual([3, expect.stringContaining('s3move resume --only-failed run')])
    expect(await jobsOf(server)).toEqual(['Complete', 'Complete', 'Complete', 'Complete'])
    const failed = await ledgerOf(cwd)
    const there = await contentOf(server, 'dst')
    const missing = [...(await contentOf(server, 'src')).keys()].filter((key) => !there.has(key))
    expect(failed.map(({ key }) => key).sort()).toEqual(missing)
    const { total, unique } = server.stats().copies.dst!
    expect([total, unique]).toEqual([there.size, there.size])
    const { stdout } = await run(['status', 'run', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ state: 'finished', total: 3300, done: 3300 },
      totals: { copied: there.size, failed: { AccessDenied: failed.length } },
    })
  })
})
