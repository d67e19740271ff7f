import type { RunSettings } from '../job/pace.js'
import type { Place } from '../job/place.js'
import type { CredentialSource } from './credential-source.js'
import type { OpenedFolder } from './disk/open-folder.js'
import type { Notice } from './notice.js'
import { DiskStore } from './disk/store.js'
import { S3Store, type BucketAddress } from './s3/store.js'
import type { Storage } from './storage.js'

/** How a store is opened once it is known where it is. Plain data, to be sent between threads; the keys are secrets and never stored. */
export type StoreDescriptor = BucketDescriptor | FolderDescriptor

/** Where a folder is. */
interface FolderDescriptor {
  readonly place: Place
  readonly folder: OpenedFolder
}

/** Where a bucket is. */
export interface BucketDescriptor {
  readonly place: Place
  readonly address: BucketAddress
  /** The keys with which the objects of this store, and those of the source of copies into it, are encrypted (SSE-C). */
  readonly customerKey?: Uint8Array | undefined
  readonly customerKeyOfSource?: Uint8Array | undefined
}

/** Opens a store, without asking it anything. `notice` is told of what a person should know of a folder or a bucket; after `stop` what is read is not waited for. */
export function openRoute(
  route: StoreDescriptor,
  credentials: Pick<CredentialSource, 'current' | 'refresh'>,
  settings: RunSettings,
  notice: (notice: Notice) => void,
  stop: AbortSignal,
): Storage {
  if ('folder' in route) return new DiskStore(route.place, route.folder, notice)
  const { place, address, customerKey, customerKeyOfSource } = route
  return new S3Store(place, { ...address, credentials, customerKey, customerKeyOfSource, settings, stop, notice })
}
