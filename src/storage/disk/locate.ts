import { basename, dirname, join, relative } from 'node:path'
import { realpath } from 'node:fs/promises'
import { UserError } from '../../errors.js'
import { unlessMissing } from '../../file-system.js'
import { printable } from '../../keys.js'
import type { ObjectLocation } from '../backend.js'
import { lstat } from './calls.js'
import { ASIDE, MARKER, segmentOf, type Names } from './names.js'
import { openFolder } from './open-folder.js'

/**
 * The object that a file of this machine is: in the folder above it that s3move has written, where its name stands for a key, or else in its own
 * folder. A file that is not there is an object that is not there; a folder is a `UserError`.
 */
export async function locateFile(path: string): Promise<ObjectLocation> {
  const folder = (await unlessMissing(realpath(dirname(path)))) ?? dirname(path)
  const file = join(folder, basename(path))
  if ((await lstat(file))?.isDirectory() === true)
    throw new UserError(`${printable(path)} is a folder, and this is for one object`, 'name a file in it')
  const root = await rootAbove(folder)
  if (root === undefined) return { place: { bucket: folder, prefix: '' }, key: basename(path) }
  const { names } = await openFolder(root)
  const key = keyOf(relative(root, file), names)
  if (key !== undefined) return { place: { bucket: root, prefix: '' }, key }
  throw new UserError(
    `the name of ${printable(path)} stands for no key in ${printable(root)}, which s3move wrote`,
    's3move ls shows the keys of a folder, docs/local-disk.md how they are names',
  )
}

async function rootAbove(folder: string): Promise<string | undefined> {
  for (let path = folder; ; path = dirname(path)) {
    if ((await lstat(join(path, MARKER))) !== undefined) return path
    if (path === dirname(path)) return undefined
  }
}

function keyOf(path: string, names: Names): string | undefined {
  const key: string[] = []
  let part = ''
  const bare = names !== 'literal' && path.endsWith(ASIDE) ? path.slice(0, -ASIDE.length) : path
  for (const name of bare.split('/')) {
    const found = segmentOf(part + name, names, key.length === 0)
    if (found === undefined) return undefined
    if (found === 'part') part += `${name}/`
    else {
      key.push(found.segment)
      part = ''
    }
  }
  return part === '' ? key.join('/') : undefined
}
