import {
  DeleteObjectAnnotationCommand,
  GetObjectAnnotationCommand,
  GetObjectCommand,
  ListObjectAnnotationsCommand,
  ListObjectVersionsCommand,
  PutObjectAnnotationCommand,
} from '@aws-sdk/client-s3'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contentOf, put, sandbox, type Server, type TestSandbox } from '../support/cli-buckets.js'
import { refusal, run, start, until, workFolder } from '../support/cli-program.js'

const TEXTS = { labels: '{"cat":0.9}', 'note é & <x>': 'seen ✓\r\nagain' }

async function annotate({ s3 }: Server, Bucket: string, Key: string, texts: Record<string, string> = TEXTS) {
  for (const [AnnotationName, text] of Object.entries(texts)) {
    await s3.send(new PutObjectAnnotationCommand({ Bucket, Key, AnnotationName, AnnotationPayload: Buffer.from(text) }))
  }
}

/** The texts of an object by their names. */
async function annotationsOf({ s3 }: Server, Bucket: string, Key: string, VersionId?: string) {
  const { Annotations = [] } = await s3.send(new ListObjectAnnotationsCommand({ Bucket, Key, VersionId }))
  const found: Record<string, string | undefined> = {}
  for (const { AnnotationName } of Annotations) {
    const { AnnotationPayload } = await s3.send(
      new GetObjectAnnotationCommand({ Bucket, Key, AnnotationName, VersionId }),
    )
    found[AnnotationName!] = await AnnotationPayload?.transformToString()
  }
  return found
}

/** Every copy has the annotations of its source. */
async function expectAnnotated(source: Server, destination: Server, annotated: number): Promise<void> {
  const keys = [...(await contentOf(source, 'src')).keys()]
  let some = 0
  for (const key of keys) {
    const texts = await annotationsOf(source, 'src', key)
    if (Object.keys(texts).length > 0) some++
    expect([key, await annotationsOf(destination, 'dst', key)]).toEqual([key, texts])
  }
  expect(some).toBe(annotated)
}

function asked(server: TestSandbox): Record<string, number> {
  const counts = Object.entries(server.stats().byOperation).filter(([name]) => name.includes('Annotation'))
  return Object.fromEntries(counts)
}

const inside = ({ url }: Server, ...more: string[]) => [
  ...['copy', 's3://src', 's3://dst', '--endpoint-url', url, '--checkpoint', 'run', '--threads', '1', ...more],
]

const between = (from: Server, to: Server, ...more: string[]) => [
  ...['copy', 's3://src', 's3://dst', '--source-endpoint-url', from.url, '--destination-endpoint-url', to.url],
  ...['--checkpoint', 'run', '--threads', '1', ...more],
]

