import type { Place } from '../job.js'
import type { Bandwidth } from './bandwidth.js'
import type { CredentialSource } from './s3/account.js'
import { S3Store, type Address } from './s3/store.js'
import type { Storage } from './storage.js'

/** How a store is opened once it is known where it is. Plain data, to be sent between threads; the keys are secrets and never stored. */
export interface Route {
  readonly place: Place
  readonly address: Address
  /** The keys with which the objects of this store, and those of the source of copies into it, are encrypted (SSE-C). */
  readonly customerKey?: Uint8Array | undefined
  readonly customerKeyOfSource?: Uint8Array | undefined
}

/** Opens a store, without asking it anything. */
export function openRoute(
  { place, address, customerKey, customerKeyOfSource }: Route,
  credentials: Pick<CredentialSource, 'current' | 'refresh'>,
  bandwidth: Bandwidth | undefined,
): Storage {
  return new S3Store(place, { ...address, credentials, customerKey, customerKeyOfSource, bandwidth })
}
