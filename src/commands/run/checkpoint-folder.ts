import { dirname, resolve } from 'node:path'
import { hasCheckpoint, readCheckpoint, RUNS } from '../../checkpoint/checkpoint-file.js'
import { differences } from '../../checkpoint/job-name.js'
import { UserError } from '../../errors.js'
import type { Connection } from '../../job/connection.js'
import type { Job } from '../../job/kinds.js'
import { placeUrl } from '../../job/place.js'
import { printable } from '../../keys.js'
import { shellWord } from '../../report/format.js'
import { backendOf } from '../../storage/backends.js'

/**
 * Refuses to keep a run's checkpoint (in `given`, or in the folder of those that were given none), or what it writes, in a folder that is a side of its
 * job: it would be copied, moved away or deleted like any file there. Nothing is kept where `given` is undefined and `scan` is true.
 */
export async function checkOutsideSides(job: Job, given: string | undefined, cwd: string, scan = false): Promise<void> {
  const folder = given ?? (scan ? undefined : RUNS)
  for (const side of ['source', 'destination'] as const) {
    const place = side === 'source' ? job.source : 'destination' in job ? job.destination : undefined
    if (place === undefined) continue
    const { holds } = backendOf(place)
    if (folder !== undefined && (await holds?.(place, resolve(cwd, folder))) === true) {
      throw new UserError(
        `the checkpoint folder ${printable(folder)} lies in the ${side}, ${placeUrl(place)}, and would be taken for objects of it`,
        'name a folder outside of it with --checkpoint DIR; one that holds a run can be moved, and resumed there',
      )
    }
    if ('to' in job && (await holds?.(place, dirname(job.to))) === true) {
      throw new UserError(
        `${printable(job.to)} lies in the ${side}, ${placeUrl(place)}, and would be taken for an object of it`,
        'name a file outside of it with --to',
      )
    }
  }
}

/** Refuses a folder that holds another run, or an unfinished one, unless it is to be a `fresh` one. */
export async function checkFolder(folder: string, job: Job, connection: Connection, fresh: boolean): Promise<void> {
  if (fresh || !(await hasCheckpoint(folder))) return
  const { checkpoint } = await readCheckpoint(folder)
  const different = differences(checkpoint, { job, connection })
  if (different.length > 0) {
    throw new UserError(
      `${printable(folder)} holds the checkpoint of another job (${different.join('; ')})`,
      'give this job a folder of its own with --checkpoint, or throw the other run away with --fresh',
    )
  }
  if (checkpoint.state === 'finished') return
  throw new UserError(
    `an unfinished run of this job is in ${printable(folder)}`,
    `go on with it: s3move resume ${shellWord(folder)} (or begin again from the start: add --fresh)`,
  )
}