const failuresIn = async (cwd: string) =>
  (await readFile(join(cwd, 'run/failures.ndjson'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { code: string; operation: string; message: string })

describe('annotations inside a store', () => {
  test('are kept by a copy, also of what is over 5 GiB, and only for that are they asked for', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:6:big=3,annotations=2', 'dst'] })
    const { code, stderr } = await run(inside(server), { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('6 objects copied, none skipped, none failed')])
    // Two objects are large, and one of these has two annotations.
    expect(asked(server)).toEqual({ ListObjectAnnotations: 3, GetObjectAnnotation: 2, PutObjectAnnotation: 2 })
    await expectAnnotated(server, server, 3)
  })

  test('are left out with --no-preserve annotations, and asked for by nothing', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:6:big=3,annotations=2', 'dst'] })
    const { code } = await run(inside(server, '--no-preserve', 'annotations'), { cwd })
    expect([code, asked(server)]).toEqual([0, {}])
    for (const key of (await contentOf(server, 'dst')).keys()) {
      expect(await annotationsOf(server, 'dst', key)).toEqual({})
    }
  })

  test('a dry run counts the requests for them, and the run sends no others', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:3:big=3', 'dst'] })
    const { stdout } = await run(inside(server, '--dry-run'), { cwd })
    expect([asked(server), stdout]).toEqual([{}, expect.stringMatching(/, 1 ListObjectAnnotations/)])
    await run(inside(server), { cwd })
    expect(asked(server)).toEqual({ ListObjectAnnotations: 1 })
  })

  test('killed with -9 between an object and its annotations, a resume ends with both', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:2:big=2,annotations=2', 'dst'] })
    await server.fault('hang', '1', 'PutObjectAnnotation')
    const running = start(inside(server), { cwd })
    await until(() => (asked(server).PutObjectAnnotation ?? 0) > 0, running)
    const [, large = ''] = [...(await contentOf(server, 'dst')).keys()]
    running.kill('SIGKILL')
    await running.finished
    expect(await annotationsOf(server, 'dst', large)).toEqual({})
    await server.fault('hang', '0', 'PutObjectAnnotation')
    const { code, stderr } = await run(['resume', 'run'], { cwd })
    expect([code, stderr]).toEqual([0, expect.stringContaining('2 objects copied, none skipped, none failed')])
    await expectAnnotated(server, server, 1)
  })

  test.each(['copy', 'sync'])(
    'of %s that may not be written are a failure, which a second try mends',
    async (command) => {
      const cwd = await workFolder()
      const server = await sandbox({ buckets: ['src:seq:2:big=2,annotations=2', 'dst'] })
      await server.fault('denied', '1', 'PutObjectAnnotation')
      const [, ...rest] = inside(server)
      expect((await run([command, ...rest], { cwd })).code).toBe(3)
      expect(await failuresIn(cwd)).toEqual([
        expect.objectContaining({
          ...{ code: 'AnnotationsNotKept', operation: 'PutObjectAnnotation' },
          message: expect.stringMatching(/^it is copied, but without all of its 2 annotations/) as string,
        }),
      ])
      await server.fault('denied', '0', 'PutObjectAnnotation')
      const { code, stderr } = await run(['resume', 'run', '--only-failed'], { cwd })
      expect([code, stderr]).toEqual([0, expect.stringContaining('2 objects copied, none skipped, none failed')])
      await expectAnnotated(server, server, 1)
    },
  )

  test('that may not be listed are a failure before anything is copied', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src:seq:2:big=2', 'dst'] })
    await server.fault('denied', '1', 'ListObjectAnnotations')
    expect((await run(inside(server), { cwd })).code).toBe(3)
    const [failure] = await failuresIn(cwd)
    expect(failure).toMatchObject({ code: 'AccessDenied', operation: 'ListObjectAnnotations' })
    expect(failure?.message).toContain('--no-preserve annotations copies it without')
    expect(server.stats().byOperation.UploadPartCopy).toBeUndefined()
  })

  test('stay with new headers; where an object is too large for that it is left as it was', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['dst', 'src:seq:3:big=3,annotations=1'] })
    await run(inside(server), { cwd })
    const args = ['set-headers', 's3://dst', '--cache-control', 'max-age=7', '--endpoint-url', server.url]
    const { code } = await run([...args, '--checkpoint', 'run2'], { cwd })
    expect(code).toBe(3)
    const line = await readFile(join(cwd, 'run2/failures.ndjson'), 'utf8')
    expect(JSON.parse(line)).toMatchObject({ code: 'AnnotationsNotKept', operation: 'ListObjectAnnotations' })
    await expectAnnotated(server, server, 3)
  })
})

