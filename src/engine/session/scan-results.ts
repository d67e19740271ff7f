import type { ScanState } from '../../checkpoint/checkpoint.js'
import type { DuJob } from '../../job/du.js'
import type { LineFormat, LsJob } from '../../job/ls.js'
import { addVerdicts, type Verdicts } from '../../job/verdicts.js'
import type { DifferenceFormat, VerifyJob } from '../../job/verify.js'
import type { Keyspace } from '../../sources/ranges/keyspace.js'
import type { RangeClaim } from '../../sources/work-source.js'
import type { UsageCounts } from '../output/usage-counts.js'
import type { OutputWriter } from '../output/output-writer.js'
import type { Compression } from '../output/compression.js'
import type { Sink } from './scan-session.js'
import type { LinesProduct, VerifyProduct } from '../workers/readers.js'

/** Counts. `census` holds what was counted before, and afterwards all. */
export function duSink(job: DuJob, census: UsageCounts): Sink {
  return {
    task: { kind: 'usage', job },
    deliver(product, settle) {
      census.merge(product as ReturnType<UsageCounts['take']>)
      settle()
    },
    moved: () => undefined,
    state: () => ({ census: census.data() }),
    sync: () => Promise.resolve(),
  }
}

/** How lines of differences are to be made. */
export interface DifferencesOptions {
  readonly packing: Compression
  readonly format: DifferenceFormat
}

/** Counts what comes of comparing, from `before` on, and writes the differences to `outlet`. */
export function verifySink(
  job: VerifyJob,
  { packing, format }: DifferencesOptions,
  outlet: OutputWriter,
  before: Verdicts,
): Sink {
  let likenesses = before
  return {
    task: { kind: 'comparison', job, packing, format },
    deliver(product, settle) {
      const { bytes, gain } = product as VerifyProduct
      // Also when there is nothing to write: what is settled must not overtake what is being written.
      outlet.write(bytes, () => {
        likenesses = addVerdicts(likenesses, gain)
        settle()
      })
    },
    moved: () => undefined,
    state: () => ({ ...outlet.kept, likenesses }),
    sync: () => outlet.sync(),
  }
}

/** How lines are to be made. */
export interface LinesOptions {
  readonly format: LineFormat
  readonly packing: Compression
  readonly terminal: boolean
  /** How many were written before. */
  readonly before: number
}

/** Writes lines to `outlet`, as they come or in the order of the keys. */
export function lsSink(
  job: LsJob,
  { format, packing, terminal, before }: LinesOptions,
  outlet: OutputWriter,
  keyspace: Keyspace,
): Sink {
  let lines = before
  const state = (): ScanState => ({ ...outlet.kept, lines })
  const task: Sink['task'] = { kind: 'lines', job, format, packing, terminal }
  const common = { task, state, sync: () => outlet.sync() }
  const write = (product: LinesProduct, settle: () => void): void =>
    outlet.write(product.bytes, () => {
      lines += product.lines
      settle()
    })
  if (!job.sorted) {
    const deliver: Sink['deliver'] = (product, settle) => write(product as LinesProduct, settle)
    return { ...common, deliver, moved: () => undefined }
  }

  // By grant, pages that wait until all keys before theirs are written.
  const waiting = new Map<RangeClaim, { product: LinesProduct; settle: () => void }[]>()
  let writing = false
  const moved = (): void => {
    if (writing) return
    const front = keyspace.front()
    const pages = front === undefined ? undefined : waiting.get(front)
    const page = pages?.shift()
    if (front === undefined || pages === undefined || page === undefined) return
    if (pages.length === 0) waiting.delete(front)
    writing = true
    write(page.product, () => {
      page.settle()
      writing = false
      moved()
    })
  }
  const deliver: Sink['deliver'] = (product, settle, grant) => {
    if (grant === undefined) throw new Error('a page was delivered of no grant')
    const page = { product: product as LinesProduct, settle }
    const pages = waiting.get(grant)
    if (pages === undefined) waiting.set(grant, [page])
    else pages.push(page)
    moved()
  }
  return { ...common, deliver, moved }
}
