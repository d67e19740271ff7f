import { StorageError, UserError, type Severity, type StorageErrorDetails } from '../../errors.js'
import { CERTIFICATE, connectionHint } from '../connection-hint.js'
import { BARE_STATUS, meaningOf, statusMeaning } from '../error-codes.js'
import { explanationIn } from './error-explanation.js'
import { HttpError, responseHeader, type HttpResponse } from './http.js'
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
  const { status, body, cause } = response
  // A proxy that passes requests on answers in the place of the store.
  if (status === 407 || (status === 403 && responseHeader(response, 'x-squid-error') !== undefined)) {
    const hint =
      'check HTTP_PROXY, the user name and password in it, and what the proxy allows; or exempt the host with NO_PROXY'
    const told = { severity: 'stop-run', code: PROXY_REFUSED, status, ...asked, hint } as const
    return new StorageError(`the proxy refused the request with status ${status}`, told)
  }
  const message = [explanationOf(body), cause ?? ''].filter((text) => text !== '').join('; ')
  return faultNamed(elementText(body, 'Code'), status, message, asked, {
    requestId: responseHeader(response, 'x-amz-request-id') ?? elementText(body, 'RequestId'),
    region: responseHeader(response, 'x-amz-bucket-region') ?? elementText(body, 'Region'),
  })
}

/** The same of an answer that was read elsewhere: its code and sentence, as far as it has any. */
export function faultNamed(
  named: string | undefined,
  status: number,
  message: string,
  asked: Asked,
  more: Pick<StorageErrorDetails, 'requestId' | 'region'> = {},
): StorageError {
  const code = named !== undefined && CODE.test(named) ? named : (BARE_STATUS[status] ?? `HTTP${status}`)
  return new StorageError(message || `the answer was status ${status} without an explanation`, {
    severity: severityOf(code, status, asked),
    code,
    status,
    operation: asked.operation,
    bucket: asked.bucket,
    key: asked.key,
    hint: meaningOf(code)?.hint,
    ...more,
  })
}

// An error inside a 200 is looked for where it is said.
function explanationOf(body: string): string {
  const from = body.indexOf('<Error')
  return explanationIn(from < 0 ? body : body.slice(from))
}

/** A proxy does not let requests through, or not without credentials. */
const PROXY_REFUSED = 'EPROXYREFUSED'

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
    requestId: responseHeader(response, 'x-amz-request-id'),
  })
}

/** What is wrong with an answer that is to have status 200. */
export function problemOf(response: HttpResponse, asked: Asked): StorageError | undefined {
  if (response.status === 200) return undefined
  if (response.status > 200 && response.status < 300) {
    return brokenAnswer(response, asked, `the answer has status ${response.status} where 200 was expected`)
  }
  return faultOf(response, asked)
}

/** Throws what is wrong with an answer that is to have status 200. */
export function checkOk(response: HttpResponse, asked: Asked): void {
  const problem = problemOf(response, asked)
  if (problem !== undefined) throw problem
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
      // A list that is too long will not be shorter the next time.
      severity: certificate || code === PROXY_REFUSED || code === 'EMSGSIZE' ? 'stop-run' : 'retry',
      code,
      // One that has begun to answer says something of this object.
      status: error instanceof HttpError ? error.answer?.status : undefined,
      operation: asked.operation,
      bucket: asked.bucket,
      key: asked.key,
      hint: connectionHint(code),
    },
    { cause: error },
  )
}

/** Whether a store says that credentials were right and are no more. */
export function isExpired(code: string): boolean {
  return meaningOf(code)?.blameless === 'credentials'
}

/** The error of one object in an answer to DeleteObjects, given the contents of its element. */
export function deletionFault(entry: string, asked: Asked, status: number): StorageError {
  const named = elementText(entry, 'Code')
  const code = named !== undefined && CODE.test(named) ? named : 'Unknown'
  const meaning = meaningOf(code)
  const severity = meaning?.severity
  return new StorageError(explanationIn(entry) || code, {
    severity: severity === 'retry' || severity === 'throttle' ? severity : 'fail-object',
    ...{ code, status, ...asked, hint: meaning?.hint },
  })
}

/** Whether these credentials are known, and may not do what they asked for. */
export function isDenied({ status, code }: StorageError): boolean {
  const known = meaningOf(code)?.severity
  return status === 403 && code !== PROXY_REFUSED && known !== 'stop-run' && !isExpired(code)
}

function severityOf(code: string, status: number, asked: Asked): Severity {
  const { severity: known, all } = meaningOf(code) ?? {}
  // Whatever the status: where there is no room, a later try finds none either.
  if (all === 'full' && asked.key !== undefined) return 'fail-object'
  if (known === 'retry' || known === 'throttle' || known === 'stop-run') {
    // A server that is too busy to say so in its own words asks for fewer all the same.
    return known === 'retry' && (status === 429 || status === 503) ? 'throttle' : known
  }
  const byStatus = statusMeaning(status)
  if (byStatus !== undefined) return byStatus
  // Whatever else is wrong with an operation on the bucket is wrong for all of its objects.
  if (asked.key === undefined) return 'stop-run'
  return known ?? 'fail-object'
}
