import { describe, expect, test } from 'vitest'
import { lookingAtHeaders } from '../../../../src/engine/actions/look-at-headers.js'
import { StorageError } from '../../../../src/errors.js'
import { setHeadersOf } from '../../../../src/job/set-headers.js'
import type { ObjectHead, ObjectSummary, Storage } from '../../../../src/storage/storage.js'

const NOW = '2026-01-01T00:00:00.000Z'
const object = (key: string): ObjectSummary => ({
  key,
  size: 1,
  etag: 'e',
  lastModified: NOW,
  storageClass: 'STANDARD',
})
const HEAD = {
  ...{ etag: 'e', size: 1, lastModified: NOW, storageClass: 'STANDARD', carried: [], tags: 0, unshown: 0 },
  ...{ headers: new Map([['content-type', 'text/plain']]), archived: false, locked: false },
} as unknown as ObjectHead

const error = (code: string, severity: StorageError['severity']) =>
  new StorageError('no', { severity, code, status: 404, operation: 'HeadObject', bucket: 'b' })

/** Looks at objects of a store that answers each HEAD of a key in turn, and lists what is `listed`. */
async function look(
  keys: readonly string[],
  answers: Record<string, (ObjectHead | StorageError)[]>,
  listed: readonly string[] = [],
) {
  const stop = new AbortController()
  const store = {
    place: { bucket: 'b', prefix: 'p/' },
    reading: {
      head(key: string) {
        const answer = answers[key]?.shift() ?? HEAD
        return answer instanceof StorageError ? Promise.reject(answer) : Promise.resolve(answer)
      },
    },
    list: ({ within = '' }: { within?: string }) =>
      Promise.resolve({ objects: listed.filter((key) => key.startsWith(within)).map(object), truncated: false }),
  } as unknown as Storage
  const job = setHeadersOf({
    ...{ source: { bucket: 'b', prefix: 'p/' }, folderMarkers: false },
    rules: [{ set: [['cache-control', 'no-cache']], remove: [] }],
  })
  const looking = lookingAtHeaders({ job, storeFor: () => store, concurrency: 2, stop: stop.signal })
  return { plans: await looking(keys.map(object)), looking, stop }
}

describe('looks at objects whose headers are to change', () => {
  test('tell all that each is to have, in the order in which they were asked for', async () => {
    const right = { ...HEAD, headers: new Map([['cache-control', 'no-cache']]) }
    const { plans } = await look(['a', 'b', 'c'], { b: [right] })
    expect(plans).toMatchObject([{ head: HEAD }, { outcome: { kind: 'skipped', reason: 'unchanged' } }, { head: HEAD }])
    const [first] = plans!
    expect(first?.outcome === undefined && [...first!.headers]).toEqual([
      ['content-type', 'text/plain'],
      ['cache-control', 'no-cache'],
    ])
  })

  test('pass over what is gone, look anew at what is listed still, and fail at what no look finds', async () => {
    const missing = (): StorageError => error('NoSuchKey', 'skip')
    const answers = {
      gone: [missing()],
      again: [missing()],
      lost: [missing(), missing()],
      denied: [error('AccessDenied', 'fail-object')],
    }
    const { plans } = await look(Object.keys(answers), answers, ['again', 'lost'])
    expect(plans).toMatchObject([
      { outcome: { kind: 'skipped', reason: 'gone' } },
      { head: HEAD },
      { outcome: { kind: 'failed', failure: { key: 'p/lost', code: 'ListedButNotFound' } } },
      { outcome: { kind: 'failed', failure: { key: 'p/denied', code: 'AccessDenied' } } },
    ])
  })

  test('reject with what ends the run, and say nothing once they are to stop', async () => {
    await expect(look(['a'], { a: [error('NoSuchBucket', 'stop-run')] })).rejects.toMatchObject({
      code: 'NoSuchBucket',
    })
    const { looking, stop } = await look([], {})
    stop.abort()
    expect(await looking([object('a')])).toBeUndefined()
  })
})
