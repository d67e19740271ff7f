import { StorageError } from '../../errors.js'
import type { CopyJob } from '../../job/copy.js'
import type { Deferral, Outcome } from '../../job/outcome.js'
import { isFolder } from '../../job/place.js'
import type { Transfer } from '../../job/transfer.js'
import { renamer } from '../../rules/rename.js'
import { able, type ObjectHead, type ObjectSummary } from '../../storage/storage.js'
import { failed, outcomeOf } from './outcome.js'
import { requestsForAnnotations, withAnnotations } from './annotations.js'
import { allTogether, type ActionContext, type Requests } from './context.js'
import { needsHead, wishFor } from './copy-attributes.js'
import { anewInParts, unlessChanged, type PartsAnew } from './copy-in-parts.js'
import { lookingAgain, onceOf } from './as-one.js'
import { checkUnchanged, LIMITS, partSizeFor, type Limits } from './multipart.js'
import type { Action } from '../lanes/lane.js'
import { headOf, LARGE_OBJECT, largeObject, mayBeManifest, POINTS } from './manifests.js'
import { sentParts } from './sent-parts.js'
import { checkingCopies } from './spot-checks.js'
import { passageOf, streaming, STREAM_LIMITS } from './copy-streamed.js'
import { keepTags, taggingOf } from './tags.js'

/** Decides, without any request, what will not be copied and why; undefined for the objects to copy. */
export function refusal(
  job: Pick<CopyJob, 'source' | 'destination'>,
  object: ObjectSummary,
  {
    name = object.key,
    distinctBuckets,
  }: { readonly name?: string; readonly distinctBuckets?: boolean | undefined } = {},
): Outcome | undefined {
  const { source, destination } = job
  const inOneBucket = distinctBuckets === undefined ? source.bucket === destination.bucket : !distinctBuckets
  const target = destination.prefix + name
  if (target === '') {
    // A folder marker says only that its folder exists, and the destination is the folder here.
    return object.size === 0
      ? { kind: 'skipped', reason: 'prefix-marker' }
      : failed(source.prefix, object, {
          code: 'NoNameLeft',
          message: 'the object is named like the source prefix, so nothing is left for its name at the destination',
        })
  }
  if (inOneBucket && target.startsWith(source.prefix)) {
    return failed(source.prefix, object, {
      code: 'OverlapsSource',
      message: 'the copy would lie inside the source prefix, where it may replace an object that is still to be copied',
    })
  }
  return undefined
}

/** Puts off an object that is too large for one request: hours may pass until it is copied. */
export function deferral(
  { source }: Pick<CopyJob, 'source'>,
  object: ObjectSummary,
  streamed = false,
): Deferral | undefined {
  const { key, size, etag, lastModified, storageClass, version } = object
  // Their ledger is one of objects as they are now.
  if (size <= (streamed ? STREAM_LIMITS.apart : LIMITS.copy) || version !== undefined) return undefined
  return { kind: 'deferred', object: { key: source.prefix + key, size, etag, lastModified, storageClass } }
}

/** The requests that a copy of an object takes; without those that only a look at it can tell, for tags and retries. */
export function requestsOfCopy(job: Transfer, object: ObjectSummary, context: ActionContext): Requests {
  const { streamed } = context.settings
  const dropsTags = context.destination.rewriting?.dropsTags === true && (!streamed || passageOf(object) === 'parts')
  return allTogether([
    requestsFor(job, object, streamed),
    !streamed && mayBeManifest(context.source, object) ? { HeadObject: 1 } : {},
    dropsTags ? requestsForTags(job, object) : {},
    streamed || object.size > LIMITS.copy ? requestsForAnnotations(job, context) : {},
  ])
}

// A store that keeps the tags of the source, whatever it is sent, is looked at, and told of those that are not told by a look alone.
function requestsForTags({ attributes = {} }: Transfer, { size }: ObjectSummary): Requests {
  const { tagging, drop = [] } = attributes
  if (tagging !== undefined && size > LIMITS.copy) return { HeadObject: 1 }
  if (tagging !== undefined) return { HeadObject: 1, PutObjectTagging: 1 }
  if (size > LIMITS.copy) return {}
  if (drop.includes('tags')) return { HeadObject: 1 }
  return drop.includes('metadata') && !needsHead(attributes) ? { HeadObject: 1 } : {}
}

