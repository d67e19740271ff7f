import type { Failure } from '../job/outcome.js'
import type { ObjectSummary } from '../storage/storage.js'
import type { WorkItem } from './work-source.js'

/** An object of which the name is known; what nobody told of it is absent. */
export type Named = Pick<WorkItem, 'key' | 'failedIn'> & Partial<ObjectSummary>

/** Finds out what is not known of objects, each in its place; undefined when the run is ending. */
export type Complete = (objects: readonly Named[]) => Promise<readonly WorkItem[] | undefined>

/** What a failure tells of its object; `prefix` is what its key begins with, and objects are named without. */
export function named(failure: Failure, prefix: string): Named {
  const { key, version, size, etag, lastModified, storageClass, operation } = failure
  return {
    key: key.slice(prefix.length),
    ...(version === undefined ? {} : { version }),
    ...(size === undefined ? {} : { size }),
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
    ...(storageClass === undefined ? {} : { storageClass }),
    failedIn: operation,
  }
}

/** An object of which nothing but its name is known, where something must stand in the place of the rest. An ETag is never empty. */
export function bare({ key, version, failedIn, encryption }: Named): WorkItem {
  return {
    key,
    ...(version === undefined ? {} : { version }),
    ...(failedIn === undefined ? {} : { failedIn }),
    ...(encryption === undefined ? {} : { encryption }),
    ...{ size: 0, etag: '', lastModified: '', storageClass: '' },
  }
}
