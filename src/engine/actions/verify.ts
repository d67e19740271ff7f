import { StorageError } from '../../errors.js'
import type { CopyJob } from '../../job/copy.js'
import type { Outcome } from '../../job/outcome.js'
import { NO_VERDICTS, type Difference, type Problem, type Verdict, type Verdicts } from '../../job/verdicts.js'
import type { VerifyJob } from '../../job/verify.js'
import { printable } from '../../keys.js'
import { able, type ObjectHead, type ObjectSummary } from '../../storage/storage.js'
import type { Notice } from '../../storage/notice.js'
import type { Pair } from '../../sources/pair-listing.js'
import { leavingOutPairs } from './compared-pairs.js'
import { haveOtherAnnotations, mayHaveAnnotations } from './annotations.js'
import { both } from './both.js'
import { copyAction, refusal } from './copy-object.js'
import { unlessTrulyGone } from './gone.js'
import type { ActionContext } from './context.js'
import { isSameAcl, traitsThatDiffer } from './asked-attributes.js'
import {
  contentByHead,
  contentByListing,
  headersThatDiffer,
  sameTags,
  type ContentVerdict,
  type ListedContent,
} from './compare-objects.js'
import { asTold, headOf, unclearBetween, type Unclear } from './manifests.js'
import type { PagesOptions } from '../lanes/page-lanes.js'
import type { ConcurrencyLimit } from '../lanes/concurrency-limit.js'

/** How the objects of a name compare. */
interface Finding extends Pick<Difference, 'differs' | 'problem' | 'fixed'> {
  readonly likeness: Verdict
  /** What the destination has, where that had to be looked up. */
  readonly seen?: ObjectSummary | undefined
}

/** Collects findings. */
export interface Report {
  /** Characters that wait to be collected. */
  readonly length: number
  add(pair: Pair, finding: Finding): void
  /** The lines and counts of what was added since the last call. */
  collect(): { readonly text: string; readonly gain: Verdicts }
}

/** A report with a line for each difference, under the full key of the source. */
export function createReport(
  { source, destination, verbose }: VerifyJob,
  lineOf: (difference: Difference) => string,
): Report {
  let text = ''
  let gain = { ...NO_VERDICTS }
  return {
    get length() {
      return text.length
    },
    add(pair, { likeness, seen, ...found }) {
      gain[likeness]++
      if (found.fixed === true) gain.fixed++
      if (likeness === 'same' || (likeness === 'same-size' && !verbose)) return
      text += lineOf({
        ...{ key: source.prefix + pair.key, verdict: likeness, ...found },
        ...(pair.name === undefined ? {} : { to: destination.prefix + pair.name }),
        ...{ source: pair.known === undefined ? traits(pair.source) : undefined },
        ...{ destination: traits(pair.destination ?? seen) },
      })
    },
    collect() {
      const collected = { text, gain }
      text = ''
      gain = { ...NO_VERDICTS }
      return collected
    },
  }
}

function traits(object: ObjectSummary | undefined): Difference['source'] {
  return object === undefined ? undefined : { size: object.size, etag: object.etag }
}

/** What comparing needs beside its job. */
export interface VerifyContext extends ActionContext {
  readonly slots: ConcurrencyLimit
  readonly report: Report
  /** Told of what is not compared. */
  readonly notice?: ((notice: Notice) => void) | undefined
  /** Aborted when no further object is to be begun. */
  readonly stop: AbortSignal
  /** Called with what ends the run. */
  readonly fail: (error: unknown) => void
}

/**
 * Compares pages of pairs. What the listings settle costs no request, the rest is done in the slots. Findings are reported and settled in the order
 * of the keys, each in one step.
 */
