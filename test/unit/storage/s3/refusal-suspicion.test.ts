import { expect, test } from 'vitest'
import { StorageError, type Severity } from '../../../../src/errors.js'
import { Suspicion } from '../../../../src/storage/s3/refusal-suspicion.js'

const fault = (code: string, severity: Severity = 'stop-run', region?: string): StorageError =>
  new StorageError('why', { severity, code, operation: 'CopyObject', bucket: 'b', key: 'k', status: 403, region })
const never = () => Promise.reject(new Error('asked'))

test.each(['SignatureDoesNotMatch', 'NoSuchBucket', 'InvalidAccessKeyId', 'PermanentRedirect'])(
  '%s is of the object alone when a request that was sent later was answered, and nothing is asked then',
  async (code) => {
    const suspicion = new Suspicion('here')
    suspicion.cleared(20)
    const judged = await suspicion.judge(fault(code), 10, never)
    expect(judged).toMatchObject({ severity: 'fail-object', code, key: 'k', status: 403 })
    expect(judged.message).toMatch(/^why \(.*proxy/)
  },
)

test('a request that was answered before proves nothing: the store is asked, once for all that were refused before', async () => {
  const suspicion = new Suspicion('here')
  suspicion.cleared(5)
  let asked = 0
  const ask = async (): Promise<undefined> => {
    asked++
    await new Promise((resolve) => setTimeout(resolve, 5))
    return undefined
  }
  const all = await Promise.all([6, 7, 8].map((sent) => suspicion.judge(fault('SignatureDoesNotMatch'), sent, ask)))
  expect(all.map(({ severity }) => severity)).toEqual(Array(3).fill('fail-object'))
  expect(asked).toBe(1)
  // What was sent since may have been refused since.
  await suspicion.judge(fault('SignatureDoesNotMatch'), performance.now() + 1, ask)
  expect(asked).toBe(2)
})

test('it ends the run when the store refuses in the same way, and is tried again when that cannot be told', async () => {
  const suspicion = new Suspicion('here')
  const revoked = fault('InvalidAccessKeyId')
  expect(await suspicion.judge(revoked, 1, () => Promise.resolve(fault('InvalidAccessKeyId')))).toBe(revoked)
  const lost = fault('ECONNRESET', 'retry')
  expect(await new Suspicion('here').judge(revoked, 1, () => Promise.resolve(lost))).toMatchObject({
    ...{ severity: 'retry', code: 'InvalidAccessKeyId' },
  })
})

test('a bucket that is said to be in another region ends the run, whatever else is answered', async () => {
  const suspicion = new Suspicion('here')
  suspicion.cleared(20)
  expect((await suspicion.judge(fault('PermanentRedirect', 'stop-run', 'there'), 10, never)).severity).toBe('stop-run')
  expect((await suspicion.judge(fault('PermanentRedirect', 'stop-run', 'here'), 10, never)).severity).toBe(
    'fail-object',
  )
})
