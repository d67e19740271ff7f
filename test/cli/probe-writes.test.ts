import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  type BucketVersioningStatus,
} from '@aws-sdk/client-s3'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { put, sandbox, type Server, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'
import { offer } from '../support/price-offer.js'
import { front } from '../support/proxy.js'

interface Told {
  readonly rows: readonly {
    readonly operation: string
    readonly sizes?: { readonly upTo?: number }
    readonly samples: number
    readonly meanBytes: number
    readonly failed: Readonly<Record<string, number>>
    readonly problem?: string
  }[]
  readonly sweeps: readonly { readonly operation: string; readonly levels: readonly object[] }[]
  readonly traits: readonly { readonly what: string; readonly state: string; readonly told: string }[]
  readonly requests: Readonly<Record<string, number>>
  readonly written?: { readonly below: string; readonly bytes: number; readonly left?: object }
  readonly advice: { readonly reasons: readonly string[] }
}

const FEW = ['--max-requests', '800', '--concurrency', '4', '--max-bytes', '32M']
const FOLDER = 'tmp/.s3move-probe/'
/** As a probe calls what it writes. */
const ID = '0f8fad5b-d9cb-469f-a165-70867728950e'

afterEach(() => vi.useRealTimers())

function writing(server: { readonly url: string }, ...more: readonly string[]): string[] {
  return ['probe', 's3://src', '--endpoint-url', server.url, '--write', 'tmp', ...FEW, ...more]
}

async function bucket(options: Partial<Parameters<typeof sandbox>[0]> = {}): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['src'], ...options })
  await put(server, 'src', 'a', { Body: 'hello' })
  await put(server, 'src', 'tmp/mine', { Body: 'hello' })
  return server
}

/** Every version, delete marker and open upload of the bucket, by name. */
async function allOf({ s3 }: Server): Promise<string[]> {
  const page = await s3.send(new ListObjectVersionsCommand({ Bucket: 'src' }))
  expect(page.IsTruncated).toBe(false)
  const names = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])].map(({ Key }) => Key!)
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'src' }))
  return [...names, ...Uploads.map(({ Key }) => `upload of ${Key}`)].sort()
}

const MINE = ['a', 'tmp/mine']

/** Kills a probe once it has written so much, and answers what it left. */
async function killed(server: TestSandbox): Promise<string[]> {
  const running = start(writing(server), { cwd: await workFolder() })
  await until(() => (server.stats().byOperation.UploadPart ?? 0) > 2, running)
  running.kill('SIGKILL')
  await running.finished
  await until(() => server.stats().inFlight.now === 0)
  const left = await allOf(server)
  expect(left.length).toBeGreaterThan(MINE.length + 3)
  expect(left.some((name) => name.startsWith('upload of '))).toBe(true)
  return left
}

/** The clock of the sandbox, and of nothing else, goes on by so many minutes. */
function later(minutes: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * 60_000 })
}

