import { SignatureV4 } from '@smithy/signature-v4'
import * as fc from 'fast-check'
import { createHash, createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { encodePath, encodeQuery } from '../../../../src/storage/s3/encode.js'
import type { Credentials } from '../../../../src/storage/credential-source.js'
import { createSigner, EMPTY_HASH, type Unsigned } from '../../../../src/storage/s3/sign.js'

/** SHA-256, and HMAC when there is a secret, as the SDK's signer wants it. */
class Sha256 {
  private readonly hash
  constructor(secret?: unknown) {
    this.hash =
      secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Parameters<typeof createHmac>[1])
  }
  update(data: unknown): void {
    this.hash.update(data as Buffer)
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.hash.digest())
  }
  reset(): void {
    throw new Error('the signer is not known to reset')
  }
}

interface Case {
  readonly method: string
  readonly host: string
  /** As it is, not encoded. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly credentials: Credentials
  readonly region: string
  readonly service: string
  readonly now: number
}

async function sdkAuthorization(request: Case): Promise<string | undefined> {
  const { method, host, path, query, headers, credentials, region, service, now } = request
  const { sessionToken, ...keys } = credentials
  const signer = new SignatureV4({
    region,
    service,
    credentials: { ...keys, ...(sessionToken === undefined ? {} : { sessionToken }) },
    sha256: Sha256,
    // What the S3 client sets: S3 alone does not encode the path twice.
    uriEscapePath: false,
    applyChecksum: true,
  })
  const [hostname = ''] = host.split(':')
  const signed = await signer.sign(
    {
      method,
      protocol: 'https:',
      hostname,
      path: path.split('/').map(sdkEncode).join('/'),
      query: { ...query },
      headers: { host, 'x-amz-content-sha256': EMPTY_HASH, ...headers },
    },
    // Left to itself, the SDK signs Cache-Control with no request.
    { signingDate: new Date(now), signableHeaders: new Set(['cache-control']) },
  )
  return signed.headers.authorization
}

// As in @smithy/core's extendedEncodeURIComponent, which the SDK builds request paths with.
function sdkEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function unsigned({ method, host, path, query, headers }: Case): Unsigned {
  return {
    method,
    host,
    path: encodePath(path),
    query: Object.entries(query)
      .map(([name, value]) => `${encodeQuery(name)}=${encodeQuery(value)}`)
      .sort()
      .join('&'),
    headers: Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1)),
    bodyHash: EMPTY_HASH,
  }
}

function authorizationIn(head: string): string | undefined {
  return /\r\nauthorization: ([^\r\n]*)\r\n/.exec(head)?.[1]
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    'a b',
    'a+b',
    '%',
    '%2F',
    '//',
    '/',
    '..',
    '.',
    '\r\n',
    '~',
    "!'()*",
    '\u{1f600}',
    '\uffff',
    '',
    '?',
    '#',
    '&=',
  ),
)
const name = fc.array(text, { maxLength: 4 }).map((parts) => parts.join(''))
const word = fc.stringMatching(/^[A-Za-z0-9+/=]{1,40}$/)
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

const request: fc.Arbitrary<Case> = fc
  .record({
    method: fc.constantFrom('GET', 'PUT', 'HEAD', 'POST'),
    host: fc.constantFrom('bucket.s3.eu-west-1.amazonaws.com', '127.0.0.1:9000', 'localhost'),
    key: name,
    bucket: fc.constantFrom('', '/bucket', '/Old_Bucket'),
    listing: maybe(
      fc.record({ prefix: name, after: name, token: maybe(word), max: fc.integer({ min: 1, max: 1000 }) }),
    ),
    copySource: maybe(name),
    storageClass: maybe(fc.constantFrom('STANDARD_IA', 'GLACIER_IR', 'INTELLIGENT_TIERING')),
    payer: fc.boolean(),
    cacheControl: maybe(fc.constantFrom('no-cache', 'public,  max-age=5', 'a\tb')),
    metadata: maybe(fc.stringMatching(/^[!-~](?:[ -~]{0,20}[!-~])?$/)),
    acl: fc.boolean(),
    accessKeyId: word,
    secretAccessKey: word,
    sessionToken: maybe(word),
    region: fc.constantFrom('us-east-1', 'eu-west-1', 'cn-north-1', 'auto'),
    service: fc.constantFrom('s3', 's3-object-lambda'),
    now: fc.integer({ min: 0, max: 4_102_444_800_000 }),
  })
  .map(
    ({
      key,
      bucket,
      listing,
      copySource,
      storageClass,
      payer,
      cacheControl,
      metadata,
      acl,
      accessKeyId,
      secretAccessKey,
      sessionToken,
      ...rest
    }) => ({
      ...rest,
      path: listing === undefined ? `${bucket}/${key}` : `${bucket}/`,
      query:
        listing === undefined
          ? {}
          : {
              'list-type': '2',
              'encoding-type': 'url',
              'max-keys': `${listing.max}`,
              prefix: listing.prefix,
              'start-after': listing.after,
              ...(listing.token === undefined ? {} : { 'continuation-token': listing.token }),
            },
      headers: {
        ...(copySource === undefined ? {} : { 'x-amz-copy-source': encodePath(`/bucket/${copySource}`) }),
        // These come before the host, between the fields that signing adds, and after them.
        ...(cacheControl === undefined ? {} : { 'cache-control': cacheControl, 'if-match': '"etag"' }),
        ...(acl ? { 'x-amz-acl': 'public-read' } : {}),
        ...(metadata === undefined ? {} : { 'x-amz-meta-a': metadata }),
        ...(payer ? { 'x-amz-request-payer': 'requester' } : {}),
        ...(storageClass === undefined ? {} : { 'x-amz-storage-class': storageClass }),
      },
      credentials: { accessKeyId, secretAccessKey, sessionToken },
    }),
  )

describe('createSigner', () => {
  test('signs as the SDK’s own signer does, whatever the key, query, headers, credentials and date', async () => {
    await fc.assert(
      fc.asyncProperty(request, async (one) => {
        const head = createSigner(one.region, one.service).head(unsigned(one), 0, one.credentials, one.now)
        expect(authorizationIn(head)).toBe(await sdkAuthorization(one))
      }),
      { numRuns: 500 },
    )
  })

  test('goes on signing rightly while the second, the day and the credentials change under it', async () => {
    const signer = createSigner('us-east-1', 's3')
    const base = fc.sample(request, { numRuns: 1, seed: 7 })[0]!
    const start = Date.UTC(2024, 1, 28, 23, 59, 59, 0)
    const credentials: Credentials[] = [
      { accessKeyId: 'AKIDONE', secretAccessKey: 'one' },
      { accessKeyId: 'AKIDTWO', secretAccessKey: 'two', sessionToken: 'token' },
    ]
    const steps = [0, 400, 999, 1_000, 1_001, 500, 86_401_000, 31_536_000_000]
    for (const [index, step] of steps.entries()) {
      const one = {
        ...base,
        region: 'us-east-1',
        service: 's3',
        now: start + step,
        credentials: credentials[index % 2]!,
      }
      expect(authorizationIn(signer.head(unsigned(one), 0, one.credentials, one.now))).toBe(await sdkAuthorization(one))
    }
  })

  test('gives the signature of AWS’s documented example of a bucket listing', () => {
    // https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "GET Bucket (List Objects)"
    const head = createSigner('us-east-1', 's3').head(
      {
        method: 'GET',
        host: 'examplebucket.s3.amazonaws.com',
        path: '/',
        query: 'max-keys=2&prefix=J',
        headers: [],
        bodyHash: EMPTY_HASH,
      },
      0,
      { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
      Date.UTC(2013, 4, 24),
    )
    expect(authorizationIn(head)).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
        'SignedHeaders=host;x-amz-content-sha256;x-amz-date, ' +
        'Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    )
  })

  test('writes a head of ASCII lines that sends every field it signed, once', () => {
    fc.assert(
      fc.property(request, (one) => {
        const head = createSigner(one.region, one.service).head(unsigned(one), 0, one.credentials, one.now)
        expect(head).toMatch(/^[A-Z]+ [!-~]+ HTTP\/1\.1\r\n(?:[a-z0-9-]+: [\t -~]*\r\n)+\r\n$/)
        const names = [...head.matchAll(/\r\n([a-z0-9-]+):/g)].map((match) => match[1])
        expect(new Set(names).size).toBe(names.length)
        const signed = /SignedHeaders=([^,]*),/.exec(head)?.[1]?.split(';') ?? []
        expect(names).toEqual(expect.arrayContaining(signed))
        expect(signed).toEqual(names.filter((one) => one !== 'authorization' && one !== 'content-length').sort())
      }),
    )
  })

  test('announces the length of a body, and that of none where a server would wait for one', () => {
    const signer = createSigner('us-east-1', 's3')
    const bare = { host: 'h', path: '/', query: '', headers: [], bodyHash: EMPTY_HASH }
    const head = (method: string, length: number) => signer.head({ method, ...bare }, length, undefined, 0)
    expect(head('PUT', 0)).toContain('\r\ncontent-length: 0\r\n')
    expect(head('POST', 12)).toContain('\r\ncontent-length: 12\r\n')
    expect(head('GET', 0)).not.toContain('content-length')
  })

  test('sends no value with which a field could end, signed or not', () => {
    const signer = createSigner('us-east-1', 's3')
    const bare = { method: 'PUT', host: 'h', path: '/', query: '', bodyHash: EMPTY_HASH }
    const value = fc.string({ unit: 'binary' }).filter((text) => !/[^\0-\xff]/.test(text))
    fc.assert(
      fc.property(
        value,
        fc.constantFrom('\r', '\n', '\r\n', '\0', ''),
        value,
        fc.boolean(),
        (one, breaking, other, signs) => {
          const text = one + breaking + other
          const credentials = signs ? { accessKeyId: 'ak', secretAccessKey: 'sk' } : undefined
          const head = () => signer.head({ ...bare, headers: [['x-amz-storage-class', text]] }, 0, credentials, 0)
          if (/[\r\n\0]/.test(text)) expect(head).toThrow('line break')
          else expect(head()).toContain(`\r\nx-amz-storage-class: ${text}\r\n`)
        },
      ),
    )
  })

  test('signs nothing without credentials, and still sends the fields', () => {
    const head = createSigner('us-east-1', 's3').head(
      {
        ...{ method: 'GET', host: 'h', path: '/b/', query: 'list-type=2', bodyHash: EMPTY_HASH },
        headers: [['x-amz-request-payer', 'requester']],
      },
      0,
      undefined,
      0,
    )
    expect(head).toBe('GET /b/?list-type=2 HTTP/1.1\r\nhost: h\r\nx-amz-request-payer: requester\r\n\r\n')
  })
})

describe('encodePath and encodeQuery', () => {
  test('write unreserved ASCII and percent-encoded UTF-8 only, and can be undone', () => {
    fc.assert(
      fc.property(name, (one) => {
        expect(encodePath(one)).toMatch(/^(?:[A-Za-z0-9\-._~/]|%[0-9A-F]{2})*$/)
        expect(encodeQuery(one)).toMatch(/^(?:[A-Za-z0-9\-._~]|%[0-9A-F]{2})*$/)
        expect(decodeURIComponent(encodePath(one))).toBe(one)
        expect(decodeURIComponent(encodeQuery(one))).toBe(one)
      }),
    )
  })
})
