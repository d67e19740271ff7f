import { describe, expect, test } from 'vitest'
import { StorageError, UserError, type Severity } from '../../../../src/errors.js'
import { brokenAnswer, connectionFault, faultOf, type Asked } from '../../../../src/storage/s3/storage-errors.js'
import { HttpError, type HttpResponse } from '../../../../src/storage/s3/http.js'

const onBucket: Asked = { operation: 'ListObjectsV2', bucket: 'bucket' }
const onObject: Asked = { operation: 'CopyObject', bucket: 'bucket', key: 'a/b' }

const answer = (status: number, body = '', fields = ''): HttpResponse => ({
  status,
  head: `HTTP/1.1 ${status} Whatever${fields}`,
  body,
})
const error = (code: string, more = '') =>
  `<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>why &amp; how</Message>${more}<RequestId>R1</RequestId></Error>`

describe('faultOf', () => {
  // status, code in the body, severity for an object, severity for the bucket
  test.each<[number, string, Severity, Severity]>([
    [503, 'SlowDown', 'throttle', 'throttle'],
    [503, 'ServiceUnavailable', 'throttle', 'throttle'],
    [503, 'SomethingNew', 'throttle', 'throttle'],
    [429, 'SomethingNew', 'throttle', 'throttle'],
    [400, 'RequestLimitExceeded', 'throttle', 'throttle'],
    [400, 'KMS.ThrottlingException', 'throttle', 'throttle'],
    [200, 'SlowDown', 'throttle', 'throttle'],
    [200, 'InternalError', 'retry', 'retry'],
    [500, 'InternalError', 'retry', 'retry'],
    [502, 'SomethingNew', 'retry', 'retry'],
    [504, 'SomethingNew', 'retry', 'retry'],
    [400, 'RequestTimeout', 'retry', 'retry'],
    [400, 'ExpiredToken', 'retry', 'retry'],
    [409, 'OperationAborted', 'retry', 'retry'],
    [409, 'ConditionalRequestConflict', 'retry', 'retry'],
    [501, 'NotImplemented', 'fail-object', 'stop-run'],
    [404, 'NoSuchKey', 'skip', 'stop-run'],
    [403, 'AccessDenied', 'fail-object', 'stop-run'],
    [403, 'InvalidObjectState', 'fail-object', 'stop-run'],
    [412, 'PreconditionFailed', 'fail-object', 'stop-run'],
    [400, 'InvalidRequest', 'fail-object', 'stop-run'],
    [400, 'SomethingNew', 'fail-object', 'stop-run'],
    [404, 'NoSuchBucket', 'stop-run', 'stop-run'],
    [403, 'InvalidAccessKeyId', 'stop-run', 'stop-run'],
    [403, 'SignatureDoesNotMatch', 'stop-run', 'stop-run'],
    [403, 'RequestTimeTooSkewed', 'stop-run', 'stop-run'],
    [400, 'InvalidToken', 'stop-run', 'stop-run'],
    [301, 'PermanentRedirect', 'stop-run', 'stop-run'],
    [307, 'TemporaryRedirect', 'retry', 'retry'],
    [400, 'AuthorizationHeaderMalformed', 'stop-run', 'stop-run'],
  ])('takes %i %s for %s on an object and %s on the bucket', (status, code, forObject, forBucket) => {
    const fault = faultOf(answer(status, error(code)), onObject)
    expect(fault).toMatchObject({ code, status, severity: forObject, message: 'why & how', requestId: 'R1' })
    expect(fault).toMatchObject({ operation: 'CopyObject', bucket: 'bucket', key: 'a/b' })
    expect(faultOf(answer(status, error(code)), onBucket)).toMatchObject({ severity: forBucket, key: undefined })
  })

  // An answer to HEAD has no body, and proxies answer in HTML.
  test.each<[number, string, Severity]>([
    [301, 'PermanentRedirect', 'stop-run'],
    [400, 'BadRequest', 'stop-run'],
    [403, 'AccessDenied', 'stop-run'],
    [404, 'NotFound', 'stop-run'],
    [418, 'HTTP418', 'stop-run'],
    [429, 'TooManyRequests', 'throttle'],
    [500, 'InternalError', 'retry'],
    [502, 'HTTP502', 'retry'],
    [503, 'ServiceUnavailable', 'throttle'],
  ])('calls a bare %i %s and takes it for %s', (status, code, severity) => {
    for (const body of ['', '<html><title>Oh</title></html>', '<Error><Code>cut']) {
      const fault = faultOf(answer(status, body), onBucket)
      expect(fault).toMatchObject({ code, severity, status })
      expect(fault.message).not.toBe('')
    }
  })

  test.each([
    'NoSuchBucket',
    'InvalidAccessKeyId',
    'SignatureDoesNotMatch',
    'ExpiredToken',
    'AccessDenied',
    'InvalidToken',
  ])('says what to do about %s', (code) => {
    expect(faultOf(answer(403, error(code)), onBucket).hint).toMatch(/\S/)
  })

  test('reads the region that the store names, from the header or the body', () => {
    const redirect = answer(301, error('PermanentRedirect'), '\r\nX-Amz-Bucket-Region: eu-west-1')
    expect(faultOf(redirect, onBucket).region).toBe('eu-west-1')
    const malformed = answer(400, error('AuthorizationHeaderMalformed', '<Region>ap-south-1</Region>'))
    expect(faultOf(malformed, onBucket).region).toBe('ap-south-1')
    expect(faultOf(answer(403, error('AccessDenied')), onBucket).region).toBeUndefined()
  })

  test('prefers the request id of the header', () => {
    const fields = '\r\nServer: x\r\nx-amz-request-id:  H1  \r\nDate: y'
    expect(faultOf(answer(500, error('InternalError'), fields), onBucket).requestId).toBe('H1')
  })

  test.each(['__proto__', 'constructor', 'toString', 'a b', '\n', '', 'X'.repeat(65)])(
    'does not take %j for a code, because failures are counted by code',
    (code) => {
      const fault = faultOf(answer(400, error(code)), onObject)
      expect(fault.code).toBe('BadRequest')
      expect(fault.hint).toBeUndefined()
    },
  )

  test('reads a message that is not UTF-8 as far as it goes', () => {
    const body = '<Error><Code>InternalError</Code><Message>caf\xe9</Message></Error>'
    expect(faultOf(answer(500, body), onObject).message).toBe('caf\ufffd')
  })
})