describe('probe --write', () => {
  test('measures PUT and COPY by size, parts and DELETE, and how many copies the store bears; nothing of it stays', async () => {
    const server = await bucket()
    const { code, stdout, stderr } = await run(writing(server), { cwd: await workFolder() })
    expect([code, stderr]).toEqual([
      0,
      'probe s3://src/: at most 800 requests and 32.0 MiB; it writes below s3://src/tmp/.s3move-probe/, and deletes that again\n',
    ])
    for (const row of [
      /^ {2}PUT, to 4 KiB +1\d +[\d.]+ ms .*1 KiB$/m,
      /^ {2}PUT, to 1 MiB +\d+ .*256 KiB, [\d.]+ [KMG]iB\/s$/m,
      /^ {2}COPY, to 64 KiB +\d+ .*16 KiB$/m,
      /^ {2}multipart: create +1\d +[\d.]+ ms/m,
      /^ {2}multipart: part +\d+ +[\d.]+ ms/m,
      /^ {2}multipart: complete +\d+ +[\d.]+ ms/m,
      /^ {2}multipart: abort +\d+ +[\d.]+ ms/m,
      /^ {2}DELETE +3\d +[\d.]+ ms/m,
      /^COPY, ever more +at once/m,
      /^ {2}ok +If-None-Match with PutObject$/m,
      /^\d+ requests, \d+\.\d KiB read, \d+\.\d MiB written and deleted again, \d+\.\d s$/m,
    ])
      expect(stdout).toMatch(row)
    expect(await allOf(server)).toEqual(MINE)
    const { byOperation } = server.stats()
    expect(byOperation.CopyObject).toBeGreaterThan(50)
  })

  test.each<BucketVersioningStatus>(['Enabled', 'Suspended'])(
    'leaves no version and no delete marker in a bucket whose versioning is %s',
    async (Status) => {
      const server = await bucket()
      await server.s3.send(new PutBucketVersioningCommand({ Bucket: 'src', VersioningConfiguration: { Status } }))
      const { code, stdout } = await run(writing(server, '--json'), { cwd: await workFolder() })
      expect(code).toBe(0)
      const told = JSON.parse(stdout) as Told
      expect(told.written).toEqual({ below: 's3://src/tmp/.s3move-probe/', bytes: expect.any(Number) as number })
      expect(told.rows.filter(({ failed }) => Object.keys(failed).length > 0)).toEqual([])
      expect(await allOf(server)).toEqual(MINE)
    },
  )

  test('sends no more than it may, but to delete', async () => {
    const server = await bucket()
    const { stdout } = await run(writing(server, '--json'), { cwd: await workFolder() })
    const { requests, rows, written } = JSON.parse(stdout) as Told
    const free = /^(?:DeleteObjects|AbortMultipartUpload|ListObjectVersions|ListMultipartUploads)$/
    const counted = Object.entries(requests).filter(([operation]) => !free.test(operation))
    expect(counted.reduce((sum, [, n]) => sum + n, 0)).toBeLessThanOrEqual(800)
    const { byOperation } = server.stats()
    for (const operation of ['PutObject', 'CopyObject', 'DeleteObjects', 'UploadPart'])
      expect([operation, Math.abs(byOperation[operation]! - requests[operation]!) <= 2 + MINE.length]).toEqual([
        operation,
        true,
      ])
    expect(written!.bytes).toBeLessThan(16 * 1024 ** 2)
    expect(rows.find(({ operation, sizes }) => operation === 'CopyObject' && sizes?.upTo === 4096)).toMatchObject({
      meanBytes: 1024,
    })
  })

  test('leaves nothing after Ctrl-C, and tells what had been measured', async () => {
    const server = await bucket({ latency: 'copy=20-20' })
    const running = start(writing(server, '--json'), { cwd: await workFolder() })
    await until(() => (server.stats().byOperation.CopyObject ?? 0) > 8, running)
    running.kill('SIGINT')
    const { code, stdout } = await running.finished
    expect(code).toBe(130)
    const told = JSON.parse(stdout) as Told
    expect(told).toMatchObject({ interrupted: true, written: { below: 's3://src/tmp/.s3move-probe/' } })
    expect(told.rows.map(({ operation }) => operation)).toContain('PutObject')
    expect(await allOf(server)).toEqual(MINE)
  })

  test('ends at the second Ctrl-C, tells what stays, and a probe some minutes later removes it', async () => {
    const server = await bucket({ latency: 'delete=1000-1000' })
    const running = start(writing(server), { cwd: await workFolder() })
    await until(() => (server.stats().byOperation.CopyObject ?? 0) > 8, running)
    running.kill('SIGINT')
    await until(() => (server.stats().byOperation.DeleteObjects ?? 0) > 0, running)
    running.kill('SIGINT')
    const { code, stderr } = await running.finished
    expect(code).toBe(130)
    expect(stderr).toMatch(
      /below s3:\/\/src\/tmp\/\.s3move-probe\/ could not be deleted: .*interrupted before it was deleted/,
    )
    expect((await allOf(server)).length).toBeGreaterThan(MINE.length)
    later(10)
    expect((await run(writing(server), { cwd: await workFolder() })).stderr).toContain('removed what an earlier probe')
    expect(await allOf(server)).toEqual(MINE)
  })

  test('what is refused is told in its row, the rest is measured, and nothing stays', async () => {
    const server = await bucket()
    await server.fault('denied', '100%', 'CopyObject')
    const { code, stdout } = await run(writing(server, '--json'), { cwd: await workFolder() })
    expect(code).toBe(0)
    const { rows, sweeps } = JSON.parse(stdout) as Told
    const copies = rows.filter(({ operation }) => operation === 'CopyObject')
    expect(copies.length).toBeGreaterThan(0)
    for (const row of copies) expect([row.samples, Object.keys(row.failed)]).toEqual([0, ['AccessDenied']])
    expect(rows.find(({ operation }) => operation === 'PutObject')!.samples).toBeGreaterThan(5)
    expect(sweeps.map(({ operation }) => operation)).toEqual(['HeadObject'])
    expect(await allOf(server)).toEqual(MINE)
  })

  test('what came of a request that was not answered is found and deleted', async () => {
    const server = await bucket()
    await server.fault('reset-after', '20%', 'PutObject')
    await server.fault('reset-after', '20%', 'CreateMultipartUpload')
    const { code } = await run(writing(server), { cwd: await workFolder() })
    expect(code).toBe(0)
    expect(server.stats().byStatus.none).toBeGreaterThan(0)
    expect(await allOf(server)).toEqual(MINE)
  })

  test('what cannot be deleted is told, with exit code 4', async () => {
    const server = await bucket()
    await server.fault('denied', '100%', 'DeleteObjects')
    const { code, stdout, stderr } = await run(writing(server, '--json'), { cwd: await workFolder() })
    expect(code).toBe(4)
    const left = (await allOf(server)).filter((name) => !MINE.includes(name))
    expect(left.length).toBeGreaterThan(0)
    expect((JSON.parse(stdout) as Told).written!.left).toMatchObject({ objects: left.length, uploads: 0 })
    expect(stderr).toMatch(
      /\n[^\n]*\d+ objects below s3:\/\/src\/tmp\/\.s3move-probe\/ could not be deleted: DeleteObjects: AccessDenied/,
    )
  })
})

