import type { ObjectSummary } from '../../storage/storage.js'

/** Objects by columns, which cost less to send between threads. */
export interface ObjectRows {
  /** Full keys. */
  readonly keys: string[]
  readonly sizes: number[]
  readonly times: string[]
  readonly etags: string[]
  readonly classes: string[]
}

/** No rows. */
export function noRows(): ObjectRows {
  return { keys: [], sizes: [], times: [], etags: [], classes: [] }
}

/** Adds a row for each object, whose key is relative to `prefix`. */
export function addRows(rows: ObjectRows, prefix: string, objects: readonly ObjectSummary[]): void {
  for (const { key, size, lastModified, etag, storageClass } of objects) {
    rows.keys.push(prefix + key)
    rows.sizes.push(size)
    rows.times.push(lastModified)
    rows.etags.push(etag)
    rows.classes.push(storageClass)
  }
}
