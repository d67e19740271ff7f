import { readFile } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ASKED, jobsOf } from '../support/batch-runs.js'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const VERIFY = ['batch', 'verify', 's3://src', 's3://dst', ...ASKED]

interface Line {
  readonly key: string
  readonly verdict: string
  readonly differs?: readonly string[]
  readonly code?: string
  readonly message?: string
}

const linesOf = (text: string): Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)

const copied = async (server: TestSandbox, cwd: string): Promise<void> => {
  const copy = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'copying']
  expect((await run(copy, { cwd })).code).toBe(0)
}

describe('s3move batch verify', () => {
  test('finds that all bytes are the same, also of odd names, by a job a side and nothing downloaded', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:1500', 'dst', 'own'] })
    await copied(server, cwd)
    const before = server.stats().byOperation.GetObject ?? 0
    const end = await run([...VERIFY, '--yes', '--endpoint-url', server.url], { cwd })
    expect([end.code, end.stdout]).toEqual([0, ''])
    expect(end.stderr).toContain('source s3://src/: 1,500 objects')
    expect(end.stderr).toContain('price: about US$ 0.50 for 3,000 objects in 2 jobs; what S3 bills for reading')
    expect(end.stderr).toContain('finished: no object differs')
    expect(end.stderr).toMatch(/\n {2}same {6}1,500 objects\n/)
    expect(await jobsOf(server)).toEqual(['Complete', 'Complete'])
    // Manifests and reports alone.
    expect((server.stats().byOperation.GetObject ?? 0) - before).toBeLessThan(12)
    const { stdout } = await run(['status', 'run'], { cwd })
    expect(stdout).toMatch(/jobs {6}2 of S3 Batch Operations: 2 Complete; 3,000 of 3,000 objects read, 0 failed/)
    expect((await run(['resume', 'run'], { cwd })).stderr).toContain('nothing to resume')
    expect(readdirSync(join(cwd, 'run')).filter((name) => name.includes('sorting'))).toEqual([])
  })

  test('names what differs in its bytes alone, what only one side has, and what could not be read, by its code', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'own'] })
    for (const key of ['x/same', 'x/flipped', 'x/missing', 'x/longer'])
      await put(server, 'src', key, { Body: `${key} 0` })
    await put(server, 'dst', 'y/same', { Body: 'x/same 0' })
    await put(server, 'dst', 'y/flipped', { Body: 'x/flipped 1' })
    await put(server, 'dst', 'y/extra', { Body: 'e' })
    await put(server, 'dst', 'y/longer', { Body: 'x/longer 00' })
    const places = ['batch', 'verify', 's3://src/x/', 's3://dst/y/', ...ASKED, '--yes', '--endpoint-url', server.url]
    const end = await run([...places, '--checksum-algorithm', 'SHA256'], { cwd })
    expect([end.code, linesOf(end.stdout)]).toEqual([
      3,
      [
        expect.objectContaining({ key: 'x/extra', verdict: 'extra' }),
        expect.objectContaining({ key: 'x/flipped', verdict: 'different', differs: ['content'] }),
        expect.objectContaining({ key: 'x/longer', verdict: 'different', differs: ['size'] }),
        expect.objectContaining({ key: 'x/missing', verdict: 'missing' }),
      ],
    ])
    expect(end.stderr).toContain('finished: 4 objects differ')
  })

  test('an object that a job could not read is unknown under the code of the report, and told what to do', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:40:denied=3', 'dst', 'own'] })
    for (const key of (await contentOf(server, 'src')).keys()) await put(server, 'dst', key, { Body: 'x' })
    const args = [...VERIFY, '--yes', '--to', 'found.ndjson', '--endpoint-url', server.url]
    const end = await run(args, { cwd })
    expect([end.code, end.stdout]).toEqual([3, ''])
    const found = linesOf(await readFile(join(cwd, 'found.ndjson'), 'utf8'))
    expect(found.length).toBe(40)
    const sizes = found.filter(({ differs }) => differs?.[0] === 'size').length
    // Of unequal sizes nothing more is to be known.
    expect(sizes).toBe(40)
    const same = await sandbox({ buckets: ['src:hex:40:denied=3', 'own'] })
    const twice = ['batch', 'verify', 's3://src', 's3://src', ...ASKED.slice(0, -1), 'twice', '--yes']
    const ends = ['--source-endpoint-url', same.url, '--destination-endpoint-url', server.url]
    const other = await run([...twice, ...ends, '--to', 'twice.ndjson'], { cwd })
    const unread = linesOf(await readFile(join(cwd, 'twice.ndjson'), 'utf8'))
    expect([other.code, new Set(unread.map(({ verdict, code }) => `${verdict} ${code}`))]).toEqual([
      3,
      new Set(['unknown AccessDenied']),
    ])
    expect(unread[0]!.message).toBe('source: Access Denied')
    expect(other.stderr).toContain(`not read  ${unread.length} objects: ${unread.length} AccessDenied`)
    expect(other.stderr).toContain('s3move verify s3://src/ s3://src/ --bytes --files-from')
    // Both sides have manifests and jobs of their own.
    expect([await jobsOf(same), (await jobsOf(server)).length]).toEqual([['Complete'], 3])
  })

  test('tells a program what it found, and another account of the source has its own role and manifests', async () => {
    const cwd = await workFolder()
    const [one, other] = [await sandbox({ buckets: ['aaa', 'mine'] }), await sandbox({ buckets: ['bbb', 'own'] })]
    await put(one, 'aaa', 'k', { Body: '0' })
    await put(other, 'bbb', 'k', { Body: '1' })
    const ends = ['--source-endpoint-url', one.url, '--destination-endpoint-url', other.url]
    const source = ['--source-manifest', 's3://mine/x', '--source-role-arn', 'arn:aws:iam::123456789012:role/other']
    const args = ['batch', 'verify', 's3://aaa', 's3://bbb', ...ASKED, ...ends, ...source, '--yes', '--json']
    const end = await run(args, { cwd })
    const [difference, summary] = linesOf(end.stdout) as unknown as object[]
    expect([end.code, difference]).toEqual([3, expect.objectContaining({ key: 'k', differs: ['content'] })])
    expect(summary).toMatchObject({
      ...{ type: 'comparison', complete: true, exitCode: 3, objects: 1, source: 's3://aaa/', destination: 's3://bbb/' },
      verdicts: { different: 1, same: 0 },
    })
    const written = [...(await contentOf(one, 'mine')).keys()]
    expect(written.filter((key) => /^x\/[^/]+\/source\/manifest-1\.csv$/.test(key)).length).toBe(1)
    expect([...(await contentOf(other, 'own')).keys()].some((key) => key.includes('/source/'))).toBe(false)
    expect(end.stderr).toContain('role/other must be trusted, for the source')
  })

  test('a rehearsal says how many objects and jobs there are and what the roles need, and changes nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:1500', 'dst', 'own'] })
    const end = await run([...VERIFY, '--dry-run', '--job-rows', '1000', '--endpoint-url', server.url], { cwd })
    expect([end.code, end.stderr]).toEqual([0, expect.stringContaining('1,500 objects')])
    expect(end.stderr).toContain('for 2 jobs of S3 Batch Operations\n')
    expect(end.stderr).toContain('"Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":"arn:aws:s3:::src/*"')
    expect([(await contentOf(server, 'own')).size, await jobsOf(server)]).toEqual([0, []])
  })

  test('chooses by names on both sides, and refuses what no listing of both could tell', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'own'] })
    await put(server, 'src', 'a.jpg', { Body: '0' })
    await put(server, 'src', 'b.txt', { Body: '0' })
    await put(server, 'dst', 'c.txt', { Body: '0' })
    const args = [...VERIFY, '--yes', '--endpoint-url', server.url]
    const end = await run([...args, '--include', '*.jpg', '--exclude', '*.txt'], { cwd })
    expect([end.code, linesOf(end.stdout)]).toEqual([
      3,
      [expect.objectContaining({ key: 'a.jpg', verdict: 'missing' })],
    ])
    expect(refusal(await run([...args, '--size', '+1M'], { cwd }))).toContain('by their names alone')
    expect(refusal(await run([...args, '--fresh', '--account-id', '999999999999'], { cwd }))).toContain(
      'the source s3://src/ does not tell of jobs of S3 Batch Operations: AccessDenied',
    )
    expect(refusal(await run(VERIFY, { cwd }))).toContain('add --yes')
    const folder = ['batch', 'verify', 's3://src', 'file:///tmp', ...ASKED, '--yes']
    expect(refusal(await run(folder, { cwd }))).toContain('the destination file:///tmp is a folder')
    expect(refusal(await run(['verify', 's3://src', 's3://dst', '--checksums'], { cwd }))).toContain(
      's3move batch verify SOURCE DESTINATION --manifest s3://BUCKET/PREFIX/ --role-arn ARN',
    )
  })

  test('of two empty places nothing differs, and no job is made', async () => {
    const server = await sandbox({ buckets: ['src', 'dst', 'own'] })
    const end = await run([...VERIFY, '--yes', '--endpoint-url', server.url], { cwd: await workFolder() })
    expect([end.code, end.stderr]).toEqual([0, expect.stringContaining('both sides are empty')])
    expect(await jobsOf(server)).toEqual([])
  })
})

