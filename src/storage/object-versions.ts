import type { ObjectSummary } from './storage.js'

/** A version of an object, or a delete marker. */
export interface ObjectVersion extends ObjectSummary {
  readonly version: string
  readonly latest: boolean
  readonly deleteMarker: boolean
}

/** One answer of a listing of versions: by key, the newest of a key first. */
export interface VersionPage {
  readonly versions: readonly ObjectVersion[]
  /** Where the next page begins; absent after the last. */
  readonly next?: VersionCursor
}

/** Where a listing of versions goes on: behind all versions of a key, or behind one of them. */
export interface VersionCursor {
  readonly key: string
  readonly version?: string | undefined
}

/** How the versions of objects are seen. */
export interface Versions {
  /** With `within`, only of keys that begin with it; at most `limit` of them, or 1,000. */
  list(from: VersionCursor | undefined, within?: string, limit?: number): Promise<VersionPage>
}
