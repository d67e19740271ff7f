import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contentOf, put, sandbox, type Listed, type Server, type TestSandbox } from '../support/cli-buckets.js'
import { CREDENTIALS, refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { killedAgain, randomOf } from '../support/kills.js'

const FAST = 'fast--use1-az4--x-s3'
const verified = { accessKeyId: CREDENTIALS.accessKeyId, secretAccessKey: CREDENTIALS.secretAccessKey }
const asked = (server: TestSandbox, operation: string) => server.stats().byOperation[operation as 'HeadObject'] ?? 0

/** The SDK reaches directory buckets by their host names alone. */
function zonal({ port }: TestSandbox): Server {
  const lookup = (_name: string, _options: object, told: (...answer: unknown[]) => void) =>
    told(null, [{ address: '127.0.0.1', family: 4 }])
  const s3 = new S3Client({
    ...{ endpoint: `http://localhost:${port}`, region: 'us-east-1', credentials: CREDENTIALS, maxAttempts: 1 },
    requestHandler: { httpAgent: new Agent({ lookup: lookup as never }) },
  })
  onTestFinished(() => s3.destroy())
  return { url: `http://localhost:${port}`, s3 }
}

const inOrder = (keys: Iterable<string>) => [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
const sizes = (content: ReadonlyMap<string, Listed>, rename = (key: string) => key) =>
  new Map(inOrder(content.keys()).map((key) => [rename(key), content.get(key)!.size]))
const at = (server: TestSandbox) => ['--endpoint-url', server.url, '--checkpoint', 'run']

describe('a directory bucket as a destination', () => {
  test('gets every object of a bucket, while sessions expire, and no secret of a session is kept', async () => {
    const cwd = await workFolder()
    const server = await sandbox({
      buckets: ['src:odd:1500:size=20', FAST],
      ...{ ...verified, sessionSeconds: 1, latency: 'copy=100-300' },
    })
    const told = await run(['copy', 's3://src', `s3://${FAST}`, ...at(server), '--concurrency', '64'], { cwd })
    expect([told.code, told.stderr]).toEqual([0, expect.stringContaining('finished: 1,500 objects copied') as string])
    expect(sizes(await contentOf(zonal(server), FAST))).toEqual(sizes(await contentOf(server, 'src')))
    expect(asked(server, 'CreateSession')).toBeGreaterThan(2)
    const files = (await readdir(join(cwd, 'run'), { withFileTypes: true })).filter((entry) => entry.isFile())
    for (const { name } of files) {
      expect(await readFile(join(cwd, 'run', name), 'utf8')).not.toMatch(/session-[0-9a-f]{8}|SANDBOXSESSION/)
    }
  })

  test('gets files, small and large, and gives them back byte by byte', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [FAST], ...verified })
    const files = new Map([
      ['a/one', Buffer.from('one')],
      ['empty', Buffer.alloc(0)],
      ['large', Buffer.alloc(20_000_000, 'abcdefg')],
    ])
    await mkdir(join(cwd, 'from/a'), { recursive: true })
    for (const [name, bytes] of files) await writeFile(join(cwd, 'from', name), bytes)
    const up = await run(['copy', `file://${cwd}/from`, `s3://${FAST}`, ...at(server)], { cwd })
    expect([up.code, up.stderr]).toEqual([0, expect.stringContaining('3 objects copied') as string])
    const down = ['copy', `s3://${FAST}`, `file://${cwd}/to`, '--endpoint-url', server.url, '--checkpoint', 'back']
    expect((await run(down, { cwd })).code).toBe(0)
    for (const [name, bytes] of files) expect((await readFile(join(cwd, 'to', name))).equals(bytes)).toBe(true)
  })

  test('says of what it cannot hold which it is: objects with tags fail, or are copied without', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:100:tags=10', FAST], ...verified })
    const copy = ['copy', 's3://src', `s3://${FAST}`, '--endpoint-url', server.url]
    const told = await run([...copy, '--checkpoint', 'run'], { cwd })
    expect([told.code, told.stderr]).toEqual([3, expect.stringContaining('10 TagsNotSupported') as string])
    expect(told.stderr).toContain('a directory bucket keeps none')
    expect((await run([...copy, '--no-preserve', 'tags', '--checkpoint', 'other'], { cwd })).code).toBe(0)
    expect((await contentOf(zonal(server), FAST)).size).toBe(100)
    for (const flags of [
      ['--acl', 'private'],
      ['--tagging', 'a=b'],
      ['--storage-class', 'STANDARD_IA'],
      ['--preserve', 'lock'],
    ]) {
      expect(refusal(await run([...copy, ...flags, '--checkpoint', 'none'], { cwd }))).toContain('its objects have no')
    }
  })

  test('without the right to begin a session ends at once, by name', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:10', FAST], faults: ['denied=1@CreateSession'] })
    const told = refusal(await run(['copy', 's3://src', `s3://${FAST}`, ...at(server)], { cwd }))
    expect(told).toContain(`s3://${FAST}: CreateSession failed`)
  })
})

