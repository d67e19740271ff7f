import { lookup } from 'mime-types'

/** The media type that the extension of `key` stands for, or undefined. */
export function typeOf(key: string): string | undefined {
  const name = key.slice(key.lastIndexOf('/') + 1)
  // A name that is nothing but an extension has none.
  const dot = name.lastIndexOf('.')
  return dot < 1 ? undefined : lookup(name.slice(dot)) || undefined
}

/** Whether a Content-Type says nothing: S3 sets this one when none was given. */
export function saysNothing(type: string | undefined): boolean {
  return type === undefined || type === 'binary/octet-stream'
}