describe('annotations between stores', () => {
  const SIZES = { small: 20, piped: 9 * 2 ** 20, parts: 20 * 2 ** 20 }

  async function two({ source = '', destination = '' } = {}) {
    const from = await sandbox({ buckets: ['src'], dialect: source })
    const to = await sandbox({ buckets: ['dst'], dialect: destination })
    for (const [key, size] of Object.entries(SIZES)) await put(from, 'src', key, { Body: Buffer.alloc(size, key) })
    return { from, to, cwd: await workFolder() }
  }

  test('are kept when that is asked for, whatever the size', async () => {
    const { from, to, cwd } = await two()
    await put(from, 'src', 'bare', { Body: 'x' })
    for (const key of ['parts', 'piped', 'small']) await annotate(from, 'src', key)
    const { code } = await run(between(from, to, '--preserve', 'annotations', '--part-size', '5M'), { cwd })
    expect(code).toBe(0)
    await expectAnnotated(from, to, 3)
    // One for each object, and one to see whether the destination has any at all.
    expect(asked(from).ListObjectAnnotations).toBeGreaterThanOrEqual(4)
    expect(asked(to).PutObjectAnnotation).toBe(6)
  })

  test('are said to be lost before the start, where the first object has some', async () => {
    const { from, to, cwd } = await two()
    await annotate(from, 'src', 'parts')
    const { code, stderr } = await run(between(from, to), { cwd })
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(
        /s3:\/\/src\/parts.* it has 2 annotations, and its copy, .*: --preserve annotations keeps them/,
      ),
    ])
    const refused = await run(between(from, to, '--on-loss', 'fail', '--fresh'), { cwd })
    expect(refused.code).toBe(2)
    const folder = ['copy', 's3://src', `file://${cwd}/out`, '--endpoint-url', from.url, '--checkpoint', 'disk']
    const { stderr: told } = await run(folder, { cwd })
    expect(told).toContain('it has 2 annotations, and there are none at the destination')
    const asked = await run([...folder, '--preserve', 'annotations'], { cwd })
    expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('--preserve annotations is for a bucket')])
  })

  test('that are left behind by some other object are told of during the run', async () => {
    const { from, to, cwd } = await two()
    await annotate(from, 'src', 'piped')
    const { code, stderr } = await run(between(from, to, '--lanes', '1'), { cwd })
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('the source of s3://dst/piped has annotations, and its copy has none'),
    ])
    const { code: failed, stderr: why } = await run(between(from, to, '--on-loss', 'fail', '--fresh'), { cwd })
    expect([failed, why]).toEqual([4, expect.stringContaining('--preserve annotations keeps')])
    const without = await run(between(from, to, '--no-preserve', 'annotations', '--on-loss', 'fail', '--fresh'), {
      cwd,
    })
    expect([without.code, without.stderr]).toEqual([0, expect.not.stringContaining('has annotations') as string])
  })

  test('never reach a store that would take them for content: the object fails, and its copy is whole', async () => {
    const { from, to, cwd } = await two({ destination: 'ceph' })
    await annotate(from, 'src', 'small')
    const { code } = await run(between(from, to, '--preserve', 'annotations'), { cwd })
    expect(code).toBe(3)
    expect(await failuresIn(cwd)).toEqual([
      expect.objectContaining({ code: 'AnnotationsNotKept', operation: 'PutObjectAnnotation' }),
    ])
    const { Body } = await to.s3.send(new GetObjectCommand({ Bucket: 'dst', Key: 'small' }))
    expect(await Body?.transformToString()).toBe(Buffer.alloc(20, 'small').toString())
    expect(asked(to).PutObjectAnnotation).toBeUndefined()
  })

  test('of a source that has none are asked for once', async () => {
    const { from, to, cwd } = await two({ source: 'minio' })
    for (let i = 0; i < 20; i++) await put(from, 'src', `n${i}`, { Body: 'x' })
    const { code } = await run(between(from, to, '--preserve', 'annotations', '--dry-run'), { cwd })
    expect(code).toBe(0)
    const before = from.stats().byOperation.GetObject ?? 0
    expect((await run(between(from, to, '--preserve', 'annotations'), { cwd })).code).toBe(0)
    const { GetObject = 0 } = from.stats().byOperation
    // Content of 23 objects, in three pieces that of two; the question is one of the look before the start.
    expect(GetObject - before).toBeLessThanOrEqual(23 + 4 + 1)
  })

  test('come with all versions', async () => {
    const cwd = await workFolder()
    const from = await sandbox({ buckets: ['src:versioned'] })
    const to = await sandbox({ buckets: ['dst:versioned'] })
    await put(from, 'src', 'k', { Body: 'old' })
    await annotate(from, 'src', 'k', { of: 'the old' })
    await put(from, 'src', 'k', { Body: 'newer' })
    await annotate(from, 'src', 'k', { of: 'the new', more: 'x' })
    const { code } = await run(between(from, to, '--preserve', 'annotations', '--all-versions'), { cwd })
    expect(code).toBe(0)
    const { Versions = [] } = await to.s3.send(new ListObjectVersionsCommand({ Bucket: 'dst' }))
    const found = Versions.map(({ VersionId }) => annotationsOf(to, 'dst', 'k', VersionId))
    expect(await Promise.all(found)).toEqual([{ more: 'x', of: 'the new' }, { of: 'the old' }])
  })
})

