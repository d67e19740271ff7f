import { describe, expect, test } from 'vitest'
import { likelyCause } from '../../../../src/storage/s3/likely-cause.js'
import { faultOf } from '../../../../src/storage/s3/storage-errors.js'

const SSE_C = [['x-amz-server-side-encryption-customer-algorithm', 'AES256']] as const
const fault = (operation: string, code: string, status: number, message = 'm') => ({ operation, code, status, message })

describe('what a refused write may come of', () => {
  test.each(['PutObject', 'CopyObject', 'CreateMultipartUpload', 'UploadPart'])(
    'is that the bucket blocks keys of the customer, where %s was sent one and is forbidden',
    (operation) => {
      expect(likelyCause(fault(operation, 'AccessDenied', 403), SSE_C)).toMatch(
        /BlockedEncryptionTypes.*--sse-c-key-file/,
      )
      expect(likelyCause(fault(operation, 'AccessDenied', 403), [])).toBeUndefined()
      expect(likelyCause(fault(operation, 'SlowDown', 503), SSE_C)).toBeUndefined()
    },
  )

  test('is an encryption that was changed since an upload in parts began, where its refusal is about that', () => {
    const told = 'The encryption of the upload is not that of the bucket'
    for (const operation of ['UploadPart', 'UploadPartCopy', 'CompleteMultipartUpload'])
      expect(likelyCause(fault(operation, 'InvalidRequest', 400, told), [])).toMatch(/had when it began.*--only-failed/)
    expect(likelyCause(fault('CopyObject', 'InvalidRequest', 400, told), [])).toBeUndefined()
    expect(likelyCause(fault('UploadPart', 'InvalidPart', 400), [])).toBeUndefined()
  })

  test('is nothing of a read', () => {
    expect(likelyCause(fault('HeadObject', 'AccessDenied', 403), SSE_C)).toBeUndefined()
  })
})

test('an error says after the words of the store what it may come of', () => {
  const body = '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
  const response = { status: 403, head: 'HTTP/1.1 403 x', body, cause: 'it may be blocked' }
  expect(faultOf(response, { operation: 'PutObject', bucket: 'b', key: 'k' })).toMatchObject({
    ...{ message: 'Access Denied; it may be blocked', code: 'AccessDenied', severity: 'fail-object' },
  })
})
