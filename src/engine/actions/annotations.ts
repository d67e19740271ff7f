import PQueue from 'p-queue'
import { StorageError } from '../../errors.js'
import type { CopyJob } from '../../job/copy.js'
import type { Attributes } from '../../job/object-attributes.js'
import type { Transfer } from '../../job/transfer.js'
import { renamer } from '../../rules/rename.js'
import {
  able,
  type AnnotationSummary,
  type ObjectHead,
  type ObjectSummary,
  type Storage,
} from '../../storage/storage.js'
import type { WorkItem } from '../../sources/work-source.js'
import type { ActionContext, Requests } from './context.js'
import { asTold } from './manifests.js'
import { both } from './both.js'
import { checkUnchanged, LIMITS } from './multipart.js'

/** The code of a copy that is there without all annotations of its source. */
export const NOT_ANNOTATED = 'AnnotationsNotKept'

/** Annotations of one object under way at once. */
const AT_ONCE = 4

/**
 * Whether copies that are no CopyObject get the annotations of their sources. Neither a listing nor HEAD tells of them, so that each object costs a
 * request more: nothing beside what a copy in parts costs, and much beside a small one whose bytes pass through this machine.
 */
export function carriesAnnotations({ preserve = [], drop = [] }: Attributes = {}, streamed: boolean): boolean {
  return preserve.includes('annotations') || (!streamed && !drop.includes('annotations'))
}

/** Whether no copy of an object takes annotations along, so that they need requests of their own. */
export function needsAnnotating({ size }: Pick<ObjectSummary, 'size'>, streamed: boolean): boolean {
  return streamed || size > LIMITS.copy
}

/** Whether copies leave annotations behind of which nobody has said that they are to be kept, or not. */
export function leavesAnnotations({ preserve = [], drop = [] }: Attributes = {}, context: ActionContext): boolean {
  const { source, settings } = context
  return settings.streamed && ![...preserve, ...drop].includes('annotations') && mayHaveAnnotations(source)
}

/** Whether the store may have annotations, as far as anybody has found out. */
export function mayHaveAnnotations({ annotating }: Storage): boolean {
  return annotating !== undefined && annotating.known() !== false
}

/** The annotations of an object. Rejects as `Annotating.list` does; `instead` is what a person can do where they cannot be listed. */
export async function annotationsOf(
  store: Storage,
  { key, version }: Pick<ObjectSummary, 'key' | 'version'>,
  instead = '',
): Promise<readonly AnnotationSummary[]> {
  const { annotating } = store
  if (annotating === undefined || annotating.known() === false) return []
  try {
    return await annotating.list(key, version)
  } catch (error) {
    if (!(error instanceof StorageError) || error.severity !== 'fail-object') throw error
    throw error.with({ message: `its annotations cannot be listed (${error.message})${instead}` })
  }
}

/** An object that was just written, and the ETag that it got. */
interface Copy {
  readonly store: Storage
  readonly key: string
  readonly etag: string
}

/** Makes a copy, and answers its ETag; `known` is what HEAD tells of the source, if it was asked. */
export type WriteCopy = (object: ObjectSummary, race: number, known?: ObjectHead) => Promise<string>

/**
 * The same with the annotations of the source, which neither copies in parts nor streamed ones have, where they are to have them. An object that
 * somebody writes to meanwhile is an error of code `PreconditionFailed`: its annotations must be those of what was copied.
 */
export function withAnnotations(job: CopyJob, ways: ActionContext, write: WriteCopy): WriteCopy {
  const { source, destination, settings } = ways
  if (source.annotating === undefined || !carriesAnnotations(job.attributes, settings.streamed)) return write
  const nameOf = renamer(job.map)
  return async (object, race, known) => {
    const annotations = await annotationsOf(source, object, WITHOUT)
    if (annotations.length === 0) return await write(object, race, known)
    const head = known ?? (await source.reading.head(object.key, object.version, object))
    const now = asTold(object, head)
    const etag = await write(now, race, head)
    await annotate(source, object, annotations, { store: destination, key: nameOf(object.key), etag })
    try {
      await checkUnchanged(source, now)
    } catch (error) {
      throw error instanceof StorageError ? error.with({ operation: READ }) : error
    }
    return etag
  }
}

/** What it sends for an object without annotations. */
export function requestsForAnnotations({ attributes }: Transfer, { source, settings }: ActionContext): Requests {
  const asks = mayHaveAnnotations(source) && carriesAnnotations(attributes, settings.streamed)
  return asks ? { ListObjectAnnotations: 1 } : {}
}

