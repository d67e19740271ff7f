import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeleteObjectCommand, ListObjectVersionsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { contentOf, expectCopiedOnce, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { run, start, until, workFolder, type Finished } from '../support/cli-program.js'
import { front, type Front, type FrontAnswer, type FrontRequest } from '../support/front.js'

/** Of `src:seq:2000` these objects never succeed; the digits are those of their numbers. */
const BAD = /photos\/0+(3|777|1500)\.jpg/
const names = (...numbers: readonly number[]) => numbers.map((n) => `photos/${String(n).padStart(12, '0')}.jpg`)
const BAD_KEYS = names(3, 777, 1500)

/** Whether a request is for one of these objects. */
const isBad = ({ method, url, headers }: FrontRequest): boolean =>
  method !== 'DELETE' && (BAD.test(url) || BAD.test(decodeURIComponent(String(headers['x-amz-copy-source'] ?? ''))))

const always =
  (answer: FrontAnswer, when = isBad) =>
  (asked: FrontRequest): FrontAnswer | undefined =>
    when(asked) ? answer : undefined

async function failures(
  cwd: string,
): Promise<{ readonly key: string; readonly code: string; readonly status?: number }[]> {
  const text = await readFile(join(cwd, 'run', 'failures.ndjson'), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly key: string; readonly code: string })
}

// Not so many at once that a front on a busy machine leaves some of them unanswered for seconds, which are then sent again.
const flags = (url: string, retryFor = '6s') => [
  ...['--endpoint-url', url, '--checkpoint', 'run', '--retry-for', retryFor, '--concurrency', '32'],
]

async function tried(
  server: TestSandbox,
  args: readonly string[],
  answer: FrontAnswer,
  when = isBad,
): Promise<[Finished, string, Front]> {
  const cwd = await workFolder()
  const before = await front(server.port, always(answer, when))
  return [await run([...args, ...flags(before.url)], { cwd }), cwd, before]
}

