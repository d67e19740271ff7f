import { StorageError } from '../../errors.js'
import { isFolder } from '../../job/place.js'
import type { ObjectHead, ObjectSummary, Storage } from '../../storage/storage.js'

/**
 * Large objects of Swift's API: manifests, which name the objects that hold the content. Ceph copies the manifest, so that the copy is lost with the parts
 * of its source, and drops it when it gives an object new headers, which leaves 0 bytes. A dynamic one is listed as empty (Ceph, Swift), a
 * static one by Ceph with the ETag of nothing and the size of its manifest.
 * See https://docs.openstack.org/swift/latest/overview_large_objects.html.
 */
const ETAG_OF_NOTHING = 'd41d8cd98f00b204e9800998ecf8427e'

/** The code of what can only be said, or done, of an object that is no large object of Swift's API. */
export const LARGE_OBJECT = 'SwiftLargeObject'
/** Why no copy inside a store is one. */
export const POINTS = 'a copy inside the store would point to these as well'

type Seen = Pick<ObjectSummary, 'size' | 'etag' | 'manifest'>
type Looks = Pick<Storage, 'place' | 'manifests' | 'reading' | 'list'>

/** Whether a listing shows an object as it shows a manifest: nothing else is looked at. */
export function mayBeManifest({ manifests }: Pick<Storage, 'manifests'>, { size, etag, manifest }: Seen): boolean {
  return manifests === true && (size === 0 || etag === ETAG_OF_NOTHING || manifest === true)
}

/** Whether the listings of two stores cannot tell how two objects compare, as one of them may be a manifest; undefined where none can be. */
export function unclearBetween(
  source: Pick<Storage, 'manifests'>,
  destination: Pick<Storage, 'manifests'>,
): Unclear | undefined {
  if (source.manifests !== true && destination.manifests !== true) return undefined
  return (one, other) => mayBeManifest(source, one) || mayBeManifest(destination, other)
}

/** Whether listings cannot tell how an object of the source and one of the destination compare. */
export type Unclear = (source: Seen, destination: Seen) => boolean

/**
 * What HEAD tells of an object, and whether it is a manifest as far as that and its listing tell. Rejects as `Reading.head` does, and for a manifest
 * without content: what it pointed to is gone.
 */
export async function headOf(store: Looks, object: ObjectSummary): Promise<ObjectHead> {
  const head = await store.reading.head(object.key, object.version, object)
  if (head.manifest === true && head.size === 0) throw largeObject(store, object.key, 'none of these is there')
  if (head.manifest === true || !mayBeManifest(store, object)) return head
  if (object.manifest === true || (await isContradicted(store, object, head))) return asManifest(head)
  return head
}

/** The object as HEAD has it. */
export function asTold(object: ObjectSummary, { size, etag, lastModified, manifest }: ObjectHead): ObjectSummary {
  return { ...object, size, etag, lastModified, ...(manifest === true ? { manifest } : {}) }
}

/** An object that was named without having been listed: its listing, which tells whether it is a manifest where HEAD does not. */
export async function listedAsManifest(store: Looks, object: ObjectSummary): Promise<boolean> {
  if (store.manifests !== true || object.version !== undefined) return false
  const { objects } = await store.list({ within: object.key, limit: 1 })
  const [listed] = objects
  return listed?.key === object.key && listed.size === 0
}

/** The head of an object that is known to be a manifest. */
export function asManifest(head: ObjectHead): ObjectHead {
  return { ...head, manifest: true, plainEtag: false }
}

/** The error of a large object of Swift's API of which this is the trouble. */
export function largeObject({ place }: Pick<Storage, 'place'>, key: string, trouble: string): StorageError {
  const error = new StorageError(`it is a large object of Swift’s API, whose content is in other objects: ${trouble}`, {
    ...{ severity: 'fail-object', code: LARGE_OBJECT, operation: 'HeadObject', bucket: place.bucket },
    key: place.prefix + key,
  })
  error.attempts = 1
  return error
}

// The listing says that it is empty, HEAD that it is not. Either it was written since it was listed, and is listed so by now, or it is a manifest.
async function isContradicted(store: Looks, object: ObjectSummary, head: ObjectHead): Promise<boolean> {
  if (object.size > 0 && object.etag === ETAG_OF_NOTHING) return true
  if (object.size > 0 || head.size === 0 || isFolder(store.place)) return false
  if (object.version !== undefined) return true
  const [now] = (await store.list({ within: object.key, limit: 1 })).objects
  return now?.key !== object.key || now.size !== head.size
}
