import type { KeptRehearsal } from '../../checkpoint/unfinished-rehearsal.js'
import { differences } from '../../checkpoint/job-name.js'
import { listFileOf, listOf } from '../../job/kinds.js'
import { settled } from '../../job/totals.js'
import { createProgress } from '../../report/progress.js'
import { duration, objects } from '../../report/format.js'
import { checkList } from '../../sources/files-from/list-identity.js'
import { timeOf } from '../../times.js'
import { readConnection } from '../options/connection-options.js'
import type { Flags } from '../options/flag-values.js'
import type { CommandIo } from '../options/io.js'
import type { OutputOptions } from '../options/output-options.js'
import { readPace } from '../options/pace-options.js'
import { readKeysOf } from '../options/sse-c-key.js'
import { tellUnlessQuiet } from './attended.js'
import { checkLogOutside } from './checkpoint-folder.js'
import { dryRun, rehearsing } from './dry-run.js'
import { inventoryStoreOf } from './inventory-store.js'
import { noting, openToResume } from './open-and-run.js'
import { withSourceSortedAside } from './sorted-source.js'

/** Goes on with a rehearsal that was interrupted. Resolves with the exit code. */
export async function resumeRehearsal(
  { folder, found }: KeptRehearsal,
  telling: OutputOptions,
  flags: Flags,
  io: CommandIo,
): Promise<number> {
  const { job, state } = found
  await checkLogOutside(job, flags, io.cwd)
  const pace = readPace(flags, found.pace)
  const connection = readConnection(flags, found.connection)
  const customerKeys = await readKeysOf(job)
  const list = listOf(job)
  if (list !== undefined && state.list !== undefined) await checkList(list, state.list)
  const progress = createProgress({ ...io, ...telling, ...rehearsing(io, telling) })
  try {
    const listFiles = await inventoryStoreOf(listFileOf(job), { connection, pace, io })
    try {
      const { sourceFolder } = found
      const opened = await openToResume(job, {
        ...{ connection, customerKeys, listFiles, sourceFolder, dry: true, onlyFailed: false, pace, io, progress },
      })
      try {
        const { warn } = noting(progress)
        for (const difference of differences(found, { job, connection: opened.ends.connection })) {
          warn(`${difference}; what was seen so far is taken to be there too`)
        }
        const ago = duration(Date.now() - timeOf(found.savedAt))
        const message = `going on with the dry run of ${ago} ago, which had seen ${objects(settled(state.totals))}`
        tellUnlessQuiet(message, { telling, progress, io })
        const asked = found.planning === undefined ? io : { ...io, planning: found.planning }
        const before = { folder, found }
        const told = (message: string): void => tellUnlessQuiet(message, { telling, progress, io })
        const source = { opened, files: () => Promise.resolve(listFiles), tell: told, io }
        return await withSourceSortedAside(job, source, (opened) =>
          dryRun({ job, pace, from: state, before, opened, progress, telling, io: asked }),
        )
      } finally {
        opened.close()
      }
    } finally {
      listFiles?.close()
    }
  } finally {
    progress.close()
  }
}