export function verifying(job: VerifyJob, context: VerifyContext): PagesOptions<Pair>['take'] {
  const { slots, report, stop, fail } = context
  const isUnclear = unclearBetween(context.source, context.destination)
  const compare = comparing(job, context)
  const isLeftOut = leavingOutPairs(job)
  return (pairs, settle) => {
    const findings = pairs.map((pair) =>
      isLeftOut?.(pair) === true ? LEFT_OUT : findingByListing(job, pair, isUnclear),
    )
    let first = 0
    const advance = (): void => {
      const from = first
      for (; first < pairs.length; first++) {
        const [pair, finding] = [pairs[first], findings[first]]
        if (pair === undefined || finding === undefined) break
        if (finding !== LEFT_OUT) report.add(pair, finding)
      }
      if (first > from) settle(first - from)
    }
    const one = (pair: Pair, index: number): Promise<void> =>
      new Promise((resolve) =>
        slots.add(async () => {
          try {
            if (!stop.aborted) findings[index] = await compare(pair)
            if (index === first) advance()
          } catch (error) {
            fail(error)
          }
          slots.ended()
          resolve()
        }),
      )
    const rest = async (): Promise<void> => {
      const begun: Promise<void>[] = []
      let granted = 0
      for (const [index, pair] of pairs.entries()) {
        if (findings[index] !== undefined) continue
        if (granted === 0) granted = await slots.room()
        if (stop.aborted) break
        granted--
        begun.push(one(pair, index))
      }
      await Promise.all(begun)
    }
    advance()
    return first === pairs.length ? undefined : rest()
  }
}

const SAME: Finding = { likeness: 'same' }
// Not to be reported.
const LEFT_OUT: Finding = { likeness: 'same' }
const SAME_SIZE: Finding = { likeness: 'same-size' }
const MISSING: Finding = { likeness: 'missing' }
const EXTRA: Finding = { likeness: 'extra' }
// What holds no content of its own is no copy.
const POINTS_ELSEWHERE: Finding = { likeness: 'different', differs: ['manifest'] }
const OTHER_SIZE: Finding = { likeness: 'different', differs: ['size'] }

/** What the listings alone say, if that is all that is asked for. */
function findingByListing(job: VerifyJob, pair: Pair, isUnclear: Unclear | undefined): Finding | undefined {
  const { source, destination } = pair
  if (pair.known?.kind === 'failed') return { likeness: 'unknown', problem: problemIn(pair.known.failure) }
  if (pair.misnamed !== undefined) return { likeness: 'missing', problem: pair.misnamed }
  if (isStillToSee(job, pair)) return undefined
  if (source === undefined || destination === undefined) {
    const finding = oneSided(job, pair)
    return job.fix && finding === MISSING ? undefined : finding
  }
  if (isUnclear?.(source, destination) === true) return undefined
  const content = contentByListing(source, destination)
  if (content === 'different') return job.fix ? undefined : OTHER_SIZE
  if (job.deep || job.acl === true || job.annotations === true || (job.bytes && source.size > 0)) return undefined
  return content === 'unclear' ? undefined : content === 'same' ? SAME : SAME_SIZE
}

function problemIn({ code, message }: Problem): Problem {
  return { code, message }
}

// What has no name at all there is not asked for.
function isStillToSee({ destination }: VerifyJob, { key, name = key, unseen }: Pair): boolean {
  return unseen === true && destination.prefix + name !== ''
}

// A marker of the folder that a prefix names has no name left where the other prefix is empty.
function oneSided(job: VerifyJob, { key, name = key, source, destination }: Pair): Finding {
  const [only, other] = source === undefined ? [destination, job.source] : [source, job.destination]
  if (only === undefined || (key === '' && name === '' && other.prefix === '' && only.size === 0)) return SAME
  return source === undefined ? EXTRA : MISSING
}

