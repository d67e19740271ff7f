import type { FromDescriptor, StoreDescriptor } from '../backend.js'
import { S3Store } from './store.js'
import type { BucketAddress } from './store-options.js'

/** Where a bucket is. */
export interface BucketDescriptor extends StoreDescriptor {
  readonly address: BucketAddress
  /** The keys with which the objects of this store, and those of the source of copies into it, are encrypted (SSE-C). */
  readonly customerKey?: Uint8Array | undefined
  readonly customerKeyOfSource?: Uint8Array | undefined
}

/** Opens a bucket by its descriptor. */
export const bucketFrom: FromDescriptor = (descriptor, credentials, settings, notice, stop) => {
  const { place, address, customerKey, customerKeyOfSource } = descriptor as BucketDescriptor
  return new S3Store(place, { ...address, credentials, customerKey, customerKeyOfSource, settings, stop, notice })
}
