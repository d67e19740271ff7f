import type { Place } from '../../job.js'
import { lookingFirst } from '../looking-first.js'
import type { ListFrom, Page, Reading, Removing, Storage, Writing } from '../storage.js'
import { diskFault, fault, type Asked, type Notice } from './faults.js'
import { listPage } from './listing.js'
import type { OpenedFolder } from './marker.js'
import { createReading } from './reading.js'
import { createRemoving } from './removing.js'
import { Snapshots } from './snapshots.js'
import { Tree } from './tree.js'
import { createWriting } from './writing.js'

/**
 * A folder as a store, for one thread; others may have opened it as well. Its objects are those that were written to it or, where somebody else
 * made the folder, its files; such a folder is not written to.
 */
export class DiskStore implements Storage {
  readonly reading: Reading
  readonly writing?: Writing
  readonly removing: Removing
  private readonly tree: Tree
  private readonly snapshots: Snapshots

  constructor(
    readonly place: Place,
    folder: OpenedFolder,
    notice: (notice: Notice) => void,
  ) {
    this.tree = new Tree(folder)
    const first = firstOfEach(notice)
    this.snapshots = new Snapshots(this.tree, (what) => {
      if (folder.complete === true) throw incomplete(this.tree.root, what)
      first({ kind: 'passed-over', message: `passed over: ${what} (others like it are not told)` })
    })
    this.reading = createReading(this.tree, first)
    this.removing = lookingFirst(createRemoving(this.tree))
    if (folder.names !== 'literal') this.writing = createWriting(this.tree)
  }

  async list(from: ListFrom): Promise<Page> {
    const asked: Asked = { operation: 'ListObjectsV2', bucket: this.tree.root }
    try {
      const page = await listPage(this.tree, this.snapshots, from, asked)
      // What vanished with its disk meanwhile was left out.
      await this.tree.nothing(asked)
      return page
    } catch (error) {
      throw diskFault(error, asked)
    }
  }
}

/** Passes on the first notice of each kind. */
export function firstOfEach(tell: (notice: Notice) => void): (notice: Notice) => void {
  const told = new Set<Notice['kind']>()
  return (notice) => {
    if (!told.has(notice.kind)) tell(notice)
    told.add(notice.kind)
  }
}

function incomplete(bucket: string, what: string): Error {
  const asked: Asked = { operation: 'ListObjectsV2', bucket }
  const message = `${what}, and with --delete all that it stands for would be deleted at the destination`
  return fault(
    asked,
    'stop-run',
    'NoObject',
    message,
    'put what it stands for in its place, move it away, or leave --delete away',
  )
}
