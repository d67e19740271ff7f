import type { BatchableJob } from '../../batch/batchable.js'
import { HeaderSets, LEAST_ROWS, MOST_SETS, type CountedSet } from '../../batch/header-sets.js'
import { ManifestWriter, manifestRow } from '../../batch/manifest.js'
import type { RoutedObject } from '../../batch/route.js'
import type { BatchJobState } from '../../checkpoint/batch-state.js'
import type { ObjectOfSet } from '../../checkpoint/header-set-ledger.js'
import type { LateLedger, ObjectEntry } from '../../checkpoint/object-ledger.js'
import { isSetTags } from '../../job/set-tags.js'
import { count } from '../../report/format.js'
import { Interrupted } from '../options/io.js'
import type { BatchOutput } from './batch-plan.js'

/** Why s3move does objects itself that a job could do. */
export function rareFor(job: BatchableJob): string {
  const what = inSets(job)
  return `too few objects are to have the same ${what} (a job is for ${count(LEAST_ROWS)} at least, and for the ${count(MOST_SETS)} largest sets of ${what})`
}

/** What is the same for all objects of a set. */
export function inSets(job: BatchableJob): 'headers' | 'tags' {
  return isSetTags(job) ? 'tags' : 'headers'
}

/** Manifests that are written at once: each holds some parts of its upload in memory. */
const AT_ONCE = 8

/** Objects that are read at once. */
const PAGE = 5000

async function* pagesOf(ledger: LateLedger<ObjectOfSet>): AsyncGenerator<readonly ObjectEntry<ObjectOfSet>[]> {
  for (let at = 0; at < ledger.position.bytes;) {
    const entries = await ledger.read(at, PAGE)
    at = entries.at(-1)?.end ?? ledger.position.bytes
    yield entries
  }
}

/** The sets of what a ledger holds: as they were when the last of it was written. What lies behind its position is cut off. Rejects with `Interrupted` once `stop` is aborted. */
export async function setsOf(ledger: LateLedger<ObjectOfSet>, stop: AbortSignal): Promise<HeaderSets> {
  const sets = new HeaderSets()
  if (ledger.position.bytes > 0) await ledger.open()
  for await (const entries of pagesOf(ledger)) {
    if (stop.aborted) throw new Interrupted('interrupted')
    for (const { object } of entries) sets.addAgain(object.set, object.lastModified, object.begins)
  }
  return sets
}

interface SetsOutput {
  readonly to: BatchOutput
  /** What is to be written. */
  readonly ledger: LateLedger<ObjectOfSet>
  readonly job: BatchableJob
  /** Takes objects that no job is to do. */
  readonly leave: (objects: readonly RoutedObject[], reason: string) => Promise<void>
}

/** Writes manifests of the sets, some sets with each reading of the ledger, and leaves the objects of all others. */
export async function manifestsOfSets(
  sets: readonly CountedSet[],
  { to, ledger, job, leave }: SetsOutput,
): Promise<readonly BatchJobState[]> {
  const all = new Set(sets.map(({ number }) => number))
  const jobs: BatchJobState[] = []
  let written = 0
  for (let from = 0; from === 0 || from < sets.length; from += AT_ONCE) {
    const now = new Map(sets.slice(from, from + AT_ONCE).map((set) => [set.number, set]))
    const writer = new ManifestWriter<CountedSet>(to.folder, to.rowsAJob, to.send, written)
    try {
      for await (const entries of pagesOf(ledger)) {
        if (from === 0) {
          const rare = entries.flatMap(({ object }) => (all.has(object.set) ? [] : [object]))
          if (rare.length > 0) await leave(rare, rareFor(job))
        }
        for (const { object } of entries) {
          const set = now.get(object.set)
          if (set !== undefined) await writer.add(set, manifestRow(job.source.bucket, object.key), object.size)
        }
      }
      await writer.finish()
    } finally {
      await writer.close()
    }
    written += writer.written.length
    for (const { kind, ...manifest } of writer.written) {
      const { storageClass, fields, newest } = kind
      jobs.push({ ...manifest, storageClass, fields, unmodifiedSince: newest })
    }
  }
  return jobs
}
