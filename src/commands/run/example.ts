import { byName } from '../../engine/actions/look-up-listed.js'
import { StorageError } from '../../errors.js'
import type { CopyJob } from '../../job/copy.js'
import { listOf, mapOf, type WriteJob } from '../../job/kinds.js'
import type { Selection } from '../../job/selection.js'
import { endsInSlash, isBeside, type KeyRange } from '../../keys.js'
import { renamer } from '../../rules/rename.js'
import { selector } from '../../rules/selection.js'
import type { OpenStore } from '../../storage/backend.js'
import type { DataFiles } from '../../storage/data-files.js'
import type { ObjectSummary, Page } from '../../storage/storage.js'
import { readKeyList } from '../../sources/files-from/read-list.js'
import { entryNeedsOf } from '../../sources/files-from/files-from-source.js'

/** How many objects are looked through where not all are selected. */
const SOME = 1000

/** What one object of a job is called, and is going to be called. */
export interface Example {
  readonly key: string
  readonly to: string
}

/**
 * An object of the source, with its name at the destination, so that a person sees what becomes of prefixes. Undefined when there is none among the
 * first, when the job makes no copies, and when the source does not tell: what is wrong with it is for the run to say.
 */
export async function exampleOf(
  job: WriteJob,
  source: Pick<OpenStore, 'store' | 'first'>,
  ranges: readonly KeyRange[],
  files?: DataFiles,
): Promise<Example | undefined> {
  if (!('destination' in job)) return undefined
  const nameOf = renamer(mapOf(job))
  const { prefix } = job.source
  const isOne = (key: string): boolean => {
    if ('prefixAs' in job && isBeside(key)) return false
    // The marker of the folder that the prefix names shows little.
    return (key !== '' || !endsInSlash(prefix)) && job.destination.prefix + nameOf(key) !== ''
  }
  let found: string | undefined
  try {
    found = listOf(job) === undefined ? await listed(job, source, ranges, isOne) : await named(job, isOne, files)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
  }
  return found === undefined ? undefined : { key: prefix + found, to: job.destination.prefix + nameOf(found) }
}

type Job = Extract<WriteJob, Pick<CopyJob, 'destination'>>
type Test = (key: string) => boolean

async function listed(
  { select, source: { prefix } }: Job,
  { store, first }: Pick<OpenStore, 'store' | 'first'>,
  [range]: readonly KeyRange[],
  isOne: Test,
): Promise<string | undefined> {
  if (range === undefined) return undefined
  const isSelected = select === undefined ? () => true : selector(select, prefix)
  const { after } = range
  // The first may be the marker.
  const page = async (): Promise<Page> => await store.list({ limit: select === undefined ? 2 : SOME, after })
  const { objects } = after === undefined && first !== undefined ? first : await page()
  return objects.find((object) => object.notAKey === undefined && isOne(object.key) && isSelected(object))?.key
}

async function named(job: Job, isOne: Test, files: DataFiles | undefined): Promise<string | undefined> {
  const list = listOf(job)
  if (list === undefined) return undefined
  const { prefix } = job.source
  const isSelected = selectedByName(job.select, prefix)
  let some = 0
  for await (const { key } of readKeyList(list, entryNeedsOf(job, files))) {
    const name = key.slice(prefix.length)
    if (isOne(name) && isSelected(name)) return name
    if (++some >= SOME) break
  }
  return undefined
}

// What else a selection asks of an object, a list may not tell.
function selectedByName(select: Selection | undefined, prefix: string): Test {
  if (select === undefined) return () => true
  const isSelected = selector(byName(select), prefix)
  const unknown: Omit<ObjectSummary, 'key'> = { size: 0, etag: '', lastModified: '', storageClass: '' }
  return (key) => isSelected({ ...unknown, key })
}
