import { readdir, writeFile } from 'node:fs/promises'
import { systemCode } from '../../file-system.js'
import { removeFile } from './files.js'
import { temporaryName } from './temporary.js'

/** Finds out whether a file system keeps all names as they are and apart, by making files in a folder (absolute) of it. */
export async function probe(folder: string): Promise<'exact' | 'folded'> {
  const base = temporaryName()
  const names = [
    `${base}-a`,
    `${base}-A`,
    `${base}-\u00e9`,
    `${base}-e\u0301`,
    `${base}-<>:"|?*.`,
    `${base}-\u{1f600} `,
  ]
  try {
    for (const name of names) await writeFile(`${folder}/${name}`, '', { flag: 'wx' })
    const listed = new Set(await readdir(folder))
    return names.every((name) => listed.has(name)) ? 'exact' : 'folded'
  } catch (error) {
    if (REFUSALS.has(systemCode(error) ?? '')) return 'folded'
    throw error
  } finally {
    for (const name of names) await removeFile(`${folder}/${name}`).catch(() => undefined)
  }
}

/** How file systems say that there is such a name already, or cannot be. */
const REFUSALS = new Set(['EEXIST', 'EINVAL', 'ENOENT', 'EILSEQ', 'EPERM', 'ENOTSUP'])
