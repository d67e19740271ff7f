import { compareKeys } from '../../keys.js'
import type { ListFrom, ObjectSummary, Page } from '../storage.js'
import type { Asked } from './storage-errors.js'
import { inParallel } from './in-parallel.js'
import type { Stray } from './folder.js'
import { summary } from './reading.js'
import type { FolderSnapshot, Snapshots } from './snapshots.js'
import type { Tree } from './tree.js'

/** Most objects of a page. */
const MOST = 1_000

/**
 * A page of the objects of a tree behind a key, with what is no object where `keeps` says so. What is held are the names in the folders on the way there. Objects that vanish meanwhile are left out.
 * Where a page ends within a folder, the next shows that folder as it was then.
 */
export async function listPage(
  tree: Tree,
  snapshots: Snapshots,
  from: ListFrom,
  asked: Asked,
  keeps: (stray: ObjectSummary) => boolean,
): Promise<Page> {
  const after = from.token ?? from.after
  const limit = from.limit ?? MOST
  const walk = keysAfter(snapshots, '', after, after, asked)
  const objects: ObjectSummary[] = []
  const look = async ({ key, stray }: Step): Promise<ObjectSummary | undefined> => {
    if (stray !== undefined) {
      const object = strayObject(key, stray)
      return keeps(object) ? object : undefined
    }
    const found = await tree.find(key, asked)
    return found && summary(key, found.stats, await tree.attributes(key, found.stats, asked))
  }
  let last: Step | undefined
  for (let ended = false; !ended && objects.length < limit;) {
    const steps: Step[] = []
    while (steps.length < limit - objects.length) {
      const step = await walk.next()
      ended = step.done === true
      if (step.done === true) break
      steps.push(step.value)
    }
    last = steps.at(-1) ?? last
    for (const object of await inParallel(steps, look)) if (object !== undefined) objects.push(object)
  }
  const end = objects.at(-1)?.key
  // One more name, which tells whether there is more.
  const truncated = end !== undefined && objects.length >= limit && (await walk.next()).done !== true
  if (truncated && last?.key === end) last.snapshot.ends.add(end)
  return { objects, truncated, ...(truncated ? { token: end } : {}) }
}

interface Step {
  readonly key: string
  /** Present when it is no object. */
  readonly stray: Stray | undefined
  /** Of the folder in which it is. */
  readonly snapshot: FolderSnapshot
}

function strayObject(key: string, { size, modified, notAKey }: Stray): ObjectSummary {
  const lastModified = new Date(Math.floor(modified)).toISOString()
  return { key, size, etag: '', lastModified, storageClass: 'STANDARD', notAKey }
}

/** What is no object in the folder of `key` and in those above it. */
export async function straysAbove(snapshots: Snapshots, key: string, asked: Asked): Promise<readonly ObjectSummary[]> {
  const strays: ObjectSummary[] = []
  for (let end = 0; ;) {
    const prefix = key.slice(0, end)
    const snapshot = await snapshots.of(prefix, undefined, asked)
    if (snapshot === undefined) return strays
    for (const [name, stray] of snapshot.strays) strays.push(strayObject(prefix + name, stray))
    const next = key.indexOf('/', end) + 1
    // A link is not followed on the way.
    if (next === 0 || !has(snapshot.names, key.slice(end, next))) return strays
    end = next
  }
}

function has(names: readonly string[], name: string): boolean {
  return names[firstBehind(names, name) - 1] === name
}

// The keys that begin with `prefix` and go on with more than `rest`, in order. A name with a `/` stands where its first key would.
async function* keysAfter(
  snapshots: Snapshots,
  prefix: string,
  rest: string | undefined,
  after: string | undefined,
  asked: Asked,
): AsyncGenerator<Step, void> {
  const snapshot = await snapshots.of(prefix, after, asked)
  if (snapshot === undefined) return
  const { names } = snapshot
  let index = 0
  if (rest !== undefined) {
    const slash = rest.indexOf('/')
    const folder = rest.slice(0, slash + 1)
    index = firstBehind(names, slash < 0 ? rest : folder)
    if (slash >= 0 && names[index - 1] === folder) {
      yield* keysAfter(snapshots, prefix + folder, rest.slice(slash + 1), after, asked)
    }
  }
  for (let name = names[index]; name !== undefined; name = names[++index]) {
    if (name.endsWith('/')) yield* keysAfter(snapshots, prefix + name, undefined, after, asked)
    else yield { key: prefix + name, stray: snapshot.strays.get(name), snapshot }
  }
}

function firstBehind(names: readonly string[], name: string): number {
  let [low, high] = [0, names.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = names[middle]
    if (other !== undefined && compareKeys(other, name) <= 0) low = middle + 1
    else high = middle
  }
  return low
}