describe('verify --annotations', () => {
  test('finds annotations that are missing, other, or more', async () => {
    const cwd = await workFolder()
    const server = await sandbox({ buckets: ['src', 'dst'] })
    for (const key of ['fewer', 'more', 'other', 'same']) {
      for (const bucket of ['src', 'dst']) {
        await put(server, bucket, key, { Body: key })
        await annotate(server, bucket, key)
      }
    }
    await put(server, 'src', 'none', { Body: 'x' })
    await put(server, 'dst', 'none', { Body: 'x' })
    await annotate(server, 'dst', 'other', { labels: '{"cat":0.8}' })
    await annotate(server, 'dst', 'more', { another: 'x' })
    const wanted = { Bucket: 'dst', Key: 'fewer', AnnotationName: 'labels' }
    await server.s3.send(new DeleteObjectAnnotationCommand(wanted))
    const args = ['verify', 's3://src', 's3://dst', '--annotations', '--endpoint-url', server.url, '--threads', '1']
    const { stdout } = await run([...args, '--to', '-'], { cwd })
    const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
    expect(lines.map((line) => JSON.parse(line) as { key: string; verdict: string; differs: string[] })).toMatchObject(
      ['fewer', 'more', 'other'].map((key) => ({ key, verdict: 'different', differs: ['annotations'] })),
    )
    const before = asked(server)
    const without = args.map((arg) => (arg === '--annotations' ? '--deep' : arg))
    expect((await run(without, { cwd })).code).toBe(0)
    expect(asked(server)).toEqual(before)
    await server.fault('denied', '1', 'ListObjectAnnotations')
    const denied = await run([...args, '--to', 'again.ndjson'], { cwd })
    expect([denied.code, denied.stderr]).toEqual([
      0,
      expect.stringContaining('annotations are not compared: those of s3://src cannot be read (ListObjectAnnotations'),
    ])
  })

  test('says so where one of the stores has none, and refuses a folder', async () => {
    const cwd = await workFolder()
    const from = await sandbox({ buckets: ['src'] })
    const to = await sandbox({ buckets: ['dst'], dialect: 'ceph' })
    await put(from, 'src', 'k', { Body: 'x' })
    await put(to, 'dst', 'k', { Body: 'x' })
    const args = ['--source-endpoint-url', from.url, '--destination-endpoint-url', to.url, '--threads', '1']
    const { stderr } = await run(['verify', 's3://src', 's3://dst', '--annotations', ...args], { cwd })
    expect(stderr).toContain('annotations are not compared: the store of s3://dst has none')
    const folder = ['verify', 's3://src', `file://${cwd}`, '--annotations', '--endpoint-url', from.url]
    expect(refusal(await run(folder, { cwd }))).toContain('--annotations compares annotations, and file://')
  })
})
