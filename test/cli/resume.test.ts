import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, expectCopiedOnce, expectSame, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Running } from '../support/cli-program.js'

const copied = (server: TestSandbox, bucket = 'dst'): number => server.stats().copies[bucket]?.unique ?? 0

/** A server slow enough to be interrupted. */
async function slowServer(...more: string[]): Promise<TestSandbox> {
  return await sandbox({ buckets: ['src:seq:1500', 'dst', ...more], latency: 'copy=4-8' })
}

/** Begins a copy and waits until `after` objects are copied. */
async function begun(cwd: string, server: TestSandbox, to = 'dst', ...flags: string[]): Promise<Running> {
  const args = ['copy', 's3://src', `s3://${to}`, '--endpoint-url', server.url, '--concurrency', '8', ...flags]
  const running = start(args, { cwd })
  await until(() => copied(server, to) >= 150, running)
  return running
}

/** Begins a copy and interrupts it. */
async function interrupted(cwd: string, server: TestSandbox, to = 'dst', ...flags: string[]): Promise<string> {
  const running = await begun(cwd, server, to, ...flags)
  running.kill('SIGINT')
  const { code, stderr } = await running.finished
  expect(code).toBe(130)
  return stderr
}

const onlyFolder = async (cwd: string): Promise<string> => join('.s3move', (await readdir(join(cwd, '.s3move')))[0]!)

const COPY = ['copy', 's3://src', 's3://dst', '--checkpoint', 'run']

