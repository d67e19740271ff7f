import type { Place } from '../job/place.js'
import type { Backend, FromDescriptor } from './backend.js'
import { FOLDERS } from './disk/folders.js'
import { BUCKETS } from './s3/buckets.js'

// What they open with is loaded when it is needed: the SDK takes as long to load as all the rest, and threads do without it.
const BACKENDS: readonly Backend[] = [
  {
    ...FOLDERS,
    open: async (...given) => (await import('./disk/open.js')).openFolders(...given),
    examine: async (sides) => await (await import('./disk/examine.js')).examineFolders(sides),
    loadStores: async () => (await import('./disk/open.js')).folderFrom,
  },
  {
    ...BUCKETS,
    open: async (...given) => await (await import('./s3/open.js')).openBuckets(...given),
    examine: async (...given) => await (await import('./s3/examine.js')).examineBuckets(...given),
    batch: async (...given) => await (await import('./s3/batch-control.js')).openS3Batch(...given),
    upload: async (...given) => await (await import('./s3/stream-upload.js')).openStreamUpload(...given),
    loadStores: async () => (await import('./s3/descriptor.js')).bucketFrom,
  },
]

/** The backend of a place. */
export function backendOf(place: Place): Backend {
  const backend = BACKENDS.find((one) => one.opens(place))
  if (backend === undefined) throw new Error(`no backend opens ${place.bucket}`)
  return backend
}

/** What opens stores of any kind by their descriptors. */
export async function loadStores(): Promise<FromDescriptor> {
  const known = new Map<Backend, FromDescriptor>()
  for (const backend of BACKENDS) known.set(backend, await backend.loadStores())
  return (descriptor, ...given) => {
    const open = known.get(backendOf(descriptor.place))
    if (open === undefined) throw new Error('a store of no backend')
    return open(descriptor, ...given)
  }
}
