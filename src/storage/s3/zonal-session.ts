import { StorageError } from '../../errors.js'
import type { Credentials, CredentialSource, Renewal } from '../credential-source.js'
import { timeOf } from '../../times.js'
import type { Channel } from './request.js'
import { responseHeader } from './http.js'
import { brokenAnswer, checkOk, isExpired } from './storage-errors.js'
import { elementText } from './xml.js'

/** The credentials of a session with a directory bucket. */
export interface ZonalSession {
  readonly credentials: Credentials
  /** For how long the store said that they are good, in milliseconds. */
  readonly lasts: number
}

/** What AWS gives a session. */
const USUAL = 300_000

/** Begins a session with the bucket of a channel: CreateSession. Sent once. */
export async function createZonalSession({ place, bucketPath, always, request }: Channel): Promise<ZonalSession> {
  const asked = { operation: 'CreateSession', bucket: place.bucket }
  const response = await request(asked, { method: 'GET', path: `${bucketPath}/`, query: 'session=', fields: always })
  checkOk(response, asked)
  const { body } = response
  const [accessKeyId, secretAccessKey, sessionToken] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken'].map((name) =>
    elementText(body, name),
  )
  if (!accessKeyId || !secretAccessKey || !sessionToken || !body.includes('</CreateSessionResult>')) {
    throw brokenAnswer(response, asked, 'the answer to CreateSession has no credentials')
  }
  // By the clock of the store alone: that of this machine may be wrong.
  const lasts = timeOf(elementText(body, 'Expiration') ?? '') - timeOf(responseHeader(response, 'date') ?? '')
  return { credentials: { accessKeyId, secretAccessKey, sessionToken, zonal: true }, lasts: lasts > 0 ? lasts : USUAL }
}

/** Credentials with a session of a directory bucket, which is renewed long before it expires. */
export interface ZonalCredentials extends CredentialSource {
  /** Begins the first session. Rejects as `begin` does. */
  open(): Promise<void>
}

/** A session is renewed after such a share of its life; what fails is tried again several times in the rest. */
const RENEWED_AFTER = 0.5
const TRIED_AFTER = 0.1
/** A session that was just begun is not begun anew for so many milliseconds, and one that could not be not for so many. */
const RENEWED_PAUSE = 500
const FAILED_PAUSE = 5_000

/**
 * The same credentials with a session that `begin` begins with them. There is one at a time, however many requests find out that it is over; whoever
 * takes these credentials has the session with them. `warn` is told when it cannot be renewed. Closed apart from the others.
 */
export function withZonalSession(
  ordinary: CredentialSource,
  begin: () => Promise<ZonalSession>,
  { bucket, warn }: { readonly bucket: string; readonly warn: (message: string) => void },
): ZonalCredentials {
  const listeners: ((current: Credentials) => void)[] = []
  let current = ordinary.current
  let session: Credentials | undefined
  let timer: NodeJS.Timeout | undefined
  let renewing: Promise<Renewal> | undefined
  let closed = false
  let warned = false
  const joined = (): void => {
    const { current: now } = ordinary
    current = now === undefined ? undefined : { ...now, session }
    if (current !== undefined) for (const told of listeners) told(current)
  }
  const again = (ms: number): void => {
    clearTimeout(timer)
    if (closed) return
    timer = setTimeout(() => void refreshed(), ms)
    timer.unref()
  }
  const begun = async (): Promise<void> => {
    const { credentials, lasts } = await begin()
    session = credentials
    joined()
    again(lasts * RENEWED_AFTER)
  }
  const renew = async (): Promise<Renewal> => {
    try {
      await begun()
    } catch (error) {
      // Its connections are gone.
      if (closed) return 'not-yet'
      if (!(error instanceof StorageError)) throw error
      again(USUAL * TRIED_AFTER)
      if (isExpired(error.code)) {
        const renewal = await ordinary.refresh()
        return renewal === 'renewed' ? await unlessFailed() : renewal
      }
      tell(error)
      return 'not-yet'
    }
    warned = false
    return 'renewed'
  }
  const unlessFailed = async (): Promise<Renewal> => {
    try {
      await begun()
      return 'renewed'
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      tell(error)
      return 'not-yet'
    }
  }
  const tell = ({ message, code }: StorageError): void => {
    if (!warned) warn(`the session with ${bucket} could not be renewed (${code}: ${message}); trying again`)
    warned = true
  }
  const refreshed = (): Promise<Renewal> => {
    if (renewing === undefined) {
      const mine = renew()
      renewing = mine
      const pause = (ms: number): void => void setTimeout(() => (renewing = undefined), ms).unref()
      void mine.then(
        (renewal) => pause(renewal === 'renewed' ? RENEWED_PAUSE : FAILED_PAUSE),
        () => pause(FAILED_PAUSE),
      )
    }
    return renewing
  }
  ordinary.onChange(() => joined())
  return {
    get current() {
      return current
    },
    open: begun,
    refresh: refreshed,
    onChange: (told) => void listeners.push(told),
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
