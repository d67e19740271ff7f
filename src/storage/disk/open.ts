import type { FolderIdentity } from '../../job/place.js'
import type { FromDescriptor, Opening, OpeningTools, Sides, StoreDescriptor } from '../backend.js'
import type { OpenOptions } from '../open.js'
import { createMeter, retrying, type StoreFor } from '../retry.js'
import type { BucketTraits } from '../storage.js'
import {
  checkOutside,
  checkWritable,
  notOurs,
  openFolder,
  openFolderToWrite,
  type OpenedFolder,
} from './open-folder.js'
import { DiskStore } from './store.js'

/** Where a folder is. */
interface FolderDescriptor extends StoreDescriptor {
  readonly folder: OpenedFolder
}

/** Opens a folder by its descriptor. */
export const folderFrom: FromDescriptor = (descriptor, _credentials, _settings, notice) => {
  const { place, folder } = descriptor as FolderDescriptor
  return new DiskStore(place, folder, notice)
}

/** Begins to open those sides of a job that are folders. */
export function openFolders(_: Sides, options: OpenOptions, { policy, notice }: OpeningTools): Opening {
  let source: OpenedFolder | undefined
  const toRead = async (folder: string): Promise<OpenedFolder> => {
    const opened = await openFolder(folder, { before: options.sourceFolder, emptied: options.emptied ?? false })
    return (source = { ...opened, strays: options.strays })
  }
  const toWrite = async (folder: string): Promise<OpenedFolder> =>
    options.readOnly || options.rehearsal === true
      ? await lookAt(folder, options.readOnly)
      : await openFolderToWrite(folder, { again: options.again ?? false })
  return {
    async open(side, place) {
      if (source !== undefined) await checkOutside(source, place.bucket)
      const folder = await (side === 'source' ? toRead : toWrite)(place.bucket)
      const disk = new DiskStore(place, folder, notice)
      // What a disk is asked counts as no request.
      const meter = createMeter()
      const storeFor: StoreFor = (_, setAside) => retrying(disk, policy, meter, undefined, setAside)
      const route: FolderDescriptor = { place, folder }
      return {
        ...{ store: storeFor(), storeFor, route, credentials: undefined, ...OF_FOLDERS },
        ...(side === 'source' ? { folder: identityOf(folder) } : {}),
        unwritable: disk.writing === undefined ? notOurs(place.bucket) : undefined,
      }
    },
    pair: () => Promise.resolve({ streamed: true, distinctBuckets: true }),
    stillAllowed: () => Promise.resolve(true),
    completed: (connection) => connection,
    close: () => undefined,
  }
}

async function lookAt(folder: string, readOnly: boolean): Promise<OpenedFolder> {
  const opened = await openFolder(folder, { mayBeWritten: true })
  if (!readOnly) await checkWritable(folder)
  return opened
}

function identityOf({ names, device, inode }: OpenedFolder): FolderIdentity {
  return { names, device, inode }
}

// A folder has no access control lists and no versions.
const OF_FOLDERS = {
  traits: (): Promise<BucketTraits> => Promise.resolve({ acls: undefined, versioned: false }),
  keepsTags: (): Promise<boolean> => Promise.resolve(true),
  keepsAnnotations: false,
}
