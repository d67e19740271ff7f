import { GetObjectCommand, HeadObjectCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

/** So many lines of JSON are two parts of a stream. */
const TWO_PARTS = '240k'
/** The same of a file, whose size is known. */
const TWO_PARTS_OF_FILE = '60k'

const containing = (text: string): unknown => expect.stringContaining(text)
const asked = (server: TestSandbox, operation: string): number => server.stats().byOperation[operation] ?? 0

async function objectOf({ s3 }: TestSandbox, Key: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'out', Key }))
  return Buffer.from(await Body!.transformToByteArray())
}

async function uploadsOf({ s3 }: TestSandbox): Promise<(string | undefined)[]> {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: 'out' }))
  return Uploads.map(({ Key }) => Key)
}

const linesOf = (bytes: Buffer): string[] => bytes.toString().split('\n').sort()

describe('--to s3://bucket/key', () => {
  test.each([
    [['ls', 's3://src', '--sorted'], 'keys.csv.gz', 'application/gzip'],
    [['ls', 's3://src/', '--folders'], 'level.txt', 'text/plain'],
    [['du', 's3://src', '--depth', '1'], 'counts.csv', 'text/csv'],
    [['verify', 's3://src', 's3://dst'], 'differences.ndjson', undefined],
  ])('of %j is an object with the content of --to FILE', async (command, name, type) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:odd:300', 'dst', 'out'] })
    const args = [...command, '--endpoint-url', server.url]
    const code = command[0] === 'verify' ? 3 : 0
    const file = await run([...args, '--to', name], { cwd })
    const object = await run([...args, '--to', `s3://out/a b/${name}`], { cwd })
    expect([file.code, object.code, object.stderr]).toEqual([code, code, containing(`s3://out/a b/${name}`)])
    const plain = (bytes: Buffer): string[] => linesOf(name.endsWith('.gz') ? gunzipSync(bytes) : bytes)
    expect(plain(await objectOf(server, `a b/${name}`))).toEqual(plain(await readFile(join(cwd, name))))
    const head = await server.s3.send(new HeadObjectCommand({ Bucket: 'out', Key: `a b/${name}` }))
    if (type !== undefined) expect(head.ContentType).toBe(type)
    expect(await uploadsOf(server)).toEqual([])
    expect(await readdir(cwd)).toEqual([name])
  })

  test('is sent in parts as it comes, and is there once it is whole', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`src:seq:${TWO_PARTS}`, 'out'] })
    const args = ['ls', 's3://src', '--json', '--sorted', '--endpoint-url', server.url]
    expect((await run([...args, '--to', 'keys.json'], { cwd })).code).toBe(0)
    const { code, stderr } = await run([...args, '--to', 's3://out/keys.json'], { cwd })
    expect([code, stderr]).toEqual([0, containing('wrote 240,000 objects')])
    expect(asked(server, 'UploadPart')).toBe(2)
    expect((await objectOf(server, 'keys.json')).equals(await readFile(join(cwd, 'keys.json')))).toBe(true)
  })

  test.each(['UploadPart', 'CompleteMultipartUpload'])(
    'leaves what was there, and no part, when %s is refused, and claims no count',
    async (operation) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets: [`src:seq:${TWO_PARTS}`, 'out'] })
      await put(server, 'out', 'keys.json', { Body: 'of before' })
      await server.fault('denied', '1', operation)
      const args = ['ls', 's3://src', '--to', 's3://out/keys.json', '--endpoint-url', server.url]
      const { code, stderr } = await run(args, { cwd })
      expect([code, stderr]).toEqual([4, containing(`(${operation} on s3://out/keys.json failed: Access Denied`)])
      expect(stderr).toContain('s3://out/keys.json was not written')
      expect(stderr).not.toContain('wrote')
      expect([(await objectOf(server, 'keys.json')).toString(), await uploadsOf(server)]).toEqual(['of before', []])
    },
  )

  test('survives what passes: parts and the last word are sent again', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`src:seq:${TWO_PARTS_OF_FILE}`, 'out'], seed: 3 })
    await server.fault('500', '50%', 'UploadPart')
    // It is done, and the answer is lost.
    await server.fault('reset-after', '50%', 'CompleteMultipartUpload')
    for (const key of ['a', 'b']) {
      const args = ['ls', 's3://src', '--json', '--to', `s3://out/${key}`, '--checkpoint', key]
      expect((await run([...args, '--endpoint-url', server.url], { cwd })).code).toBe(0)
      expect(linesOf(await objectOf(server, key))).toHaveLength(60_001)
    }
    expect(asked(server, 'UploadPart')).toBeGreaterThan(4)
    expect(asked(server, 'CompleteMultipartUpload')).toBeGreaterThan(2)
    expect(await uploadsOf(server)).toEqual([])
  })

  test('leaves nothing when it is interrupted', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`src:seq:${TWO_PARTS}`, 'out'], latency: 'put=60000' })
    const args = ['ls', 's3://src', '--json', '--to', 's3://out/keys.json', '--endpoint-url', server.url]
    const running = start(args, { cwd })
    await until(() => server.stats().inFlight.now > 0 && asked(server, 'CreateMultipartUpload') > 1, running)
    await until(async () => (await uploadsOf(server)).length === 1, running)
    running.kill('SIGINT')
    const { code, stderr } = await running.finished
    expect([code, stderr]).toEqual([130, containing('s3://out/keys.json was not written')])
    expect([await uploadsOf(server), [...(await contentOf(server, 'out'))]]).toEqual([[], []])
  })

  test.each([
    [['ls', 's3://src', '--to', 's3://src/keys'], 'lies in the source'],
    [['du', 's3://src/p/', '--to', 's3://src/p/counts'], 'lies in the source'],
    [['verify', 's3://src', 's3://out/b/', '--to', 's3://out/b/found'], 'lies in the destination'],
    [['ls', 's3://src', '--to', 's3://out'], 'names no object'],
    [['ls', 's3://src', '--to', 's3://out/of/'], 'names a folder'],
    [['ls', 's3://src', '--to', 's3://out/keys.csv', '--format', 'text'], 'named as a file of csv'],
    [['verify', 's3://src', 's3://out/b/', '--to', 's3://out/keys.csv'], 'differences are lines of JSON'],
    [['ls', 's3://src', '--to', 's3://none/keys'], 'The specified bucket does not exist'],
  ])('is refused in one line: %j', async (args, message) => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'out'] })
    const finished = await run([...args, '--endpoint-url', server.url], { cwd })
    expect(refusal(finished)).toContain(message)
    expect([await readdir(cwd), asked(server, 'PutObject')]).toEqual([[], 0])
  })

  test('that may not be written is refused before anything is listed to its end', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:5000', 'out'] })
    await server.fault('denied', '1', 'CreateMultipartUpload')
    const args = ['ls', 's3://src', '--to', 's3://out/keys', '--endpoint-url', server.url]
    expect(refusal(await run(args, { cwd }))).toContain('s3://out: CreateMultipartUpload failed: Access Denied')
    expect(asked(server, 'ListObjectsV2')).toBeLessThanOrEqual(2)
  })
})

