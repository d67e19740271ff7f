import { createHash } from 'node:crypto'
import { link, lstat, rename, unlink, type FileHandle } from 'node:fs/promises'
import type { ObjectContent, HeaderFields, Writing } from '../storage.js'
import { attributesFrom, attributesText, isSameStamp } from './attributes.js'
import { newFile, systemCode } from '../../file-system.js'
import { timeOf } from '../../times.js'
import { alone } from './exclusive-rename.js'
import { diskFault, fault, type Asked } from './storage-errors.js'
import { ASIDE, isStorable, parentOf, pathOf } from './names.js'
import { TEMPORARY_FOLDER, temporaryName } from './temporary.js'
import { removeFile, unlessMissing } from './files.js'
import { MOST_TRIES, type Tree } from './tree.js'

/**
 * Writes objects below a tree. Content is old or new and never in between, whatever is killed when; new content has its attributes, and lasts once the call has resolved.
 *
 * Attributes are told by size and time to belong to a content. So they are put in place before the content, which makes both appear in one step. Where they could be taken
 * for those of the content that is to be replaced, that one loses its own first, and the new ones come last. A kill in between leaves old or new content without attributes,
 * which whoever compares takes for something else, and it is written again.
 */
export function createWriting(tree: Tree): Writing {
  const write = async (
    asked: Asked,
    key: string,
    content: ObjectContent,
    fields: HeaderFields,
    lastModified: string,
  ): Promise<string> => {
    if (!isStorable(key, tree.names)) throw fault(asked, 'fail-object', 'InvalidKey', 'its key is no valid Unicode')
    const path = pathOf(key, tree.names)
    const sidePath = tree.attributesPath(path)
    const temporary = temporaryPath(tree)
    const side = temporaryPath(tree)
    try {
      const written = await fill(temporary, asked, content, lastModified)
      const attributes = attributesFrom(fields, written)
      await newFile(side, (file) => file.writeFile(attributesText(attributes), 'latin1'))
      const found = await tree.find(key, asked)
      if (fields.some(([name]) => name === IF_ABSENT)) {
        if (found !== undefined) throw taken(asked)
        // Attributes that are there are of another who was faster, or of one who was killed: the winner's come last then.
        const first = await placeNew(() => place(tree, side, sidePath, asked, moveNew))
        if (!(await placeNew(() => placeObject(tree, temporary, path, asked, moveNew)))) throw taken(asked)
        if (!first) await place(tree, side, sidePath, asked)
        return attributes.etag
      }
      const target = found?.path === tree.absolute(path + ASIDE) ? path + ASIDE : path
      const old = found && { size: found.stats.size, modified: found.stats.mtimeMs }
      const placeSide = (): Promise<void> => place(tree, side, sidePath, asked)
      if (old !== undefined && isSameStamp(old, written)) {
        await removeSide(tree, sidePath, asked)
        await placeObject(tree, temporary, target, asked)
        await placeSide()
      } else {
        await placeSide()
        await placeObject(tree, temporary, target, asked)
      }
      return attributes.etag
    } catch (error) {
      await Promise.all([temporary, side].map((file) => removeFile(file).catch(() => undefined)))
      if (systemCode(error) === 'ENOENT') await tree.nothing(asked)
      throw error
    }
  }
  return {
    async write(key, content, fields, lastModified) {
      const asked: Asked = { operation: 'PutObject', bucket: tree.root, key }
      try {
        return await write(asked, key, content, fields, lastModified)
      } catch (error) {
        throw diskFault(error, asked)
      }
    },
  }
}

const IF_ABSENT = 'if-none-match'

function taken(asked: Asked): Error {
  return fault(asked, 'fail-object', 'PreconditionFailed', 'there is a file of its name')
}

async function removeSide(tree: Tree, path: string, asked: Asked): Promise<void> {
  const folder = parentOf(path)
  if (!(await tree.check(folder, asked))) return
  if ((await removeFile(tree.absolute(path))) === 'removed') await tree.sync(folder)
}

function temporaryPath(tree: Tree): string {
  return tree.absolute(`${TEMPORARY_FOLDER}/${temporaryName()}`)
}

function fill(
  path: string,
  asked: Asked,
  content: ObjectContent,
  lastModified: string,
): Promise<{ readonly size: number; readonly modified: number; readonly etag: string }> {
  return newFile(path, async (file) => {
    const { size } = content
    const md5 = createHash('md5')
    let length = 0
    for await (const piece of content.pieces()) {
      if (length + piece.length > size) throw broken(asked, `more than ${size} bytes came`)
      md5.update(piece)
      await writeAll(file, piece, length)
      length += piece.length
    }
    if (length < size) throw broken(asked, `${length} bytes came where there should be ${size}`)
    const etag = md5.digest('hex')
    if (content.md5 !== undefined && content.md5.toString('hex') !== etag) {
      throw broken(
        asked,
        `the bytes that came have the MD5 ${etag} where the source says ${content.md5.toString('hex')}`,
      )
    }
    const given = timeOf(lastModified)
    const modified = Number.isFinite(given) ? given : Date.now()
    await file.utimes(modified / 1000, modified / 1000)
    return { size, modified, etag }
  })
}

function broken(asked: Asked, message: string): Error {
  return fault(asked, 'fail-object', 'BrokenContent', message)
}

async function writeAll(file: FileHandle, piece: Buffer, position: number): Promise<void> {
  for (let at = 0; at < piece.length;) {
    const { bytesWritten } = await file.write(piece, at, piece.length - at, position + at)
    at += bytesWritten
  }
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
      if ((await unlessMissing(lstat(to))) !== undefined) throw new AlreadyThere(`there is ${to} already`)
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

// Whether a file could be placed where none was.
async function placeNew(work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

// Moves a finished file to its path (relative), making the folders that it needs.
async function place(tree: Tree, temporary: string, path: string, asked: Asked, move: Move = replace): Promise<void> {
  const folder = parentOf(path)
  for (let tries = 0; ; tries++) {
    await tree.make(folder, asked)
    try {
      await move(tree, temporary, path, asked)
      break
    } catch (error) {
      const code = systemCode(error)
      // The folder was empty, so another one removed it; unless the file itself is gone.
      const vanished = code === 'ENOENT' || code === 'ENOTDIR'
      if (!vanished || tries >= MOST_TRIES || (await unlessMissing(lstat(temporary))) === undefined) throw error
      tree.forget(folder)
    }
  }
  await tree.sync(folder)
}

async function placeObject(tree: Tree, temporary: string, path: string, asked: Asked, move?: Move): Promise<void> {
  try {
    await place(tree, temporary, path, asked, move)
  } catch (error) {
    if (!A_FOLDER.has(systemCode(error) ?? '')) throw error
    if ((await unlessMissing(lstat(tree.absolute(path))))?.isDirectory() !== true) throw error
    await place(tree, temporary, path + ASIDE, asked, move)
  }
}

/** What systems answer when a file is to replace a folder. */
const A_FOLDER = new Set(['EISDIR', 'EEXIST', 'ENOTEMPTY', 'EPERM', 'EACCES'])