describe('s3move resume [DIR]', () => {
  test('without DIR it goes on with the only unfinished run here, at the endpoint that it knows', async () => {
    const cwd = await workFolder()
    const server = await slowServer()
    const said = await interrupted(cwd, server)
    const folder = await onlyFolder(cwd)
    expect(folder).toMatch(/^\.s3move\/src-to-dst-[0-9a-f]{8}$/)
    expect(said).toContain(`s3move resume ${folder}`)
    const { code, stderr } = await run(['resume'], { cwd })
    expect(code).toBe(0)
    expect(stderr).toContain('resuming: copying s3://src/ to s3://dst/')
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expectCopiedOnce(server, 'dst', 1500)
    const again = await run(['resume', folder], { cwd })
    expect([again.code, again.stderr]).toEqual([0, `nothing to resume: the run in ${folder} is finished\n`])
  })

  test('DIR may be the checkpoint.json in it, and the pace may be another', async () => {
    const cwd = await workFolder()
    const server = await slowServer()
    await interrupted(cwd, server, 'dst', '--checkpoint', 'my run')
    const { code } = await run(['resume', 'my run/checkpoint.json', '--concurrency', '64', '--lanes', '2'], { cwd })
    expect(code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
  })

  test('with several unfinished runs it lists them, and copies nothing', async () => {
    const cwd = await workFolder()
    const server = await slowServer('other')
    await interrupted(cwd, server)
    await interrupted(cwd, server, 'other')
    const before = server.stats().requests
    const { code, stderr } = await run(['resume'], { cwd })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^s3move: 2 runs here can be resumed:\n {2}\S*\.s3move\/src-to-other-[0-9a-f]{8} {2}\(/)
    expect(stderr).toMatch(
      /src-to-dst-[0-9a-f]{8} {2}\(copy s3:\/\/src\/ to s3:\/\/dst\/\)\n {8}name one: s3move resume DIR\n$/,
    )
    expect(server.stats().requests).toBe(before)
  })

  test('with no run at all, or a folder without one, it says so', async () => {
    const cwd = await workFolder()
    expect(refusal(await run(['resume'], { cwd }))).toContain('no unfinished run here')
    expect(refusal(await run(['resume', 'nowhere'], { cwd }))).toContain('there is no checkpoint at nowhere')
    expect(refusal(await run(['status'], { cwd }))).toContain('there is no run below')
    expect(refusal(await run(['resume', 'a', '--checkpoint', 'b'], { cwd }))).toContain('given twice')
  })

  test('--dry-run tells what remains and changes neither bucket nor checkpoint', async () => {
    const cwd = await workFolder()
    const server = await slowServer()
    await interrupted(cwd, server, 'dst', '--checkpoint', 'run')
    const before = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')
    const { copies } = server.stats()
    const { code, stdout } = await run(['resume', 'run', '--dry-run', '--json'], { cwd })
    expect(code).toBe(0)
    expect(JSON.parse(stdout.trimEnd().split('\n').at(-1)!)).toMatchObject({
      type: 'plan',
      totals: { copied: 1500 - copies.dst!.total },
    })
    expect(server.stats().copies).toEqual(copies)
    expect(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')).toBe(before)
  })
})

describe('s3move resume --only-failed [DIR]', () => {
  test('with an --only-code that no failed object has it says so, and which codes they have', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:200:denied=10', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    expect((await run(args, { cwd })).code).toBe(3)
    const again = async (...codes: string[]) =>
      await run(['resume', 'run', '--only-failed', ...codes.flatMap((code) => ['--only-code', code])], { cwd })
    const misspelt = await again('AccesDenied', 'InternalError')
    expect(misspelt.code).toBe(3)
    expect(misspelt.stderr).toMatch(
      /^warning: no object in the failure ledger failed with AccesDenied or InternalError; it has \d+ AccessDenied$/m,
    )
    expect((await again('AccesDenied', 'AccessDenied')).stderr).not.toContain('no object in the failure ledger')
  })

  test('with --only-code it tries only those, and the others stay in the ledger as they were', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:900:denied=10,glacier=15', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run', '--restore', '1']
    expect((await run(args, { cwd })).code).toBe(3)
    const entries = async () =>
      (await readFile(join(cwd, 'run/failures.ndjson'), 'utf8'))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { key: string; code: string; time: string })
        .sort((one, other) => (one.key < other.key ? -1 : 1))
    const before = await entries()
    const copiesBefore = server.stats().byOperation.CopyObject!
    const of = (code: string) => before.filter((entry) => entry.code === code)
    expect([of('AccessDenied').length > 50, of('RestoreRequested').length > 30]).toEqual([true, true])
    expect((await run(['resume', 'run', '--only-failed', '--only-code', 'AccessDenied'], { cwd })).code).toBe(3)
    const after = await entries()
    expect(after.map(({ key, code }) => [key, code])).toEqual(before.map(({ key, code }) => [key, code]))
    // Those were tried again, with the probe before the first; the others were not.
    expect(server.stats().byOperation.CopyObject! - copiesBefore).toBe(of('AccessDenied').length + 1)
    const archived = (list: typeof before) => list.filter(({ code }) => code === 'RestoreRequested')
    expect(archived(after)).toEqual(archived(before))
    const { stderr } = await run(['status', 'run'], { cwd })
    expect(stderr + (await run(['status', 'run'], { cwd })).stdout).toContain(String(before.length))
    expect(refusal(await run(['resume', 'run', '--only-code', 'AccessDenied'], { cwd }))).toContain('--only-failed')
  })

  test('once the cause is gone it empties the ledger, and the run is done', async () => {
    const cwd = await workFolder()
    const server = await slowServer()
    const running = await begun(cwd, server)
    await server.fault('denied', '1/5', 'CopyObject')
    const first = await running.finished
    expect(first.code).toBe(3)
    const folder = await onlyFolder(cwd)
    const ledger = join(cwd, folder, 'failures.ndjson')
    const keys = (await readFile(ledger, 'utf8')).trimEnd().split('\n')
    const failed = new Set(keys.map((line) => (JSON.parse(line) as { key: string }).key))
    const source = await contentOf(server, 'src')
    const there = await contentOf(server, 'dst')
    expect(failed).toEqual(new Set([...source.keys()].filter((key) => !there.has(key))))
    expect(failed.size).toBeGreaterThan(50)

    const nothing = await run(['resume', folder], { cwd })
    expect([nothing.code, nothing.stderr]).toEqual([3, expect.stringContaining('resume --only-failed') as string])

    await server.fault('denied', '1/4', 'CopyObject')
    const second = await run(['resume', '--only-failed'], { cwd })
    // A rate of faults may hit the probe before the first copy as well, and then nothing was begun.
    expect([2, 3]).toContain(second.code)
    const still = (await readFile(ledger, 'utf8')).trimEnd().split('\n').length
    expect(still).toBe(1500 - (await contentOf(server, 'dst')).size)

    await server.fault('denied', '0', 'CopyObject')
    const { code, stderr } = await run(['resume', '--only-failed'], { cwd })
    expect(code).toBe(0)
    expect(stderr).toContain('finished: 1,500 objects copied, none skipped, none failed')
    expectSame(await contentOf(server, 'dst'), source)
    expect(server.stats().copies.dst?.duplicates).toBe(0)
    expect(await readFile(ledger, 'utf8').catch(() => '')).toBe('')
    expect(refusal(await run(['resume', '--only-failed'], { cwd }))).toContain('no run here has failed objects')
    const told = await run(['status', '--json'], { cwd })
    expect(JSON.parse(told.stdout)).toMatchObject({
      state: 'finished',
      totals: { copied: 1500, failed: {} },
      next: null,
    })
  })
})

