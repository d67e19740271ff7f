import { constants } from 'node:fs'
import { access, statfs } from 'node:fs/promises'
import { UserError } from '../../errors.js'
import type { Finding } from '../../job/finding.js'
import type { Side } from '../../job/place.js'
import type { Sides } from '../backend.js'
import { nearestThere, notOurs, openFolder } from './open-folder.js'

/** Finds out about those sides that are folders. */
export async function examineFolders({ source, destination }: Sides): Promise<readonly Finding[]> {
  return [
    ...(source === undefined ? [] : await examineFolder('source', source.bucket)),
    ...(destination === undefined ? [] : await examineFolder('destination', destination.bucket)),
  ]
}

async function examineFolder(side: Side, folder: string): Promise<Finding[]> {
  const mayBeWritten = side === 'destination'
  const reach = { side, about: 'reach', what: 'folder' } as const
  try {
    const { root, names, absent } = await openFolder(folder, { mayBeWritten })
    if (mayBeWritten && names === 'literal') throw notOurs(folder)
    const there = absent === true ? await nearestThere(root) : root
    await access(
      there,
      mayBeWritten ? constants.R_OK | constants.W_OK | constants.X_OK : constants.R_OK | constants.X_OK,
    )
    const { bavail, bsize } = await statfs(there)
    const told = absent === true ? 'new or empty: it will be made ready' : OF_NAMES[names]
    const free = `${Math.floor((bavail * bsize) / 1024 ** 3)} GiB`
    const space: Finding = { side, about: 'trait', what: 'free space', state: 'ok', told: free }
    return [{ ...reach, state: 'ok', told }, ...(mayBeWritten ? [space] : [])]
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const hint =
      error instanceof UserError ? error.hint : 'run as the owner of the folder, or give yourself the permission'
    return [{ ...reach, state: 'no', told: error.message, hint }]
  }
}

const OF_NAMES = {
  literal: 'made by another program: names are keys as they are',
  exact: 'written by s3move',
  folded: 'written by s3move, with names for a file system that does not tell capitals from small letters',
} as const
