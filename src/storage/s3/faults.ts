import { StorageError, UserError, type Severity } from '../../errors.js'
import { HttpError, headerOf, type HttpResponse } from './http.js'
import { elementText } from './xml.js'

/** What was asked for when something went wrong. */
export interface Asked {
  readonly operation: string
  readonly bucket: string
  /** Full key, absent when the operation is on the bucket. */
  readonly key?: string
}

/** The error that an answer of status 300 or more, or a 200 with an `<Error>` in it, stands for. */
export function faultOf(response: HttpResponse, asked: Asked): StorageError {
  const { status, body } = response
  const named = elementText(body, 'Code')
  const code = named !== undefined && CODE.test(named) ? named : (BARE_STATUS[status] ?? `HTTP${status}`)
  const message = elementText(body, 'Message') ?? `the answer was status ${status} without an explanation`
  return new StorageError(message, {
    severity: severityOf(code, status, asked),
    code,
    status,
    operation: asked.operation,
    bucket: asked.bucket,
    key: asked.key,
    requestId: headerOf(response, 'x-amz-request-id') ?? elementText(body, 'RequestId'),
    region: headerOf(response, 'x-amz-bucket-region') ?? elementText(body, 'Region'),
    hint: HINTS[code],
  })
}

// Failures are counted by code, so a code must be a name, and none that objects have by themselves.
const CODE = /^[A-Z][A-Za-z0-9_.-]{0,63}$/

/** The error that an answer stands for which says success and then does not hold what success holds: cut, empty, or something else. May be retried. */
export function brokenAnswer(response: HttpResponse, asked: Asked, reason: string): StorageError {
  return new StorageError(reason, {
    severity: 'retry',
    code: 'BrokenAnswer',
    status: response.status,
    operation: asked.operation,
    bucket: asked.bucket,
    key: asked.key,
    requestId: headerOf(response, 'x-amz-request-id'),
  })
}

/** The error of content that is not what it was read as, or of which not all came: it must be read again from its first byte on. */
export function brokenContent(asked: Asked, reason: string): StorageError {
  return new StorageError(reason, { severity: 'fail-object', code: 'BrokenContent', ...asked })
}

/** The error that a request without an answer stands for. Anything that is not of the network is given back as it is. */
export function connectionFault(error: unknown, asked: Asked, host: string): unknown {
  if (!(error instanceof Error) || error instanceof UserError || error instanceof StorageError) return error
  const code = error instanceof HttpError ? error.code : (error as NodeJS.ErrnoException).code
  if (code === undefined) return error
  const certificate = CERTIFICATE.test(code)
  return new StorageError(
    `${certificate ? 'the TLS certificate of' : 'no answer from'} ${host}: ${error.message}`,
    {
      severity: certificate || code === 'EPROXYREFUSED' ? 'stop-run' : 'retry',
      code,
      // One that has begun to answer says something of this object.
      status: error instanceof HttpError ? error.answer?.status : undefined,
      operation: asked.operation,
      bucket: asked.bucket,
      key: asked.key,
      hint: certificate
        ? 'trust the server’s certificate with --ca-bundle FILE (or AWS_CA_BUNDLE), or, for a test, use --no-verify-ssl'
        : code === 'ENOTFOUND' || code === 'EAI_AGAIN'
          ? 'check --endpoint-url and --region, and that this machine can look up names'
          : WRONG_SCHEME.has(code)
            ? 'check whether the endpoint wants http:// or https://'
            : 'check --endpoint-url, the network, and HTTPS_PROXY',
    },
    { cause: error },
  )
}

const CERTIFICATE = /CERT|^UNABLE_TO_|^HOSTNAME_MISMATCH|^ERR_TLS_CERT/
const WRONG_SCHEME = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO'])