// They are read one by one, for together they may have a gigabyte. When one of them fails the copy is there without.
async function annotate(
  source: Storage,
  { key, version }: ObjectSummary,
  annotations: readonly AnnotationSummary[],
  copy: Copy,
): Promise<void> {
  try {
    await checkTakesAnnotations(copy)
    const queue = new PQueue({ concurrency: AT_ONCE })
    const done = await Promise.allSettled(
      annotations.map(({ name }) =>
        queue.add(async () => {
          const text = await source.annotating?.read(key, name, version)
          // Somebody has taken it away meanwhile.
          if (text !== undefined) await copy.store.annotating?.write(copy.key, name, text, copy.etag)
        }),
      ),
    )
    for (const one of done) if (one.status === 'rejected') throw one.reason
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    const isOfCopy = error.operation === WRITE
    // Somebody else has written in its place: what is there is not ours to annotate.
    if (isOfCopy && error.code === 'PreconditionFailed') return
    // The source is gone, and so are they.
    if (error.severity === 'skip' && !isOfCopy) return
    if (error.severity !== 'fail-object' && error.severity !== 'skip') throw error
    const message = `it is copied, but without all of its ${annotations.length} annotations (${error.message})`
    throw error.with({ message, severity: 'fail-object', code: NOT_ANNOTATED })
  }
}

// Told apart by nothing else: another store would take the text for the content of the object.
async function checkTakesAnnotations({ store, key }: Copy): Promise<void> {
  const { annotating, place } = store
  if (annotating !== undefined && annotating.known() === undefined) await annotating.list(key)
  if (annotating?.known() === true) return
  throw new StorageError('the store that it is written to has none', {
    ...{ severity: 'fail-object', code: 'NotImplemented', operation: WRITE, bucket: place.bucket },
    key: place.prefix + key,
  })
}

const WITHOUT = ': a new copy with --no-preserve annotations copies it without'
const WRITE = 'PutObjectAnnotation'
const READ = 'GetObjectAnnotation'

/** Whether it was for its annotations that an object failed before: its copy is there, without all of them. */
export function annotationsFailed({ failedIn }: WorkItem): boolean {
  return failedIn !== undefined && /ObjectAnnotations?$/.test(failedIn)
}

/** Whether an object that is there is without the annotations which a copy would have got by requests of their own. Rejects as `Annotating` does. */
export async function lacksAnnotations(
  { attributes }: Transfer,
  object: ObjectSummary,
  { source, destination, settings: { streamed } }: ActionContext,
  name: string,
): Promise<boolean> {
  if (!needsAnnotating(object, streamed) || !carriesAnnotations(attributes, streamed)) return false
  const [ones, others] = await listed(source, object, destination, name)
  return await differ(ones, others, { source, object, destination, name })
}

/** Whether two objects have other annotations; undefined where one of the stores has none at all. What is not equal by ETag is read. Rejects as `Annotating` does. */
export async function haveOtherAnnotations(
  source: Storage,
  object: ObjectSummary,
  destination: Storage,
  name: string,
): Promise<boolean | undefined> {
  const mayBoth = (): boolean => mayHaveAnnotations(source) && mayHaveAnnotations(destination)
  if (!mayBoth()) return undefined
  const [ones, others] = await listed(source, object, destination, name)
  // Asked for the first time, one may have answered that it has none.
  return mayBoth() ? await differ(ones, others, { source, object, destination, name }) : undefined
}

type Listed = readonly AnnotationSummary[]

async function listed(source: Storage, object: ObjectSummary, destination: Storage, name: string) {
  return await both(annotationsOf(source, object), annotationsOf(destination, { key: name }))
}

async function differ(
  ones: Listed,
  others: Listed,
  {
    source,
    object,
    destination,
    name,
  }: Record<'source' | 'destination', Storage> & {
    readonly object: ObjectSummary
    readonly name: string
  },
): Promise<boolean> {
  if (ones.length !== others.length) return true
  const there = new Map(others.map((one) => [one.name, one] as const))
  for (const one of ones) {
    const other = there.get(one.name)
    if (other === undefined || other.size !== one.size) return true
    if (one.etag !== '' && one.etag === other.etag) continue
    const [text, copied] = await both(
      able(source.annotating, ANNOTATE).read(object.key, one.name, object.version),
      able(destination.annotating, ANNOTATE).read(name, one.name),
    )
    if (text === undefined || copied?.equals(text) !== true) return true
  }
  return false
}

const ANNOTATE = 'have annotations'
