import type { StorageError } from '../../errors.js'
import { regionElsewhere } from '../error-codes.js'

/**
 * Who is to blame when a request for one object is refused as if none could succeed: a wrong signature, a bucket that is not there, a redirect.
 * A proxy between may have changed that request alone. So before a run is ended, the plainest request that there is is sent: for an object that
 * does not exist, under a name which no proxy touches. When that is answered, the refusal was of the object; when it is refused in the same way,
 * keys were revoked or the clock is wrong, and no object may be blamed.
 */
export class Suspicion {
  /** When the latest of the requests was sent that proved that all is well, by `performance.now()`. */
  private proven = -Infinity
  private asking: { readonly since: number; readonly answer: Promise<StorageError | undefined> } | undefined

  /** `region` is that of the bucket. */
  constructor(private readonly region: string) {}

  /** A request that was sent at that time was answered as it should be. */
  cleared(sent: number): void {
    if (sent > this.proven) this.proven = sent
  }

  /**
   * The refusal of a request for an object, sent at that time and of severity `stop-run`, as it is to be taken. `ask` sends the plain request, and
   * answers undefined when that proved that all is well, else why it did not.
   */
  async judge(fault: StorageError, sent: number, ask: () => Promise<StorageError | undefined>): Promise<StorageError> {
    // A store that names another region has read the request well.
    if ((regionElsewhere(fault) ?? this.region) !== this.region) return fault
    // Only what was sent later proves anything: keys may have been revoked between.
    if (this.proven > sent) return ofOneObject(fault)
    if (this.asking === undefined || this.asking.since < sent) {
      const since = performance.now()
      this.asking = { since, answer: ask() }
    }
    const { since, answer } = this.asking
    const found = await answer
    if (found === undefined) {
      this.cleared(since)
      return ofOneObject(fault)
    }
    return found.severity === 'retry' || found.severity === 'throttle'
      ? fault.with({ severity: found.severity })
      : fault
  }
}

function ofOneObject(fault: StorageError): StorageError {
  const cause = LATE.has(fault.code)
    ? 'a proxy on the way may have held it back for too long'
    : 'a proxy on the way may have changed it (a header with ‘_’ in its name, or ‘//’, ‘..’ or ‘%’ in the key)'
  const message = `${fault.message} (the store answers other requests, so this one alone is wrong: ${cause})`
  return fault.with({ severity: 'fail-object', message })
}

const LATE: ReadonlySet<string> = new Set(['RequestTimeTooSkewed', 'RequestExpired', 'ExpiredRequest'])
