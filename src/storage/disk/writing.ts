import type { ObjectContent, Writing } from '../storage.js'
import { attributesFrom, isSameStamp, type StoredAttributes } from './attributes.js'
import { attributesLine, withdrawal } from './attributes-lines.js'
import type { AttributesLogs } from './attributes-logs.js'
import { close, link, lstat, openFile, rename, setTimes, sync, unlink, writeAll } from './calls.js'
import { isMissing, systemCode } from '../../file-system.js'
import { md5While } from '../../hashing.js'
import { timeOf } from '../../times.js'
import { alone } from './exclusive-rename.js'
import { GroupCommit } from './group-commit.js'
import { inParallel } from './in-parallel.js'
import { diskFault, fault, type Asked } from './storage-errors.js'
import { ASIDE, isStorable, nameOf, parentOf, pathOf } from './names.js'
import { TEMPORARY_FOLDER, temporaryName } from './temporary.js'
import { removeFile } from './files.js'
import { MOST_TRIES, type Tree } from './tree.js'

/** An object whose content is in a file of its own, and is to get its place. */
interface Written {
  readonly asked: Asked
  readonly key: string
  /** Where it belongs, relative. */
  readonly path: string
  /** Where it is, absolute; and it is still open. */
  readonly temporary: string
  readonly file: number
  readonly attributes: StoredAttributes
  /** Whether nothing of its name may be there yet. */
  readonly ifAbsent: boolean
}

/** What becomes of one in its batch. */
interface Placing extends Written {
  /** Where it goes, relative. */
  target: string
  /** Whether its attributes could be taken for those of the content that it replaces. */
  looksAlike: boolean
  error?: unknown
}

/**
 * Writes objects below a tree. Content is old or new and never in between, whatever is killed when; new content has its attributes, and lasts once the call has resolved.
 *
 * Attributes are told by size and time to belong to a content. So they are in the log before the content is in its place, which makes both appear in one step. Where they
 * could be taken for those of the content that is to be replaced, the log first takes back what it said of that, and the new ones come last. A kill in between leaves old or
 * new content without attributes, which whoever compares takes for something else, and it is written again.
 *
 * Nothing of an object waits for the disk alone: whatever was written meanwhile is placed together, with one sync of each log and each folder.
 */
export function createWriting(tree: Tree, logs: AttributesLogs): Writing {
  const commit = new GroupCommit<Written>((batch) => logs.alone(() => placeAll(tree, logs, batch)))
  return {
    async write(key, content, fields, lastModified) {
      const asked: Asked = { operation: 'PutObject', bucket: tree.root, key }
      const temporary = tree.absolute(`${TEMPORARY_FOLDER}/${temporaryName()}`)
      try {
        if (!isStorable(key, tree.names)) throw fault(asked, 'fail-object', 'InvalidKey', 'its key is no valid Unicode')
        const { file, ...written } = await fill(temporary, asked, content, lastModified)
        const attributes = attributesFrom(fields, written)
        const ifAbsent = fields.some(([name]) => name === IF_ABSENT)
        await commit.add({ asked, key, path: pathOf(key, tree.names), temporary, file, attributes, ifAbsent })
        return attributes.etag
      } catch (error) {
        await removeFile(temporary).catch(() => undefined)
        if (systemCode(error) === 'ENOENT') await tree.nothing(asked)
        throw diskFault(error, asked)
      }
    },
  }
}

const IF_ABSENT = 'if-none-match'

function taken(asked: Asked): Error {
  return fault(asked, 'fail-object', 'PreconditionFailed', 'there is a file of its name')
}

// Answers the error of each, or undefined.
async function placeAll(tree: Tree, logs: AttributesLogs, batch: readonly Written[]): Promise<readonly unknown[]> {
  const all: readonly Placing[] = batch.map((written) => ({ ...written, target: written.path, looksAlike: false }))
  await each(all, async ({ file }) => {
    try {
      await sync(file)
    } finally {
      await close(file)
    }
  })
  for (let rest = all; rest.length > 0;) {
    // What goes to the same place comes after what is there by then.
    const first = new Map(rest.toReversed().map((placing) => [placing.path, placing]))
    await placeEach(tree, logs, [...first.values()])
    rest = rest.filter((placing) => first.get(placing.path) !== placing)
  }
  return all.map(({ error }) => error)
}

// No two to the same place.
async function placeEach(tree: Tree, logs: AttributesLogs, all: readonly Placing[]): Promise<void> {
  const absent: Placing[] = []
  await each(all, async (placing) => {
    if (!(await aim(tree, placing))) absent.push(placing)
  })
  if (absent.length > 0) await tree.nothing({ operation: 'PutObject', bucket: tree.root })
  await log(tree, logs, all.filter(isGood), ({ path, attributes, looksAlike }) =>
    looksAlike ? withdrawal(nameOf(path), 'none') : attributesLine(nameOf(path), attributes),
  )
  const late: Placing[] = []
  await each(all, async (placing) => {
    if (await place(tree, placing)) return
    late.push(placing)
    throw taken(placing.asked)
  })
  // Another one was faster, whose attributes count.
  await log(tree, logs, late, ({ path }) => withdrawal(nameOf(path), 'undone'))
  const placed = byFolder(all.filter(isGood))
  await inParallel([...placed], ([folder, placings]) => together(placings, () => tree.sync(folder)))
  // Only now, or a power cut could leave them to the content of before.
  const alike = all.filter((placing) => placing.looksAlike && isGood(placing))
  await log(tree, logs, alike, ({ path, attributes }) => attributesLine(nameOf(path), attributes))
}