describe('a comparison whose jobs wait', () => {
  const waiting = async (cwd: string, server: TestSandbox): Promise<void> => {
    const running = start([...VERIFY, '--yes', '--endpoint-url', server.url], { cwd })
    await until(() => (server.stats().byOperation.DescribeJob ?? 0) > 0, running)
    running.kill('SIGKILL')
    await running.finished
  }

  test('tells what was written meanwhile as changed, even to the same bytes on both sides', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'own'], latency: 'other=30' })
    for (const bucket of ['src', 'dst']) for (const key of ['a', 'b']) await put(server, bucket, key, { Body: '0' })
    await waiting(cwd, server)
    for (const bucket of ['src', 'dst']) await put(server, bucket, 'b', { Body: '1' })
    const end = await run(['resume', 'run', '--yes'], { cwd })
    expect([end.code, linesOf(end.stdout)]).toEqual([
      3,
      [expect.objectContaining({ key: 'b', verdict: 'different', differs: ['changed'] })],
    ])
  })

  test('can be watched and cancelled; then nothing is said to be the same', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', 'own'], latency: 'other=30' })
    for (const bucket of ['src', 'dst']) await put(server, bucket, 'a', { Body: '0' })
    await waiting(cwd, server)
    const cancelled = await run(['batch', 'cancel', 'run', '--yes'], { cwd })
    expect([cancelled.code, cancelled.stderr]).toEqual([0, expect.stringContaining('to compare what they have read')])
    const watched = await run(['batch', 'watch', 'run'], { cwd })
    expect([watched.code, watched.stdout]).toEqual([0, expect.stringContaining('2 Cancelled; 0 of 2 objects read')])
    const end = await run(['resume', 'run', '--yes'], { cwd })
    expect([end.code, linesOf(end.stdout)]).toEqual([
      3,
      [expect.objectContaining({ key: 'a', verdict: 'unknown', code: 'BatchJobCancelled' })],
    ])
  })
})

