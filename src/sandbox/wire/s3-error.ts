/** A refusal as S3 words it: status, code, message, further elements of the error document, and further headers. */
export class S3Error extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Readonly<Record<string, string | number>> = {},
    /** Names and values, alternating. */
    readonly headers: readonly string[] = [],
  ) {
    super(message)
  }
}

export const noSuchBucket = (bucket: string) =>
  new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist', { BucketName: bucket })

export const noSuchKey = (key: string, headers: readonly string[] = []) =>
  new S3Error(404, 'NoSuchKey', 'The specified key does not exist.', { Key: key }, headers)

export const noSuchVersion = (key: string, versionId: string) =>
  new S3Error(404, 'NoSuchVersion', 'The specified version does not exist.', { Key: key, VersionId: versionId })

export const noSuchUpload = (uploadId: string) =>
  new S3Error(
    404,
    'NoSuchUpload',
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
    { UploadId: uploadId },
  )

export const accessDenied = () => new S3Error(403, 'AccessDenied', 'Access Denied')

export const invalidArgument = (message: string, name: string, value: string) =>
  new S3Error(400, 'InvalidArgument', message, { ArgumentName: name, ArgumentValue: value })

export const invalidRequest = (message: string) => new S3Error(400, 'InvalidRequest', message)

export const preconditionFailed = (condition: string) =>
  new S3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    Condition: condition,
  })

export const malformedXml = () =>
  new S3Error(
    400,
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
  )

export const notImplemented = () =>
  new S3Error(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented')

export const methodNotAllowed = (method: string) =>
  new S3Error(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.', {
    Method: method,
  })

export const internalError = () =>
  new S3Error(500, 'InternalError', 'We encountered an internal error. Please try again.')

export const slowDown = () => new S3Error(503, 'SlowDown', 'Please reduce your request rate.')

/** Where the faults that redirect say that a bucket is. */
const ELSEWHERE = 'ap-southeast-2'

export const elsewhere = () =>
  new S3Error(
    301,
    'PermanentRedirect',
    'The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.',
    { Endpoint: `s3.${ELSEWHERE}.amazonaws.com` },
    ['x-amz-bucket-region', ELSEWHERE],
  )

export const temporaryRedirect = () =>
  new S3Error(
    307,
    'TemporaryRedirect',
    'Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint for future requests.',
    { Endpoint: 'elsewhere.invalid' },
    ['Location', 'http://elsewhere.invalid/'],
  )

export const otherRegion = () =>
  new S3Error(400, 'AuthorizationHeaderMalformed', 'The authorization header is malformed; the region is wrong', {
    Region: ELSEWHERE,
  })