describe('brokenAnswer', () => {
  test('may be tried again', () => {
    expect(brokenAnswer(answer(200), onObject, 'cut')).toMatchObject({
      severity: 'retry',
      code: 'BrokenAnswer',
      status: 200,
    })
  })
})

describe('connectionFault', () => {
  const system = (code: string) => Object.assign(new Error(`${code} happened`), { code })

  test.each<[string, Severity, RegExp]>([
    ['ECONNREFUSED', 'retry', /--endpoint-url/],
    ['ECONNRESET', 'retry', /--endpoint-url/],
    ['ETIMEDOUT', 'retry', /--endpoint-url/],
    ['EPIPE', 'retry', /--endpoint-url/],
    ['ENOTFOUND', 'retry', /look up names/],
    ['EAI_AGAIN', 'retry', /look up names/],
    ['EPROTO', 'retry', /http:\/\/ or https:\/\//],
    ['EPROXY', 'retry', /HTTPS_PROXY/],
    ['EPROXYREFUSED', 'stop-run', /HTTPS_PROXY/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'stop-run', /--ca-bundle/],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'stop-run', /--ca-bundle/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'stop-run', /--ca-bundle/],
    ['CERT_HAS_EXPIRED', 'stop-run', /--ca-bundle/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'stop-run', /--ca-bundle/],
  ])('takes %s for %s', (code, severity, hint) => {
    for (const cause of [system(code), new HttpError('it happened', code)]) {
      const fault = connectionFault(cause, onObject, 'host:1')
      expect(fault).toBeInstanceOf(StorageError)
      expect(fault).toMatchObject({ code, severity, status: undefined, operation: 'CopyObject', cause })
      expect((fault as StorageError).hint).toMatch(hint)
      expect((fault as StorageError).message).toContain('host:1')
    }
  })

  test('gives back what is not of the network as it is', () => {
    for (const other of [new UserError('x'), new TypeError('a defect'), 'text']) {
      expect(connectionFault(other, onObject, 'host')).toBe(other)
    }
  })
})

describe('StorageError', () => {
  test('keeps all that is known when it is judged anew', () => {
    const first = faultOf(answer(500, error('InternalError')), onObject)
    first.attempts = 7
    const again = first.with({ severity: 'fail-object' })
    expect(again).toMatchObject({
      code: 'InternalError',
      status: 500,
      key: 'a/b',
      requestId: 'R1',
      attempts: 7,
      cause: first,
    })
    expect(again.severity).toBe('fail-object')
    expect(first.severity).toBe('retry')
  })
})
