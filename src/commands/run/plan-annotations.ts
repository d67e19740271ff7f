import {
  annotationsOf,
  carriesAnnotations,
  mayHaveAnnotations,
  needsAnnotating,
} from '../../engine/actions/annotations.js'
import { StorageError } from '../../errors.js'
import { onlyDeletes, type WriteJob } from '../../job/kinds.js'
import type { SampledAnnotations } from '../../prices/run-cost.js'
import type { OpenStores } from '../../storage/open.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { lookedAt } from './plan-sample.js'

/** What objects of a sample have in annotations that their copies get; undefined where there can be none. Once `stop` aborts, no further one is looked at. */
export async function annotationsOfSample(
  job: WriteJob,
  objects: readonly ObjectSummary[],
  { source, settings: { streamed } }: Pick<OpenStores, 'source' | 'settings'>,
  stop: AbortSignal,
): Promise<SampledAnnotations | undefined> {
  const { store } = source
  const attributes = 'attributes' in job ? job.attributes : undefined
  if (onlyDeletes(job) || objects.length === 0 || !carriesAnnotations(attributes, streamed)) return undefined
  if (!mayHaveAnnotations(store)) return undefined
  const seen = await lookedAt(objects, stop, async (object) => {
    try {
      return { object, annotations: await annotationsOf(store, object) }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      return undefined
    }
  })
  // Asked for the first time, it may have answered that it has none.
  if (!mayHaveAnnotations(store)) return undefined
  const known = seen.filter((one) => one !== undefined)
  const sum = (of: typeof known, by: (size: number) => number): number =>
    of.reduce((all, { annotations }) => annotations.reduce((n, { size }) => n + by(size), all), 0)
  const byHand = known.filter(({ object }) => needsAnnotating(object, streamed))
  return {
    ...{ looked: known.length, unknown: seen.length - known.length },
    ...{ annotations: sum(known, () => 1), bytes: sum(known, (size) => size), read: sum(byHand, () => 1) },
  }
}
