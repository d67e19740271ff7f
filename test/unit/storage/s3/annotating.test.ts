import { hash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { StorageError } from '../../../../src/errors.js'
import { createAnnotating } from '../../../../src/storage/s3/annotating.js'
import type { Channel, StoreRequest } from '../../../../src/storage/s3/request.js'

interface Answer {
  readonly status: number
  /** In place of an answer. */
  readonly broken?: string
  readonly body?: string
  readonly fields?: readonly string[]
}

const brokenBy = (code: string) =>
  new StorageError('no whole answer came', { severity: 'retry', code, operation: 'ListObjectAnnotations', bucket: 'b' })

/** Annotations over a channel that answers this; what was sent is kept. */
function annotating(answers: readonly Answer[], { aws = false, known }: { aws?: boolean; known?: boolean } = {}) {
  const sent: StoreRequest[] = []
  const channel = {
    ...{ place: { bucket: 'b', prefix: 'p/' }, path: '/b/p/', bucketPath: '/b', aws, always: [], customerKey: [] },
    request: async (_: unknown, request: StoreRequest) => {
      sent.push(request)
      await Promise.resolve()
      const { status, broken, body = '', fields = [] } = answers[Math.min(sent.length, answers.length) - 1]!
      if (broken !== undefined) throw brokenBy(broken)
      return { status, body, head: [`HTTP/1.1 ${status} x`, ...fields].join('\r\n') }
    },
  }
  const store = createAnnotating(channel as unknown as Channel, known)
  return {
    sent,
    known: store.known,
    list: (key: string, version?: string) => store.list(key, version),
    read: (key: string, name: string, version?: string) => store.read(key, name, version),
    write: (key: string, name: string, text: Buffer, etag: string) => store.write(key, name, text, etag),
  }
}

const entry = (name: string, size = 3) =>
  `<AnnotationEntry><AnnotationName>${name}</AnnotationName><Size>${size}</Size><ETag>&quot;e&quot;</ETag></AnnotationEntry>`
const listOf = (...parts: string[]) =>
  `<?xml version="1.0"?><ListObjectAnnotationsResult>${parts.join('')}<AnnotationCount>1</AnnotationCount></ListObjectAnnotationsResult>`
const error = (code: string) => `<Error><Code>${code}</Code><Message>m</Message></Error>`
const LIST: Answer = { status: 200, body: listOf(entry('a &amp; b')) }

test('a connection that breaks says nothing of whether a store has annotations', async () => {
  const { list, known } = annotating([{ status: 0, broken: 'ECONNRESET' }, LIST])
  await expect(list('k')).rejects.toThrow('no whole answer came')
  expect([known(), (await list('k')).length]).toEqual([undefined, 1])
})

describe('whether a store has annotations', () => {
  test.each([
    ['the first byte of the object', { status: 206, body: 'c', fields: ['ETag: "e"'] }],
    ['all of its content, be it such a list', { ...LIST, fields: ['ETag: "e"'] }],
    ['that an empty one has no first byte', { status: 416, body: error('InvalidRange') }],
    ['that it does not know the question', { status: 501, body: error('NotImplemented') }],
    ['that it does not know the parameter', { status: 400, body: error('InvalidArgument') }],
    ['longer than it says', { status: 0, broken: 'EPROTO' }],
    ['that nothing is there', { status: 404, body: error('NoSuchAnnotationConfiguration') }],
  ] satisfies [string, Answer][])('is no where the answer is %s, and is not asked again', async (_, answer) => {
    const { list, known, write, sent } = annotating([answer])
    expect(await Promise.all([list('k'), list('l'), list('m')])).toEqual([[], [], []])
    expect([known(), await list('k'), sent.length]).toEqual([false, [], 1])
    await expect(write('k', 'n', Buffer.from('x'), 'e')).rejects.toThrow('not known to have annotations')
    expect(sent.length).toBe(1)
  })

  test('is yes where the answer is a list; until then only one byte is asked for', async () => {
    const { list, known, sent } = annotating([LIST])
    expect(await list('k')).toEqual([{ name: 'a & b', size: 3, etag: 'e' }])
    await list('k', 'v/1')
    expect(known()).toBe(true)
    expect(sent.map(({ method, path, query, fields }) => [method, path, query, fields])).toEqual([
      ['GET', '/b/p/k', 'annotation=&x-id=ListObjectAnnotations', [['range', 'bytes=0-0']]],
      ['GET', '/b/p/k', 'annotation=&versionId=v%2F1&x-id=ListObjectAnnotations', []],
    ])
  })

  test.each([
    [{ status: 403, body: error('AccessDenied') }, false, 'AccessDenied'],
    [{ status: 404, body: error('NoSuchKey') }, false, 'NoSuchKey'],
    [{ status: 503, body: error('SlowDown') }, false, 'SlowDown'],
    // On AWS that is said of the object.
    [{ status: 405, body: error('MethodNotAllowed') }, true, 'MethodNotAllowed'],
    [{ status: 400, body: error('InvalidRequest') }, true, 'InvalidRequest'],
    [{ status: 200, body: '' }, true, 'BrokenAnswer'],
  ] satisfies [Answer, boolean, string][])('is not told by %j (AWS: %s)', async (answer, aws, code) => {
    const { list, known } = annotating([answer], { aws })
    await expect(list('k')).rejects.toMatchObject({ code, operation: 'ListObjectAnnotations', key: 'p/k' })
    expect(known()).toBeUndefined()
  })

  test('is no on AWS only where the operation is not implemented', async () => {
    const { list, known } = annotating([{ status: 501, body: error('NotImplemented') }], { aws: true })
    expect([await list('k'), known()]).toEqual([[], false])
  })
})

test('annotations are listed to the last page', async () => {
  const first = listOf(entry('a'), '<NextContinuationToken>t/1</NextContinuationToken>')
  const { list, sent } = annotating([
    { status: 200, body: first },
    { status: 200, body: listOf(entry('b')) },
  ])
  expect((await list('k')).map(({ name }) => name)).toEqual(['a', 'b'])
  expect(sent[1]!.query).toBe('annotation=&continuation-token=t%2F1&x-id=ListObjectAnnotations')
})

test('a text is read as its bytes, is none where it is gone, and is not taken where it is another', async () => {
  const text = Buffer.from('é ✓')
  const fields = [`ETag: "${hash('md5', text)}"`]
  const body = text.toString('latin1')
  const { read, sent } = annotating([{ status: 200, body, fields }], { known: true })
  expect(await read('k', 'a/é', 'v')).toEqual(text)
  expect(sent[0]!.query).toBe('annotation=&annotationName=a%2F%C3%A9&versionId=v&x-id=GetObjectAnnotation')
  const gone = annotating([{ status: 404, body: error('NoSuchAnnotation') }], { known: true })
  expect(await gone.read('k', 'a')).toBeUndefined()
  const cut = annotating([{ status: 200, body: body.slice(1), fields }], { known: true })
  await expect(cut.read('k', 'a')).rejects.toMatchObject({ code: 'BrokenAnswer', severity: 'retry' })
})

test('a text is written under the condition that its object is the same, with its MD5', async () => {
  const text = Buffer.from('text')
  const md5 = hash('md5', text, 'buffer')
  const { write, sent } = annotating([{ status: 200, fields: [`ETag: "${md5.toString('hex')}"`] }], { known: true })
  await write('k', 'a', text, 'e1')
  expect(sent).toMatchObject([
    {
      ...{ method: 'PUT', path: '/b/p/k', query: 'annotation=&annotationName=a', body: text },
      fields: [
        ['content-md5', md5.toString('base64')],
        ['x-amz-object-if-match', '"e1"'],
      ],
    },
  ])
  const other = annotating([{ status: 200, fields: [`ETag: "${'0'.repeat(32)}"`] }], { known: true })
  await expect(other.write('k', 'a', text, 'e1')).rejects.toMatchObject({ code: 'BrokenContent' })
})
