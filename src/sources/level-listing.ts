import { compareKeys, printable } from '../keys.js'
import type { LevelEntry, LevelPage, Levels, ObjectSummary, Storage } from '../storage/storage.js'
import { Circle, contradiction, FULL_PAGE } from './page-listing.js'

/**
 * The names of the first level of a store in byte order, at most a page of them at once. A store that contradicts itself is an error that stops the
 * run; one that ends at a full page is asked whether that is so.
 */
export async function* levelPages(
  store: Pick<Storage, 'list' | 'levels' | 'place'>,
): AsyncGenerator<LevelEntry[], void> {
  const levels = store.levels ?? leaping(store)
  let from: Parameters<Levels['list']>[0] = {}
  let last: string | undefined
  let circle = new Circle()
  for (;;) {
    const page = await levels.list(from)
    const all = merged(page)
    const repeated = from.token === undefined && all[0] !== undefined && nameOf(all[0]) === last
    const entries = repeated ? all.slice(1) : all
    const [first, end] = [entries[0], entries.at(-1)]
    if (first !== undefined && last !== undefined && compareKeys(nameOf(first), last) <= 0) {
      throw contradiction(store, `${printable(nameOf(first))} is listed behind ${printable(last)}`)
    }
    if (end !== undefined) {
      last = nameOf(end)
      circle = new Circle()
      yield entries
    }
    const { token } = page
    if (page.truncated && token !== undefined) {
      if (end === undefined && circle.closes(token)) throw endless(store)
      from = { token }
    } else if (page.truncated || all.length >= FULL_PAGE) {
      if (end === undefined) {
        if (page.truncated) throw endless(store)
        return
      }
      from = { after: last }
    } else return
  }
}

function endless(store: Pick<Storage, 'place'>): Error {
  return contradiction(store, 'pages without a new name say that there is more, and lead back to where they began')
}

function nameOf(entry: LevelEntry): string {
  return 'folder' in entry ? entry.folder : entry.object.key
}

function merged({ objects, folders }: LevelPage): LevelEntry[] {
  const entries: LevelEntry[] = []
  let at = 0
  for (const folder of folders) {
    for (
      let object = objects[at];
      object !== undefined && compareKeys(object.key, folder) < 0;
      object = objects[++at]
    ) {
      entries.push({ object })
    }
    entries.push({ folder })
  }
  for (const object of objects.slice(at)) entries.push({ object })
  return entries
}

/** Objects that are looked at at once: most of a page would be of a folder that is known by its first. */
const FEW = 100

/** Behind all keys of a folder. */
const LAST = '\u{10ffff}'

// The levels of a store that lists from any key at no cost: over what is in a folder it leaps.
function leaping(store: Pick<Storage, 'list'>): Levels {
  return {
    async list({ after }) {
      const inside = after?.endsWith('/') === true ? after : undefined
      const page = await store.list({ after: inside === undefined ? after : inside + LAST, limit: FEW })
      const objects: ObjectSummary[] = []
      const folders: string[] = []
      for (const object of page.objects) {
        const slash = object.key.indexOf('/')
        const folder = object.key.slice(0, slash + 1)
        if (slash < 0) objects.push(object)
        else if (folder !== (folders.at(-1) ?? inside)) folders.push(folder)
      }
      return { objects, folders, truncated: page.truncated }
    },
  }
}
