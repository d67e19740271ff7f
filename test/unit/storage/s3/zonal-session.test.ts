import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { StorageError } from '../../../../src/errors.js'
import type { Credentials, CredentialSource, Renewal } from '../../../../src/storage/credential-source.js'
import { createSigner, EMPTY_HASH } from '../../../../src/storage/s3/sign.js'
import { withZonalSession, type ZonalSession } from '../../../../src/storage/s3/zonal-session.js'
import { zonalFields } from '../../../../src/storage/s3/directory-bucket.js'

const KEYS: Credentials = { accessKeyId: 'AK', secretAccessKey: 's' }
const failure = (code: string) =>
  new StorageError(code, { severity: 'fail-object', code, operation: 'CreateSession', bucket: 'b' })

/** Ordinary credentials, and sessions that are numbered; `problems` are what the next begin with. */
function sessions({ refresh = () => Promise.resolve<Renewal>('impossible'), problems = [] as StorageError[] } = {}) {
  let made = 0
  const told: ((current: Credentials) => void)[] = []
  const ordinary = {
    current: KEYS,
    refresh: vi.fn(refresh),
    onChange: (one: (current: Credentials) => void) => void told.push(one),
    close: vi.fn(),
  } satisfies CredentialSource
  const begin = vi.fn((): Promise<ZonalSession> => {
    const problem = problems.shift()
    if (problem !== undefined) return Promise.reject(problem)
    const credentials = {
      accessKeyId: `Z${++made}`,
      secretAccessKey: 'z',
      sessionToken: `t${made}`,
      zonal: true,
    } as const
    return Promise.resolve({ credentials, lasts: 300_000 })
  })
  const warn = vi.fn()
  const source = withZonalSession(ordinary, begin, { bucket: 'fast--use1-az4--x-s3', warn })
  return { source, begin, warn, ordinary, changed: (current: Credentials) => told.forEach((one) => one(current)) }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('the session of a directory bucket', () => {
  test('goes with the credentials that it was begun with', async () => {
    const { source } = sessions()
    await source.open()
    expect(source.current).toMatchObject({ accessKeyId: 'AK', session: { accessKeyId: 'Z1', sessionToken: 't1' } })
    source.close()
  })

  test('is renewed after half of its life, and whoever listens is told', async () => {
    const { source, begin } = sessions()
    const told = vi.fn()
    source.onChange(told)
    await source.open()
    await vi.advanceTimersByTimeAsync(149_000)
    expect(begin).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(source.current?.session?.accessKeyId).toBe('Z2')
    expect(told).toHaveBeenLastCalledWith(source.current)
    source.close()
    await vi.advanceTimersByTimeAsync(1_000_000)
    expect(begin).toHaveBeenCalledTimes(2)
  })

  test('is begun once, however many requests find out that it is over', async () => {
    const { source, begin } = sessions()
    await source.open()
    const all = await Promise.all(Array.from({ length: 100 }, () => source.refresh()))
    expect(new Set(all)).toEqual(new Set(['renewed']))
    expect(begin).toHaveBeenCalledTimes(2)
    source.close()
  })

  test('is waited for where it cannot be renewed: a person is told once, and it is tried again', async () => {
    const { source, warn } = sessions({ problems: [] })
    await source.open()
    const failing = sessions({ problems: [failure('InternalError'), failure('InternalError')] })
    expect(await failing.source.refresh()).toBe('not-yet')
    await vi.advanceTimersByTimeAsync(6_000)
    expect(await failing.source.refresh()).toBe('not-yet')
    expect(failing.warn).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(6_000)
    expect(await failing.source.refresh()).toBe('renewed')
    expect(warn).not.toHaveBeenCalled()
    source.close()
    failing.source.close()
  })

  test('that is refused as the credentials have expired is begun with new ones, where there are some', async () => {
    const none = sessions({ problems: [failure('ExpiredToken')] })
    expect(await none.source.refresh()).toBe('impossible')
    const some = sessions({ problems: [failure('ExpiredToken')], refresh: () => Promise.resolve('renewed') })
    expect(await some.source.refresh()).toBe('renewed')
    expect(some.ordinary.refresh).toHaveBeenCalledTimes(1)
    none.source.close()
    some.source.close()
  })

  test('stays with new credentials', async () => {
    const { source, ordinary, changed } = sessions()
    await source.open()
    const other = { accessKeyId: 'AK2', secretAccessKey: 's2' }
    Object.assign(ordinary, { current: other })
    changed(other)
    expect(source.current).toMatchObject({ accessKeyId: 'AK2', session: { accessKeyId: 'Z1' } })
    source.close()
  })
})

test('a request with a session has its token under the name of those, signed, and none of an ordinary one', () => {
  const signer = createSigner('us-east-1', 's3express')
  const request = { method: 'GET', host: 'h', path: '/k', query: '', headers: [], bodyHash: EMPTY_HASH }
  const zonal = { accessKeyId: 'Z', secretAccessKey: 'z', sessionToken: 'tok', zonal: true } as const
  const head = signer.head(request, 0, zonal, 0)
  expect(head).toContain('\r\nx-amz-s3session-token: tok\r\n')
  expect(head).not.toContain('x-amz-security-token')
  expect(head).toContain('SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-s3session-token,')
  expect(head).toContain('/us-east-1/s3express/aws4_request')
})

test('a directory bucket is sent no Content-MD5, and the SHA-256 of what names objects to be deleted', () => {
  const fields = [
    ['content-md5', 'x'],
    ['content-type', 'y'],
  ] as const
  expect(zonalFields('PutObject', fields, '00ff')).toEqual([['content-type', 'y']])
  expect(zonalFields('DeleteObjects', fields, '00ff')).toEqual([
    ['content-type', 'y'],
    ['x-amz-checksum-sha256', 'AP8='],
  ])
})
