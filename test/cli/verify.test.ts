import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CompleteMultipartUploadCommand, CreateMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, traitsOf, type Server, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type Finished } from '../support/cli-program.js'

interface Line {
  readonly key: string
  readonly verdict: string
  readonly differs?: string[]
  readonly fixed?: boolean
}

const parsed = (text: string): Line[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)

const verdicts = (text: string): Record<string, string> =>
  Object.fromEntries(parsed(text).map(({ key, verdict, differs }) => [key, [verdict, ...(differs ?? [])].join(' ')]))

async function verify(server: TestSandbox, ...more: string[]): Promise<Finished> {
  const args = ['verify', 's3://src', 's3://dst', '--endpoint-url', server.url, ...more]
  return run(args, { cwd: await workFolder() })
}

/** Stores an object that was uploaded in one part, as larger ones are in many. */
async function putInParts({ s3 }: Server, Bucket: string, Key: string, Body: string): Promise<void> {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body }))
  const MultipartUpload = { Parts: [{ ETag, PartNumber: 1 }] }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }))
}

describe('s3move verify s3://src s3://dst', () => {
  test.each(['1', '2'])('finds a bucket of odd keys equal to its copy, with %s threads', async (threads) => {
    const server = await sandbox({ buckets: ['src:odd:3000', 'dst'] })
    const at = ['--endpoint-url', server.url]
    expect((await run(['copy', 's3://src', 's3://dst', ...at], { cwd: await workFolder() })).code).toBe(0)
    const { code, stdout, stderr } = await verify(server, '--threads', threads)
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toMatch(/^finished: no object differs\n {2}same {6}3,000 objects\n {2}time /)
    const deep = await verify(server, '--deep', '--bytes', '--json')
    expect([deep.code, deep.stderr]).toEqual([0, ''])
    const verdicts = { same: 3000, different: 0 }
    expect(JSON.parse(deep.stdout)).toMatchObject({
      type: 'comparison',
      exitCode: 0,
      complete: true,
      objects: 3000,
      verdicts,
    })
  })

  test('tells what is different, missing, extra and only of the same size, by the names of the source', async () => {
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (const [key, from, to] of [
      ['same', 'x', 'x'],
      ['size', 'x', 'xx'],
      ['content', 'x', 'y'],
      ['missing\u001b[2J\n', 'x', undefined],
      ['extra\u202e', undefined, 'x'],
    ] as const) {
      if (from !== undefined) await put(server, 'src', `in/${key}`, { Body: from })
      if (to !== undefined) await put(server, 'dst', key, { Body: to })
    }
    await putInParts(server, 'src', 'in/parts', 'one')
    await put(server, 'dst', 'parts', { Body: 'two' })
    const args = ['verify', 's3://src/in/', 's3://dst', '--endpoint-url', server.url]
    const differences = {
      ...{ 'in/size': 'different size', 'in/content': 'different content' },
      ...{ 'in/missing\u001b[2J\n': 'missing', 'in/extra\u202e': 'extra' },
    }
    const { code, stdout, stderr } = await run(args, { cwd: await workFolder() })
    expect([code, verdicts(stdout)]).toEqual([3, differences])
    // Whatever the keys hold, nothing of it is a command to a terminal.
    expect(stdout).toMatch(/^[^\p{Cf}\p{Zl}\p{Zp}\0-\x09\x0b-\x1f\x7f-\x9f]*$/u)
    expect(stderr).toContain('finished: 4 objects differ\n')
    expect(stderr).toContain('  same size 1 object, whose ETags cannot be compared\n')
    expect(stderr).toContain('--deep looks for checksums, --bytes reads the content')
    const told = await run([...args, '-v'], { cwd: await workFolder() })
    expect(verdicts(told.stdout)).toEqual({ ...differences, 'in/parts': 'same-size' })
    const read = await run([...args, '--bytes'], { cwd: await workFolder() })
    expect(verdicts(read.stdout)).toEqual({ ...differences, 'in/parts': 'different content' })
    expect(parsed(stdout).find(({ key }) => key === 'in/size')).toMatchObject({
      source: { size: 1, etag: '9dd4e461268c8034f5c8564e155c67a6' },
      destination: { size: 2 },
    })
  })

  test('with only sizes to compare it ends well, and says so', async () => {
    const server = await sandbox({ buckets: ['src', 'dst'] })
    await putInParts(server, 'src', 'a', 'one')
    await put(server, 'dst', 'a', { Body: 'one' })
    const { code, stderr } = await verify(server)
    expect([code, stderr]).toEqual([0, expect.stringContaining('but of 1 only the size was compared') as string])
    const read = await verify(server, '--bytes')
    expect([read.code, read.stderr]).toEqual([0, expect.stringContaining('no object differs\n') as string])
  })

  test('--deep finds a changed header, metadata and tags; without it they are not looked at', async () => {
    const server = await sandbox({ buckets: ['src', 'dst'] })
    const traits = { Body: 'x', CacheControl: 'no-cache', Metadata: { owner: 'me' }, Tagging: 'a=1&b=2' }
    for (const [key, changed] of [
      ['same', { Tagging: 'b=2&a=1' }],
      ['header', { CacheControl: 'no-store' }],
      ['metadata', { Metadata: { owner: 'you' } }],
      ['tags', { Tagging: 'a=1&b=3' }],
    ] as const) {
      await put(server, 'src', key, traits)
      await put(server, 'dst', key, { ...traits, ...changed })
    }
    expect((await verify(server)).code).toBe(0)
    expect(server.stats().byOperation.HeadObject ?? 0).toBe(0)
    const { code, stdout } = await verify(server, '--deep')
    expect([code, verdicts(stdout)]).toEqual([
      3,
      { header: 'different cache-control', metadata: 'different x-amz-meta-owner', tags: 'different tags' },
    ])
  })

  test('what cannot be read is unknown, and no reason to end well', async () => {
    const server = await sandbox({ buckets: ['src:seq:20', 'dst'] })
    const at = ['--endpoint-url', server.url]
    expect((await run(['copy', 's3://src', 's3://dst', ...at], { cwd: await workFolder() })).code).toBe(0)
    await server.fault('denied', '10%', 'GetObject')
    const { code, stdout } = await verify(server, '--bytes')
    expect(code).toBe(3)
    expect(parsed(stdout).length).toBeGreaterThan(0)
    for (const line of parsed(stdout)) expect(line).toMatchObject({ verdict: 'unknown', code: 'AccessDenied' })
  })

  test('--fix copies what is missing or different and nothing else, and the next run finds nothing', async () => {
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (const key of ['same', 'content', 'header', 'missing']) {
      await put(server, 'src', key, { Body: 'x', ContentType: 'text/plain' })
    }
    await put(server, 'dst', 'same', { Body: 'x', ContentType: 'text/plain' })
    await put(server, 'dst', 'content', { Body: 'y', ContentType: 'text/plain' })
    await put(server, 'dst', 'header', { Body: 'x', ContentType: 'text/html' })
    const { code, stdout, stderr } = await verify(server, '--fix', '--deep')
    expect([code, verdicts(stdout)]).toEqual([
      0,
      { content: 'different content', header: 'different content-type', missing: 'missing' },
    ])
    expect(parsed(stdout).map(({ fixed }) => fixed)).toEqual([true, true, true])
    expect(stderr).toContain('  fixed     3 objects of those')
    for (const key of (await contentOf(server, 'src')).keys()) {
      expect(await traitsOf(server, 'dst', key)).toEqual(await traitsOf(server, 'src', key))
    }
    await put(server, 'dst', 'extra')
    const again = await verify(server, '--fix')
    expect([again.code, verdicts(again.stdout)]).toEqual([3, { extra: 'extra' }])
    expect((await contentOf(server, 'dst')).has('extra')).toBe(true)
  })

  test('transient faults are borne, and a reader that goes away ends it without a word', async () => {
    const faults = ['500=3%', 'reset=2%', 'truncate=2%@HeadObject', 'reset=10%@GetObject']
    const server = await sandbox({ buckets: ['src:hex:2000:size=100', 'dst'], faults })
    const at = ['--endpoint-url', server.url]
    expect((await run(['copy', 's3://src', 's3://dst', ...at], { cwd: await workFolder() })).code).toBe(0)
    const { code, stdout } = await verify(server, '--deep', '--bytes')
    expect([code, stdout]).toEqual([0, ''])
    const many = await sandbox({ buckets: ['src:hex:100k', 'dst'], latency: 'list=5-10' })
    const args = ['verify', 's3://src', 's3://dst', '--endpoint-url', many.url]
    const running = start(args, { cwd: await workFolder() })
    await until(() => running.stdout().length > 0, running)
    running.close('stdout')
    expect(await running.finished).toMatchObject({ code: 3, stderr: '' })
  })

  test.each([
    [['verify', 's3://src', 's3://src'], 'source and destination are the same'],
    [['verify', 's3://src/a/', 's3://dst/a'], 'one prefix ends in / and the other does not'],
    [['verify', 's3://src', 's3://missing'], 's3://missing: HeadBucket failed'],
    [['verify', 's3://src', 's3://dst', '--fresh'], '--fresh is about a checkpoint, and none was named'],
  ])('refuses %j', async (args, reason) => {
    const server = await sandbox({ buckets: ['src:seq:10', 'dst'] })
    const refused = await run([...args, '--endpoint-url', server.url], { cwd: await workFolder() })
    expect(refusal(refused)).toContain(reason)
  })
})

