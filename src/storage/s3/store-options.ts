import type { Trust } from '../../connections/connect.js'
import type { RunSettings } from '../../job/pace.js'
import type { CredentialSource } from '../credential-source.js'
import type { Notice } from '../notice.js'
import type { Software } from '../storage.js'
import type { Target } from './target.js'

/** How a store is reached. Plain data without secrets, to be sent between threads. */
export interface BucketAddress {
  readonly target: Target
  readonly trust: Trust
  readonly requestPayer?: boolean | undefined
  /** The account that the bucket must belong to. */
  readonly expectedOwner?: string | undefined
  /** The account that the bucket of what is copied must belong to. */
  readonly expectedSourceOwner?: string | undefined
  /** Whether this is AWS, where nobody named an endpoint, or a store that may differ from it. */
  readonly aws?: boolean | undefined
  /** The whole key with which the listing of the place began, if anybody has seen it. */
  readonly begins?: string | undefined
  /** Whether each body is hashed and its hash signed, even where its MD5 is sent. */
  readonly signPayload?: boolean | undefined
  /** How long nearly all answers to an operation took so far, in milliseconds. */
  readonly usual?: Readonly<Record<string, number>> | undefined
  /** What the store has refused so far, and is sent no more. */
  readonly unsupported?: readonly string[] | undefined
  /** Headers that were asked for, and are never left out. */
  readonly insists?: readonly string[] | undefined
  /** Whose software it is, if an answer has told that. */
  readonly software?: Software | undefined
  /** Whether it writes MD5s in capitals, if anybody has seen one. */
  readonly capitals?: boolean | undefined
  /** Whether it takes user metadata beyond ASCII in encoded words alone, if anybody has found out. */
  readonly encodesMetadata?: boolean | undefined
  /** Whether its objects can have annotations, if anybody has found out. */
  readonly annotations?: boolean | undefined
}

/** What a store needs beside its place. */
export interface S3StoreOptions extends BucketAddress {
  readonly credentials: Pick<CredentialSource, 'current' | 'refresh'>
  /** The key with which its objects are encrypted, and that of what is copied: 32 bytes (SSE-C). Never stored. */
  readonly customerKey?: Uint8Array | undefined
  readonly customerKeyOfSource?: Uint8Array | undefined
  /** What content that is read and written here keeps to. */
  readonly settings?: Pick<RunSettings, 'bandwidth'> | undefined
  /** When aborted, content that is being read is waited for no more than some seconds. */
  readonly stop?: AbortSignal | undefined
  /** Told of what a person should know of the store. */
  readonly notice?: ((notice: Notice) => void) | undefined
}
