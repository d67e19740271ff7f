import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { requestHeader, percentDecode, type S3Request } from './wire/request.js'
import { accessDenied, S3Error } from './wire/s3-error.js'

export interface KnownCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** What a request is to be signed with: other credentials than those of the server, where there are some. */
export interface SignedAs {
  readonly service: string
  readonly credentials: KnownCredentials | undefined
}

interface Verified {
  readonly date: string
  readonly region: string
  readonly service: string
  readonly credentials: KnownCredentials
}

const MOST_KEYS = 100

interface Authorization {
  readonly accessKeyId: string
  /** `DATE/REGION/SERVICE/aws4_request`. */
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
  private readonly signingKeys = new Map<string, Buffer>()

  constructor(
    private readonly region: string,
    private readonly credentials: KnownCredentials | undefined,
  ) {}

  /**
   * `as` says what else it is to be signed with than the credentials of the server, and for which service.
   * Throws AccessDenied, AuthorizationHeaderMalformed (also for another region), InvalidAccessKeyId,
   * RequestTimeTooSkewed, XAmzContentSHA256Mismatch or SignatureDoesNotMatch.
   */
  check(request: S3Request, as: SignedAs = { service: 's3', credentials: undefined }): void {
    const header = requestHeader(request.headers, 'authorization')
    const credentials = as.credentials ?? this.credentials
    if (header === undefined) {
      if (credentials !== undefined) throw accessDenied()
      return
    }
    if (credentials === undefined && !header.startsWith('AWS4-')) return
    if (credentials === undefined && header.includes(`/${this.region}/${as.service}/aws4_request,`)) return
    const authorization = parse(header)
    const [date = '', region = '', service, end] = authorization.scope.split('/')
    if (region !== this.region) {
      throw malformed(`the region '${region}' is wrong; expecting '${this.region}'`, { Region: this.region })
    }
    if (service !== as.service || end !== 'aws4_request') throw malformed(`the service must be ${as.service}.`)
    if (credentials !== undefined) this.verify(request, authorization, { date, region, service, credentials })
  }

  private verify(
    request: S3Request,
    authorization: Authorization,
    { date, region, service, credentials }: Verified,
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
    const expected = hmac(this.keyFor({ date, region, service, credentials }), toSign.join('\n'))
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

  private keyFor({ date, region, service, credentials }: Verified): Buffer {
    const name = `${date} ${region} ${service} ${credentials.secretAccessKey}`
    const known = this.signingKeys.get(name)
    if (known !== undefined) return known
    // Each session of a directory bucket has one.
    if (this.signingKeys.size >= MOST_KEYS) this.signingKeys.clear()
    const dated = hmac(`AWS4${credentials.secretAccessKey}`, date)
    const key = hmac(hmac(hmac(dated, region), service), 'aws4_request')
    this.signingKeys.set(name, key)
    return key
  }
}