describe('s3move verify with --checkpoint, and s3move resume', () => {
  test('kill -9 at random points: each difference is in the file once', async () => {
    const cwd = await workFolder()
    // No key is in both.
    const server = await sandbox({ buckets: ['src:hex:60k', 'dst:hex:60k'], latency: 'list=20-40' })
    const expected = [
      ...[...(await contentOf(server, 'src')).keys()].map((key) => `missing ${key}`),
      ...[...(await contentOf(server, 'dst')).keys()].map((key) => `extra ${key}`),
    ]
    const from = ['--lanes', '8', '--threads', '2', '--endpoint-url', server.url]
    let args = ['verify', 's3://src', 's3://dst', '--to', 'found', '--checkpoint', 'run', ...from]
    for (let kills = 0; kills < 3; kills++) {
      const before = server.stats().requests
      const running = start(args, { cwd })
      await until(() => running.isOver() || server.stats().requests >= before + 40 + kills * 13)
      running.kill('SIGKILL')
      if ((await running.finished).signal === undefined) break
      if (existsSync(join(cwd, 'run/checkpoint.json'))) args = ['resume', 'run', ...from]
    }
    expect(existsSync(join(cwd, 'found'))).toBe(false)
    const last = await run(args, { cwd })
    expect([last.code, last.stderr]).toEqual([3, expect.stringContaining('objects differ') as string])
    const found = parsed(await readFile(join(cwd, 'found'), 'utf8'))
    const told = found.map(({ key, verdict }) => `${verdict} ${key}`)
    expect(told).toHaveLength(120_000)
    expect(new Set(told)).toEqual(new Set(expected))
    const status = await run(['status', 'run'], { cwd })
    expect(status.stdout).toContain('verify s3://src/ with s3://dst/\n')
    expect(status.stdout).toContain('  missing   60,000 objects at the destination\n')
    expect(status.stdout).toContain('  done      120,000 of 120,000 objects\n')
    const again = await run(['resume', 'run', '--endpoint-url', server.url], { cwd })
    expect([again.code, again.stderr]).toEqual([3, expect.stringContaining('nothing to resume') as string])
  })

  test('Ctrl-C while contents are read: what was not compared is compared by the resume', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:hex:400:size=1000', 'dst'], latency: 'get=5-20' })
    const at = ['--endpoint-url', server.url]
    expect((await run(['copy', 's3://src', 's3://dst', ...at], { cwd })).code).toBe(0)
    const args = ['verify', 's3://src', 's3://dst', '--bytes', '--checkpoint', 'run', '--concurrency', '4', ...at]
    const running = start(args, { cwd })
    await until(() => (server.stats().byOperation.GetObject ?? 0) > 100, running)
    running.kill('SIGINT')
    const interrupted = await running.finished
    expect(interrupted.code).toBe(130)
    expect(interrupted.stderr).toContain('s3move resume run')
    const { code, stdout } = await run(['resume', 'run', '--json', ...at], { cwd })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ objects: 400, verdicts: { same: 400 } })
    // What was compared is not read again.
    expect(server.stats().byOperation.GetObject ?? 0).toBeLessThan(2 * 400 + 50)
  })
})
