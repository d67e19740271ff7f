import type { SampledObject, SampleState } from '../../checkpoint/unfinished-rehearsal.js'
import { foresee, type FidelityReport, type Receiving } from '../../engine/actions/fidelity.js'
import { StorageError } from '../../errors.js'
import type { WriteJob } from '../../job/kinds.js'
import type { Transfer } from '../../job/transfer.js'
import { compareKeys } from '../../keys.js'
import type { OpenStores } from '../../storage/open.js'
import type { ObjectSummary } from '../../storage/storage.js'

/** So many objects are looked at at once. */
const AT_ONCE = 16

/** A number of objects of which each that came so far is one with the same chance. */
export class ObjectSample {
  readonly #taken: SampledObject[]
  #seen: number

  /** Goes on from `before`. */
  constructor(
    private readonly most: number,
    before: SampleState = NO_SAMPLE,
    private readonly random: () => number = Math.random,
  ) {
    this.#taken = [...before.taken]
    this.#seen = before.seen
  }

  /** Takes in an object, in any order. */
  add(object: ObjectSummary): void {
    this.#seen++
    if (this.#taken.length < this.most) {
      this.#taken.push(sampled(object))
      return
    }
    const at = Math.floor(this.random() * this.#seen)
    if (at < this.most) this.#taken[at] = sampled(object)
  }

  /** As it is kept. */
  state(): SampleState {
    return { seen: this.#seen, taken: [...this.#taken] }
  }

  /** Those of the sample, by key. */
  objects(): readonly ObjectSummary[] {
    return this.#taken.toSorted((a, b) => compareKeys(a.key, b.key))
  }
}

const NO_SAMPLE: SampleState = { seen: 0, taken: [] }

// What it was listed with may be much more.
function sampled(object: ObjectSummary): SampledObject {
  const { key, size, etag, lastModified, storageClass, version, manifest } = object
  return {
    ...{ key, size, etag, lastModified, storageClass },
    ...(version === undefined ? {} : { version }),
    ...(manifest === undefined ? {} : { manifest }),
  }
}

/** Something that copies would be without, or otherwise. */
export interface SampledLoss {
  readonly what: string
  /** How many of the sample. */
  readonly objects: number
  /** The first of them. */
  readonly example: string
}

/** What a look at a sample of the objects tells of their copies. */
export interface SampledLosses {
  /** How many were looked at, and how many of these could not be. */
  readonly looked: number
  readonly unknown: number
  readonly losses: readonly SampledLoss[]
  readonly notes: readonly SampledLoss[]
}

/** Looks at objects for what their copies would lose; undefined where a job makes none. Once `stop` aborts, no further one is looked at. */
export async function lossesOfSample(
  job: WriteJob,
  objects: readonly ObjectSummary[],
  ends: Pick<OpenStores, 'source' | 'destination' | 'settings'>,
  stop: AbortSignal,
): Promise<SampledLosses | undefined> {
  if (!('destination' in job)) return undefined
  const { source, destination, settings } = ends
  const traits = remembering((locks: boolean) =>
    Promise.resolve(destination?.traits(locks) ?? { acls: undefined, versioned: undefined }),
  )
  const keepsTags = remembering(async () => (settings.streamed ? await destination?.keepsTags() : true))
  const receiving: Receiving = { traits, keepsTags: () => keepsTags(true), software: destination?.software }
  const reports: (FidelityReport | undefined)[] = []
  const queue = objects.entries()
  const look = async (): Promise<void> => {
    for (const [at, object] of queue) {
      if (stop.aborted) return
      reports[at] = await reportOf(job, object, source.store, receiving)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, look))
  const seen = Object.values(reports)
  const known = seen.filter((report) => report !== undefined)
  return {
    ...{ looked: known.length, unknown: seen.length - known.length },
    losses: grouped(known, ({ losses }) => losses),
    notes: grouped(known, ({ notes }) => notes),
  }
}

async function reportOf(
  job: Transfer,
  object: ObjectSummary,
  source: OpenStores['source']['store'],
  receiving: Receiving,
): Promise<FidelityReport | undefined> {
  try {
    return await foresee(job, source, receiving, { objects: [object], truncated: false })
  } catch (error) {
    // It is one of a sample: what is wrong with all the run itself would tell.
    if (error instanceof StorageError) return undefined
    throw error
  }
}

function grouped(
  reports: readonly FidelityReport[],
  of: (report: FidelityReport) => readonly string[],
): readonly SampledLoss[] {
  const found = new Map<string, SampledLoss>()
  for (const report of reports) {
    for (const what of of(report)) {
      const before = found.get(what)
      found.set(what, { what, objects: (before?.objects ?? 0) + 1, example: before?.example ?? report.key })
    }
  }
  return [...found.values()].sort((a, b) => b.objects - a.objects)
}

// What the destination says once is true of all objects.
function remembering<T>(ask: (about: boolean) => Promise<T>): (about: boolean) => Promise<T> {
  const answers = new Map<boolean, Promise<T>>()
  return async (about) => {
    const answer = answers.get(about) ?? ask(about)
    answers.set(about, answer)
    return await answer
  }
}
