import type { Severity, StorageError } from '../errors.js'

/** What a code in a store's answer means. docs/error-codes.md has a row for each, with who says it; a test holds the two together. */
export interface CodeMeaning {
  /** For an operation on an object. One that is `stop-run` for it is looked into first: it may be the fault of a proxy (`Suspicion`). */
  readonly severity: Severity
  /**
   * It may befall every object from some moment on:
   * - `full`: there is no room, of whatever kind; no object has that by itself
   * - `access`: these credentials may not, or no longer; objects may have that by themselves as well
   */
  readonly all?: 'full' | 'access'
  /** It passes, and no object can be blamed when it does not: `credentials` are over, or the bucket's name is `new`. */
  readonly blameless?: 'credentials' | 'new'
  /** The bucket is in another region, which the answer may name. */
  readonly elsewhere?: true
  /** What a person can do about it. */
  readonly hint?: string
}

const throttle = (...codes: readonly string[]): Entries => entries(codes, { severity: 'throttle' })
const retry = (...codes: readonly string[]): Entries => entries(codes, { severity: 'retry' })
const fail = (...codes: readonly string[]): Entries => entries(codes, { severity: 'fail-object' })

type Entries = readonly (readonly [string, CodeMeaning])[]

function entries(codes: readonly string[], meaning: CodeMeaning): Entries {
  return codes.map((code) => [code, meaning] as const)
}

const ROOM = 'make room at the destination, or have its quota raised, then resume'
const KEYS = 'check the access key: AWS_ACCESS_KEY_ID, --profile, or ‘aws configure’'
const SESSION = 'the session token does not belong to these keys: check AWS_SESSION_TOKEN'
const RENEW = 'get new credentials (for SSO: ‘aws sso login’), then run ‘s3move resume’'
const BUCKET = 'check the bucket’s name, and --endpoint-url and --profile if it lives elsewhere'
const REGION = 'give the bucket’s region with --region'
const ACCOUNT = 'ask who runs the store, or pays for it, what is wrong with the account, then resume'
const CLOCK = 'set this machine’s clock'

/** The codes that stores document, by what they mean. */
export const ERROR_CODES: ReadonlyMap<string, CodeMeaning> = new Map<string, CodeMeaning>([
  ...throttle('SlowDown', 'SlowDownRead', 'SlowDownWrite', 'ServiceUnavailable', 'ServerBusy', 'Unavailable'),
  ...throttle('Throttling', 'ThrottlingException', 'ThrottledException', 'KMS.ThrottlingException'),
  ...throttle('RequestThrottled', 'RequestThrottledException', 'RequestLimitExceeded', 'BandwidthLimitExceeded'),
  ...throttle('TooManyRequests', 'TooManyRequestsException', 'PriorRequestNotComplete', 'RateLimitExceeded'),
  ...throttle('QpsLimitExceeded', 'TotalQpsLimitExceeded', 'MetaOperationQpsLimitExceeded'),
  ...throttle('DownloadTrafficRateLimitExceeded', 'UploadTrafficRateLimitExceeded', 'ActiveRequestLimitExceeded'),
  ...throttle('ErrTooManyRequest', 'ErrRequestBytesExceed'),

  ...retry('InternalError', 'InternalFailure', 'UnknownError', 'XMinioBackendDown'),
  ...retry('RequestTimeout', 'RequestTimeoutException', 'TooEarly', 'ClientDisconnect', 'ClientDisconnected'),
  ...retry('ConnectionClosed', 'XMinioServerNotInitialized', 'XMinioIAMNotInitialized'),
  ...retry('XMinioBucketMetadataNotInitialized', 'AuthenticationLockout'),
  ...retry('OperationAborted', 'ConditionalRequestConflict', 'IncompleteBody'),
  ...retry('BadDigest', 'XAmzContentSHA256Mismatch', 'XAmzContentChecksumMismatch', 'CrcMismatch'),
  ...entries(['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'SecurityTokenExpired'], {
    ...{ severity: 'retry', blameless: 'credentials', hint: RENEW },
  }),
  [
    'TemporaryRedirect',
    {
      ...{ severity: 'retry', blameless: 'new' },
      hint: 'S3 does so for a while after a bucket was made: resume later, or check --region and --endpoint-url',
    },
  ],

  ['NoSuchKey', { severity: 'skip' }],

  ...entries(
    ['QuotaExceeded', 'StorageCapExceeded', 'CapExceeded', 'InsufficientCapacity'].concat(
      ...['XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded', 'InsufficientStorage'],
    ),
    { severity: 'fail-object', all: 'full', hint: ROOM },
  ),
  [
    'AccessDenied',
    {
      ...{ severity: 'fail-object', all: 'access' },
      hint: 's3move check, with the same places and connection, says which permission is missing',
    },
  ],
  ...entries(['AccessForbidden', 'KMSAccessDeniedException'], { severity: 'fail-object', all: 'access' }),
  ['NotFound', { severity: 'fail-object', hint: BUCKET }],
  ...fail(
    'BadRequest',
    'InvalidRequest',
    'InvalidArgument',
    'InvalidURI',
    'InvalidObjectName',
    'XMinioInvalidObjectName',
  ),
  ...fail(
    'KeyTooLong',
    'KeyTooLongError',
    'MetadataTooLarge',
    'MaxMessageLengthExceeded',
    'InvalidTag',
    'InvalidDigest',
  ),
  ...fail('EntityTooLarge', 'EntityTooSmall', 'InvalidRange', 'InvalidPart', 'InvalidPartOrder', 'NoSuchUpload'),
  ...fail('NoSuchVersion', 'InvalidObjectState', 'InvalidStorageClass', 'PreconditionFailed', 'BrokenMPU'),
  ...fail('MethodNotAllowed', 'MissingContentLength', 'NotImplemented', 'MalformedXML', 'RestoreAlreadyInProgress'),
  ...fail('ObjectLockedByBucketPolicy', 'Locked', 'XMinioObjectTampered', 'XMinioObjectExistsAsDirectory'),
  ...fail('ExistingObjectIsDirectory', 'ExistingObjectIsFile', 'InvalidEncryptionAlgorithmError'),

  ...entries(['NoSuchBucket', 'InvalidBucketName'], { severity: 'stop-run', hint: BUCKET }),
  ...entries(['InvalidAccessKeyId', 'InvalidSecurity', 'Unauthorized', 'UnauthorizedAccess'], {
    ...{ severity: 'stop-run', hint: KEYS },
  }),
  [
    'SignatureDoesNotMatch',
    {
      severity: 'stop-run',
      hint: 'check the secret key: AWS_SECRET_ACCESS_KEY, --profile, or ‘aws configure’',
    },
  ],
  ...entries(['InvalidToken', 'InvalidTokenId', 'InvalidSecurityToken', 'AccessKeyIdAndSecurityTokenNotMatch'], {
    ...{ severity: 'stop-run', hint: SESSION },
  }),
  ...entries(['AccountProblem', 'AccountNotActivated', 'NotSignedUp', 'NotEntitled', 'UserSuspended', 'UserDisable'], {
    ...{ severity: 'stop-run', hint: ACCOUNT },
  }),
  ...entries(['InDebt', 'InDebtOverdue', 'BucketDisable', 'AbnormalBucketOwnerStatus'], {
    ...{ severity: 'stop-run', hint: ACCOUNT },
  }),
  ...entries(['UserProjectAccountProblem', 'AllAccessDisabled', 'InvalidPayer'], {
    ...{ severity: 'stop-run', hint: ACCOUNT },
  }),
  ...entries(['RequestTimeTooSkewed', 'RequestExpired', 'ExpiredRequest'], { severity: 'stop-run', hint: CLOCK }),
  ...entries(['AccessPointNotFound', 'NoSuchAccessPoint'], { severity: 'stop-run', hint: BUCKET }),
  ...entries(['AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'], {
    ...{ severity: 'stop-run', elsewhere: true, hint: REGION },
  }),
  [
    'PermanentRedirect',
    {
      ...{ severity: 'stop-run', elsewhere: true },
      hint: 'give the bucket’s region with --region, or its endpoint with --endpoint-url',
    },
  ],
])

