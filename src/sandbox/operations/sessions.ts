import { hex128, mix } from '../wire/hash.js'
import { xmlReply, type Reply } from '../wire/reply.js'
import { requestHeader, type S3Request } from '../wire/request.js'
import { accessDenied, methodNotAllowed, S3Error } from '../wire/s3-error.js'
import { element, xmlNamespace } from '../wire/xml.js'
import type { Operation } from '../wire/operation-names.js'
import { bucketOf, type World } from './world.js'

/** What the requests for a directory bucket are signed with, until it expires. */
export interface BegunSession {
  readonly bucket: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly token: string
  /** Milliseconds since 1970. */
  readonly expires: number
}

/** The sessions of directory buckets. */
export class Sessions {
  private readonly byToken = new Map<string, BegunSession>()
  private made = 0

  /** How long each lasts, in seconds. */
  constructor(private readonly seconds: number) {}

  begin(bucket: string): BegunSession {
    const n = ++this.made
    const text = (salt: number): string => hex128(mix(salt, n, 111), mix(salt, n, 112), mix(salt, n, 113), n)
    const session: BegunSession = {
      bucket,
      accessKeyId: `SANDBOXSESSION${n}`,
      secretAccessKey: text(1),
      token: `session-${text(2)}`,
      expires: Date.now() + this.seconds * 1000,
    }
    this.byToken.set(session.token, session)
    return session
  }

  /** The session that a request names. Throws AccessDenied, InvalidToken, ExpiredToken. */
  of({ headers, bucket }: S3Request): BegunSession {
    const token = requestHeader(headers, TOKEN)
    if (token === undefined) throw accessDenied()
    const session = this.byToken.get(token)
    if (session?.bucket !== bucket) {
      throw new S3Error(400, 'InvalidToken', 'The provided token is malformed or otherwise invalid.')
    }
    if (session.expires <= Date.now()) throw new S3Error(400, 'ExpiredToken', 'The provided token has expired.')
    return session
  }
}

const TOKEN = 'x-amz-s3session-token'

// These are allowed by the credentials that sessions are begun with.
const WITHOUT: ReadonlySet<Operation> = new Set([
  ...(['CreateSession', 'HeadBucket', 'CopyObject', 'UploadPartCopy', 'CreateBucket', 'DeleteBucket'] as const),
])

/**
 * Who a request for a directory bucket is from: a session, or undefined where it is to be signed with other credentials. HeadBucket may be either: AWS
 * documents that it takes ordinary credentials, and its SDKs sign it with those of a session.
 */
export function sessionOf(world: World, operation: Operation, request: S3Request): BegunSession | undefined {
  const named = request.headers[TOKEN] !== undefined && operation === 'HeadBucket'
  return WITHOUT.has(operation) && !named ? undefined : world.sessions.of(request)
}

export function createSession(world: World, request: S3Request): Reply {
  const { name, directory } = bucketOf(world, request.bucket)
  if (!directory) throw methodNotAllowed('GET')
  const { accessKeyId, secretAccessKey, token, expires } = world.sessions.begin(name)
  const credentials =
    element('SessionToken', token) +
    element('SecretAccessKey', secretAccessKey) +
    element('AccessKeyId', accessKeyId) +
    element('Expiration', new Date(expires).toISOString().replace(/\.\d+Z$/, 'Z'))
  return xmlReply(
    `<CreateSessionResult ${xmlNamespace}><Credentials>${credentials}</Credentials></CreateSessionResult>`,
  )
}
