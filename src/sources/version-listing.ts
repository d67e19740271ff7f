import type { ObjectSummary, Storage } from '../storage/storage.js'
import type { ObjectVersion, VersionCursor, Versions } from '../storage/object-versions.js'
import { Circle, contradiction, FULL_PAGE, type Listing } from './page-listing.js'

/** An object with all that it ever was. Its size is that of all versions together; else it shows its newest version. */
export interface ObjectVersions extends ObjectSummary {
  /** The newest first, delete markers too. Never empty. */
  readonly history: readonly ObjectVersion[]
}

/** Whether an object comes with its history. */
export function hasHistory(object: ObjectSummary): object is ObjectVersions {
  return 'history' in object
}

/**
 * Pages through the histories of a store's objects from behind `after`. A key of which a page holds only a part waits for the rest, so a history
 * is always whole.
 */
export function versionsAfter(store: Pick<Storage, 'versions'>, after: string | undefined): Listing<ObjectVersions> {
  const known = withVersions(store.versions)
  let from: VersionCursor | undefined = after === undefined ? undefined : { key: after }
  let begun: ObjectVersion[] = []
  const circle = new Circle()
  return {
    async next() {
      const page = await known.list(from)
      const end = page.versions.at(-1)
      // As full as it can be, and yet the last: it is asked whether that is so.
      const inDoubt = page.next === undefined && end !== undefined && page.versions.length >= FULL_PAGE
      from = inDoubt ? { key: end.key, version: end.version } : page.next
      if (from !== undefined && circle.closes(`${from.key}\n${from.version ?? ''}`)) {
        throw contradiction({}, 'its pages lead back to where they began', 'ListObjectVersions')
      }
      const all = begun.length === 0 ? page.versions : [...begun, ...page.versions]
      const last = all.at(-1)?.key
      const whole = from === undefined ? all.length : all.findIndex(({ key }) => key === last)
      begun = all.slice(Math.max(0, whole))
      return { objects: grouped(all.slice(0, Math.max(0, whole))), truncated: from !== undefined, inDoubt }
    },
  }
}

/** The history of one object; undefined when there is none. */
export async function historyOf(
  { versions }: Pick<Storage, 'versions'>,
  key: string,
): Promise<ObjectVersions | undefined> {
  const known = withVersions(versions)
  const found: ObjectVersion[] = []
  // The key itself comes right behind whatever is before it, of which nothing is known; but a page that begins at the key has it first.
  const circle = new Circle()
  for (let page = await known.list(undefined, key); ; page = await known.list(page.next, key)) {
    found.push(...page.versions.filter((version) => version.key === key))
    const { next } = page
    if (next === undefined || next.key !== key) break
    if (circle.closes(next.version ?? '')) {
      throw contradiction({}, 'its pages lead back to where they began', 'ListObjectVersions')
    }
  }
  return grouped(found)[0]
}

/** A history without what is older than a version of it; whole, when it has no such version any more. Its size stays that of all. */
export function fromVersion(all: ObjectVersions, version: string): ObjectVersions {
  const at = all.history.findIndex((one) => one.version === version)
  return at < 0 ? all : { ...all, history: all.history.slice(0, at + 1) }
}

function withVersions(versions: Versions | undefined): Versions {
  if (versions === undefined) throw new Error('the store has no versions')
  return versions
}

function grouped(versions: readonly ObjectVersion[]): ObjectVersions[] {
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
