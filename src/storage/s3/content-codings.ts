/** What is asked for, by `Accept-Encoding`, when content does not come as it is stored: nothing first, then each in its turn. */
export const WAYS: readonly (string | undefined)[] = [undefined, 'gzip', 'br, deflate, zstd']

const KNOWN = new Set(['gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'compress'])

/**
 * What `Accept-Encoding` must hold so that an object with this `Content-Encoding` comes as it is stored; undefined where nothing is to be
 * unpacked. `aws-chunked` is how it was sent once, and is no coding of content.
 */
export function acceptFor(contentEncoding: string | undefined): string | undefined {
  const codings = (contentEncoding ?? '').split(',').map((coding) => coding.trim().toLowerCase())
  const known = new Set(codings.filter((coding) => KNOWN.has(coding)))
  return known.size === 0 ? undefined : [...known].join(', ')
}

/** Objects of which it is known how they must be asked for. A few thousand: what was forgotten is found out once more. */
export class KnownCodings {
  private readonly byKey = new Map<string, string>()

  of(key: string): string | undefined {
    return this.byKey.get(key)
  }

  know(key: string, accept: string | undefined): void {
    if (accept === undefined) {
      if (this.byKey.size > 0) this.byKey.delete(key)
      return
    }
    if (this.byKey.size >= MOST) this.byKey.clear()
    this.byKey.set(key, accept)
  }
}

const MOST = 4_096