describe('what a probe left that was killed', () => {
  test('is removed by one some minutes later, by the clock of the store, and nothing else is', async () => {
    const server = await bucket()
    const left = await killed(server)
    await put(server, 'src', `${FOLDER}notes.txt`, { Body: 'mine' })
    await put(server, 'src', `${FOLDER}${ID}/photo.jpg`, { Body: 'mine' })
    const upload = { Bucket: 'src', Key: `${FOLDER}mine` }
    await server.s3.send(new CreateMultipartUploadCommand(upload))
    const others = [...MINE, `${FOLDER}${ID}/photo.jpg`, `${FOLDER}notes.txt`, `upload of ${FOLDER}mine`].sort()
    later(10)
    const { code, stderr } = await run(writing(server), { cwd: await workFolder() })
    expect(code).toBe(0)
    const uploads = left.filter((name) => name.startsWith('upload')).length
    const objects = left.length - uploads - MINE.length
    expect(stderr).toContain(
      `removed what an earlier probe had left below s3://src/tmp/.s3move-probe/: ${objects} objects, ${uploads} open upload`,
    )
    expect(stderr).toContain(
      '3 below s3://src/tmp/.s3move-probe/ are called as no probe calls what it writes, and stay',
    )
    expect(await allOf(server)).toEqual(others)
  })

  test('goes with all of its versions', async () => {
    const server = await bucket()
    const VersioningConfiguration = { Status: 'Enabled' as const }
    await server.s3.send(new PutBucketVersioningCommand({ Bucket: 'src', VersioningConfiguration }))
    await killed(server)
    later(10)
    expect((await run(writing(server), { cwd: await workFolder() })).code).toBe(0)
    expect(await allOf(server)).toEqual(MINE)
  })

  test('stays as long as it may be of one that is at work, and that is told', async () => {
    const server = await bucket()
    const left = await killed(server)
    const { code, stderr } = await run(writing(server), { cwd: await workFolder() })
    expect(code).toBe(0)
    expect(stderr).toMatch(/\d+ objects, \d+ open uploads? below .* may be of a probe at work, and stay/)
    expect(await allOf(server)).toEqual(left)
  })

  test('of two at the same time none deletes what the other needs', async () => {
    const server = await bucket({ latency: 'copy=10-10' })
    const one = start(writing(server, '--json'), { cwd: await workFolder() })
    await until(() => (server.stats().byOperation.CopyObject ?? 0) > 4, one)
    const other = await run(writing(server), { cwd: await workFolder() })
    const { code, stdout } = await one.finished
    expect([code, other.code]).toEqual([0, 0])
    for (const { failed } of (JSON.parse(stdout) as Told).rows) expect(failed).toEqual({})
    expect(await allOf(server)).toEqual(MINE)
  })
})

