import type { Place } from '../../job/place.js'
import { lookingFirst } from '../looking-first.js'
import type {
  Describing,
  HeaderFields,
  ListFrom,
  ObjectSummary,
  Page,
  Reading,
  Removing,
  Storage,
  Writing,
} from '../storage.js'
import { toldOnce, type Notice } from '../notice.js'
import { diskFault, type Asked } from './storage-errors.js'
import { AttributesLogs } from './attributes-logs.js'
import { listPage, straysAbove } from './listing.js'
import type { OpenedFolder } from './open-folder.js'
import { createReading } from './reading.js'
import { createRemoving } from './deleting.js'
import { Snapshots } from './snapshots.js'
import { Tree } from './tree.js'
import { createWriting } from './writing.js'

/**
 * A folder as a store, for one thread; others may have opened it as well. Its objects are those that were written to it or, where somebody else
 * made the folder, its files; such a folder is not written to.
 */
export class DiskStore implements Storage {
  readonly reading: Reading
  readonly describing: Describing
  readonly writing?: Writing
  readonly removing: Removing
  private readonly tree: Tree
  private readonly snapshots: Snapshots
  private readonly keeps: (stray: ObjectSummary) => boolean

  constructor(
    readonly place: Place,
    folder: OpenedFolder,
    notice: (notice: Notice) => void,
  ) {
    this.tree = new Tree(folder)
    const logs = new AttributesLogs(this.tree)
    const first = toldOnce(notice)
    this.snapshots = new Snapshots(this.tree)
    this.keeps = ({ notAKey }) => {
      if (folder.strays === true) return true
      if (notAKey !== undefined) first({ kind: 'not-a-key', message: `passed over: ${notAKey.why} (NotAKey)` })
      return false
    }
    this.reading = createReading(this.tree, first)
    this.describing = { fields: (key) => toldFields(this.reading, key) }
    this.removing = lookingFirst(createRemoving(this.tree, logs))
    if (folder.names !== 'literal') this.writing = createWriting(this.tree, logs)
  }

  async list(from: ListFrom): Promise<Page> {
    const asked: Asked = { operation: 'ListObjectsV2', bucket: this.tree.root }
    try {
      const page = await listPage(this.tree, this.snapshots, from, asked, this.keeps)
      // What vanished with its disk meanwhile was left out.
      await this.tree.nothing(asked)
      return page
    } catch (error) {
      throw diskFault(error, asked)
    }
  }

  async notKeysAbove(key: string): Promise<readonly ObjectSummary[]> {
    const asked: Asked = { operation: 'ListObjectsV2', bucket: this.tree.root }
    try {
      return await straysAbove(this.snapshots, key, asked)
    } catch (error) {
      throw diskFault(error, asked)
    }
  }
}

// As a HEAD would say it.
async function toldFields(reading: Reading, key: string): Promise<HeaderFields> {
  const [head, grants] = [await reading.head(key), await reading.grants(key)]
  return [
    ['content-length', String(head.size)],
    ['etag', head.etag],
    ['last-modified', head.lastModified],
    ...head.headers,
    ...head.carried,
    ...[...head.checksums].map(([algorithm, value]) => [`x-amz-checksum-${algorithm}`, value] as const),
    ...grants,
  ]
}