describe('s3move status [DIR]', () => {
  test('it tells of an unfinished and of a finished run, as text and as JSON, without a request', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:1500:denied=300', 'dst', 'other'], latency: 'copy=4-8' })
    await interrupted(cwd, server, 'dst', '--lanes', '1')
    const before = server.stats().requests
    const text = await run(['status'], { cwd })
    const folder = await onlyFolder(cwd)
    expect([text.code, text.stderr]).toEqual([0, ''])
    expect(text.stdout).toMatch(/^copy s3:\/\/src\/ to s3:\/\/dst\/$/m)
    expect(text.stdout).toMatch(/^ {2}state +unfinished$/m)
    expect(text.stdout).toMatch(new RegExp(`^ {2}next +s3move resume ${folder}$`, 'm'))
    const json = await run(['status', folder, '--json'], { cwd })
    const told = JSON.parse(json.stdout) as { totals: { copied: number }; done: number }
    expect(told).toMatchObject({ state: 'unfinished', folder, next: `s3move resume ${folder}` })
    expect(told.totals.copied).toBe(copied(server))
    expect(server.stats().requests).toBe(before)

    expect((await run(['resume'], { cwd })).code).toBe(3)
    const file = await run(['status', join(folder, 'checkpoint.json'), '--json'], { cwd })
    expect(JSON.parse(file.stdout)).toMatchObject({
      ...{
        state: 'finished',
        totals: { copied: 1495, failed: { AccessDenied: 5 } },
        done: 1500,
        total: 1500,
        sessions: 2,
      },
      next: `s3move resume --only-failed ${folder}`,
    })

    await interrupted(cwd, server, 'other')
    // The share that is done may leave no room for the folder in the same line.
    const both = (await run(['status'], { cwd })).stdout.replaceAll('\n  ', '  ').trimEnd().split('\n')
    expect(both).toEqual([
      expect.stringMatching(/^state/),
      expect.stringMatching(/^stopped .*src-to-other/),
      expect.stringMatching(/^finished .*src-to-dst/),
    ])
  })
})