describe('--to s3://bucket/key with --checkpoint', () => {
  const args = ['ls', 's3://src', '--json', '--sorted', '--checkpoint', 'run']

  test('keeps what could not be sent, and a resume sends that alone', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`src:seq:${TWO_PARTS_OF_FILE}`, 'out'] })
    const at = ['--endpoint-url', server.url]
    await server.fault('denied', '1', 'UploadPart')
    const failed = await run([...args, '--to', 's3://out/keys', ...at], { cwd })
    expect([failed.code, failed.stderr]).toEqual([4, containing('s3move resume run')])
    expect([await uploadsOf(server), [...(await contentOf(server, 'out'))]]).toEqual([[], []])
    const again = await run(['resume', 'run'], { cwd })
    expect([again.code, again.stderr]).toEqual([4, containing('UploadPart on s3://out/keys failed')])
    await server.fault('denied', '0', 'UploadPart')
    const lists = asked(server, 'ListObjectsV2')
    const resumed = await run(['resume', 'run'], { cwd })
    expect([resumed.code, resumed.stderr]).toEqual([0, containing('wrote s3://out/keys')])
    expect(asked(server, 'ListObjectsV2')).toBe(lists)
    expect(linesOf(await objectOf(server, 'keys'))).toHaveLength(60_001)
    expect((await readdir(join(cwd, 'run'))).filter((name) => /result|upload/.test(name))).toEqual([])
  })

  test('after kill -9 while it is sent, a resume drops those parts and sends it', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: [`src:seq:${TWO_PARTS_OF_FILE}`, 'out'], latency: 'put=1500' })
    const at = ['--endpoint-url', server.url]
    expect((await run([...args, '--to', 'keys', '--fresh', ...at], { cwd })).code).toBe(0)
    const running = start([...args, '--to', 's3://out/keys', '--fresh', ...at], { cwd })
    await until(async () => (await readdir(join(cwd, 'run'))).includes('upload.json'), running)
    running.kill('SIGKILL')
    await running.finished
    expect(await uploadsOf(server)).toEqual(['keys'])
    const resumed = await run(['resume', 'run'], { cwd })
    expect([resumed.code, resumed.stderr]).toEqual([0, containing('wrote s3://out/keys')])
    expect(await uploadsOf(server)).toEqual([])
    expect((await objectOf(server, 'keys')).equals(await readFile(join(cwd, 'keys')))).toBe(true)
  })

  test('after kill -9 while it is listed, a resume goes on, and the object has each key once', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:30k', 'out'], latency: 'list=30' })
    const at = ['--endpoint-url', server.url, '--lanes', '2']
    const running = start([...args, '--to', 's3://out/keys.gz', ...at], { cwd })
    await until(() => asked(server, 'ListObjectsV2') > 12, running)
    running.kill('SIGKILL')
    await running.finished
    const resumed = await run(['resume', 'run'], { cwd })
    expect([resumed.code, resumed.stderr]).toEqual([0, containing('wrote 30,000 objects')])
    const keys = linesOf(gunzipSync(await objectOf(server, 'keys.gz')))
    expect([keys.length, new Set(keys).size]).toEqual([30_001, 30_001])
  })

  test('counts of du are sent by a resume where they could not be', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:500', 'out'] })
    const at = ['--endpoint-url', server.url, '--checkpoint', 'run']
    await server.fault('denied', '1', 'PutObject')
    const failed = await run(['du', 's3://src', '--to', 's3://out/counts.csv', ...at], { cwd })
    expect([failed.code, failed.stdout]).toEqual([4, ''])
    expect(failed.stderr).not.toContain('wrote')
    await server.fault('denied', '0', 'PutObject')
    expect((await run(['resume', 'run'], { cwd })).code).toBe(0)
    expect((await objectOf(server, 'counts.csv')).toString()).toContain('500')
  })
})
