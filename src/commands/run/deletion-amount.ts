import { stopReason } from '../../engine/session/stop-reason.js'
import { StorageError, UserError } from '../../errors.js'
import { deferredDeletesOf, ofAllVersions, selectionOf, type WriteJob } from '../../job/kinds.js'
import { isBeside } from '../../keys.js'
import { bytes, count, objects } from '../../report/format.js'
import { selector } from '../../rules/selection.js'
import type { Storage } from '../../storage/storage.js'
import { countedInWords, type EarlierCount } from './earlier-count.js'
import type { Opened } from './open-and-run.js'

/** So many objects are counted by one listing: a person waits for it. */
const COUNTED = 1000

/**
 * How many objects a job is about to delete, and how many bytes, in a sentence: as far as that is known from its list, from one page of the listing
 * and from an earlier run. Nothing is listed to its end for it.
 */
export async function amountOf(
  job: WriteJob,
  opened: Opened,
  listed: number | undefined,
  earlier: EarlierCount | undefined,
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
  if (earlier !== undefined && selectionOf(job) === undefined) {
    const size = earlier.bytes === undefined ? '' : `, ${bytes(earlier.bytes)}`
    return `${objects(earlier.objects)}${size}, as ${countedInWords(earlier)} (--dry-run tells how many by now)`
  }
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
