import type { Place } from '../job.js'

/** An object as a listing shows it. */
export interface ObjectSummary {
  /** Relative to the store's prefix. */
  readonly key: string
  readonly size: number
  /** Without the quotes. */
  readonly etag: string
  /** ISO 8601, as the store wrote it. */
  readonly lastModified: string
  readonly storageClass: string
}

/** One LIST answer: at most 1,000 objects in UTF-8 byte order of their keys. May be empty and truncated at once. */
export interface Page {
  readonly objects: readonly ObjectSummary[]
  /** Whether there is more. The number of objects says nothing about that. */
  readonly truncated: boolean
  /** Where the store says the next page begins; needed only after an empty truncated page. */
  readonly token?: string
}

/** Where a listing goes on: after a key (relative, exclusive), or at a token of the page before. */
export interface ListFrom {
  readonly after?: string | undefined
  readonly token?: string | undefined
  /** Most objects wanted, 1 to 1,000 (the default). */
  readonly limit?: number
}

/**
 * A bucket and a prefix. Keys are relative to the prefix; that is all the renaming there is.
 * Each method fails with a `StorageError` whose severity says what that means for the run.
 */
export interface Storage {
  readonly place: Place

  /** The first page of objects after `from`. A page that is not in byte order is an error that stops the run. */
  list(from: ListFrom): Promise<Page>

  /**
   * Makes the object `key` of this store equal to the object of the same name in `source`, without its bytes passing
   * through this machine: content, headers, user metadata, tags and storage class; not the ACL. It replaces what is there and may be
   * repeated. A source object that is gone is an error of severity `skip`.
   */
  copyFrom(source: Storage, object: ObjectSummary): Promise<void>
}