describe('nothing is written', () => {
  /** A probe by a server that answers to a question about the bucket as `body` says. */
  async function asAnswered(question: string, body: string) {
    const server = await bucket()
    const url = await front(server.url, {
      before: ({ url = '' }) =>
        url.includes(`?${question}`)
          ? { status: 200, headers: { 'content-type': 'application/xml' }, body }
          : undefined,
    })
    const before = server.stats().byOperation.PutObject
    const finished = await run(writing({ url }), { cwd: await workFolder() })
    expect(server.stats().byOperation.PutObject).toBe(before)
    return finished
  }

  test('where the bucket locks what is written', async () => {
    const rule = '<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>30</Days></DefaultRetention></Rule>'
    const body = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`
    expect(refusal(withoutBounds(await asAnswered('object-lock', body)))).toContain(
      'the bucket of s3://src/tmp/.s3move-probe/ locks what is written (Object Lock, COMPLIANCE for 30 days)',
    )
  })

  test('where versions are only deleted with a second factor', async () => {
    const body =
      '<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>'
    expect(refusal(withoutBounds(await asAnswered('versioning', body)))).toContain('has MFA Delete')
  })

  test('but one object, where it turns out to be locked', async () => {
    const server = await bucket()
    const url = await front(server.url, {
      before: ({ method, url = '' }) =>
        method === 'HEAD' && url.endsWith('/marker')
          ? {
              status: 200,
              headers: {
                ...{ etag: '"0123456789abcdef0123456789abcdef"', 'content-length': '10' },
                'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT',
                'x-amz-object-lock-mode': 'GOVERNANCE',
                'x-amz-object-lock-retain-until-date': '2030-01-01T00:00:00Z',
              },
            }
          : undefined,
    })
    const before = server.stats().byOperation.PutObject!
    const finished = await run(writing({ url }), { cwd: await workFolder() })
    expect(refusal(withoutBounds(finished))).toContain('is locked by itself (GOVERNANCE until 2030-01-01T00:00:00Z)')
    expect(server.stats().byOperation.PutObject).toBe(before + 1)
    expect(await allOf(server)).toEqual(MINE)
  })

  test.each([
    ['PutObject', 'PutObject failed'],
    ['ListMultipartUploads', 'ListMultipartUploads failed'],
  ])('where %s is denied', async (operation, message) => {
    const server = await bucket()
    await server.fault('denied', '100%', operation)
    const finished = await run(writing(server), { cwd: await workFolder() })
    expect(refusal(withoutBounds(finished))).toContain(message)
    expect(server.stats().byOperation.CopyObject ?? 0).toBe(0)
    await server.fault('denied', '0', operation)
    expect(await allOf(server)).toEqual(MINE)
  })

  test.each([
    ['s3://src/tmp/', '--write wants a prefix of the bucket that is measured, and was given s3://src/tmp/'],
    ['x'.repeat(1000), '--write wants a prefix of at most 900 bytes, and was given one of 1001'],
  ])('below %s', async (prefix, message) => {
    const finished = await run(['probe', 's3://src', '--write', prefix], { cwd: await workFolder() })
    expect(refusal(finished)).toContain(message)
  })

  test('that may cost too much', async () => {
    const server = await bucket()
    const cwd = await workFolder()
    const prices = ['--prices', await offer(cwd, { 'Requests-Tier1': '0.01', 'Requests-Tier2': '0.001' })]
    const before = server.stats().byOperation.PutObject
    // 400 that write and 24 that list for a cent each, 376 that read for a tenth.
    expect(refusal(await run(writing(server, ...prices, '--max-cost', '4.6'), { cwd }))).toContain(
      '800 requests and 32.0 MiB may cost US$ 4.6',
    )
    expect(server.stats().byOperation.PutObject).toBe(before)
    expect((await run(writing(server, ...prices, '--max-cost', '4.7'), { cwd })).code).toBe(0)
  })
})

/** What was told before the refusal, which a refusal alone does not have. */
function withoutBounds<Finished extends { readonly stderr: string }>(finished: Finished): Finished {
  return { ...finished, stderr: finished.stderr.replace(/^probe s3.*\n/, '') }
}

test.each([
  ['', { 'If-None-Match with PutObject': 'ok', 'tags with PutObject': 'ok', UploadPartCopy: 'ok', Range: 'ok' }],
  ['ignores-put-conditions', { 'If-None-Match with PutObject': 'no', 'If-Match with CopyObject': 'no' }],
  ['no-put-conditions', { 'If-None-Match with CompleteMultipartUpload': 'no', 'Content-MD5': 'ok' }],
  ['no-checksums', { 'x-amz-checksum-crc32': 'no', 'x-amz-checksum-sha256': 'no' }],
  ['no-tagging', { 'tags with PutObject': 'no' }],
  ['no-part-copy', { UploadPartCopy: 'no' }],
  ['ignores-delete-conditions', { 'If-Match with PutObject': 'ok' }],
])('what a store with “%s” honours is told', async (dialect, expected) => {
  const server = await bucket(dialect === '' ? {} : { dialect })
  const { code, stdout } = await run(writing(server, '--json'), { cwd: await workFolder() })
  expect(code).toBe(0)
  const states = Object.fromEntries((JSON.parse(stdout) as Told).traits.map(({ what, state }) => [what, state]))
  expect(states).toMatchObject(expected)
  expect(await allOf(server)).toEqual(MINE)
})

test('with reads alone it tells what reads tell, by one object, and writes nothing', async () => {
  const server = await bucket()
  const args = ['probe', 's3://src', '--endpoint-url', server.url, '--max-requests', '300', '--concurrency', '4']
  const before = server.stats().byOperation.PutObject
  const { stdout } = await run([...args, '--json'], { cwd: await workFolder() })
  const { traits } = JSON.parse(stdout) as Told
  expect(traits.map(({ what, state }) => [what, state])).toEqual([
    ['versioning', 'no'],
    ['Object Lock', 'unknown'],
    ['ACLs', 'no'],
    ['Range', 'ok'],
    ['If-Match with GetObject', 'ok'],
    ['If-None-Match with GetObject', 'ok'],
    ['checksums', 'unknown'],
    ['tags', 'ok'],
  ])
  const { byOperation } = server.stats()
  expect([byOperation.PutObject, byOperation.CopyObject]).toEqual([before, undefined])
})

test('what follows for copies is by copies, and copy --tune warns where that was another store', async () => {
  const server = await bucket({ buckets: ['src', 'dst'], rate: 'write=100,read=5000', latency: 'all=5' })
  const cwd = await workFolder()
  const args = ['probe', 's3://src', '--endpoint-url', server.url, '--write', 'tmp', '--max-requests', '2000']
  const { stdout } = await run([...args, '--tune', 'my.tune', '--json'], { cwd })
  const { advice } = JSON.parse(stdout) as Told
  expect(advice.reasons[0]).toMatch(/^concurrency: \d+ CopyObject requests a second at \d+ ms each need \d+ at once/)
  const copy = (file: string) =>
    run(['copy', 's3://src', 's3://dst', '--endpoint-url', server.url, '--again', '--tune', file], { cwd })
  expect((await copy('my.tune')).stderr).not.toContain('--tune')
  const tune = JSON.parse(await readFile(join(cwd, 'my.tune'), 'utf8')) as object
  await writeFile(join(cwd, 'other.tune'), JSON.stringify({ ...tune, host: 's3.example.com' }))
  expect((await copy('other.tune')).stderr).toMatch(
    /what --tune says was measured at s3\.example\.com \(s3:\/\/src\/, .*\), and this is 127\.0\.0\.1:\d+/,
  )
})

test('the page has what is honoured, and the history of the same place as a chart', async () => {
  const server = await bucket()
  const cwd = await workFolder()
  const args = writing(server, '--history', 'h', '--to', 'probe.html')
  expect((await run(args, { cwd })).code).toBe(0)
  expect(await readFile(join(cwd, 'probe.html'), 'utf8')).not.toContain('Over time')
  const line = (await readFile(join(cwd, 'h'), 'utf8')).trimEnd()
  await writeFile(join(cwd, 'h'), `${line}\n${line.replaceAll('s3://src/', 's3://other/')}\n`)
  expect((await run(args, { cwd })).code).toBe(0)
  const page = await readFile(join(cwd, 'probe.html'), 'utf8')
  expect(page).toContain('<h2>What the store honours</h2>')
  expect(page).toContain('<td>If-None-Match with PutObject</td>')
  expect(page).toContain('time to the first byte, half of 2 probes each: ')
})