describe('kill -9 of s3move batch verify, then s3move resume', () => {
  test.each([1, 2])('at random moments, with seed %i: no job twice, no line twice, none lost', async (seed) => {
    const cwd = await workFolder()
    let state = seed * 7919
    const random = (): number => (state = (state * 48_271) % 0x7fff_ffff) / 0x7fff_ffff
    const server = await sandbox({
      ...{ buckets: ['src:hex:2300:denied=90', 'dst', 'own'], latency: 'other=3-9,list=2-6,put=2-6,get=2-6', seed },
      faults: ['503=5%@other', 'reset-after=10%@CreateJob'],
    })
    const copy = ['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--checkpoint', 'copying']
    expect((await run(copy, { cwd })).code).toBe(3)
    const there = await contentOf(server, 'dst')
    const [flipped, ...others] = [...there.keys()]
    await put(server, 'dst', flipped!, { Body: 'x'.repeat(there.get(flipped!)!.size) })
    const missing = [...(await contentOf(server, 'src')).keys()].filter((key) => !there.has(key))
    const requests = (): number => Object.values(server.stats().byOperation).reduce((sum, n) => sum + n, 0)
    let args = [...VERIFY, '--job-rows', '1000', '--to', 'found.ndjson', '--yes']
    for (let kills = 0; kills < 6; kills++) {
      const running = start([...args, '--endpoint-url', server.url], { cwd })
      const target = requests() + 8 + Math.floor(random() * 60)
      await until(() => running.isOver() || requests() >= target)
      running.kill('SIGKILL')
      const { signal } = await running.finished
      await until(() => server.stats().inFlight.now === 0)
      if ((await readFile(join(cwd, 'run/checkpoint.json')).catch(() => undefined)) !== undefined)
        args = ['resume', 'run', '--yes']
      if (signal === undefined) break
    }
    const last = await run([...args, '--endpoint-url', server.url], { cwd })
    expect(last.code).toBe(3)
    expect(await jobsOf(server)).toEqual(Array.from({ length: 6 }, () => 'Complete'))
    const found = linesOf(await readFile(join(cwd, 'found.ndjson'), 'utf8'))
    expect(found.map(({ key, verdict }) => [key, verdict])).toEqual(
      [[flipped, 'different'], ...missing.map((key) => [key, 'missing'])].sort(([a], [b]) => (a! < b! ? -1 : 1)),
    )
    const { stdout } = await run(['status', 'run', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ state: 'finished', listed: 2300 + there.size },
      verdicts: { different: 1, missing: missing.length, same: others.length, unknown: 0 },
    })
  })
})
