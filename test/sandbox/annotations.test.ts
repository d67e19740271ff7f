import {
  CopyObjectCommand,
  DeleteObjectAnnotationCommand,
  GetObjectAnnotationCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectAnnotationsCommand,
  PutBucketVersioningCommand,
  PutObjectAnnotationCommand,
  type AnnotationEntry,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { put, sandbox, type TestSandbox } from '../support/cli-buckets.js'

const annotate = ({ s3 }: TestSandbox, Key: string, AnnotationName: string, text: string | Buffer, more: object = {}) =>
  s3.send(
    new PutObjectAnnotationCommand({
      ...{ Bucket: 'plain', Key, AnnotationName, AnnotationPayload: Buffer.from(text), ...more },
    }),
  )

async function all({ s3 }: TestSandbox, Bucket: string, Key: string, VersionId?: string) {
  const { Annotations = [] } = await s3.send(new ListObjectAnnotationsCommand({ Bucket, Key, VersionId }))
  return Annotations
}

async function textOf({ s3 }: TestSandbox, Bucket: string, Key: string, AnnotationName: string, VersionId?: string) {
  const { AnnotationPayload } = await s3.send(
    new GetObjectAnnotationCommand({ Bucket, Key, AnnotationName, VersionId }),
  )
  return await AnnotationPayload?.transformToString()
}

const names = (entries: readonly AnnotationEntry[]) => entries.map(({ AnnotationName }) => AnnotationName)

async function plain(...more: string[]): Promise<TestSandbox> {
  const server = await sandbox({ buckets: ['plain', 'dst', ...more] })
  await put(server, 'plain', 'k', { Body: 'content' })
  return server
}

describe('annotations', () => {
  test('come back as they were put, are listed in order with size and MD5, and are taken away', async () => {
    const server = await plain()
    const before = await server.s3.send(new HeadObjectCommand({ Bucket: 'plain', Key: 'k' }))
    const odd = 'b & <c> é\u{1f600}'
    await annotate(server, 'k', odd, 'seen ✓\n')
    await annotate(server, 'k', 'a', 'one')
    await annotate(server, 'k', 'a', 'two')
    const listed = await all(server, 'plain', 'k')
    expect(listed).toMatchObject([
      { AnnotationName: 'a', Size: 3, ETag: `"${createHash('md5').update('two').digest('hex')}"` },
      { AnnotationName: odd, Size: Buffer.byteLength('seen ✓\n') },
    ])
    expect(await textOf(server, 'plain', 'k', odd)).toBe('seen ✓\n')
    // HEAD tells nothing of them, and the object stays what it was.
    const { $metadata: _, ...head } = await server.s3.send(new HeadObjectCommand({ Bucket: 'plain', Key: 'k' }))
    const { $metadata: __, ...was } = before
    expect(head).toEqual(was)
    await server.s3.send(new DeleteObjectAnnotationCommand({ Bucket: 'plain', Key: 'k', AnnotationName: 'a' }))
    expect(names(await all(server, 'plain', 'k'))).toEqual([odd])
    await expect(textOf(server, 'plain', 'k', 'a')).rejects.toMatchObject({ name: 'NoSuchAnnotation' })
    await expect(all(server, 'plain', 'absent')).rejects.toMatchObject({ name: 'NoSuchKey' })
    expect(server.stats().byOperation).toMatchObject({ PutObjectAnnotation: 3, DeleteObjectAnnotation: 1 })
  })

  test('are listed in pages', async () => {
    const server = await plain()
    for (const name of ['a1', 'a2', 'a3', 'b']) await annotate(server, 'k', name, name)
    const page = (ContinuationToken?: string) =>
      server.s3.send(
        new ListObjectAnnotationsCommand({
          ...{ Bucket: 'plain', Key: 'k', AnnotationPrefix: 'a', MaxAnnotationResults: 2, ContinuationToken },
        }),
      )
    const first = await page()
    expect([names(first.Annotations ?? []), first.AnnotationCount]).toEqual([['a1', 'a2'], 2])
    const second = await page(first.NextContinuationToken)
    expect([names(second.Annotations ?? []), second.NextContinuationToken]).toEqual([['a3'], undefined])
  })

  test.each([
    ['a name of S3’s own', 's3-note', 'x', 'InvalidAnnotationName', 400],
    ['a name of AWS’s own', 'AWSnote', 'x', 'InvalidAnnotationName', 400],
    ['a name of more than 512 bytes', 'é'.repeat(257), 'x', 'AnnotationNameTooLong', 400],
    ['no text', 'note', '', 'InvalidRequest', 400],
    ['more than 1 MiB', 'note', 'x'.repeat(2 ** 20 + 1), 'EntityTooLarge', 400],
    ['text that is not UTF-8', 'note', Buffer.from([0xff]), 'UnsupportedMediaType', 415],
  ] as const)('of %s are refused', async (_, name, text, code, status) => {
    const server = await plain()
    const refusal = annotate(server, 'k', name, text)
    await expect(refusal).rejects.toMatchObject({ name: code, $metadata: { httpStatusCode: status } })
    expect(await all(server, 'plain', 'k')).toEqual([])
    await annotate(server, 'k', 'é'.repeat(256), 'x'.repeat(2 ** 20))
  })

  test('are 1,000 at most, and written under a condition on their object', async () => {
    const server = await plain()
    for (let i = 0; i < 1000; i++) {
      const url = `${server.url}/plain/k?annotation&annotationName=n${i}`
      expect((await fetch(url, { method: 'PUT', body: 'x' })).status).toBe(200)
    }
    await expect(annotate(server, 'k', 'more', 'x')).rejects.toMatchObject({ name: 'AnnotationLimitExceeded' })
    await annotate(server, 'k', 'n7', 'another')
    const { ETag } = await server.s3.send(new HeadObjectCommand({ Bucket: 'plain', Key: 'k' }))
    await annotate(server, 'k', 'n7', 'again', { ObjectIfMatch: ETag })
    await expect(annotate(server, 'k', 'n7', 'no', { ObjectIfMatch: '"other"' })).rejects.toMatchObject({
      name: 'PreconditionFailed',
    })
    expect(await textOf(server, 'plain', 'k', 'n7')).toBe('again')
  })

  test('go with a copy unless it excludes them; an upload, whole or in parts, has none', async () => {
    const server = await plain()
    await annotate(server, 'k', 'note', 'x')
    const copy = (Key: string, more: object) =>
      server.s3.send(new CopyObjectCommand({ Bucket: 'dst', Key, CopySource: 'plain/k', ...more }))
    await copy('kept', {})
    await copy('asked', { AnnotationDirective: 'COPY', MetadataDirective: 'REPLACE' })
    await copy('without', { AnnotationDirective: 'EXCLUDE' })
    await expect(copy('wrong', { AnnotationDirective: 'REPLACE' })).rejects.toMatchObject({ name: 'InvalidArgument' })
    expect(names(await all(server, 'dst', 'kept'))).toEqual(['note'])
    expect(names(await all(server, 'dst', 'asked'))).toEqual(['note'])
    expect(await all(server, 'dst', 'without')).toEqual([])
    const Body = Buffer.alloc(6 * 2 ** 20)
    const params = { Bucket: 'dst', Key: 'kept', Body }
    await new Upload({ client: server.s3, params, partSize: 5 * 2 ** 20 }).done()
    expect(await all(server, 'dst', 'kept')).toEqual([])
  })

  test('belong to a version, and make none', async () => {
    const server = await plain()
    await server.s3.send(
      new PutBucketVersioningCommand({ Bucket: 'plain', VersioningConfiguration: { Status: 'Enabled' } }),
    )
    await put(server, 'plain', 'v', { Body: 'old' })
    const { VersionId: old } = await server.s3.send(new HeadObjectCommand({ Bucket: 'plain', Key: 'v' }))
    await annotate(server, 'v', 'note', 'of the old')
    await put(server, 'plain', 'v', { Body: 'new' })
    expect(await all(server, 'plain', 'v')).toEqual([])
    await annotate(server, 'v', 'late', 'of the old, too', { VersionId: old })
    expect(names(await all(server, 'plain', 'v', old))).toEqual(['late', 'note'])
    expect(await textOf(server, 'plain', 'v', 'note', old)).toBe('of the old')
  })

  test('are on one in so many objects of a synthetic bucket', async () => {
    const server = await plain('src:seq:4:annotations=2')
    const counts = [0, 1, 2, 3].map(
      async (n) => (await all(server, 'src', `photos/${String(n).padStart(12, '0')}.jpg`)).length,
    )
    expect(await Promise.all(counts)).toEqual([0, 2, 0, 2])
    await server.s3.send(new CopyObjectCommand({ Bucket: 'dst', Key: 'c', CopySource: 'src/photos/000000000001.jpg' }))
    expect(names(await all(server, 'dst', 'c'))).toEqual(['labels', 'note'])
  })

  test('of a store that takes no notice of the word are the object itself', async () => {
    const server = await sandbox({ buckets: ['plain'], dialect: 'ceph' })
    await put(server, 'plain', 'k', { Body: 'content' })
    await annotate(server, 'k', 'note', 'text', { ObjectIfMatch: '"other"' })
    const { Body } = await server.s3.send(new GetObjectCommand({ Bucket: 'plain', Key: 'k' }))
    expect(await Body?.transformToString()).toBe('text')
    await server.s3.send(new DeleteObjectAnnotationCommand({ Bucket: 'plain', Key: 'k', AnnotationName: 'note' }))
    await expect(server.s3.send(new HeadObjectCommand({ Bucket: 'plain', Key: 'k' }))).rejects.toMatchObject({
      name: 'NotFound',
    })
  })
})
