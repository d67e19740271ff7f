import { lstat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { reasonOf } from '../../checkpoint/checkpoint-error.js'
import { packer, packingOf } from '../../engine/output/compression.js'
import { fileOutlet } from '../../engine/output/output-writer.js'
import { UserError } from '../../errors.js'
import { unlessMissing } from '../../file-system.js'
import { isObjectUrl } from '../../job/place.js'
import { printable } from '../../keys.js'

/** Refuses, before any request, a file, or an object, for the result of a job that cannot be made or must not be replaced. */
export async function checkOutput(to: string, flag = '--to'): Promise<void> {
  packer(packingOf(to))
  if (isObjectUrl(to)) return
  const folder = dirname(to)
  try {
    if ((await unlessMissing(lstat(`${folder}/.`))) === undefined) {
      throw new UserError(
        `the folder ${printable(folder)} does not exist`,
        `make it, or name a file in another folder with ${flag}`,
      )
    }
    const found = await unlessMissing(lstat(to))
    if (found === undefined || found.isFile()) return
    // A result takes the place of what has its name.
    throw new UserError(
      `${printable(to)} is ${found.isDirectory() ? 'a folder' : 'no plain file'}, and a result would replace it`,
      `name a file${found.isDirectory() ? ' in it' : ''} with ${flag}`,
    )
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(`cannot write ${printable(to)}: ${reasonOf(error)}`, `name another file with ${flag}`)
  }
}

/** Writes the whole of a result to a file, which gets its name once it is whole. Answers its bytes on the disk. A CheckpointError when it cannot. */
export async function writeResult(to: string, text: string): Promise<number> {
  let failed: { readonly error: unknown } | undefined
  const outlet = await fileOutlet(to, { before: undefined, proven: false }, (error) => (failed = { error }))
  try {
    outlet.write(packer(packingOf(to))(text), () => undefined)
    await outlet.finish()
    return outlet.bytes
  } catch (error) {
    throw failed === undefined ? error : failed.error
  } finally {
    await outlet.close()
  }
}