describe('objects for which a store always fails, while others succeed', () => {
  test.each<[string, FrontAnswer, string]>([
    ['500 InternalError', { status: 500 }, 'InternalError'],
    ['502 of a proxy', { status: 502, code: 'BadGateway' }, 'BadGateway'],
    ['503 SlowDown', { status: 503, code: 'SlowDown' }, 'SlowDown'],
    ['a connection that breaks', 'reset', 'ECONNRESET'],
  ])('%s: all others are copied, and exactly these are in the ledger', async (_, answer, code) => {
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst'] })
    // HEAD says no code.
    const when = (asked: FrontRequest): boolean => asked.method !== 'HEAD' && isBad(asked)
    const args = ['copy', 's3://src', 's3://dst']
    const [{ code: exit, stderr }, cwd, before] = await tried(server, args, answer, when)
    expect([exit, stderr]).toEqual([
      3,
      expect.stringContaining('1,997 objects copied, none skipped, 3 failed') as string,
    ])
    expect(stderr).toMatch(
      /all else is done; [1-3] waiting to be tried again \(.+\) until 20\S+Z \(\S+ s, --retry-for\)/,
    )
    expect((await failures(cwd)).map((failure) => [failure.key, failure.code])).toEqual(
      BAD_KEYS.map((key) => [key, code]),
    )
    expectCopiedOnce(server, 'dst', 1997, before)
  })

  test('are tried again at growing intervals, and done as soon as the store does them', async () => {
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst'] })
    const cwd = await workFolder()
    let refused = 0
    const before = await front(server.port, (asked) => (isBad(asked) && refused++ < 15 ? { status: 500 } : undefined))
    const { code, stderr } = await run(['copy', 's3://src', 's3://dst', '-v', ...flags(before.url, '1h')], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('finished: 2,000 objects copied') as string])
    for (const key of BAD_KEYS) expect(stderr).toContain(`waiting ${key}: CopyObject InternalError 500: it said 500\n`)
    expectCopiedOnce(server, 'dst', 2000, before)
  })

  test('set-headers: a HEAD that a proxy cannot pass on holds up no other object', async () => {
    const server = await sandbox({ buckets: ['src:seq:2000'] })
    const args = ['set-headers', 's3://src', '--cache-control', 'max-age=77', '--reset-acl']
    const [{ code, stderr }, cwd] = await tried(
      server,
      args,
      { status: 502 },
      (asked) => asked.method === 'HEAD' && isBad(asked),
    )
    expect([code, stderr]).toEqual([
      3,
      expect.stringContaining('1,997 objects rewritten, none skipped, 3 failed') as string,
    ])
    expect((await failures(cwd)).map(({ key, status }) => [key, status])).toEqual(BAD_KEYS.map((key) => [key, 502]))
  })

  test('move: their sources stay, those of all others are deleted; tried again they are moved as well', async () => {
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst'] })
    const [{ code, stderr }, cwd] = await tried(server, ['move', '--yes', 's3://src/', 's3://dst/'], { status: 500 })
    expect([code, stderr]).toEqual([3, expect.stringContaining('1,997 objects moved') as string])
    expect([...(await contentOf(server, 'src')).keys()]).toEqual(BAD_KEYS)
    const again = await run(['resume', '--only-failed', 'run', '--endpoint-url', server.url], { cwd })
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('2,000 objects moved') as string])
    expect((await contentOf(server, 'src')).size).toBe(0)
    expect((await contentOf(server, 'dst')).size).toBe(2000)
  })

  test('move: what is copied and cannot be deleted yet is deleted later, and not copied again', async () => {
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst'] })
    const cwd = await workFolder()
    let refused = 0
    // What names one of them is refused as a whole, twice in a row; then each by itself for a while.
    const before = await front(server.port, ({ method, url: path, body }) =>
      method === 'POST' && path.includes('delete') && BAD.test(body) && refused++ < 5 ? { status: 500 } : undefined,
    )
    const { code, stderr } = await run(['move', '--yes', 's3://src/', 's3://dst/', ...flags(before.url, '1h')], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('2,000 objects moved') as string])
    expect((await contentOf(server, 'src')).size).toBe(0)
    expectCopiedOnce(server, 'dst', 2000, before)
  })

  test('of a list they are set aside too, when they are looked up and when they are copied', async () => {
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst'] })
    const cwd = await workFolder()
    await writeFile(join(cwd, 'list'), [...(await contentOf(server, 'src')).keys()].map((key) => `${key}\n`).join(''))
    const { url } = await front(server.port, always({ status: 500 }))
    const args = ['copy', 's3://src', 's3://dst', '--files-from', 'list', ...flags(url)]
    const { code, stderr } = await run(args, { cwd })
    expect([code, stderr]).toEqual([
      3,
      expect.stringContaining('1,997 objects copied, none skipped, 3 failed') as string,
    ])
    // Threads come to them in no order.
    expect((await failures(cwd)).map(({ key }) => key).sort()).toEqual(BAD_KEYS)
  })

  test('sync copies all others, deletes what is extra, and leaves none out', async () => {
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst'] })
    await server.s3.send(new PutObjectCommand({ Bucket: 'dst', Key: 'extra', Body: 'x' }))
    const args = ['sync', 's3://src/', 's3://dst/', '--delete', '--yes']
    const [{ code, stderr }, cwd] = await tried(server, args, { status: 500 })
    expect([code, stderr]).toEqual([3, expect.stringContaining('1,997 objects copied, 1 deleted') as string])
    expect((await failures(cwd)).map(({ key }) => key)).toEqual(BAD_KEYS)
  })

  test('verify calls them unknown, and compares all others', async () => {
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst'] })
    const cwd = await workFolder()
    await run(['copy', 's3://src', 's3://dst', '--endpoint-url', server.url], { cwd })
    const { url } = await front(
      server.port,
      always({ status: 502 }, (asked) => asked.method === 'HEAD' && isBad(asked)),
    )
    const args = ['verify', 's3://src', 's3://dst', '--deep', '--retry-for', '1h', '--endpoint-url', url]
    const { code, stdout, stderr } = await run(args, { cwd })
    const lines = stdout.trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { key: string; verdict: string }).key).sort()).toEqual(BAD_KEYS)
    expect(stdout.match(/"verdict":"unknown","code":"HTTP502"/g)).toHaveLength(3)
    expect([code, stderr]).toEqual([3, expect.stringMatching(/unknown +3 objects/) as string])
  })
})