describe('s3move copy, when a run of it exists', () => {
  test('the same job again is refused with both ways out; --fresh begins anew', async () => {
    const cwd = await workFolder()
    const server = await slowServer()
    await interrupted(cwd, server)
    const folder = await onlyFolder(cwd)
    const before = copied(server)
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url]
    const line = refusal(await run(args, { cwd }))
    expect(line).toContain(`an unfinished run of this job is in ${folder}`)
    expect(line).toContain(`s3move resume ${folder}`)
    expect(line).toContain('--fresh')
    expect(copied(server)).toBe(before)
    expect((await run([...args, '--fresh', '--concurrency', '64'], { cwd })).code).toBe(0)
    expectSame(await contentOf(server, 'dst'), await contentOf(server, 'src'))
    expect(server.stats().copies.dst).toEqual({ total: 1500 + before, unique: 1500, duplicates: before })
    const told = await run(['status', '--json'], { cwd })
    expect(JSON.parse(told.stdout)).toMatchObject({ state: 'finished', totals: { copied: 1500 }, sessions: 1 })
  })

  test('a finished one is refused with when and what; --again does it once more, in a folder of its own', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:300:denied=100', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url]
    expect((await run(args, { cwd })).code).toBe(3)
    const folder = await onlyFolder(cwd)
    const record = await readFile(join(cwd, folder, 'checkpoint.json'), 'utf8')
    const { copies } = server.stats()
    const line = refusal(await run(args, { cwd }))
    expect(line).toMatch(/: this job finished \d.* ago \(29\d copied, \d failed\)\n.* --again .* or use sync/)
    expect(line).toContain(`s3move resume --only-failed ${folder}`)
    expect(server.stats().copies).toEqual(copies)
    const again = await run([...args, '--again'], { cwd })
    expect([again.code, again.stderr]).toEqual([3, expect.stringContaining(`checkpoint ${folder}-2\n`) as string])
    expect(server.stats().copies.dst!.total).toBe(2 * copies.dst!.total)
    expect(await readFile(join(cwd, folder, 'checkpoint.json'), 'utf8')).toBe(record)
    expect(refusal(await run(args, { cwd }))).toContain(`--only-failed ${folder}-2`)
    // What failed was tried by the later run.
    expect((await run(['resume', '--only-failed'], { cwd })).stderr).toContain(`${folder}-2`)
    expect((await run([...args, '--fresh'], { cwd })).stderr).toContain(`checkpoint ${folder}-3\n`)
  })

  test('one that found nothing is no obstacle, nor is a finished move', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    const to = ['s3://src', 's3://dst', '--endpoint-url', server.url]
    expect((await run(['copy', ...to], { cwd })).stderr).toContain('has no objects')
    await put(server, 'src', 'a')
    expect((await run(['copy', ...to], { cwd })).stderr).toContain('1 object copied')
    expect((await run(['move', '--yes', ...to], { cwd })).code).toBe(0)
    await put(server, 'src', 'b')
    const { code, stderr } = await run(['move', '--yes', ...to], { cwd })
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/an earlier run of this job finished \d.* ago \(1 moved\); its record stays in /) as string,
    ])
    const runs = (await readdir(join(cwd, '.s3move'))).sort()
    expect(runs.map((name) => name.replace(/-[0-9a-f]{8}/, ''))).toEqual([
      ...['src-move-to-dst', 'src-move-to-dst-2', 'src-to-dst', 'src-to-dst-2'],
    ])
  })

  test('the endpoint of the environment makes it no other job', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:10', 'dst'] })
    const as = { cwd, env: { AWS_ENDPOINT_URL_S3: server.url } }
    expect((await run(COPY, as)).code).toBe(0)
    expect(refusal(await run(COPY, as))).toMatch(/this job finished .* ago \(10 copied\)/)
    expect((await run([...COPY, '--again'], as)).code).toBe(0)
    const other = await sandbox({ buckets: ['src:seq:10', 'dst'] })
    const line = refusal(await run(COPY, { cwd, env: { AWS_ENDPOINT_URL_S3: other.url } }))
    expect(line).toContain(`endpoint: checkpoint has ${server.url}/`.slice(0, -1))
  })

  test('another job in the same --checkpoint is refused with the difference, and changes nothing', async () => {
    const cwd = await workFolder()
    const server = await slowServer('other')
    await interrupted(cwd, server, 'dst', '--checkpoint', 'run')
    const before = await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')
    const args = ['copy', 's3://src', 's3://other', '--endpoint-url', server.url, '--checkpoint', 'run']
    const line = refusal(await run(args, { cwd }))
    expect(line).toContain('destination: checkpoint has s3://dst/, command has s3://other/')
    expect(copied(server, 'other')).toBe(0)
    expect(await readFile(join(cwd, 'run/checkpoint.json'), 'utf8')).toBe(before)
  })

  test('a second process on the same checkpoint is refused, naming the first', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:1500', 'dst'], latency: 'copy=200-400' })
    const running = start([...COPY, '--endpoint-url', server.url, '--concurrency', '4'], { cwd })
    await until(() => copied(server) > 0, running)
    for (const args of [
      ['resume', 'run'],
      [...COPY, '--fresh'],
    ]) {
      const line = refusal(await run([...args, '--endpoint-url', server.url], { cwd }))
      expect(line).toContain(`process ${running.pid} on `)
    }
    expect(running.isOver()).toBe(false)
  })
})

