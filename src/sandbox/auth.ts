import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { requestHeader, percentDecode, type S3Request } from './wire/request.js'
import { accessDenied, S3Error } from './wire/s3-error.js'

export interface KnownCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

interface Authorization {
  readonly accessKeyId: string
  /** `DATE/REGION/s3/aws4_request`. */
  readonly scope: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

const malformed = (message: string, details: Record<string, string> = {}) =>
  new S3Error(400, 'AuthorizationHeaderMalformed', `The authorization header is malformed; ${message}`, details)

function parse(header: string): Authorization {
  const match =
    /^AWS4-HMAC-SHA256\s+Credential=([^/,\s]+)\/([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})\s*$/.exec(
      header,
    )
  const [, accessKeyId, scope, signed, signature] = match ?? []
  if (accessKeyId === undefined || scope === undefined || signed === undefined || signature === undefined) {
    throw malformed('AWS4-HMAC-SHA256 with Credential, SignedHeaders and Signature expected.')
  }
  return { accessKeyId, scope, signedHeaders: signed.split(';'), signature }
}

/** The URI encoding of Signature Version 4: everything but letters, digits, `-._~`. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function canonicalRequest(request: S3Request, authorization: Authorization, payload: string): string {
  const path = percentDecode(request.rawPath).split('/').map(encode).join('/')
  const query = [...request.query]
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
  const headers = authorization.signedHeaders.map((name) => {
    const value = requestHeader(request.headers, name) ?? ''
    return `${name}:${Buffer.from(value.trim().replace(/ +/g, ' '), 'latin1').toString('utf8')}\n`
  })
  return [request.method, path, query, headers.join(''), authorization.signedHeaders.join(';'), payload].join('\n')
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex')
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest()

const fifteenMinutes = 15 * 60 * 1000

/** Judges who a request is from. Without `credentials` any signature is accepted, and none too. */
export class RequestGate {
  private readonly rightScope: string
  private signingKey: { readonly scope: string; readonly key: Buffer } | undefined

  constructor(
    private readonly region: string,
    private readonly credentials: KnownCredentials | undefined,
  ) {
    this.rightScope = `/${region}/s3/aws4_request,`
  }

  /**
   * Throws AccessDenied, AuthorizationHeaderMalformed (also for another region), InvalidAccessKeyId,
   * RequestTimeTooSkewed, XAmzContentSHA256Mismatch or SignatureDoesNotMatch.
   */
  check(request: S3Request): void {
    const header = requestHeader(request.headers, 'authorization')
    if (header === undefined) {
      if (this.credentials !== undefined) throw accessDenied()
      return
    }
    if (this.credentials === undefined && !header.startsWith('AWS4-')) return
    if (this.credentials === undefined && header.includes(this.rightScope)) return
    const authorization = parse(header)
    const [date = '', region = '', service, end] = authorization.scope.split('/')
    if (region !== this.region) {
      throw malformed(`the region '${region}' is wrong; expecting '${this.region}'`, { Region: this.region })
    }
    if (service !== 's3' || end !== 'aws4_request') throw malformed(`the service must be s3.`)
    if (this.credentials !== undefined) this.verify(request, authorization, date, region, this.credentials)
  }

  private verify(
    request: S3Request,
    authorization: Authorization,
    date: string,
    region: string,
    credentials: KnownCredentials,
  ): void {
    if (authorization.accessKeyId !== credentials.accessKeyId) {
      const message = 'The AWS Access Key Id you provided does not exist in our records.'
      throw new S3Error(403, 'InvalidAccessKeyId', message, { AWSAccessKeyId: authorization.accessKeyId })
    }
    const time = requestHeader(request.headers, 'x-amz-date') ?? ''
    const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time)
    const [year = NaN, month = NaN, ...rest] = parts?.slice(1).map(Number) ?? []
    const sent = Date.UTC(year, month - 1, ...rest)
    if (parts === null || !time.startsWith(date)) throw accessDenied()
    if (Math.abs(Date.now() - sent) > fifteenMinutes) {
      const message = 'The difference between the request time and the current time is too large.'
      throw new S3Error(403, 'RequestTimeTooSkewed', message, { RequestTime: time })
    }
    const payload = requestHeader(request.headers, 'x-amz-content-sha256')
    if (payload === undefined) {
      throw new S3Error(400, 'InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
    }
    if (/^[0-9a-f]{64}$/.test(payload) && payload !== sha256(request.body)) {
      const message = "The provided 'x-amz-content-sha256' header does not match what was computed."
      throw new S3Error(400, 'XAmzContentSHA256Mismatch', message)
    }
    // S3 refuses requests of which a part that matters is not signed.
    const unsigned = Object.keys(request.headers).find(
      (name) => (name === 'host' || name.startsWith('x-amz-')) && !authorization.signedHeaders.includes(name),
    )
    if (unsigned !== undefined) {
      throw new S3Error(403, 'AccessDenied', 'There were headers present in the request which were not signed', {
        HeadersNotSigned: unsigned,
      })
    }
    const toSign = [
      'AWS4-HMAC-SHA256',
      time,
      authorization.scope,
      sha256(canonicalRequest(request, authorization, payload)),
    ]
    const expected = hmac(this.keyFor(authorization.scope, date, region, credentials), toSign.join('\n'))
    if (!timingSafeEqual(expected, Buffer.from(authorization.signature, 'hex'))) {
      const message =
        'The request signature we calculated does not match the signature you provided. Check your key and signing method.'
      throw new S3Error(403, 'SignatureDoesNotMatch', message, {
        AWSAccessKeyId: authorization.accessKeyId,
        StringToSign: toSign.join('\n'),
        SignatureProvided: authorization.signature,
      })
    }
  }

  private keyFor(scope: string, date: string, region: string, credentials: KnownCredentials): Buffer {
    if (this.signingKey?.scope !== scope) {
      const dated = hmac(`AWS4${credentials.secretAccessKey}`, date)
      this.signingKey = { scope, key: hmac(hmac(hmac(dated, region), 's3'), 'aws4_request') }
    }
    return this.signingKey.key
  }
}
