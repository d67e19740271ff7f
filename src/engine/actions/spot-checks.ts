import { StorageError, UserError } from '../../errors.js'
import type { CopyJob } from '../../job/copy.js'
import type { Attributes } from '../../job/object-attributes.js'
import type { Outcome } from '../../job/outcome.js'
import { isFolder, placeUrl, type Place } from '../../job/place.js'
import type { SetHeadersJob } from '../../job/set-headers.js'
import type { Transfer } from '../../job/transfer.js'
import { printable } from '../../keys.js'
import { renamer } from '../../rules/rename.js'
import type { Notice } from '../../storage/notice.js'
import type { HeaderFields, ObjectHead, ObjectSummary, Storage } from '../../storage/storage.js'
import type { WorkItem } from '../../sources/work-source.js'
import { failed, unlessGone } from './outcome.js'
import type { ActionContext, Requests } from './context.js'
import { annotationsOf, leavesAnnotations } from './annotations.js'
import { onceOf } from './as-one.js'
import { lacksOf, type AskedAttributes, type MissingAttribute } from './asked-attributes.js'
import { fieldsOfNew } from './copy-attributes.js'
import { areApart } from './compare-objects.js'

/** The code of an object that does not have what it was written with. */
export const NOT_KEPT = 'AttributesNotKept'

/** So many of the first objects that a thread writes are looked at, beside the first of each lane, and one of so many of the rest. */
const FIRST_CHECKED = 3
const CHECKED_OF = 10_000
/** How often a lane looks at the next object because somebody wrote to the one that it looked at, or a look failed. */
const TRIES = 3

/** How many of `written` objects are looked at, at most, by so many lanes in so many threads; more only where somebody writes to them meanwhile. */
export function mostChecks(
  written: number,
  { lanes, threads }: { readonly lanes: number; readonly threads: number },
): number {
  return Math.min(written, Math.max(lanes, threads) + (FIRST_CHECKED - 1) * threads + Math.floor(written / CHECKED_OF))
}

/** The requests of one look at a copy; without those that only a look at it can tell, for its tags. */
export function requestsOfCopyCheck(
  { source, destination, attributes = {} }: Transfer,
  context: ActionContext,
): Requests {
  const { acl, preserve, tagging } = attributes
  if (isFolder(destination)) return {}
  const reads = isFolder(source) ? 1 : 2
  return {
    HeadObject: reads,
    ...(preserve?.includes('acl') === true ? { GetObjectAcl: reads } : acl === undefined ? {} : { GetObjectAcl: 1 }),
    ...(tagging === undefined ? {} : { GetObjectTagging: 1 }),
    ...(leavesAnnotations(attributes, context) ? { ListObjectAnnotations: 1 } : {}),
  }
}

/** Where the findings of a thread go. */
export interface CheckOptions {
  /** What is not kept is a failure: nothing more is to be written, and nothing is deleted whose copy lacks it. */
  readonly strict: boolean
  readonly notice: (notice: Notice) => void
  /** Called with what ends the run. */
  readonly fail: (error: unknown) => void
}

/** The looks of one thread at what it has written. */
export class SpotChecks {
  private written = 0

  constructor(readonly options: CheckOptions) {}

  /** Those of one of its lanes. */
  lane(): LaneChecks {
    return new LaneChecks(this.options, () => ++this.written <= FIRST_CHECKED || this.written % CHECKED_OF === 0)
  }
}

/** The looks of one lane. */
export class LaneChecks {
  private first = true
  private tries = TRIES

  constructor(
    private readonly options: CheckOptions,
    private readonly count: () => boolean,
  ) {}

  get strict(): boolean {
    return this.options.strict
  }

  /** Whether an object that was just written is to be looked at. Counts it. */
  isDue({ failedIn }: WorkItem): boolean {
    const counted = this.count()
    // What failed before may have failed for that.
    const due = counted || this.first || (failedIn !== undefined && this.options.strict)
    this.first = false
    return due
  }

