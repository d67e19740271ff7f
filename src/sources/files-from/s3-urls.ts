import { badLine, type BadLine } from './text-lines.js'
import type { EntryNeeds } from './entry.js'

const URL_KEY = /^s3[an]?:\/\/([^/]+)\/([^]*)$/

/** The bucket and the key of an `s3://` URL as Athena, Trino and Spark write it: nothing in it is encoded. Undefined for all else. */
export function partsOfUrl(text: string): { readonly bucket: string; readonly key: string } | undefined {
  const [, bucket, key] = URL_KEY.exec(text) ?? []
  return bucket === undefined || key === undefined ? undefined : { bucket, key }
}

/** Keys of a column that may have `s3://bucket/` before them: before all of them, or before none. */
export class UrlKeys {
  private urls: boolean | undefined

  constructor(
    private readonly name: string,
    private readonly wanted: EntryNeeds,
  ) {}

  /** The key that a field holds. Throws a BadLine for a URL of another bucket, and for a field that is not as those before it. */
  keyOf(text: string, line: number, mode: 'all' | 'all-or-none'): string {
    const bad = (what: string, hint: string): BadLine => badLine(this.name, line, what, hint)
    const parts = text.startsWith('s3') ? partsOfUrl(text) : undefined
    const is = parts !== undefined
    if (this.urls === undefined) {
      this.urls = is || mode === 'all'
      if (this.urls) this.wanted.urls?.()
    }
    if (is !== this.urls) {
      throw bad(
        is ? 'has s3:// before its key, and those before it have not' : 'has no s3:// before its key',
        'Write all of them in one way; a key that begins so is given as one JSON object a line: {"key": ...}.',
      )
    }
    if (parts === undefined) return text
    const { bucket, key } = parts
    if (bucket === this.wanted.bucket) return key
    throw bad(`is of another bucket, ${JSON.stringify(bucket)}`, `The list must be of ${this.wanted.bucket}.`)
  }
}
