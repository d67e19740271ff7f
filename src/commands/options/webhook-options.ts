import { UserError } from '../../errors.js'
import { printable } from '../../keys.js'
import { readText, type Flags } from './flag-values.js'

/** Where the end of a run is POSTed to. */
export interface Webhook {
  /** Its path may be a secret, as that of many chat services is, and so may a user name and a password: for people there is `name`. */
  readonly url: URL
  /** Scheme, host and port. */
  readonly name: string
  /** What is sent is signed with it; absent where nobody wants that. */
  readonly secret?: Buffer
}

const VARIABLE = 'S3MOVE_NOTIFY_SECRET'

/** Reads `--notify` and the secret in the environment. A `UserError` that shows neither for what cannot be used. */
export function readWebhook(flags: Flags, env: NodeJS.ProcessEnv = process.env): Webhook | undefined {
  const text = readText(flags, 'notify')
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || !isDecodable(url)) {
    throw new UserError(
      '--notify is not an http:// or https:// URL, with % in a user name or password percent-encoded',
      'write something like --notify https://hooks.example.com/s3move',
    )
  }
  const secret = env[VARIABLE]
  return {
    url,
    name: printable(url.origin),
    ...(secret === undefined ? {} : { secret: secretOf(secret) }),
  }
}

function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(`${username}:${password}`)
    return true
  } catch {
    return false
  }
}

// Of that form and length by https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme.
function secretOf(text: string): Buffer {
  const encoded = text.trim().replace(/^whsec_/, '')
  const secret = Buffer.from(encoded, 'base64')
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(encoded)
  if (isBase64 && secret.length >= LEAST_SECRET && secret.length <= MOST_SECRET) return secret
  throw new UserError(
    `${VARIABLE} is not whsec_ and ${LEAST_SECRET} to ${MOST_SECRET} bytes in base64`,
    `make one: ${VARIABLE}=whsec_$(openssl rand -base64 32); unset it where nothing is to be signed`,
  )
}

/** In bytes. */
const LEAST_SECRET = 24
const MOST_SECRET = 64