  /**
   * The outcome of an object that was written and looked at: `look` answers what it lacks, or undefined where it does not tell, as somebody has written to
   * it. `named` is the object as people know it.
   */
  async outcome(
    written: Outcome,
    named: Named,
    look: () => Promise<readonly MissingAttribute[] | undefined>,
  ): Promise<Outcome | undefined> {
    const { strict, notice, fail } = this.options
    let lacks: readonly MissingAttribute[] | undefined
    try {
      lacks = await look()
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      // Only thrown where it is not tried again: the next one will do.
      if (error.severity !== 'retry' && error.severity !== 'throttle') this.untold(named, error)
      else if (strict) return undefined
    }
    if (lacks === undefined) {
      if (this.tries-- > 0) this.first = true
      return written
    }
    for (const { property, asked } of lacks.filter(isUntold)) {
      const message = `${named.host} does not tell the ${property} of ${named.url}: ${printable(asked)} was asked for, and whether it was kept is not known`
      notice({ kind: `not-told ${property}`, message })
    }
    const lost = lacks.filter((lack) => !isUntold(lack))
    if (lost.length === 0) return written
    if (!strict) {
      for (const lack of lost) {
        if (lack.property === ANNOTATIONS) {
          const message = `the source of ${named.url} has annotations, and its copy has none, as its bytes passed through this machine: --preserve annotations keeps them; others may have some, too`
          notice({ kind: 'not-kept annotations', message })
          continue
        }
        const message = `${named.host} has not kept what was asked for: ${saidOf(lack, named)}; others that were written may lack it too (--on-loss fail makes that a failure)`
        notice({ kind: `not-kept ${lack.property}`, message })
      }
      return written
    }
    const told = lost.map((lack) => saidOf(lack, named)).join('; ')
    fail(
      new UserError(
        `${named.host} has not kept what was asked for: ${told}`,
        'what was written before may lack it too: once the bucket can keep it, copy again from the start; to go on without, resume --on-loss warn, and then resume --only-failed',
      ),
    )
    return lossOf(named, told)
  }

  private untold({ host, url }: Named, { operation, code }: StorageError): void {
    const message = `whether ${host} keeps what was asked for is not known, for ${url} cannot be looked at (${operation} ${printable(code)})`
    this.options.notice({ kind: 'not-looked-at', message })
  }
}

/** An object as failures and people know it. */
interface Named {
  readonly prefix: string
  readonly object: ObjectSummary
  /** The server, and the object in it. */
  readonly host: string
  readonly url: string
}

function isUntold({ there }: MissingAttribute): boolean {
  return there === undefined
}

function saidOf({ property, asked, there = '' }: MissingAttribute, { url }: Named): string {
  return `${property} of ${url}: ${printable(asked)} was asked for, and it has ${printable(there)}`
}

function lossOf({ prefix, object, host }: Named, told: string): Outcome {
  const message = `${host} has not kept what was asked for: ${told}`
  return failed(prefix, object, { code: NOT_KEPT, message, operation: 'HeadObject', attempts: 1 })
}

function named(place: Place, host: string | undefined, name: string): { readonly host: string; readonly url: string } {
  return { host: host ?? place.bucket, url: placeUrl({ bucket: place.bucket, prefix: place.prefix + name }) }
}

/** How the copies of a job are looked at; undefined where that is not asked for, or they are files. */
export function checkingCopies({ source: from, destination: to, attributes, map }: CopyJob, ways: ActionContext) {
  const { checks, source, destination } = ways
  if (checks === undefined || isFolder(to)) return undefined
  const nameOf = renamer(map)
  // A look that fails costs nothing more, unless something rests on it.
  const [origin, store] = checks.strict ? [source, destination] : [onceOf(source), onceOf(destination)]
  return {
    isDue: (object: ObjectSummary): boolean => checks.isDue(object),
    outcome: (object: ObjectSummary, etag: string): Promise<Outcome | undefined> => {
      const name = nameOf(object.key)
      const look = async (): Promise<readonly MissingAttribute[] | undefined> => {
        const [copy, head] = await Promise.all([
          store.reading.head(name),
          unlessGone(origin.reading.head(object.key, object.version, object)),
        ])
        if (head === undefined) return undefined
        const isChanged = object.etag !== '' && head.etag !== object.etag
        if (isChanged || areApart(head.lastModified, object.lastModified) === true) return undefined
        if (etag !== '' && copy.etag !== etag) return undefined
        return await copyLacks({ attributes }, { ...ways, source: origin }, object, head, { store, name, copy })
      }
      return checks.outcome(
        { kind: 'copied', etag },
        { prefix: from.prefix, object, ...named(to, store.host, name) },
        look,
      )
    },
  }
}