function requestsFor(
  { source, destination, attributes = {}, partSize }: Transfer,
  object: ObjectSummary,
  streamed: boolean,
): Requests {
  const { size } = object
  const acl = attributes.preserve?.includes('acl') === true ? { GetObjectAcl: 1 } : {}
  if (streamed) {
    const { part } = STREAM_LIMITS
    const passage = passageOf(object)
    const parts = Math.ceil(size / (passage === 'parts' ? partSizeFor(size, partSize ?? part) : part))
    const reads = {
      whole: { [size === 0 ? 'HeadObject' : 'GetObject']: 1 },
      piped: { HeadObject: 1, GetObject: parts },
      parts: { HeadObject: 2, GetObject: parts },
    }[passage]
    const writes =
      passage === 'parts'
        ? { CreateMultipartUpload: 1, UploadPart: parts, CompleteMultipartUpload: 1 }
        : { PutObject: 1 }
    return { ...(isFolder(source) ? {} : { ...reads, ...acl }), ...(isFolder(destination) ? {} : writes) }
  }
  if (size <= LIMITS.copy) return { CopyObject: 1, ...(needsHead(attributes) ? { HeadObject: 1 } : {}), ...acl }
  return {
    ...{ CreateMultipartUpload: 1, CompleteMultipartUpload: 1, HeadObject: 2, ...acl },
    UploadPartCopy: Math.ceil(size / partSizeFor(size, partSize ?? LIMITS.part)),
  }
}

/** The action of `copy` on one object: a CopyObject and, for what that does not carry, a look at the source before it; in parts what is larger. */
export function copyAction(job: CopyJob, ways: ActionContext, limits: Limits = LIMITS): Action {
  const { source, destination } = ways
  const { attributes, map } = job
  if (ways.settings.streamed) return streaming(job, ways)
  const copyFrom = able(destination.copyFrom, 'copy')
  const small = attributes === undefined && map === undefined ? copyFrom : carefully(job, ways)
  const large = withAnnotations(job, ways, anewInParts(job, ways, { part: limits.part }, sentInstead(ways)))
  let streamOne: Action | undefined
  const stream = async (object: ObjectSummary): Promise<Outcome | undefined> => {
    if (attributes?.checksumAlgorithm !== undefined) {
      throw largeObject(source, object.key, 'its copy would not have the checksum of --checksum-algorithm')
    }
    streamOne ??= streaming(job, ways)
    return await streamOne(object)
  }
  const check = checkingCopies(job, ways)
  const act: Action = async (object) => {
    try {
      if (mayBeManifest(source, object) && (await headOf(source, object)).manifest === true) return await stream(object)
      const etag = await (object.size > limits.copy
        ? unlessChanged((race) => large(object, race))
        : small(source, object))
      return check?.isDue(object) === true ? await check.outcome(object, etag) : { kind: 'copied', etag }
    } catch (error) {
      if (error instanceof StorageError && error.code === LARGE_OBJECT && object.manifest !== true) {
        // Neither its listing nor what named it had shown that.
        return await act({ ...object, manifest: true })
      }
      return outcomeOf(error, job.source.prefix, object)
    }
  }
  return act
}

// How parts are made where a store cannot copy them inside itself: there are stores without UploadPartCopy (Storj).
function sentInstead({ source, memory }: ActionContext): PartsAnew | undefined {
  const { part: piece } = STREAM_LIMITS
  if (memory === undefined) return undefined
  return { part: piece, make: (object, head) => sentParts(source, object, head, { memory, piece }) }
}

/** Copies an object that has attributes of its own. Answers the ETag of the copy. */
function carefully(job: CopyJob, { source, destination }: ActionContext) {
  const { attributes = {} } = job
  const nameOf = renamer(job.map)
  const copyFrom = able(destination.copyFrom, 'copy')
  const { tagging, drop = [] } = attributes
  const wanted = tagging === undefined ? undefined : taggingOf(tagging)
  const dropsTags = destination.rewriting?.dropsTags === true
  const keepsTags = tagging === undefined && !drop.includes('tags')
  const looks = needsHead(attributes) || (dropsTags && keepsTags && drop.includes('metadata'))
  const attempt = async (object: ObjectSummary, head: ObjectHead | undefined): Promise<string> => {
    if (head?.manifest === true) throw largeObject(source, object.key, POINTS)
    const wish = await wishFor(attributes, source, object, head)
    const name = nameOf(object.key)
    const sent = { ...wish, key: name }
    const etag = await (head === undefined || destination.conditional === true
      ? copyFrom(source, object, sent)
      : lookingAgain(
          destination,
          async () => {
            await checkUnchanged(onceOf(source), { ...object, lastModified: head.lastModified })
            return undefined
          },
          (once) => able(once.copyFrom, 'copy')(source, object, sent),
        ))
    if (!dropsTags) return etag
    const { key, version } = object
    // Such a store keeps the tags of the source, whatever it is sent, and loses them with new headers.
    if (wanted !== undefined) await keepTags(destination, name, { etag, tags: undefined }, wanted)
    else if (!keepsTags) await keepTags(destination, name, { etag, tags: 0 }, taggingOf(''))
    else if (head !== undefined && head.tags > 0) {
      await keepTags(destination, name, { etag, tags: head.tags }, await source.reading.tagging(key, version))
    }
    return etag
  }
  return (_: unknown, object: ObjectSummary): Promise<string> =>
    unlessChanged(async (race) => {
      const head = race > 0 || looks ? await source.reading.head(object.key, object.version, object) : undefined
      return await attempt(head === undefined ? object : { ...object, etag: head.etag, size: head.size }, head)
    })
}
