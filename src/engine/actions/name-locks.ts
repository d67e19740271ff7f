import { crc32 } from 'node:zlib'
import { StorageError } from '../../errors.js'
import type { Place } from '../../job/place.js'

/** Names that share a cell wait for each other without need: with a thousand under way, one of sixty does. */
const CELLS = 65_536
const FREE = 0
const TAKEN = 1

/** How long one waits before it looks whether the run is ending, in milliseconds: a thread that died wakes nobody. */
const LONGEST_WAIT = 1_000

/** What threads share to take turns. */
export function sharedTurns(): SharedArrayBuffer {
  return new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT)
}

/**
 * Turns at the names of a store that does not honour `If-None-Match`: between look and write nobody else of this process, in whatever thread,
 * writes to the name.
 */
export class NameLocks {
  private readonly cells: Int32Array<SharedArrayBuffer>

  constructor(
    /** By `sharedTurns`. */
    shared: SharedArrayBuffer,
    /** Aborted when who waits is to give up. */
    private readonly stop: AbortSignal,
  ) {
    this.cells = new Int32Array(shared)
  }

  /** Does the work when it is its turn at the name, and gives that back. Rejects with severity `retry` when the run ends before. Turns do not nest. */
  async at<T>({ bucket, prefix }: Place, name: string, work: () => Promise<T>): Promise<T> {
    const cell = crc32(name) % CELLS
    while (Atomics.compareExchange(this.cells, cell, FREE, TAKEN) !== FREE) {
      if (this.stop.aborted) {
        throw new StorageError('the run is ending', {
          ...{ severity: 'retry', code: 'Interrupted', operation: 'HeadObject', bucket, key: prefix + name },
        })
      }
      await Atomics.waitAsync(this.cells, cell, TAKEN, LONGEST_WAIT).value
    }
    try {
      return await work()
    } finally {
      Atomics.store(this.cells, cell, FREE)
      Atomics.notify(this.cells, cell, 1)
    }
  }
}