describe('s3move resume, with a damaged checkpoint', () => {
  const damages: readonly (readonly [string, RegExp, (whole: string) => string])[] = [
    ['cut after 0 bytes', /./, () => ''],
    ['cut after 1 byte', /./, (whole) => whole.slice(0, 1)],
    ['cut in the middle', /./, (whole) => whole.slice(0, whole.length >> 1)],
    ['cut before its last brace', /./, (whole) => whole.trimEnd().slice(0, -1)],
    ['of a later format', /format|version/i, (whole) => whole.replace(/"format": \d+/, '"format": 99')],
    ['with a field of another version', /field/, (whole) => whole.replace('"pace"', '"colour": 1,\n  "pace"')],
    ['with ranges that are no list', /ranges/, (whole) => whole.replace(/"ranges": \[\]/, '"ranges": 7')],
    ['of another kind of job', /job/, (whole) => whole.replace('"kind": "copy"', '"kind": "sing"')],
  ]

  test.each(damages)('%s: one clear line, and nothing is written', async (_, says, damage) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:20', 'dst'] })
    const args = ['--endpoint-url', server.url, '--checkpoint', 'run']
    expect((await run(['copy', 's3://src', 's3://dst', ...args], { cwd })).code).toBe(0)
    const file = join(cwd, 'run/checkpoint.json')
    const damaged = damage(await readFile(file, 'utf8'))
    await writeFile(file, damaged)
    const before = server.stats().requests
    for (const command of [
      ['resume', 'run'],
      ['status', 'run'],
      ['copy', 's3://src', 's3://dst', ...args],
    ]) {
      const line = refusal(await run(command, { cwd }))
      expect(line).toContain('run/checkpoint.json')
      expect(line).toMatch(says)
    }
    expect(server.stats().requests).toBe(before)
    expect(await readFile(file, 'utf8')).toBe(damaged)
  })

  test('a ledger that is gone is noticed before anything is copied', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:20:denied=5', 'dst'] })
    const args = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'run']
    expect((await run(args, { cwd })).code).toBe(3)
    await rm(join(cwd, 'run/failures.ndjson'))
    const before = copied(server)
    const { code, stderr } = await run(['resume', '--only-failed', 'run', '--quiet'], { cwd })
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^s3move: the failure ledger .*\n {8}.*\n$/) as string])
    expect(copied(server)).toBe(before)
    await expect(stat(join(cwd, 'run/checkpoint.json'))).resolves.toBeDefined()
  })
})

describe('s3move failures [DIR]', () => {
  test('tells what failed by code and folder, what that means and what to do; or each object, in three formats', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:300:prefix=in/', 'dst'] })
    await writeFile(join(cwd, 'list'), '{"key":"in/a\\nb"}\n{"key":"in/deep/x,y"}\n{"key":"in/deep/z"}\n')
    await server.fault('denied', '100%', 'CopyObject')
    const copy = ['copy', 's3://src/in/', 's3://dst', '--files-from', 'list', '--files-format', 'ndjson']
    expect(refusal(await run(['failures'], { cwd }))).toContain('there is no run below')
    for (const key of ['in/a\nb', 'in/deep/x,y', 'in/deep/z']) await put(server, 'dst', key)
    const args = [...copy.with(1, 's3://dst/in/').with(2, 's3://dst/out/'), '--max-errors', '100']
    expect((await run([...args, '--endpoint-url', server.url], { cwd })).code).toBe(3)
    const folder = await onlyFolder(cwd)
    const told = await run(['failures'], { cwd })
    expect([told.code, told.stdout.split('\n')]).toEqual([
      0,
      [
        `3 objects failed in ${folder}: copy s3://dst/in/ to s3://dst/out/`,
        '',
        'AccessDenied: 3 objects',
        '  where     2 in in/deep/, 1 in no folder',
        '  means     these credentials may not',
        '  to do     look at policies, access control lists, keys of KMS, holds',
        expect.stringMatching(/^ {2}said {6}.*\(CopyObject, HTTP 403\)$/),
        expect.stringMatching(/^ {2}such as {3}in\//),
        '',
        `next: s3move resume --only-failed ${folder}`,
        '',
      ],
    ])
    const keys = await run(['failures', folder, '--code', 'AccessDenied', '--format', 'keys'], { cwd })
    expect(keys.stdout.trimEnd().split('\n').sort()).toEqual(['in/deep/x,y', 'in/deep/z'])
    expect(keys.stderr).toBe('warning: 1 key holds a line break and was left out: --format json has all of them\n')
    const csv = await run(['failures', folder, '--format', 'csv'], { cwd })
    expect(csv.stdout).toMatch(/^key,version,size,.*,code,message,request_id,attempts,time\n/)
    expect(csv.stdout).toMatch(/^"in\/deep\/x,y",.*,403,AccessDenied,/m)
    const json = (await run(['failures', folder, '--json'], { cwd })).stdout
    expect(json).toBe(await readFile(join(cwd, folder, 'failures.ndjson'), 'utf8'))
    const none = await run(['failures', folder, '--code', 'SlowDown', '--format', 'keys'], { cwd })
    expect([none.code, none.stdout, none.stderr]).toEqual([
      0,
      '',
      'no object failed with SlowDown; the ledger has 3 AccessDenied\n',
    ])
  })
})
