import { isAborted, unlessAborted } from '../../abort.js'
import { listOf, type ScanJob } from '../../job/kinds.js'
import type { Failure } from '../../job/outcome.js'
import { addPassedOver, type PassedOver } from '../../job/passed-over.js'
import { entryNeedsOf } from '../../sources/files-from/files-from-source.js'
import { GrantedRowsReader } from '../../sources/files-from/granted-rows.js'
import { storedFiles } from '../../sources/files-from/stored-files.js'
import type { Complete } from '../../sources/named-object.js'
import { factsOf } from '../../sources/page-facts.js'
import type { RangeClaim, WorkItem } from '../../sources/work-source.js'
import { GIVEN_UP, UnlikeOthers } from '../../storage/set-aside.js'
import type { ObjectSummary } from '../../storage/storage.js'
import { lookingUp } from '../actions/look-up-listed.js'
import { ConcurrencyLimit } from '../lanes/concurrency-limit.js'
import { runClaims } from '../lanes/page-lanes.js'
import type { Reader } from './readers.js'
import type { WorkerTask, WorkerTaskOptions } from './tasks.js'

/** What a thread got out of rows of an inventory that it read. */
export interface RowsProduct {
  /** What the task yields. */
  readonly product: ReturnType<Reader<ObjectSummary>['collect']>
  /** How many objects the rows name. */
  readonly objects: number
  readonly passedOver: PassedOver
  /** Of those that could not be looked at. */
  readonly unread: readonly Failure[]
}

/** A thread's share of a task over an inventory whose rows the threads read. */
export function rowsWorkshop(options: WorkerTaskOptions, job: ScanJob, reader: Reader<ObjectSummary>): WorkerTask {
  const { source, inventory, settings, stop } = options
  const list = listOf(job)
  if (list === undefined) throw new Error('there is no inventory to be read')
  const slots = new ConcurrencyLimit(settings.concurrency, settings)
  const setAside = new UnlikeOthers(GIVEN_UP)
  const complete = lookingUp({ job, storeFor: (pacer) => source(pacer, setAside), slots, stop })
  const rows = new GrantedRowsReader(list, entryNeedsOf(job, inventory && storedFiles(inventory())))
  let objects = 0
  let passedOver: PassedOver = {}
  let unread: Failure[] = []
  const take = (items: readonly WorkItem[], more: PassedOver): void => {
    const found = items.filter(({ known }) => {
      if (known?.kind === 'failed') unread.push(known.failure)
      return known === undefined
    })
    if (found.length > 0) void reader.take(found, () => undefined)
    objects += items.length
    passedOver = addPassedOver(passedOver, more)
  }
  return {
    async run() {
      const read = (grant: RangeClaim): Promise<void> =>
        readRows(grant, rows, { ...options, complete, take, isFull: () => reader.isFull() })
      // One that reads keeps a thread busy, and holds some pieces of each column.
      await runClaims({ ...options, lanes: 1 }, read)
      await rows.close().catch(() => undefined)
    },
    collect() {
      const product: RowsProduct = { product: reader.collect(), objects, passedOver, unread }
      objects = 0
      passedOver = {}
      unread = []
      return { product, transfer: 'bytes' in product.product ? [product.product.bytes.buffer] : [] }
    },
    get inFlight() {
      return slots.busy
    },
    held: undefined,
    takeRefused: () => undefined,
  }
}

interface RowsOptions extends Pick<WorkerTaskOptions, 'stop' | 'room' | 'flush'> {
  readonly complete: Complete
  readonly take: (items: readonly WorkItem[], passedOver: PassedOver) => void
  readonly isFull: () => boolean
}

async function readRows(grant: RangeClaim, rows: GrantedRowsReader, options: RowsOptions): Promise<void> {
  const { complete, take, isFull, stop, room, flush } = options
  if (grant.rows === undefined) throw new Error('rows are to be read, and none were granted')
  const named = rows.read(grant.rows)
  let { row } = grant.rows
  try {
    for (;;) {
      const step = await unlessAborted(named.next(), stop)
      if (step === undefined || isAborted(stop)) return
      if (step.done === true) break
      const { objects, next, passedOver } = step.value
      const items = await complete(objects)
      await room()
      if (items === undefined || isAborted(stop)) return
      take(items, passedOver)
      grant.settle('', next - row)
      row = next
      if (isFull()) flush()
    }
    if (grant.rows.until === undefined) await grant.accept({ ...factsOf([], { truncated: false }), count: row })
  } finally {
    void named.return().catch(() => undefined)
  }
}