/** What a copy lacks of all that was asked for; `head` is that of `object` in `source`. Rejects with what may pass. */
async function copyLacks(
  { attributes = {} }: { readonly attributes?: Attributes | undefined },
  ways: ActionContext,
  object: ObjectSummary,
  head: ObjectHead,
  { store, name, copy }: { readonly store: Storage; readonly name: string; readonly copy: ObjectHead },
): Promise<MissingAttribute[]> {
  const { source } = ways
  // Metadata that HTTP cannot show goes with a copy inside a store, and can be compared with nothing.
  const fields = await fieldsOfNew(attributes, source, object, { ...head, unshown: 0 })
  const noTags = attributes.drop?.includes('tags') === true
  const asked: AskedAttributes = { fields, named: attributes, before: head.headers, noTags }
  return [...(await lacksOf(asked, store, name, copy)), ...(await annotationsLeft(attributes, ways, object))]
}

// Those that nobody may list are not told here: the look before the start has done so.
async function annotationsLeft(
  attributes: Attributes,
  ways: ActionContext,
  object: ObjectSummary,
): Promise<MissingAttribute[]> {
  if (!leavesAnnotations(attributes, ways)) return []
  try {
    const { length } = (await unlessGone(annotationsOf(ways.source, object))) ?? []
    return length === 0
      ? []
      : [{ property: ANNOTATIONS, asked: `${length}, which --preserve annotations keeps,`, there: 'none' }]
  } catch (error) {
    if (error instanceof StorageError && error.severity === 'fail-object') return []
    throw error
  }
}

const ANNOTATIONS = 'annotations'

/** Why a moved object must stay where it is: its copy lacks what was asked for. Undefined when it does not. Rejects with what may pass. */
export async function whyCopyLacks(
  job: { readonly attributes?: Attributes | undefined },
  ways: ActionContext,
  object: ObjectSummary,
  head: ObjectHead,
  there: { readonly store: Storage; readonly name: string; readonly copy: ObjectHead },
): Promise<string | undefined> {
  const { store, name } = there
  const lost = (await copyLacks(job, ways, object, head, there)).filter((lack) => !isUntold(lack))
  if (lost.length === 0) return undefined
  const its = { prefix: '', object, ...named(store.place, store.host, name) }
  return `${its.host} has not kept what was asked for: ${lost.map((lack) => saidOf(lack, its)).join('; ')}`
}

/** How objects of a store whose headers were set are looked at. */
export function checkingRewrites(
  { source: place }: Pick<SetHeadersJob, 'source'>,
  rewritten: Storage,
  checks: LaneChecks,
) {
  const store = checks.strict ? rewritten : onceOf(rewritten)
  return {
    isDue: (object: ObjectSummary): boolean => checks.isDue(object),
    /** `fields` is what was sent, `before` the head from before. */
    outcome: (
      object: ObjectSummary,
      { etag, fields, before }: { readonly etag: string; readonly fields: HeaderFields; readonly before: ObjectHead },
    ): Promise<Outcome | undefined> => {
      const look = async (): Promise<readonly MissingAttribute[] | undefined> => {
        const now = await store.reading.head(object.key)
        if (etag !== '' && now.etag !== etag) return undefined
        return await lacksOf({ fields, before: before.headers }, store, object.key, now)
      }
      const its = { prefix: place.prefix, object, ...named(place, store.host, object.key) }
      return checks.outcome({ kind: 'copied' }, its, look)
    },
  }
}
