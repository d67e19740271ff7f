import type { ObjectSummary } from '../storage/storage.js'

/** An object of which the name is known; what nobody told of it is absent. */
export type Named = Pick<ObjectSummary, 'key'> & Partial<ObjectSummary>

/** What is told of an object, and nothing else that may be in `told`, under another key. */
export function named(key: string, told: Partial<ObjectSummary>): Named {
  const { version, size, etag, storageClass, lastModified } = told
  return {
    key,
    ...(version === undefined ? {} : { version }),
    ...(size === undefined ? {} : { size }),
    ...(etag === undefined ? {} : { etag }),
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(lastModified === undefined ? {} : { lastModified }),
  }
}
