import { findRuns, type SavedRun } from '../../checkpoint/checkpoint-file.js'
import { stopReason } from '../../engine/session/stop-reason.js'
import { StorageError, UserError } from '../../errors.js'
import { connectionOf } from '../../job/connection.js'
import { deferredDeletesOf, ofAllVersions, selectionOf, type WriteJob } from '../../job/kinds.js'
import type { Side } from '../../job/place.js'
import { isBeside } from '../../keys.js'
import { bytes, count, duration, objects } from '../../report/format.js'
import { selector } from '../../rules/selection.js'
import type { Storage } from '../../storage/storage.js'
import { timeOf } from '../../times.js'
import type { Opened } from './open-and-run.js'

/** So many objects are counted by one listing: a person waits for it. */
const COUNTED = 1000

/**
 * How many objects a job is about to delete, and how many bytes, in a sentence: as far as that is known from its list, from one page of the listing
 * and from earlier runs below `cwd`. Nothing is listed to its end for it.
 */
export async function amountOf(
  job: WriteJob,
  opened: Opened,
  listed: number | undefined,
  cwd: string,
): Promise<string> {
  const plan = deferredDeletesOf(job)
  if (plan?.side === 'destination') {
    const most = plan.most === undefined ? '' : `; if these are more than ${count(plan.most)}, none is deleted`
    return `how many objects is known once both sides are listed (--dry-run tells)${most}`
  }
  if (listed !== undefined) return `the list names ${objects(listed)}`
  const page = await onePage(job, opened.ends.source.store)
  const atLeast = ofAllVersions(job) ? ', and those of which only older versions are left' : ''
  if (page?.whole === true) return `${objects(page.objects)}, ${bytes(page.bytes)}${atLeast}`
  const before = selectionOf(job) === undefined ? await countedBefore(job, opened, cwd) : undefined
  if (before !== undefined) return before
  return page !== undefined && page.objects === COUNTED
    ? `more than ${count(COUNTED)} objects (--dry-run tells how many)`
    : 'how many objects is not known yet (--dry-run tells)'
}

interface FirstPage {
  readonly objects: number
  readonly bytes: number
  /** Nothing comes behind it. */
  readonly whole: boolean
}

// That of objects that are to be deleted; undefined where these credentials may not list.
async function onePage(job: WriteJob, store: Storage): Promise<FirstPage | undefined> {
  const select = selectionOf(job)
  const isSelected = select === undefined ? () => true : selector(select, job.source.prefix)
  const folder = 'prefixAs' in job
  try {
    const page = await store.list({ limit: COUNTED })
    const those = page.objects.filter(
      (object) => object.notAKey === undefined && !(folder && isBeside(object.key)) && isSelected(object),
    )
    return { objects: those.length, bytes: those.reduce((sum, { size }) => sum + size, 0), whole: !page.truncated }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    if (error.severity !== 'stop-run') return undefined
    const { reason, hint } = stopReason(error)
    throw new UserError(reason, hint)
  }
}

// What the latest run that went over all of the place has counted there.
async function countedBefore(job: WriteJob, opened: Opened, cwd: string): Promise<string | undefined> {
  const here = placeId(job.source, opened.ends.connection, 'source')
  const runs = (await findRuns(cwd)).filter((run): run is SavedRun => 'checkpoint' in run)
  for (const { checkpoint } of runs) {
    const { job: other, connection, state, ranges, listed, scan, totals, savedAt } = checkpoint
    const all = state === 'finished' && ranges.length === 0 && !('select' in other) && !isListed(other)
    // It has emptied the place, or counts what is at its destination as well.
    if (!all || listed === 0 || ['move', 'delete', 'sync', 'verify'].includes(other.kind)) continue
    if (placeId(other.source, connection, 'source') !== here) continue
    const size = scan?.census?.total.bytes ?? (totals.copied === listed ? totals.bytes : undefined)
    const amount = size === undefined ? objects(listed) : `${objects(listed)}, ${bytes(size)}`
    const ago = duration(Date.now() - timeOf(savedAt))
    return `${amount}, as ${other.kind} counted ${ago} ago (--dry-run tells how many by now)`
  }
  return undefined
}

function isListed(job: SavedRun['checkpoint']['job']): boolean {
  return 'list' in job || ('versions' in job && job.versions)
}

function placeId(
  { bucket, prefix }: WriteJob['source'],
  connection: SavedRun['checkpoint']['connection'],
  side: Side,
): string {
  return JSON.stringify([connectionOf(connection, side).endpointUrl ?? null, bucket, prefix])
}