describe('a run of which only objects are left that wait', () => {
  test('says what it waits for and until when, ends at once at Ctrl-C, and goes on with a resume', async () => {
    const server = await sandbox({ buckets: ['src:seq:2000', 'dst'] })
    const cwd = await workFolder()
    const { url } = await front(server.port, always({ status: 500 }))
    const running = start(['copy', 's3://src', 's3://dst', ...flags(url, '1h')], { cwd })
    await until(
      () => running.stderr().includes('all else is done; 3 waiting to be tried again (500 InternalError)'),
      running,
    )
    const told = await run(['status', 'run'], { cwd })
    expect(told.stdout).toMatch(/^ {2}waiting +3 objects, to be tried again \(500 InternalError\)$/m)
    running.kill('SIGINT')
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([130, expect.stringContaining('1,997 objects copied') as string])
    expect(stderr).toMatch(/^ {2}waiting +3 objects, to be tried again/m)
    const status = await run(['status', 'run', '--json'], { cwd })
    expect(JSON.parse(status.stdout)).toMatchObject({
      ...{ state: 'unfinished', totals: { failed: {} }, waiting: { objects: 3, errors: { '500 InternalError': 3 } } },
    })
    const resumed = await run(['resume', 'run', '--endpoint-url', server.url], { cwd })
    expect([resumed.code, resumed.stderr]).toEqual([
      0,
      expect.stringContaining('finished: 2,000 objects copied') as string,
    ])
    expectCopiedOnce(server, 'dst', 2000)
  })

  test('killed with -9 again and again it has every object copied or in the ledger, none in both', async () => {
    const server = await sandbox({ buckets: ['src:seq:20000', 'dst'], latency: 'copy=1-5' })
    const cwd = await workFolder()
    const { url } = await front(server.port, always({ status: 500 }))
    for (const part of [0.2, 0.6, 1]) {
      const args =
        part === 0.2 ? ['copy', 's3://src', 's3://dst', ...flags(url)] : ['resume', 'run', '--retry-for', '3s']
      const running = start(args, { cwd })
      await until(
        () =>
          running.isOver() ||
          (server.stats().copies.dst?.unique ?? 0) >= part * 19_997 ||
          (part === 1 && running.stderr().includes('all else is done')),
      )
      running.kill('SIGKILL')
      await running.finished
    }
    const { code, stderr } = await run(['resume', 'run', '--retry-for', '3s'], { cwd })
    expect([code, stderr]).toEqual([
      3,
      expect.stringContaining('19,997 objects copied, none skipped, 3 failed') as string,
    ])
    expect((await failures(cwd)).map(({ key }) => key).sort()).toEqual(BAD_KEYS)
    expect(server.stats().copies.dst).toMatchObject({ unique: 19_997 })
  })
})

test('resume --only-failed that was killed while it waited goes on where it was, and does not say that nothing failed', async () => {
  const server = await sandbox({ buckets: ['src:seq:2000', 'dst'] })
  const [{ code }, cwd] = await tried(server, ['copy', 's3://src', 's3://dst'], { status: 500 })
  expect(code).toBe(3)
  const { url } = await front(server.port, always({ status: 500 }))
  const running = start(['resume', '--only-failed', 'run', ...flags(url, '1h').slice(0, 2), '--retry-for', '1h'], {
    cwd,
  })
  // All of the ledger was tried again, and waits.
  await until(() => running.stderr().includes('all else is done; 3 waiting'), running)
  running.kill('SIGKILL')
  await running.finished
  const again = await run(['resume', '--only-failed', 'run', '--endpoint-url', server.url], { cwd })
  expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('2,000 objects copied') as string])
  expect(server.stats().copies.dst).toMatchObject({ unique: 2000 })
})

test('resume --only-failed of a run that is not finished, where nothing failed yet, is not taken for done', async () => {
  const server = await sandbox({ buckets: ['src:seq:20000', 'dst'], latency: 'copy=5-10' })
  const cwd = await workFolder()
  const running = start(['copy', 's3://src', 's3://dst', ...flags(server.url)], { cwd })
  await until(() => (server.stats().copies.dst?.unique ?? 0) > 100, running)
  running.kill('SIGKILL')
  await running.finished
  const { code, stderr } = await run(['resume', '--only-failed', 'run'], { cwd })
  expect([code, stderr]).toEqual([
    4,
    expect.stringContaining('not finished, to go on with it: s3move resume run') as string,
  ])
})

