import type { ListState } from '../../checkpoint/checkpoint.js'
import { addPassedOver, type PassedOver } from '../../job/passed-over.js'
import { entryNeedsOf } from '../../sources/files-from/files-from-source.js'
import { InventoryRanges } from '../../sources/files-from/inventory-ranges.js'
import type { RowsProduct } from '../workers/inventory-rows.js'
import type { Task, WorkerPool } from '../workers/worker-pool.js'
import { UnreadObjects, type ScanListOptions, type ScanNamed } from './scan-list.js'

/** The objects of an inventory that is believed: threads read its rows themselves. */
export class ScanInventory implements ScanNamed {
  private readonly ranges: InventoryRanges
  private readonly unreadObjects: UnreadObjects
  private passed: PassedOver
  settled = 0

  constructor(
    private readonly options: ScanListOptions,
    private readonly crew: WorkerPool,
    task: Task,
  ) {
    const { job, list, state, passedOver, ends, fail } = options
    this.unreadObjects = new UnreadObjects(options)
    this.passed = passedOver
    // What is written of a file is written in its order.
    const wholeFiles = task.kind !== 'usage'
    this.ranges = new InventoryRanges(list, entryNeedsOf(job, ends.listFiles), { begun: state, wholeFiles, fail })
  }

  get unread(): Readonly<Record<string, number>> {
    return this.unreadObjects.counts
  }

  get passedOver(): PassedOver {
    return this.passed
  }

  remaining(): ListState | undefined {
    const { state } = this.options
    const left = this.ranges.remaining()
    return left && { ...state, entries: state.entries + this.settled, ...left }
  }

  async run(task: Task, deliver: Parameters<ScanNamed['run']>[1]): Promise<void> {
    const { stop, fail } = this.options
    await this.crew.run({
      ...{ task, ranges: this.ranges, stop, fail },
      deliver: (given, settle) => {
        const { product, objects, passedOver, unread } = given as RowsProduct
        deliver(product, () => {
          settle()
          this.settled += objects
          this.passed = addPassedOver(this.passed, passedOver)
          for (const failure of unread) this.unreadObjects.add(failure)
        })
      },
    })
  }
}
