import { isObjectUrl } from '../../job/place.js'
import { readConnection } from '../options/connection-options.js'
import type { Flags } from '../options/flag-values.js'
import type { CommandIo } from '../options/io.js'
import { ambient } from './ambient-connection.js'

/** Does `work` with the folder of the run that somebody has named to read it, if one is, and with its failure ledgers if these are `wanted`. */
export async function readingRun(
  given: string | undefined,
  { flags, io, failures = false }: { readonly flags: Flags; readonly io: CommandIo; readonly failures?: boolean },
  work: (folder: string | undefined) => Promise<number>,
): Promise<number> {
  if (given === undefined || !isObjectUrl(given)) return await work(given)
  // All that copies is loaded with it.
  const { openRunHome } = await import('./bucket-folder.js')
  const home = await openRunHome(given, () => readConnection(flags, ambient()), io)
  try {
    await home.bucket?.listen()
    if (failures) await home.bucket?.restoreFailures()
    return await work(home.folder)
  } finally {
    await home.close()
  }
}
