import { DeleteObjectCommand, GetObjectTaggingCommand } from '@aws-sdk/client-s3'
import { expect, describe, test } from 'vitest'
import { ASKED, jobsOf, ledgerOf } from '../support/batch-runs.js'
import { contentOf, expectSame, look, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { killedAgain, randomOf, requestsOf } from '../support/kills.js'

const SET = ['batch', 'set-tags', 's3://src', ...ASKED]

/** The tags of an object as `name=value`, in the order of names. */
async function tagsOf({ s3 }: TestSandbox, Key: string): Promise<string> {
  const { TagSet = [] } = await s3.send(new GetObjectTaggingCommand({ Bucket: 'src', Key }))
  return TagSet.map((tag) => `${tag.Key}=${tag.Value}`)
    .sort()
    .join(' ')
}

/** How many objects have which tags. */
async function counted(server: TestSandbox): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  const keys = [...(await contentOf(server, 'src')).keys()].values()
  const reading = async (): Promise<void> => {
    for (const key of keys) {
      const tags = await tagsOf(server, key)
      counts[tags] = (counts[tags] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: 32 }, reading))
  return counts
}

/** A bucket of so many objects with tags of one of two kinds, some of them archived, large ones not being needed. */
async function filled(objects: number, more: { latency?: string; faults?: string[]; seed?: number } = {}) {
  const server = await sandbox({ buckets: ['src', 'own'], ...more })
  // What fills it must not keep connections, which a kill is judged by.
  const filler = look(server.url)
  const numbers = Array.from({ length: objects }, (_, n) => n).values()
  const fill = async (): Promise<void> => {
    for (const n of numbers) {
      await put(filler, 'src', `${n % 2 === 0 ? 'a' : 'b'}/${n} ü`, {
        Tagging: n % 2 === 0 ? 'team=red&own=1' : 'team=blue',
        ...(n % 10 === 0 ? { StorageClass: 'GLACIER' as const } : {}),
      })
    }
  }
  await Promise.all(Array.from({ length: 32 }, fill))
  filler.s3.destroy()
  return server
}