describe('a directory bucket as a source', () => {
  test('is copied exactly, whenever the program is killed, by one ordered listing in the folder of the run', async () => {
    const random = randomOf(5)
    const cwd = await workFolder()
    const server = await sandbox({
      buckets: [`${FAST}:odd:4000:size=7`, 'dst'],
      ...{ ...verified, latency: 'list=30' },
    })
    const all = await contentOf(zonal(server), FAST)
    const listings = asked(server, 'ListObjectsV2')
    const rest = await killedAgain(['copy', `s3://${FAST}`, 's3://dst', '--checkpoint', 'run', '--concurrency', '32'], {
      ...{ cwd, server, kills: 5 },
      // The first falls while it is listed.
      counted: (kill) => (kill === 0 ? asked(server, 'ListObjectsV2') - listings : asked(server, 'CopyObject')),
      after: (kill) => (kill === 0 ? 3 : 200 + Math.floor(500 * random())),
    })
    const last = await run(rest, { cwd })
    expect([last.code, last.stderr]).toEqual([0, expect.stringContaining('finished: ') as string])
    expect(sizes(await contentOf(server, 'dst'))).toEqual(sizes(all))
    expect((await readdir(join(cwd, 'run'))).filter((name) => name.includes('sort'))).toEqual([])
  })

  test('is listed once: a resume goes on with the listing that is there, if it is whole, and lists anew if not', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`${FAST}:hex:3000`, 'dst'], ...verified })
    const running = start(['copy', `s3://${FAST}`, 's3://dst', ...at(server), '--concurrency', '8'], { cwd })
    await until(() => asked(server, 'CopyObject') > 300, running)
    running.kill('SIGKILL')
    await running.finished
    const spool = join(cwd, 'run/source.sorted.ndjson')
    const text = await readFile(spool, 'utf8')
    expect(text.split('\n').slice(0, -2)).toHaveLength(3000)
    const going = start(['resume', 'run', '--concurrency', '8'], { cwd })
    const before = asked(server, 'CopyObject')
    await until(() => asked(server, 'CopyObject') > before + 300, going)
    expect(going.stderr()).not.toContain('sorted 3,000')
    going.kill('SIGKILL')
    await going.finished
    await writeFile(spool, text.replace('"', "'"))
    const told = await run(['resume', 'run'], { cwd })
    expect([told.code, told.stderr]).toEqual([0, expect.stringContaining('sorted 3,000 objects') as string])
    expect(sizes(await contentOf(server, 'dst'))).toEqual(sizes(await contentOf(zonal(server), FAST)))
  })

  test('is copied by a list of its objects without being listed', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`${FAST}:hex:2000`, 'dst'], ...verified })
    const keys = [...(await contentOf(zonal(server), FAST)).keys()]
    await writeFile(join(cwd, 'list.txt'), keys.map((key) => `${key}\n`).join(''))
    const told = await run(['copy', `s3://${FAST}`, 's3://dst', '--files-from', 'list.txt', ...at(server)], { cwd })
    expect([told.code, told.stderr]).toEqual([0, expect.stringContaining('2,000 objects copied') as string])
    expect([...(await contentOf(server, 'dst')).keys()]).toEqual(inOrder(keys))
  })

  test('is shown, counted and compared in order', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`${FAST}:odd:1200:size=9`, 'dst'], ...verified })
    const url = ['--endpoint-url', server.url]
    const all = await contentOf(zonal(server), FAST)
    const shown = await run(['ls', `s3://${FAST}`, '--format', 'ndjson', '--sorted', ...url], { cwd })
    const keys = shown.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { key: string }).key)
    expect(keys).toEqual(inOrder(all.keys()))
    const counted = await run(['du', `s3://${FAST}`, '--json', ...url], { cwd })
    expect(JSON.parse(counted.stdout)).toMatchObject({ objects: 1200, complete: true })
    expect((await run(['copy', `s3://${FAST}`, 's3://dst', ...at(server)], { cwd })).code).toBe(0)
    const compared = await run(['verify', `s3://${FAST}`, 's3://dst', '--bytes', ...url], { cwd })
    expect([compared.code, compared.stderr]).toEqual([0, expect.stringContaining('finished: ') as string])
    const one = await run(['verify', 's3://dst', `s3://${FAST}`, ...url], { cwd })
    expect(one.stderr).toContain('only the size was compared')
    expect(refusal(await run(['ls', `s3://${FAST}`, '--folders', ...url], { cwd }))).toContain('leave --folders away')
  })

  test('is synchronised, moved and deleted', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst', FAST], ...verified })
    for (let n = 0; n < 40; n++) await put(server, 'src', `k/${n}`, { Body: String(n) })
    const { s3 } = zonal(server)
    await s3.send(new PutObjectCommand({ Bucket: FAST, Key: 'k/extra', Body: 'x' }))
    const url = ['--endpoint-url', server.url]
    const sync = ['sync', 's3://src', `s3://${FAST}`, '--delete', '--yes', ...url]
    const first = await run([...sync, '--checkpoint', 'a'], { cwd })
    expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('40 objects copied') as string])
    expect(sizes(await contentOf(zonal(server), FAST))).toEqual(sizes(await contentOf(server, 'src')))
    const again = await run([...sync, '--checkpoint', 'b'], { cwd })
    expect(again.stderr).toContain('40 skipped')
    const moved = await run(['move', '--yes', `s3://${FAST}/k/`, 's3://dst/m/', ...url, '--checkpoint', 'c'], { cwd })
    expect([moved.code, moved.stderr]).toEqual([0, expect.stringContaining('40 objects moved') as string])
    expect(sizes(await contentOf(server, 'dst'))).toEqual(
      sizes(await contentOf(server, 'src'), (key) => key.replace('k/', 'm/')),
    )
    expect((await contentOf(zonal(server), FAST)).size).toBe(0)
    await s3.send(new PutObjectCommand({ Bucket: FAST, Key: 'd/1', Body: 'x' }))
    await s3.send(new PutObjectCommand({ Bucket: FAST, Key: 'e/1', Body: 'x' }))
    expect((await run(['delete', '--yes', `s3://${FAST}/d/`, ...url, '--checkpoint', 'd'], { cwd })).code).toBe(0)
    expect([...(await contentOf(zonal(server), FAST)).keys()]).toEqual(['e/1'])
  })

  test('gives its objects other names without a copy, whenever the program is killed and whatever answer is lost', async () => {
    const random = randomOf(9)
    const cwd = await workFolder()
    const server = await sandbox({
      buckets: [`${FAST}:odd:3000:size=7,prefix=old/`],
      ...{ ...verified, latency: 'copy=5-20', faults: ['reset-after=2%@RenameObject', '500=1%@RenameObject'] },
    })
    const before = await contentOf(zonal(server), FAST)
    const [from, to] = [`s3://${FAST}/old/`, `s3://${FAST}/new/`]
    const rest = await killedAgain(['move', '--yes', from, to, '--checkpoint', 'run', '--concurrency', '16'], {
      ...{ cwd, server, kills: 4 },
      counted: () => asked(server, 'RenameObject'),
      after: () => 200 + Math.floor(400 * random()),
    })
    const told = await run(rest, { cwd })
    const all = 'finished: 3,000 objects moved, none skipped, none failed'
    expect([told.code, told.stderr]).toEqual([0, expect.stringContaining(all) as string])
    const after = await contentOf(zonal(server), FAST)
    expect(inOrder(after.keys())).toEqual(inOrder([...before.keys()].map((key) => key.replace('old/', 'new/'))))
    for (const [key, { etag }] of before) {
      // What ends in a slash cannot be renamed, and is copied.
      if (!key.endsWith('/')) expect(after.get(key.replace('old/', 'new/'))?.etag).toBe(etag)
    }
    expect(asked(server, 'CopyObject')).toBeLessThan(1000)
  })

  test('renames nothing onto another object where --map gives new names, and plans no deletion', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [FAST], ...verified })
    const { s3 } = zonal(server)
    for (const Key of ['a/1', 'a/2', 'b/2']) await s3.send(new PutObjectCommand({ Bucket: FAST, Key, Body: Key }))
    const move = [
      'move',
      '--yes',
      `s3://${FAST}/a/`,
      `s3://${FAST}/b/`,
      '--map',
      's/x/y/',
      '--endpoint-url',
      server.url,
    ]
    const planned = await run([...move, '--dry-run'], { cwd })
    expect(planned.stdout).toContain('2 RenameObject')
    expect(planned.stdout).not.toContain('DeleteObjects')
    const told = await run([...move, '--checkpoint', 'run'], { cwd })
    expect([told.code, told.stderr]).toEqual([3, expect.stringContaining('1 DestinationExists') as string])
    expect([...(await contentOf(zonal(server), FAST)).keys()].sort()).toEqual(['a/2', 'b/1', 'b/2'])
  })

  test('is refused by one line where a command cannot do it', async () => {
    const cwd = await workFolder()
    const fast = `s3://${FAST}`
    for (const args of [
      ['set-headers', fast, '--cache-control', 'x'],
      ['set-storage-class', fast, '--storage-class', 'STANDARD_IA'],
      ['probe', fast],
      ['sync', fast, 's3://dst', '--follow'],
      ['check', fast, '--endpoint-url', 'http://127.0.0.1:1'],
      ['copy', fast, 's3://dst', '--all-versions'],
      ['copy', 's3://src', 's3://dst', '--checkpoint', `${fast}/run/`],
      ['plan', 'copy', fast, 's3://dst', '--quick'],
      ['delete', '--yes', `${fast}/logs`],
    ]) {
      const { code, stdout, stderr } = await run(args, { cwd })
      expect([args[0], code]).toEqual([args[0], 2])
      expect(stdout + stderr).toContain(`${FAST} is a directory bucket`)
    }
  })
})
