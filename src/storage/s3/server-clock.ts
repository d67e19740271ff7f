import { timeOf } from '../../times.js'
import { responseHeader, type HttpResponse } from './http.js'

/** S3 bears fifteen minutes, so what is less than this, in milliseconds, cannot be why a request was refused. */
const LEAST_SKEW = 60_000

/** The clock of a server beside that of this machine, in milliseconds since 1970. */
export class ServerClock {
  /** By how much it is ahead, where requests were refused for that. */
  private skew = 0
  /** The same, as the last listing told: to a second, and less rather than more. */
  private ahead = 0

  /** The time by which requests are signed. */
  get signing(): number {
    return Date.now() + this.skew
  }

  /** Its time, as far as is known. */
  get now(): number {
    return Date.now() + this.ahead
  }

  /** Takes the time that an answer says for that of now. */
  learn(response: HttpResponse): void {
    const date = timeOf(responseHeader(response, 'date') ?? '')
    if (!Number.isNaN(date)) this.ahead = date - Date.now()
  }

  /**
   * Goes by the server's clock from now on. False when the server says no time, or one that is `ours`: what a request was signed by, and not what this
   * machine says by now, as its clock may have been set meanwhile.
   */
  set(response: HttpResponse, ours: number): boolean {
    const theirs = timeOf(responseHeader(response, 'date') ?? '')
    if (!(Math.abs(theirs - ours) >= LEAST_SKEW)) return false
    this.skew = theirs - Date.now()
    return true
  }
}
