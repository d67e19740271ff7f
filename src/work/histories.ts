import type { ObjectSummary, ObjectVersion, Storage, VersionCursor, Versions } from '../storage/storage.js'
import type { Listing } from './listing.js'

/** An object with all that it ever was. Its size is that of all versions together; else it shows its newest version. */
export interface History extends ObjectSummary {
  /** The newest first, delete markers too. Never empty. */
  readonly history: readonly ObjectVersion[]
}

/** Whether an object comes with its history. */
export function hasHistory(object: ObjectSummary): object is History {
  return 'history' in object
}

/**
 * Pages through the histories of a store's objects from behind `after`. A key of which a page holds only a part waits for the rest, so a history
 * is always whole.
 */
export function historiesAfter({ versions }: Pick<Storage, 'versions'>, after: string | undefined): Listing<History> {
  const known = withVersions(versions)
  let from: VersionCursor | undefined = after === undefined ? undefined : { key: after }
  let begun: ObjectVersion[] = []
  return {
    async next() {
      const page = await known.list(from)
      from = page.next
      const all = begun.length === 0 ? page.versions : [...begun, ...page.versions]
      const last = all.at(-1)?.key
      const whole = page.next === undefined ? all.length : all.findIndex(({ key }) => key === last)
      begun = all.slice(Math.max(0, whole))
      return { objects: grouped(all.slice(0, Math.max(0, whole))), truncated: page.next !== undefined }
    },
  }
}

/** The history of one object; undefined when there is none. */
export async function historyOf({ versions }: Pick<Storage, 'versions'>, key: string): Promise<History | undefined> {
  const known = withVersions(versions)
  const found: ObjectVersion[] = []
  // The key itself comes right behind whatever is before it, of which nothing is known; but a page that begins at the key has it first.
  for (let page = await known.list(undefined, key); ; page = await known.list(page.next, key)) {
    found.push(...page.versions.filter((version) => version.key === key))
    if (page.next === undefined || page.next.key !== key) break
  }
  return grouped(found)[0]
}

function withVersions(versions: Versions | undefined): Versions {
  if (versions === undefined) throw new Error('the store has no versions')
  return versions
}

function grouped(versions: readonly ObjectVersion[]): History[] {
  const groups: ObjectVersion[][] = []
  for (const version of versions) {
    const group = groups.at(-1)
    if (group?.[0]?.key === version.key) group.push(version)
    else groups.push([version])
  }
  return groups.flatMap((history) => {
    const [newest] = history
    if (newest === undefined) return []
    const { key, etag, lastModified, storageClass } = newest
    return [{ key, etag, lastModified, storageClass, size: history.reduce((sum, { size }) => sum + size, 0), history }]
  })
}