function isGood({ error }: Placing): boolean {
  return error === undefined
}

async function each(all: readonly Placing[], work: (placing: Placing) => Promise<void>): Promise<void> {
  const one = async (placing: Placing): Promise<void> => {
    try {
      await work(placing)
    } catch (error) {
      placing.error = error
    }
  }
  await Promise.all(all.filter(isGood).map(one))
}

// What goes wrong for a folder does for all that are in it.
async function together(all: readonly Placing[], work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    for (const placing of all) placing.error ??= error
  }
}

function byFolder(all: readonly Placing[]): ReadonlyMap<string, Placing[]> {
  const folders = new Map<string, Placing[]>()
  for (const placing of all) {
    const folder = parentOf(placing.target)
    const others = folders.get(folder)
    if (others === undefined) folders.set(folder, [placing])
    else others.push(placing)
  }
  return folders
}

async function log(
  tree: Tree,
  logs: AttributesLogs,
  all: readonly Placing[],
  line: (placing: Placing) => string,
): Promise<void> {
  await inParallel([...byFolder(all)], ([folder, placings]) =>
    together(placings, () => logs.append(folder, placings.map(line), { operation: 'PutObject', bucket: tree.root })),
  )
}

// Where it goes, and what it replaces.
async function aim(tree: Tree, placing: Placing): Promise<boolean> {
  const { key, path, asked, attributes, ifAbsent } = placing
  const found = await tree.look(key, asked)
  if (found === undefined) return false
  if (ifAbsent) throw taken(asked)
  if (found.path === tree.absolute(path + ASIDE)) placing.target = path + ASIDE
  placing.looksAlike = isSameStamp({ size: found.stats.size, modified: found.stats.mtimeMs }, attributes)
  return true
}

async function fill(
  path: string,
  asked: Asked,
  content: ObjectContent,
  lastModified: string,
): Promise<{ readonly file: number; readonly size: number; readonly modified: number; readonly etag: string }> {
  const file = await openFile(path, 'wx')
  try {
    const { size } = content
    const etag = await md5While(async (add) => {
      let length = 0
      for await (const piece of content.pieces()) {
        if (length + piece.length > size) throw broken(asked, `more than ${size} bytes came`)
        const written = writeAll(file, piece, length)
        // It is waited for in any case: the file must not be closed, nor the memory be used for others, before.
        written.catch(() => undefined)
        await add(piece).finally(() => written)
        length += piece.length
      }
      if (length < size) throw broken(asked, `${length} bytes came where there should be ${size}`)
    })
    if (content.md5 !== undefined && content.md5.toString('hex') !== etag) {
      throw broken(
        asked,
        `the bytes that came have the MD5 ${etag} where the source says ${content.md5.toString('hex')}`,
      )
    }
    const given = timeOf(lastModified)
    const modified = Number.isFinite(given) ? given : Date.now()
    await setTimes(file, modified)
    return { file, size, modified, etag }
  } catch (error) {
    await close(file)
    throw error
  }
}

function broken(asked: Asked, message: string): Error {
  return fault(asked, 'fail-object', 'BrokenContent', message)
}

/** Gives a finished file (absolute) its path in the tree. */
type Move = (tree: Tree, from: string, path: string, asked: Asked) => Promise<void>

const replace: Move = (tree, from, path) => rename(from, tree.absolute(path))

// Whatever is there stays, and is an error (EEXIST): of several who do so at once, only one succeeds.
const moveNew: Move = async (tree, from, path, asked) => {
  const to = tree.absolute(path)
  try {
    await link(from, to)
  } catch (error) {
    if (!NO_LINKS.has(systemCode(error) ?? '')) throw error
    await alone(tree, path, asked, async () => {
      if ((await lstat(to)) !== undefined) throw new AlreadyThere(`there is ${to} already`)
      await rename(from, to)
    })
    return
  }
  await unlink(from)
}

/** What a link answers where something is. */
class AlreadyThere extends Error {
  override readonly name = 'AlreadyThere'
  readonly code = 'EEXIST'
}

const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

// False when it may only be placed where nothing is, and something is.
async function place(tree: Tree, placing: Placing): Promise<boolean> {
  const move = placing.ifAbsent ? moveNew : replace
  try {
    try {
      await moveTo(tree, placing, move)
    } catch (error) {
      if (!A_FOLDER.has(systemCode(error) ?? '')) throw error
      if ((await lstat(tree.absolute(placing.target)))?.isDirectory() !== true) throw error
      placing.target = placing.path + ASIDE
      await moveTo(tree, placing, move)
    }
    return true
  } catch (error) {
    if (placing.ifAbsent && systemCode(error) === 'EEXIST') return false
    throw error
  }
}

// Makes the folders that it needs.
async function moveTo(tree: Tree, { temporary, target, asked }: Placing, move: Move): Promise<void> {
  const folder = parentOf(target)
  for (let tries = 0; ; tries++) {
    await tree.make(folder, asked)
    try {
      await move(tree, temporary, target, asked)
      return
    } catch (error) {
      // The folder was empty, so another one removed it; unless the file itself is gone.
      if (!isMissing(error) || tries >= MOST_TRIES || (await lstat(temporary)) === undefined) throw error
      tree.forget(folder)
    }
  }
}

/** What systems answer when a file is to replace a folder. */
const A_FOLDER = new Set(['EISDIR', 'EEXIST', 'ENOTEMPTY', 'EPERM', 'EACCES'])
