import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  CompleteMultipartUploadCommand,
  GetObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { oddLayout } from '../../src/sandbox/buckets/odd-keys.js'
import { contentOf, look, put, RICH, sandbox, traitsOf, type Server, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder, type StartOptions } from '../support/cli-program.js'

const MIB = 1024 ** 2
const KEYS = {
  from: { accessKeyId: 'AKIDOFTHESOURCE', secretAccessKey: 'secret/of+the/source' },
  to: { accessKeyId: 'AKIDOFTHEOTHER', secretAccessKey: 'secret/of+the/other' },
}

interface Sides {
  readonly from: TestSandbox
  readonly to: TestSandbox
  readonly as: StartOptions
  readonly cwd: string
  readonly args: (command: string, ...more: string[]) => string[]
}

/** Two servers that know nothing of each other, nor of each other's keys. Each has the buckets `src` and `dst`. */
async function sides({ latency, source = 'src' }: { latency?: string; source?: string } = {}): Promise<Sides> {
  const cwd = await workFolder()
  const open = async (side: keyof typeof KEYS, buckets: string[]): Promise<TestSandbox> => {
    const server = await sandbox({ buckets, ...KEYS[side], ...(latency === undefined ? {} : { latency }) })
    return { ...server, ...look(server.url, 'us-east-1', KEYS[side]) }
  }
  const from = await open('from', [source, 'dst'])
  const to = await open('to', ['src', 'dst'])
  const profile = (side: keyof typeof KEYS, { url }: Server): string =>
    [
      `[profile ${side}]\nregion = us-east-1\nendpoint_url = ${url}`,
      `aws_access_key_id = ${KEYS[side].accessKeyId}\naws_secret_access_key = ${KEYS[side].secretAccessKey}\n`,
    ].join('\n')
  await writeFile(join(cwd, 'config'), profile('from', from) + profile('to', to))
  const env = {
    ...{ AWS_CONFIG_FILE: join(cwd, 'config'), AWS_SHARED_CREDENTIALS_FILE: join(cwd, 'none') },
    ...{ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_REGION: undefined },
  }
  const profiles = ['--source-profile', 'from', '--destination-profile', 'to', '--checkpoint', 'run']
  const args = (command: string, ...more: string[]) => [command, 's3://src', 's3://dst', ...profiles, ...more]
  return { from, to, cwd, as: { cwd, env }, args }
}

async function digestOf({ s3 }: Server, Bucket: string, Key: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
  return createHash('sha256')
    .update(await Body!.transformToByteArray())
    .digest('hex')
}

/** Everything of the source is at the other server, byte for byte and header for header. */
async function expectEqual({ from, to }: Sides): Promise<void> {
  const source = await contentOf(from, 'src')
  const copied = await contentOf(to, 'dst')
  expect([...copied.keys()]).toEqual([...source.keys()])
  const withoutEtag = (traits: unknown) => ({ ...(traits as object), ETag: '' })
  for (const key of source.keys()) {
    expect(withoutEtag(await traitsOf(to, 'dst', key))).toEqual(withoutEtag(await traitsOf(from, 'src', key)))
    expect(await digestOf(to, 'dst', key), key).toBe(await digestOf(from, 'src', key))
  }
  expect((await to.s3.send(new ListMultipartUploadsCommand({ Bucket: 'dst' }))).Uploads ?? []).toEqual([])
}

const RARE = { ...RICH, StorageClass: 'STANDARD_IA' as const }
const SIZES = [0, 1, 1000, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20_000_000, 34_000_001]

/** An object that was uploaded in parts. */
async function putInParts({ s3 }: Server, Bucket: string, Key: string, parts: readonly Buffer[]): Promise<void> {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...RARE }))
  const Parts: { PartNumber: number; ETag: string | undefined }[] = []
  for (const [index, Body] of parts.entries()) {
    const at = { Bucket, Key, UploadId, PartNumber: index + 1 }
    Parts.push({ PartNumber: index + 1, ETag: (await s3.send(new UploadPartCommand({ ...at, Body }))).ETag })
  }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
}

