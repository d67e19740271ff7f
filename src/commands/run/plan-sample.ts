import type { SampledObject, SampleState } from '../../checkpoint/unfinished-rehearsal.js'
import { foresee, type FidelityReport, type Receiving } from '../../engine/actions/fidelity.js'
import { StorageError } from '../../errors.js'
import { mapOf, type WriteJob } from '../../job/kinds.js'
import type { Transfer } from '../../job/transfer.js'
import { compareKeys } from '../../keys.js'
import type { OpenStores } from '../../storage/open.js'
import { renamer } from '../../rules/rename.js'
import type { ObjectSummary, Storage } from '../../storage/storage.js'

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
  const { software, keepsAnnotations } = destination ?? {}
  const { streamed } = settings
  const receiving: Receiving = { traits, keepsTags: () => keepsTags(true), software, streamed, keepsAnnotations }
  const seen = await lookedAt(objects, stop, (object) => reportOf(job, object, source.store, receiving))
  const known = seen.filter((report) => report !== undefined)
  return {
    ...{ looked: known.length, unknown: seen.length - known.length },
    losses: grouped(known, ({ losses }) => losses),
    notes: grouped(known, ({ notes }) => notes),
  }
}

/** What is at the destination under the names that a sample of objects would get: their bytes by storage class. */
export interface SampledReplacements {
  /** How many were looked for, without those for which that failed. */
  readonly looked: number
  readonly bytes: Readonly<Record<string, number>>
}

/** Looks for what copies of a sample of objects would replace. Once `stop` aborts, no further one is looked for. */
export async function replacementsOfSample(
  job: WriteJob,
  objects: readonly ObjectSummary[],
  { reading }: Storage,
  stop: AbortSignal,
): Promise<SampledReplacements> {
  const nameOf = renamer(mapOf(job))
  const seen = await lookedAt(objects, stop, async ({ key }) => {
    try {
      return await reading.head(nameOf(key))
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      return error.severity === 'skip' ? 'none' : undefined
    }
  })
  const known = seen.filter((one) => one !== undefined)
  const bytes = new Map<string, number>()
  for (const one of known) {
    if (one !== 'none') bytes.set(one.storageClass, (bytes.get(one.storageClass) ?? 0) + one.size)
  }
  return { looked: known.length, bytes: Object.fromEntries(bytes) }
}

/** What looks at objects answer, in their order; some are looked at at once. Once `stop` aborts, no further one is looked at. */
export async function lookedAt<T>(
  objects: readonly ObjectSummary[],
  stop: AbortSignal,
  look: (object: ObjectSummary) => Promise<T>,
): Promise<readonly T[]> {
  const found: T[] = []
  const queue = objects.entries()
  const worker = async (): Promise<void> => {
    for (const [at, object] of queue) {
      if (stop.aborted) return
      found[at] = await look(object)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  // One that was not begun leaves a gap.
  return Object.values(found)
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
