import { describe, expect, test } from 'vitest'
import { createPermissionProbes, type Circumstances } from '../../../../src/storage/s3/permission-probes.js'
import type { Channel, StoreRequest } from '../../../../src/storage/s3/request.js'

const KNOWN: Circumstances = { sample: 'k', lists: true, versioned: false }
const absent = { status: 404, code: 'NoSuchKey' }

/** What is found out of an action, and what was sent for it, of a store that gives this answer. */
async function asked(
  action: string,
  { status, code = '' }: { status: number; code?: string },
  aws = true,
  lists = true,
) {
  const sent: StoreRequest[] = []
  const channel = {
    ...{ place: { bucket: 'b', prefix: 'p/' }, path: '/b/p/', bucketPath: '/b', aws, always: [], customerKey: [] },
    request: async (_: unknown, request: StoreRequest) => {
      sent.push(request)
      await Promise.resolve()
      const body = code === '' ? '' : `<Error><Code>${code}</Code><Message>m</Message></Error>`
      return { status, body, head: `HTTP/1.1 ${status} x` }
    },
  }
  const verdict = await createPermissionProbes(channel as unknown as Channel).ask(action, { ...KNOWN, lists })
  return { state: verdict?.state, sent }
}

describe('whether annotations are permitted', () => {
  test('is asked of an object that is there, and to write by an object that is not, and an ETag that nothing fits', async () => {
    const list = await asked('s3:ListObjectAnnotations', { status: 200 })
    expect([list.state, list.sent]).toMatchObject(['ok', [{ method: 'GET', path: '/b/p/k', query: 'annotation=' }]])
    const get = await asked('s3:GetObjectAnnotation', { status: 404, code: 'NoSuchAnnotation' })
    const query = expect.stringMatching(/^annotation=&annotationName=[^=]+$/) as string
    expect([get.state, get.sent]).toMatchObject(['ok', [{ method: 'GET', path: '/b/p/k', query }]])
    const put = await asked('s3:PutObjectAnnotation', absent)
    const path = expect.stringMatching(/^\/b\/p\/s3move-probe/) as string
    expect([put.state, put.sent]).toMatchObject(['ok', [{ method: 'PUT', path, query }]])
    expect(put.sent[0]?.fields).toContainEqual(['x-amz-object-if-match', `"${'0'.repeat(32)}"`])
  })

  test.each(['s3:ListObjectAnnotations', 's3:GetObjectAnnotation', 's3:PutObjectAnnotation'])(
    '%s is lacking where it is denied, unless that may hide that nothing is there',
    async (action) => {
      const denied = { status: 403, code: 'AccessDenied' }
      expect((await asked(action, denied)).state).toBe('no')
      const hidden = (await asked(action, denied, true, false)).state
      expect(hidden).toBe(action === 's3:PutObjectAnnotation' ? undefined : 'no')
    },
  )

  test.each(['s3:ListObjectAnnotations', 's3:GetObjectAnnotation', 's3:PutObjectAnnotation'])(
    '%s is asked of AWS alone: another store would take it for the object itself',
    async (action) => {
      expect(await asked(action, { status: 200 }, false)).toEqual({ state: 'ok', sent: [] })
    },
  )
})