/** What an answer without a code is called: of HEAD, or of a proxy. */
export const BARE_STATUS: Readonly<Record<number, string>> = {
  301: 'PermanentRedirect',
  307: 'TemporaryRedirect',
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'AccessDenied',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  408: 'RequestTimeout',
  412: 'PreconditionFailed',
  413: 'EntityTooLarge',
  416: 'InvalidRange',
  425: 'TooEarly',
  429: 'TooManyRequests',
  499: 'ClientDisconnected',
  500: 'InternalError',
  501: 'NotImplemented',
  503: 'ServiceUnavailable',
  507: 'InsufficientStorage',
}

// Stores add to the family by names of their own. What they say of quotas and sizes must not be among them: `StorageLimitExceeded`, `LimitExceeded`.
const THROTTLING_KIN =
  /^(?:Err)?SlowDown|Throttl|TooManyRequest|Rate(?:Limit)?Exceed|QpsLimitExceed|(?:Server|System|Pod)Busy$/i
const PASSING_KIN = /^(?:Internal|Unknown)(?:Server)?(?:Error|Failure)$|Time(?:d)?-?Out|TryAgain|Unavailable$/i
const FULL_KIN = /(?:Quota|Cap)(?:Limit)?Exceed|Storage(?:Is)?Full|InsufficientStorage|NoSpace/i

/** What a code means: as it is documented, else as its name says; undefined when neither tells. */
export function meaningOf(code: string): CodeMeaning | undefined {
  const known = ERROR_CODES.get(code)
  if (known !== undefined) return known
  if (THROTTLING_KIN.test(code)) return { severity: 'throttle' }
  if (FULL_KIN.test(code)) return { severity: 'fail-object', all: 'full', hint: ROOM }
  return PASSING_KIN.test(code) ? { severity: 'retry' } : undefined
}

/** Whether an object may be what is wrong. */
export function blamesObject({ key, code }: StorageError): boolean {
  return key !== undefined && meaningOf(code)?.blameless === undefined
}

/** The region in which the bucket is, where that is what the store refused the request for. */
export function regionElsewhere({ code, region }: StorageError): string | undefined {
  return meaningOf(code)?.elsewhere === true ? region : undefined
}

/** What the status alone means of a code that is not known. */
export function statusMeaning(status: number): Severity | undefined {
  if (status === 429 || status === 503) return 'throttle'
  if (status === 408 || status === 425 || status === 499) return 'retry'
  // What the server cannot do it will not learn, and what there is no room for does not fit a second later either.
  return status >= 500 && ![501, 505, 507, 508].includes(status) ? 'retry' : undefined
}
