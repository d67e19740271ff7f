import type { SetUpTime } from '../connections/connect.js'
import type { HeaderFields } from './storage.js'

/** How long an answer took, in milliseconds after its request was sent. */
export interface AnswerTime {
  /** Until the first byte of its content; of an answer that has none, until its end. */
  readonly firstByte: number
  readonly whole: number
  /** Bytes of content. */
  readonly bytes: number
}

/** A server by its name. */
interface NamedServer {
  /** Scheme, host and port. */
  readonly origin: string
  /** The addresses that the name stands for now; none where the name is an address, or a proxy looks it up. */
  readonly addresses: readonly string[]
}

/** Requests to a bucket that are sent once, and timed. Each fails with a `StorageError`. Keys are relative to the place. */
export interface TimedRequests {
  server(): Promise<NamedServer>
  /** Sets a connection up, as if it were the first, and closes it. */
  connect(): Promise<SetUpTime>
  /** A page of at most 1,000 keys, the first. */
  list(): Promise<AnswerTime>
  head(key: string, fields?: HeaderFields): Promise<AnswerTime>
  /** Bytes `first` to `last` of the content. */
  get(key: string, first: number, last: number, fields?: HeaderFields): Promise<AnswerTime>
}