async function fill({ from }: Sides): Promise<void> {
  for (const size of SIZES) await put(from, 'src', `sizes/ä ${size}`, { Body: randomBytes(size), ...RARE })
  await putInParts(from, 'src', 'parts', [randomBytes(8 * MIB), randomBytes(8 * MIB), randomBytes(4_000_000)])
}

describe('between two stores with credentials of their own', () => {
  test('replaces nothing with --no-clobber, in one request or in parts', async () => {
    const { from, to, as, args } = await sides()
    for (const key of ['new', 'there']) await put(from, 'src', key, { Body: `the ${key} one` })
    for (const key of ['large', 'large and there']) await put(from, 'src', key, { Body: randomBytes(9 * MIB) })
    await put(to, 'dst', 'there', { Body: 'was here before' })
    await put(to, 'dst', 'large and there', { Body: 'was here before' })
    const { code, stderr } = await run(args('copy', '--no-clobber'), as)
    expect([code, stderr]).toEqual([0, expect.stringContaining('2 objects copied, 2 skipped, none failed') as string])
    for (const key of ['new', 'large']) expect(await digestOf(to, 'dst', key)).toBe(await digestOf(from, 'src', key))
    const before = createHash('sha256').update('was here before').digest('hex')
    for (const key of ['there', 'large and there']) expect(await digestOf(to, 'dst', key)).toBe(before)
  })

  test('every byte, header, metadatum and tag arrives, whatever the key and the size', async () => {
    const both = await sides()
    const layout = oddLayout(150, 5, 1024)
    for (let index = 0; index < layout.count; index++) {
      const key = layout.keyAt(index)
      await put(both.from, 'src', key, {
        Body: key.endsWith('/') ? '' : `body ${index}`,
        ...(index % 3 === 0 ? RARE : {}),
      })
    }
    await fill(both)
    const count = layout.count + SIZES.length + 1
    const { code, stderr } = await run(both.args('copy'), both.as)
    expect([code, stderr]).toEqual([0, expect.stringContaining(`${count} objects copied, none skipped, none failed`)])
    expect(stderr).toContain(
      'warning: no one credential can copy between these two: every byte passes through this machine',
    )
    await expectEqual(both)
    // Parts as those of the AWS CLI: its objects keep their ETags, and so do those that have an MD5.
    for (const [key, { etag }] of await contentOf(both.from, 'src')) {
      expect((await contentOf(both.to, 'dst', key)).get(key)!.etag).toBe(etag)
    }
    expect(
      (
        await run(
          both.args('verify', '--deep', '--bytes').filter((arg) => arg !== '--checkpoint' && arg !== 'run'),
          both.as,
        )
      ).code,
    ).toBe(0)
  })

  test('thousands of small objects are copied in one request each, on one thread and on two', async () => {
    for (const threads of ['1', '2']) {
      const both = await sides()
      for (let index = 0; index < 1200; index++) await put(both.from, 'src', `many/${index}`, { Body: `body ${index}` })
      const { code, stderr } = await run(both.args('copy', '--threads', threads), both.as)
      expect([code, stderr]).toEqual([0, expect.stringContaining('1,200 objects copied, none skipped, none failed')])
      expect(both.to.stats().byOperation.PutObject).toBe(1200)
      expect(both.from.stats().byOperation).toMatchObject({ GetObject: 1200 })
      // One, to tell beforehand what copies would lose, two that these are two buckets, and one for each copy that is looked at.
      const looks = both.from.stats().byOperation.HeadObject! - 3
      expect(looks).toBeGreaterThanOrEqual(3)
      expect(looks).toBeLessThanOrEqual(16 + 2 * Number(threads))
      expect(await contentOf(both.to, 'dst')).toEqual(await contentOf(both.from, 'src'))
    }
  })

  test('the same name on either side is no mistake, since they are different buckets', async () => {
    const both = await sides()
    await put(both.from, 'src', 'x', { Body: 'hello' })
    const args = both.args('copy').map((arg) => (arg === 's3://dst' ? 's3://src' : arg))
    expect((await run(args, both.as)).code).toBe(0)
    expect([...(await contentOf(both.to, 'src')).keys()]).toEqual(['x'])
  })

  test('one bucket that is reached by two URLs is copied onto itself by nothing, and moved away by nothing', async () => {
    const { from, cwd } = await sides()
    for (const key of ['a/1', 'a/b/2']) await put(from, 'src', key, { Body: key })
    const before = await contentOf(from, 'src')
    const other = from.url.replace('127.0.0.1', 'localhost')
    const keys = { AWS_ACCESS_KEY_ID: KEYS.from.accessKeyId, AWS_SECRET_ACCESS_KEY: KEYS.from.secretAccessKey }
    const as = { cwd, env: keys }
    const ways = ['--source-endpoint-url', from.url, '--destination-endpoint-url', other]
    for (const [command, source, destination, said] of [
      ['move', 's3://src/a/', 's3://src/a/', 'source and destination are the same: s3://src/a/'],
      ['copy', 's3://src', 's3://src', 'source and destination are the same: s3://src/'],
      ['move', 's3://src/a/', 's3://src/a/c/', 'lies inside the source'],
      ['sync', 's3://src/a/b/', 's3://src/a/', '--delete would delete the source'],
    ] as const) {
      const more = { copy: [], move: ['--yes'], sync: ['--delete', '--yes'] }[command]
      expect(refusal(await run([command, source, destination, ...ways, ...more], as))).toContain(said)
    }
    const tried = await run(['move', '--yes', 's3://src/a/', 's3://src/a/', '--dry-run', ...ways], as)
    expect(refusal(tried)).toContain('source and destination are the same: s3://src/a/')
    expect(await contentOf(from, 'src')).toEqual(before)
    expect((await from.s3.send(new ListMultipartUploadsCommand({ Bucket: 'src' }))).Uploads ?? []).toEqual([])
    // Where no object can be in the way of another, two URLs are as good as one.
    expect((await run(['move', '--yes', 's3://src/a/', 's3://src/c/', ...ways], as)).code).toBe(0)
    expect([...(await contentOf(from, 'src')).keys()]).toEqual(['c/1', 'c/b/2'])
  })

  test('answers that are cut, connections that break and errors change nothing of the result', async () => {
    const both = await sides()
    await fill(both)
    for (let index = 0; index < 60; index++) await put(both.from, 'src', `many/${index}`, { Body: randomBytes(3000) })
    const faults = async (rate: string): Promise<void> => {
      for (const kind of ['truncate', 'reset', 'reset-after', '500', '503']) {
        await both.from.fault(kind, rate, 'GetObject')
        for (const operation of ['PutObject', 'UploadPart', 'CreateMultipartUpload', 'CompleteMultipartUpload'])
          await both.to.fault(kind, rate, operation)
      }
    }
    await faults('5%')
    const { code, stderr } = await run(both.args('copy'), both.as)
    expect([code, stderr]).toEqual([0, expect.stringContaining('none skipped, none failed')])
    await faults('0')
    await expectEqual(both)
  })

  test('killed with -9 again and again, all of it arrives, and parts that are there are not sent again', async () => {
    const both = await sides({ latency: 'put=20-40' })
    const [size, part] = [264 * MIB, 8 * MIB]
    await put(both.from, 'src', 'large', { Body: Buffer.alloc(size, 'content ') })
    for (let index = 0; index < 400; index++) await put(both.from, 'src', `many/${index}`, { Body: randomBytes(300) })
    const sent = (): number => both.to.stats().byOperation.UploadPart ?? 0
    let argv = both.args('copy')
    for (const least of [8, 20]) {
      const running = start(argv, both.as)
      await until(() => sent() >= least, running)
      running.kill('SIGKILL')
      await running.finished
      argv = ['resume', 'run']
    }
    const { code, stderr } = await run(argv, both.as)
    expect([code, stderr]).toEqual([0, expect.stringContaining('401 objects copied, none skipped, none failed')])
    // What was under way when it was killed, eight parts each time, may have been lost.
    expect(sent()).toBeLessThanOrEqual(Math.ceil(size / part) + 16)
    // One each time only asks whether the destination can be written to.
    expect(both.to.stats().byOperation.CreateMultipartUpload).toBe(1 + 3)
    await expectEqual(both)
  })

  test('move deletes at the source what is proven to be at the destination, and sync copies nothing twice', async () => {
    const both = await sides()
    await fill(both)
    const first = await run(both.args('sync'), both.as)
    expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('9 objects copied') as string])
    const puts = both.to.stats().byOperation.PutObject
    await put(both.to, 'dst', 'extra', { Body: 'x' })
    const again = await run(both.args('sync', '--fresh', '--delete', '--yes'), both.as)
    expect([again.code, both.to.stats().byOperation.PutObject]).toEqual([0, puts! + 1])
    await expectEqual(both)
    const before = await contentOf(both.from, 'src')
    const { code, stderr } = await run(both.args('move', '--yes', '--fresh'), both.as)
    expect([code, stderr]).toEqual([0, expect.stringContaining('9 objects moved') as string])
    expect((await contentOf(both.from, 'src')).size).toBe(0)
    expect([...(await contentOf(both.to, 'dst')).keys()]).toEqual([...before.keys()])
  })

  test('--bandwidth holds the bytes back, --checksum-algorithm is refused', async () => {
    const both = await sides()
    await put(both.from, 'src', 'x', { Body: randomBytes(3 * MIB) })
    const began = performance.now()
    expect((await run(both.args('copy', '--bandwidth', '1M'), both.as)).code).toBe(0)
    // A lower bound cannot fail on a slow machine.
    expect(performance.now() - began).toBeGreaterThan(2500)
    await expectEqual(both)
    const checksummed = both.args('copy', '--checksum-algorithm', 'SHA256', '--fresh', '--quiet')
    expect(refusal(await run(checksummed, both.as))).toContain('--checksum-algorithm needs a copy inside a store')
    expect(refusal(await run(both.args('copy', '--bandwidth', '5 MB', '--fresh'), both.as))).toContain('--bandwidth')
    expect(await readFile(join(both.cwd, 'run/checkpoint.json'), 'utf8')).not.toContain('secret')
  })

  test('--dry-run tells the requests that it would take, and writes nothing', async () => {
    const both = await sides()
    await fill(both)
    const { code, stdout } = await run(both.args('copy', '--dry-run'), both.as)
    expect([code, stdout]).toEqual([0, expect.stringContaining('PutObject') as string])
    expect(stdout).not.toContain('CopyObject')
    expect((await contentOf(both.to, 'dst')).size).toBe(0)
    const before = both.to.stats().byOperation.PutObject ?? 0
    await run(both.args('copy'), both.as)
    const [{ byOperation: wrote }, { byOperation: read }] = [both.to.stats(), both.from.stats()]
    expect([before, wrote.PutObject, wrote.UploadPart, wrote.CompleteMultipartUpload]).toEqual([0, 8, 3, 1])
    // Each of the two runs looked at one object first: once for what would be lost, and twice to tell that these are two buckets.
    // Of three copies the source was looked at as well.
    expect([read.GetObject, read.HeadObject]).toEqual([14, 4 + 2 * 3 + 3])
    expect(stdout).toContain(
      ' 8 PutObject, 4 HeadObject, 14 GetObject, 1 CreateMultipartUpload, 3 UploadPart, 1 CompleteMultipartUpload; to look at what was written, up to ',
    )
  })
})
