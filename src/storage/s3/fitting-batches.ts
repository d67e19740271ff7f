import { StorageError } from '../../errors.js'

/** What was too much of a request that a store or a proxy refused for its size. */
export type TooMuch = 'bytes' | 'objects'

/**
 * How much of a list a store takes in one request, as far as it has refused more. S3 takes a thousand objects whatever their names; proxies bound
 * the bytes of a body (nginx: 1 MiB), and so does Ceph; others take fewer objects.
 */
export class Fit {
  private bytes = Infinity
  private objects = Infinity

  /** How many of the next items, of so many bytes each, go into one request: at least one. */
  count(sizes: readonly number[], from: number): number {
    let [count, bytes] = [0, 0]
    for (let i = from; i < sizes.length && count < this.objects; i++) {
      bytes += sizes[i] ?? 0
      if (bytes > this.bytes) break
      count++
    }
    return Math.max(1, count)
  }

  /** A request of more than one item was refused: the next is half as large at most. */
  refused(why: TooMuch, sizes: readonly number[], from: number, count: number): void {
    if (why === 'objects') this.objects = Math.min(this.objects, Math.floor(count / 2))
    else {
      const bytes = sizes.slice(from, from + count).reduce((sum, size) => sum + size, 0)
      this.bytes = Math.min(this.bytes, Math.floor(bytes / 2))
    }
  }
}

/** Whether a request with a list was refused because there was too much in it, as far as that can be told. */
export function tooMuchIn({ code, status }: StorageError): TooMuch | undefined {
  // Ceph answers 416 to a body that is too long.
  if (status === 413 || status === 416 || TOO_LONG.has(code)) return 'bytes'
  return code === 'MalformedXML' ? 'objects' : undefined
}

const TOO_LONG: ReadonlySet<string> = new Set(['EntityTooLarge', 'MaxMessageLengthExceeded', 'RequestEntityTooLarge'])

/**
 * Sends items in as few requests as fit, one after the other. What a request has settled is never sent again: when a later one fails, `failed` is
 * told of the rest, and only a first one that fails rejects. A single item that is still too much goes to `alone`.
 */
export async function sendFitting(
  fit: Fit,
  sizes: readonly number[],
  {
    send,
    alone,
    failed,
  }: {
    readonly send: (from: number, count: number) => Promise<void>
    readonly alone: (at: number) => Promise<void>
    readonly failed: (from: number, error: StorageError) => void
  },
): Promise<void> {
  for (let at = 0; at < sizes.length;) {
    const count = fit.count(sizes, at)
    try {
      await send(at, count)
      at += count
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      const why = tooMuchIn(error)
      if (why !== undefined && count > 1) fit.refused(why, sizes, at, count)
      else if (why !== undefined) {
        await alone(at)
        at++
      } else if (at === 0) throw error
      else {
        failed(at, error)
        return
      }
    }
  }
}
