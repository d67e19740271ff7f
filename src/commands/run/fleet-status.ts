import { readCheckpoint } from '../../checkpoint/checkpoint-file.js'
import type { Job } from '../../job/kinds.js'
import { list, Mismatch, shape, text, type Check } from '../../job/schema.js'
import { jobTitle, row } from '../../report/format.js'
import { statusOf } from './look-at-runs.js'
import { statusFields, statusPage } from './show-status.js'

/** How a run is doing, as it is told at a Redis: in words and in fields, so that whoever asks need not be of its version. */
export interface PublishedStatus {
  readonly lines: readonly string[]
  /** Null where the run keeps no checkpoint. */
  readonly status: object | null
}

const fields: Check<object | null> = (value, at) => {
  if (typeof value !== 'object' || Array.isArray(value)) throw new Mismatch(`${at} is no object`)
  return value
}

/** Proves that somebody told it. */
export const publishedStatus = shape<PublishedStatus>({ lines: list(text), status: fields }, {})

/** How the run in a folder is doing, as JSON. */
export async function statusToPublish(job: Job, folder: string | undefined, cwd: string): Promise<string> {
  return JSON.stringify(await told(job, folder, cwd))
}

async function told(job: Job, folder: string | undefined, cwd: string): Promise<PublishedStatus> {
  if (folder === undefined) {
    const lines = [jobTitle(job), row('state', 'at work; without --checkpoint no more of it is known')]
    return { lines, status: null }
  }
  const run = await statusOf(await readCheckpoint(folder), cwd)
  return { lines: statusPage(run, Date.now()), status: statusFields(run) }
}
