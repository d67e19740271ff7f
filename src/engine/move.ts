import type { Outcome, RelocateJob } from '../job.js'
import { renamer } from '../rules/rename.js'
import type { ObjectHead, Storage } from '../storage/storage.js'
import type { WorkItem } from '../work/work.js'
import { failed, outcomeOf, TAKEN, unlessGone } from './act.js'
import type { Ways } from './acts.js'
import { headersOf } from './attributes.js'
import { isMd5 } from './compare.js'
import { copying } from './copy.js'
import type { Act } from './lane.js'
import { unlessExisting } from './no-clobber.js'
import { copyOf, deletionFailed, departureOf } from './sync.js'

/** The action of `move` on one object: a copy, and the proof that it is one. It is deleted later, once that is on the ledger. */
export function moving(job: RelocateJob, ways: Ways): Act {
  const { source, destination } = ways
  const { prefix } = job.source
  const nameOf = renamer(job.map)
  const copy = job.map === undefined ? copying(copyOf(job), ways) : unlessTaken(job, ways)
  return async (listed: WorkItem) => {
    try {
      const object = listed.failedIn === undefined ? listed : await asItIs(source, listed)
      if (object === undefined) return deletionFailed(listed) ? { kind: 'copied' } : { kind: 'skipped', reason: 'gone' }
      const outcome = await copy(object)
      if (outcome?.kind !== 'copied') return outcome
      const { etag = '' } = outcome
      if (!(await isProven(destination, { ...object, key: nameOf(object.key) }, etag))) {
        const message =
          'the copy is not there as it was answered: it has another size or ETag; the source was left as it is'
        return failed(prefix, listed, { code: 'CopyNotProven', message, operation: 'HeadObject', attempts: 1 })
      }
      return { kind: 'leaving', departure: departureOf(prefix, object, etag) } satisfies Outcome
    } catch (error) {
      return outcomeOf(error, prefix, listed)
    }
  }
}

// Two objects, far apart in the listing, may get one name: the second must not replace the first, whose source is deleted. What has the same
// content and headers is the copy of an earlier try, whose answer nobody heard.
function unlessTaken(job: RelocateJob, ways: Ways): Act {
  const copy = unlessExisting(copyOf(job), ways)
  const nameOf = renamer(job.map)
  const [from, to] = [ways.source.reading, ways.destination.reading]
  const hasContentOf = async (object: WorkItem, name: string, there: ObjectHead): Promise<boolean> => {
    if (there.size !== object.size) return false
    if (object.size === 0 || (there.etag === object.etag && isMd5(there.etag))) return true
    return (await from.digest(object.key, object)) === (await to.digest(name, there))
  }
  const { attributes = {} } = job
  const hasHeadersOf = async (object: WorkItem, { headers }: ObjectHead): Promise<boolean> => {
    if (attributes.drop?.includes('metadata') === true) return true
    const wanted = headersOf(attributes, ways.source, object, await from.head(object.key))
    return [...wanted].every(([name, value]) => headers.get(name) === value)
  }
  return async (object) => {
    const outcome = await copy(object)
    if (outcome?.kind !== 'skipped' || outcome.reason !== 'exists') return outcome
    const name = nameOf(object.key)
    const there = await to.head(name)
    const hasContent = await hasContentOf(object, name, there)
    if (hasContent && (await hasHeadersOf(object, there))) return { kind: 'copied', etag: there.etag }
    const what = hasContent
      ? 'an object of the new name with the same content but other headers'
      : 'another object of the new name'
    const message = `with --map nothing is replaced, and the destination has ${what}; move or delete that, or move this one with another --map`
    return failed(job.source.prefix, object, { code: TAKEN, message, operation: 'CopyObject', attempts: 1 })
  }
}

// What failed before may have been written since.
async function asItIs({ reading }: Storage, object: WorkItem): Promise<WorkItem | undefined> {
  const head = await unlessGone(reading.head(object.key))
  if (head === undefined) return undefined
  const { size, etag, lastModified, storageClass } = head
  return { key: object.key, size, etag, lastModified, storageClass }
}

// An ETag that is the MD5 of the content, and the same for the copy, says it all. Any other must be that of an object which is there, and has
// the size; that its source was the one that was listed is proven when that is deleted, which it only is while it has its ETag.
async function isProven({ reading }: Storage, object: WorkItem, etag: string): Promise<boolean> {
  if (etag === object.etag && isMd5(etag)) return true
  const head = await unlessGone(reading.head(object.key))
  return head !== undefined && head.size === object.size && head.etag === etag
}