/** Compares one pair by requests, and mends it if the job says so. Undefined: the run is ending, and nothing can be said. Rejects with what ends the run. */
function comparing(
  job: VerifyJob,
  ways: Pick<VerifyContext, 'notice'> & ActionContext,
): (pair: Pair) => Promise<Finding | undefined> {
  const [from, to] = [ways.source.reading, ways.destination.reading]
  const isUnclear = unclearBetween(ways.source, ways.destination)
  const copyJob: CopyJob = { kind: 'copy', source: job.source, destination: job.destination }
  const copy = copyAction(copyJob, ways)
  // A side on which an object is listed and not found is not known to lack it.
  const here = <T>(key: string, answer: Promise<T>) => unlessTrulyGone(ways.source, key, answer)
  const there = <T>(key: string, answer: Promise<T>) => unlessTrulyGone(ways.destination, key, answer)

  // Whoever may look at objects may not be allowed to look at these: then they are told once, and not compared.
  let compares = true
  const uncompared = (why: string): void => {
    if (compares) ways.notice?.({ kind: 'not-told annotations', message: `annotations are not compared: ${why}` })
    compares = false
  }
  const annotationsDiffer = async (object: ObjectSummary, name: string): Promise<boolean> => {
    const { source, destination } = ways
    if (!compares) return false
    try {
      const differ = await haveOtherAnnotations(source, object, destination, name)
      if (differ !== undefined) return differ
      const { bucket } = mayHaveAnnotations(source) ? job.destination : job.source
      uncompared(`the store of s3://${printable(bucket)} has none`)
    } catch (error) {
      if (!(error instanceof StorageError) || error.status !== 403) throw error
      const { operation, code, bucket } = error
      uncompared(`those of s3://${printable(bucket)} cannot be read (${operation} ${printable(code)})`)
    }
    return false
  }

  const look = async (pair: Pair): Promise<Finding> => {
    if (pair.source === undefined || pair.destination === undefined) return oneSided(job, pair)
    const { key } = pair
    const { key: name } = pair.destination
    let [a, b]: [ListedContent, ListedContent] = [pair.source, pair.destination]
    const unclear = isUnclear?.(a, b) === true
    if (a.size !== b.size && !unclear) return OTHER_SIZE
    let content = contentByListing(a, b)
    let differs: string[] = []
    if (job.deep || unclear || (content === 'unclear' && !job.bytes)) {
      const [head, other] = await both(
        here(key, headOf(ways.source, pair.source)),
        there(name, headOf(ways.destination, pair.destination)),
      )
      if (head === undefined || other === undefined) return gone(head, other)
      if (other.manifest === true) return POINTS_ELSEWHERE
      if (head.size !== other.size) return OTHER_SIZE
      // They may have been written to since they were listed.
      ;[a, b] = [head, other]
      content = contentByHead(head, other)
      if (job.deep) {
        const { storageClass } = pair.source
        differs = headersThatDiffer(head, other)
        const traits = traitsThatDiffer(head, other, [storageClass, pair.destination.storageClass])
        if (differs.length === 0 && head.unshown + other.unshown > 0) return NOT_SHOWN
        if (head.tags > 0 && head.tags === other.tags) {
          const [tags, others] = await both(here(key, from.tagging(key)), there(name, to.tagging(name)))
          if (tags === undefined || others === undefined) return gone(tags, others)
          if (!sameTags(tags.header, others.header)) differs.push('tags')
        }
        const hidden = traits.includes('lock') && (await there(name, to.hidesLock?.(name) ?? SHOWN))
        differs.push(...traits.filter((trait) => trait !== 'lock' || hidden !== true))
      }
    }
    if (job.acl === true) {
      const [acl, other] = await both(here(key, able(from.acl, ACLS)(key)), there(name, able(to.acl, ACLS)(name)))
      if (acl === undefined || other === undefined) return gone(acl, other)
      if (!isSameAcl(acl, other)) differs.push('acl')
    }
    if (job.annotations === true && (await annotationsDiffer(pair.source, name))) differs.push('annotations')
    if (job.bytes && a.size > 0) {
      const [digest, other] = await both(here(key, from.digest(key, a)), there(name, to.digest(name, b)))
      if (digest === undefined || other === undefined) return gone(digest, other)
      content = digest === other ? 'same' : 'different'
    }
    return conclusion(content, differs)
  }

  const lookUp = async (pair: Pair): Promise<Finding> => {
    if (!isStillToSee(job, pair)) return await look(pair)
    const { key, name = key } = pair
    const unknown = { key: name, size: 0, etag: '', lastModified: '', storageClass: '' }
    const head = await there(name, to.head(name))
    const seen = head && { ...asTold(unknown, head), storageClass: head.storageClass }
    const both = { ...pair, unseen: false, destination: seen }
    const finding = findingByListing({ ...job, fix: false }, both, isUnclear) ?? (await look(both))
    return seen === undefined ? finding : { ...finding, seen }
  }

  const compare = async (pair: Pair): Promise<Finding | undefined> => {
    try {
      return await lookUp(pair)
    } catch (error) {
      const problem = problemOf(error)
      if (problem?.code === 'PreconditionFailed') return { likeness: 'different', differs: ['changed'] }
      // Without its key nobody can look closer, and its ETag is no MD5.
      if (problem?.code === 'SSE-C' && !job.deep && !job.bytes && pair.unseen !== true) return SAME_SIZE
      return problem === undefined ? undefined : { likeness: 'unknown', problem }
    }
  }

  // What is there now, so that nothing is called mended that is not.
  const again = async (object: ObjectSummary): Promise<Finding | undefined> => {
    const { key } = object
    const now = async (head: Promise<ObjectHead | undefined>): Promise<ObjectSummary | undefined> => {
      const found = await head
      return found === undefined ? undefined : { ...found, key, lastModified: '' }
    }
    try {
      const [a, b] = await both(now(here(key, headOf(ways.source, object))), now(there(key, to.head(key))))
      const pair = { key, source: a, destination: b }
      return findingByListing({ ...job, fix: false }, pair, isUnclear) ?? (await compare(pair))
    } catch (error) {
      const problem = problemOf(error)
      return problem === undefined ? undefined : { likeness: 'unknown', problem }
    }
  }

  const mend = async (object: ObjectSummary, finding: Finding): Promise<Finding | undefined> => {
    const outcome = refusal(copyJob, object, { distinctBuckets: ways.settings.distinctBuckets }) ?? (await copy(object))
    if (outcome === undefined) return undefined
    if (outcome.kind !== 'copied') return { ...finding, fixed: whyNot(outcome) }
    const after = await again(object)
    if (after === undefined) return undefined
    if (after.likeness === 'same' || after.likeness === 'same-size') return { ...finding, fixed: true }
    const message = `it was copied, and then compared as ${after.likeness}${after.differs === undefined ? '' : `: ${after.differs.join(', ')}`}`
    return { ...finding, fixed: after.problem ?? { code: 'StillDifferent', message } }
  }

  return async (pair) => {
    const finding = await compare(pair)
    const mendable = finding?.likeness === 'missing' || finding?.likeness === 'different'
    if (!job.fix || !mendable || pair.source === undefined) return finding
    return isBeyond(finding) ? { ...finding, fixed: NOT_MENDED } : await mend(pair.source, finding)
  }
}