describe('objects that are set aside, with all of their versions', () => {
  // Of each key: two versions and a delete marker, and for one of them a third version behind it.
  async function versioned(): Promise<TestSandbox> {
    const server = await sandbox({ buckets: ['src:versioned', 'dst:versioned'] })
    const { s3 } = server
    for (let n = 0; n < 120; n++) {
      const Key = `k${String(n).padStart(3, '0')}`
      for (const Body of ['one', 'second']) await s3.send(new PutObjectCommand({ Bucket: 'src', Key, Body }))
      if (n % 2 === 1) await s3.send(new DeleteObjectCommand({ Bucket: 'src', Key }))
    }
    return server
  }
  const historiesOf = async ({ s3 }: TestSandbox, Bucket: string): Promise<string[]> => {
    const { Versions = [], DeleteMarkers = [] } = await s3.send(
      new ListObjectVersionsCommand({ Bucket, MaxKeys: 1000 }),
    )
    const versions = Versions.map(({ Key, Size }) => `${Key!} ${Size!}`)
    return [...versions, ...DeleteMarkers.map(({ Key }) => `${Key!} deleted`)]
  }
  const REFUSED = /k0(10|51)/

  test('copy: those that are deleted too are copied as soon as the store does them, and no version twice', async () => {
    const server = await versioned()
    const cwd = await workFolder()
    const copies = new Map<string, number>()
    // The first version of each is copied; the second is refused for a while.
    const { url } = await front(server.port, ({ method, headers }) => {
      const source = String(headers['x-amz-copy-source'] ?? '')
      if (method !== 'PUT' || !REFUSED.test(source)) return undefined
      copies.set(source, (copies.get(source) ?? 0) + 1)
      return new Set([...copies.keys()].filter((one) => one.slice(0, 9) === source.slice(0, 9))).size > 1 &&
        copies.get(source)! <= 7
        ? { status: 500 }
        : undefined
    })
    const { code, stderr } = await run(['copy', 's3://src', 's3://dst', '--all-versions', ...flags(url, '1h')], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('finished: 120 objects copied') as string])
    expect(await historiesOf(server, 'dst')).toEqual(await historiesOf(server, 'src'))
  })

  test('copy: those that failed for good are copied by resume --only-failed, from the version on that failed', async () => {
    const server = await versioned()
    const args = ['copy', 's3://src', 's3://dst', '--all-versions']
    const seen = new Set<string>()
    const when = ({ method, headers }: FrontRequest): boolean => {
      const source = String(headers['x-amz-copy-source'] ?? '')
      if (method !== 'PUT' || !REFUSED.test(source)) return false
      seen.add(source)
      return [...seen].find((one) => one.slice(0, 9) === source.slice(0, 9)) !== source
    }
    const [{ code }, cwd] = await tried(server, args, { status: 500 }, when)
    expect([code, (await failures(cwd)).map((failure) => [failure.key, failure.code])]).toEqual([
      3,
      [
        ['k010', 'InternalError'],
        ['k051', 'InternalError'],
      ],
    ])
    const again = await run(['resume', '--only-failed', 'run', '--endpoint-url', server.url], { cwd })
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('120 objects copied') as string])
    expect(await historiesOf(server, 'dst')).toEqual(await historiesOf(server, 'src'))
  })

  test('delete: nothing is left of those that are deleted already either', async () => {
    const server = await versioned()
    const cwd = await workFolder()
    let refused = 0
    const { url } = await front(server.port, ({ method, url: path, body }) =>
      method === 'POST' && path.includes('delete') && REFUSED.test(body) && refused++ < 5 ? { status: 500 } : undefined,
    )
    const { code, stderr } = await run(['delete', 's3://src', '--all-versions', '--yes', ...flags(url, '1h')], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('120 objects deleted') as string])
    expect(await historiesOf(server, 'src')).toEqual([])
  })
})

test('move: an object of which no answer ever comes does not keep the others from being tried again, though it is the first', async () => {
  const server = await sandbox({ buckets: ['src', 'dst'] })
  for (let n = 0; n < 400; n++) await put(server, 'src', `k${String(n).padStart(3, '0')}`, { Body: String(n) })
  const cwd = await workFolder()
  const first = await front(server.port, ({ url, headers }) =>
    /^.(src|dst).k00[05]/.test(String(headers['x-amz-copy-source'] ?? url)) ? 'reset' : undefined,
  )
  const moved = await run(['move', '--yes', 's3://src', 's3://dst', ...flags(first.url)], { cwd })
  expect([moved.code, (await failures(cwd)).map(({ key }) => key)]).toEqual([3, ['k000', 'k005']])
  const second = await front(server.port, ({ url, headers }) =>
    /^.(src|dst).k000/.test(String(headers['x-amz-copy-source'] ?? url)) ? 'reset' : undefined,
  )
  const again = await run(['resume', '--only-failed', ...flags(second.url).slice(0, 2), 'run', '--retry-for', '3s'], {
    cwd,
  })
  expect([again.code, again.stderr]).toEqual([3, expect.stringContaining('399 objects moved') as string])
  expect([...(await contentOf(server, 'src')).keys()]).toEqual(['k000'])
})