describe('s3move batch set-tags', () => {
  test('--tagging is one job for all, archived ones too, and --remove-all-tags is another; nobody looks at any object', async () => {
    const cwd = await workFolder()
    const server = await filled(1010)
    const before = await contentOf(server, 'src')
    const whole = await run([...SET, '--tagging', 'team=w%20%26&n=1', '--yes', '--endpoint-url', server.url], { cwd })
    expect([whole.code, whole.stderr]).toEqual([
      0,
      expect.stringContaining('finished: 1,010 objects tagged, none skipped, none failed'),
    ])
    expect(whole.stderr).toContain('1,010 objects for one job of S3 Batch Operations\n')
    expect(whole.stderr).toContain('"Action":["s3:PutObjectTagging","s3:PutObjectVersionTagging"]')
    expect(server.stats().byOperation.GetObjectTagging).toBe(undefined)
    expect(await counted(server)).toEqual({ 'n=1 team=w &': 1010 })
    expectSame(await contentOf(server, 'src'), before)
    const none = await run([...SET, '--remove-all-tags', '--yes', '--fresh', '--endpoint-url', server.url], { cwd })
    expect([none.code, none.stderr]).toEqual([0, expect.stringContaining('1,010 objects tagged')])
    expect(none.stderr).toContain('"Action":["s3:DeleteObjectTagging","s3:DeleteObjectVersionTagging"]')
    expect(await counted(server)).toEqual({ '': 1010 })
    expect(await jobsOf(server)).toEqual(['Complete', 'Complete'])
  })

  test('--tag keeps the others: a job for each set of tags, and what few objects are to have s3move sets itself', async () => {
    const cwd = await workFolder()
    const server = await filled(2100)
    await put(server, 'src', 'rare', { Tagging: 'only=me' })
    await put(server, 'src', 'right', { Tagging: 'new=1' })
    const args = [...SET, '--tag', 'new=1', '--remove-tag', 'own', '--yes', '--endpoint-url', server.url]
    const { code, stderr } = await run(args, { cwd })
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('2,100 objects for 2 jobs of S3 Batch Operations (in 2 sets of tags)'),
    ])
    expect(stderr).toContain(
      'what others change of the tags in s3://src between the look at an object and its job is lost',
    )
    expect(stderr).toContain('1 object passed over: 1 unchanged')
    expect(stderr).toContain('1 object left to s3move itself: too few objects are to have the same tags')
    expect(await counted(server)).toEqual({
      ...{ 'new=1 team=red': 1050, 'new=1 team=blue': 1050, 'new=1 only=me': 1, 'new=1': 1 },
    })
    expect(await jobsOf(server)).toEqual(['Complete', 'Complete'])
  })

  test('what is gone when its job comes to it is in the ledger, and resume --only-failed ends it without jobs', async () => {
    const cwd = await workFolder()
    const server = await filled(1100, { latency: 'other=3' })
    const running = start([...SET, '--tagging', 'x=1', '--yes', '--endpoint-url', server.url], { cwd })
    await until(() => (server.stats().byOperation.CreateJob ?? 0) > 0, running)
    running.kill('SIGKILL')
    await running.finished
    const [gone = '', again = ''] = [...(await contentOf(server, 'src')).keys()]
    for (const Key of [gone, again]) await server.s3.send(new DeleteObjectCommand({ Bucket: 'src', Key }))
    const end = await run(['resume', 'run', '--yes'], { cwd })
    expect([end.code, end.stderr]).toEqual([3, expect.stringContaining('1,098 objects tagged, none skipped, 2 failed')])
    expect(await ledgerOf(cwd)).toMatchObject(
      [gone, again].map((key) => ({ key, code: 'NoSuchKey', operation: 'S3PutObjectTagging' })),
    )
    await put(server, 'src', again, { Tagging: 'y=2' })
    const rest = await run(['resume', '--only-failed', 'run'], { cwd })
    expect([rest.code, rest.stderr]).toEqual([
      0,
      expect.stringContaining('1,099 objects tagged, 1 skipped, none failed'),
    ])
    expect(await counted(server)).toEqual({ 'x=1': 1099 })
  })

  test.each([
    [[...SET], 'nothing to set: no tag was named'],
    [[...SET, '--tag', 'a=1', '--acl', 'private'], 'batch set-tags has no option --acl'],
    [[...SET, '--tag', 'a=1', '--tagging', 'b=1'], 'contradict each other'],
    [['batch', 'copy', 's3://src', 's3://dst', '--tag', 'a=1'], 'batch copy has no option --tag'],
  ])('%j is refused', async (args, message) => {
    expect(refusal(await run([...args, '--yes'], { cwd: await workFolder() }))).toContain(message)
  })
})

describe('kill -9 of s3move batch set-tags, then s3move resume', () => {
  test.each([1, 2])('at random moments, with seed %i: no job twice, no object without its tags', async (seed) => {
    const cwd = await workFolder()
    const random = randomOf(seed)
    const server = await filled(2200, { seed, faults: ['503=2%@other', 'reset-after=10%@CreateJob'] })
    const looks = (): number => server.stats().byOperation.GetObjectTagging ?? 0
    const args = await killedAgain([...SET, '--tag', 'new=1', '--job-rows', '1000', '--yes'], {
      ...{ cwd, server, kills: 6, counted: (kill) => (kill === 0 ? looks() : requestsOf(server) - looks()) },
      after: (kill) => (kill === 0 ? 200 + Math.floor(random() * 1500) : 4 + Math.floor(random() * 20)),
    })
    const last = await run([...args, '--endpoint-url', server.url], { cwd })
    expect([last.code, last.stderr]).toEqual([
      0,
      expect.stringContaining('2,200 objects tagged, none skipped, none failed'),
    ])
    expect(await jobsOf(server)).toEqual(['Complete', 'Complete', 'Complete', 'Complete'])
    await server.fault('503', '0', 'other')
    expect(await counted(server)).toEqual({ 'new=1 own=1 team=red': 1100, 'new=1 team=blue': 1100 })
  })
})
