import { createRequire } from 'node:module'
import type { lookup } from 'mime-types'

/** The media type that the extension of `key` stands for, or undefined. */
export function typeOf(key: string): string | undefined {
  const name = key.slice(key.lastIndexOf('/') + 1)
  // A name that is nothing but an extension has none.
  const dot = name.lastIndexOf('.')
  return dot < 1 ? undefined : table().lookup(name.slice(dot)) || undefined
}

// It has each type that was ever registered, so it is loaded where a type is asked for.
const load = createRequire(import.meta.url)
function table(): { readonly lookup: typeof lookup } {
  return load('mime-types') as { readonly lookup: typeof lookup }
}

/** Whether a Content-Type says nothing: S3 sets this one when none was given. */
export function saysNothing(type: string | undefined): boolean {
  return type === undefined || type === 'binary/octet-stream'
}
