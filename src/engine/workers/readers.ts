import type { RunSettings } from '../../job/pace.js'
import type { CensusData } from '../../job/usage.js'
import type { Verdicts } from '../../job/verdicts.js'
import type { Notice } from '../../storage/notice.js'
import type { StoreFor } from '../../storage/retry.js'
import { GIVEN_UP, UnlikeOthers } from '../../storage/set-aside.js'
import type { ObjectSummary } from '../../storage/storage.js'
import type { ListRange } from '../../sources/listing-source.js'
import type { Keyed } from '../../sources/page-facts.js'
import { listedBy } from '../../sources/local-listing.js'
import { listingAfter } from '../../sources/page-listing.js'
import type { Pair } from '../../sources/pair-listing.js'
import { pairsOf } from '../actions/compared-pairs.js'
import { streamMemory } from '../actions/copy-streamed.js'
import { selecting } from '../actions/selected.js'
import { createReport, verifying } from '../actions/verify.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import type { PagesOptions } from '../lanes/page-lanes.js'
import { packer } from '../output/compression.js'
import { objectLineWriter } from '../output/ls-lines.js'
import { addRows, noRows, type ObjectRows } from '../output/object-rows.js'
import { UsageCounts } from '../output/usage-counts.js'
import { differenceLine } from '../output/verify-lines.js'
import type { Task } from './worker-pool.js'

/** What `ls` yields: whole lines, packed; they may be joined in any order. */
export interface LinesProduct {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Objects that have one. */
  readonly lines: number
}

/** What `verify` yields: what compared how, and whole lines of the differences, packed. */
export interface VerifyProduct {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly gain: Verdicts
}

/** What a job that only reads makes of its objects, wherever they come from. */
export interface Reader<T extends Keyed> {
  readonly listing: ListRange<T>
  readonly take: PagesOptions<T>['take']
  /** Whether what was taken in is enough to be collected before the time. */
  isFull(): boolean
  /** What was got out of the objects that were settled since the last call. */
  collect(): CensusData | LinesProduct | ObjectRows | VerifyProduct
  /** Objects being worked on now. */
  readonly inFlight: number
}

/** What a reader needs. */
export interface ReaderOptions {
  readonly source: StoreFor
  readonly destination: StoreFor | undefined
  readonly settings: RunSettings
  readonly stop: AbortSignal
  readonly fail: (error: unknown) => void
  readonly notice?: ((notice: Notice) => void) | undefined
}

/** Counts. */
export function countingReader({ job }: Task & { kind: 'usage' }, options: ReaderOptions): Reader<ObjectSummary> {
  const census = new UsageCounts({ depth: job.depth })
  const select = selecting(job)
  return {
    listing: objectsOf(options),
    take(objects, settle) {
      census.add(select?.(objects) ?? objects)
      settle(objects.length)
      return undefined
    },
    isFull: () => false,
    collect: () => census.take(),
    inFlight: 0,
  }
}

function objectsOf({ source, settings }: ReaderOptions): ListRange<ObjectSummary> {
  const listed = listedBy(source(), settings.sourceListing)
  return (after, first) => listingAfter(listed, after, first)
}

/** Text is packed and sent in pieces of about this many characters. */
const PIECE = 512 * 1024

/** Makes a line of each object. */
export function lineReader(
  { job, format, packing, terminal }: Task & { kind: 'lines' },
  options: ReaderOptions,
): Reader<ObjectSummary> {
  const write = objectLineWriter(format, job.source.prefix, terminal)
  const pack = packer(packing)
  const select = selecting(job)
  let text = ''
  let lines = 0
  return {
    listing: objectsOf(options),
    take(objects, settle) {
      const chosen = select?.(objects) ?? objects
      text += write(chosen)
      lines += chosen.length
      settle(objects.length)
      return undefined
    },
    isFull: () => job.sorted || text.length >= PIECE,
    collect() {
      const product: LinesProduct = { bytes: packed(pack, text), lines }
      text = ''
      lines = 0
      return product
    },
    inFlight: 0,
  }
}

/** Rows are sent in pieces of so many. */
const ROWS = 5000

/** Gives the objects as they are. */
export function objectRowReader({ job }: Task & { kind: 'rows' }, options: ReaderOptions): Reader<ObjectSummary> {
  const select = selecting(job)
  let rows = noRows()
  return {
    listing: objectsOf(options),
    take(objects, settle) {
      addRows(rows, job.source.prefix, select?.(objects) ?? objects)
      settle(objects.length)
      return undefined
    },
    isFull: () => rows.keys.length >= ROWS,
    collect() {
      const product = rows
      rows = noRows()
      return product
    },
    inFlight: 0,
  }
}

// Packed, nothing would be something.
function packed(pack: ReturnType<typeof packer>, text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(text === '' ? [] : pack(text))
}

/** Compares. */
export function comparingReader(
  { job, packing, format }: Task & { kind: 'comparison' },
  { source, destination, settings, stop, fail, notice }: ReaderOptions,
): Reader<Pair> {
  if (destination === undefined) throw new Error('there is no destination to compare with')
  const pack = packer(packing)
  const slots = new ConcurrencyLimit(settings.concurrency, settings)
  const report = createReport(job, (difference) => differenceLine(format, difference))
  // A pair that goes on failing while others are compared must not hold these up: what it is stays unknown.
  const setAside = new UnlikeOthers(GIVEN_UP)
  const ways = {
    source: source(undefined, setAside),
    destination: destination(undefined, setAside),
    settings,
    memory: streamMemory(settings),
    stop,
  }
  return {
    listing: pairsOf(
      job,
      listedBy(source(), settings.sourceListing),
      listedBy(destination(), settings.destinationListing),
    ),
    take: verifying(job, { ...ways, slots, report, fail, notice }),
    isFull: () => report.length >= PIECE,
    collect() {
      const { text, gain } = report.collect()
      const product: VerifyProduct = { bytes: packed(pack, text), gain }
      return product
    },
    get inFlight() {
      return slots.busy
    },
  }
}