const ACLS = 'show access control lists'
const SHOWN = Promise.resolve(false)

/** What no copy changes that is made as a plain one. */
const BEYOND: ReadonlySet<string> = new Set(['acl', 'encryption', 'lock'])
const NOT_MENDED: Problem = {
  code: 'NotMended',
  message:
    'a plain copy changes neither access control list, nor lock, nor encryption: s3move copy with --preserve acl,lock,encryption does',
}

function isBeyond({ differs = [] }: Finding): boolean {
  return differs.length > 0 && differs.every((name) => BEYOND.has(name))
}

const NOT_SHOWN: Finding = {
  likeness: 'unknown',
  problem: { code: 'MetadataNotShown', message: 'it has metadata that HTTP cannot show' },
}

function conclusion(content: ContentVerdict, differs: readonly string[]): Finding {
  if (content === 'different') return { likeness: 'different', differs: ['content', ...differs] }
  if (differs.length > 0) return { likeness: 'different', differs }
  return content === 'same' ? SAME : SAME_SIZE
}

// What is gone from both sides is as equal as can be.
function gone(source: unknown, destination: unknown): Finding {
  if (source === undefined) return destination === undefined ? SAME : EXTRA
  return MISSING
}

function whyNot(outcome: Outcome): Problem {
  if (outcome.kind === 'failed') return { code: outcome.failure.code, message: outcome.failure.message }
  return { code: 'NotCopied', message: outcome.kind === 'skipped' ? outcome.reason : outcome.kind }
}

// Undefined when nothing can be said because the run is ending. What ends it is thrown on.
function problemOf(error: unknown): Problem | undefined {
  if (!(error instanceof StorageError) || error.severity === 'stop-run') throw error
  return error.severity === 'retry' || error.severity === 'throttle'
    ? undefined
    : { code: error.code, message: error.message }
}