// HEAD answers carry no body, hence no code.
const BARE_STATUS: Readonly<Record<number, string>> = {
  301: 'PermanentRedirect',
  307: 'TemporaryRedirect',
  400: 'BadRequest',
  403: 'AccessDenied',
  404: 'NotFound',
  412: 'PreconditionFailed',
  429: 'TooManyRequests',
  500: 'InternalError',
  501: 'NotImplemented',
  503: 'ServiceUnavailable',
}

const THROTTLING = new Set([
  'SlowDown',
  'ServiceUnavailable',
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestLimitExceeded',
  'BandwidthLimitExceeded',
  'TooManyRequests',
  'TooManyRequestsException',
  'PriorRequestNotComplete',
  'KMS.ThrottlingException',
])

/** What a store says of credentials that were right and are no more. */
export const EXPIRED: ReadonlySet<string> = new Set(['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'])

/** What a store says that passes, and of which no object can be blamed that it did not. */
export const OF_NO_OBJECT: ReadonlySet<string> = new Set([...EXPIRED, 'TemporaryRedirect'])

/** What a store says of a bucket that is in another region. */
export const ELSEWHERE: ReadonlySet<string> = new Set([
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
])

const TRANSIENT = new Set([
  'InternalError',
  'InternalFailure',
  'RequestTimeout',
  'RequestTimeoutException',
  'OperationAborted',
  'ConditionalRequestConflict',
  'IncompleteBody',
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  ...OF_NO_OBJECT,
])

const FATAL = new Set([
  'NoSuchBucket',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'InvalidToken',
  'InvalidSecurity',
  'AccountProblem',
  'AllAccessDisabled',
  'NotSignedUp',
  'UserSuspended',
  ...ELSEWHERE,
  'RequestTimeTooSkewed',
  'InvalidBucketName',
  'RequestExpired',
  'AccessPointNotFound',
  'NoSuchAccessPoint',
])

const HINTS: Readonly<Record<string, string>> = {
  NoSuchBucket: 'check the bucket’s name, and --endpoint-url and --profile if it lives elsewhere',
  NotFound: 'check the bucket’s name, and --endpoint-url and --profile if it lives elsewhere',
  InvalidAccessKeyId: 'check the access key: AWS_ACCESS_KEY_ID, --profile, or ‘aws configure’',
  SignatureDoesNotMatch: 'check the secret key: AWS_SECRET_ACCESS_KEY, --profile, or ‘aws configure’',
  ExpiredToken: 'get new credentials (for SSO: ‘aws sso login’), then run ‘s3move resume’',
  TokenRefreshRequired: 'get new credentials (for SSO: ‘aws sso login’), then run ‘s3move resume’',
  InvalidToken: 'the session token does not belong to these keys: check AWS_SESSION_TOKEN',
  RequestTimeTooSkewed: 'set this machine’s clock',
  AccessDenied:
    'check the permissions of these credentials: s3:ListBucket and s3:GetObject on the source, s3:PutObject on the destination',
  AuthorizationHeaderMalformed: 'give the bucket’s region with --region',
  IllegalLocationConstraintException: 'give the bucket’s region with --region',
  TemporaryRedirect:
    'S3 does so for a while after a bucket was made: resume later, or check --region and --endpoint-url',
  PermanentRedirect: 'give the bucket’s region with --region, or its endpoint with --endpoint-url',
}

/** What an error of one object in an answer to DeleteObjects means. */
export function deletionSeverity(code: string): Severity {
  if (THROTTLING.has(code)) return 'throttle'
  return TRANSIENT.has(code) ? 'retry' : 'fail-object'
}

function severityOf(code: string, status: number, asked: Asked): Severity {
  if (THROTTLING.has(code) || status === 429 || status === 503) return 'throttle'
  if (TRANSIENT.has(code) || (status >= 500 && status !== 501)) return 'retry'
  if (FATAL.has(code)) return 'stop-run'
  // Whatever else is wrong with an operation on the bucket is wrong for all of its objects.
  if (asked.key === undefined) return 'stop-run'
  return code === 'NoSuchKey' ? 'skip' : 'fail-object'
}
