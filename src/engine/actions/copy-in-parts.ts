import { StorageError } from '../../errors.js'
import type { CopyJob } from '../../job/copy.js'
import { renamer } from '../../rules/rename.js'
import type { HeaderFields, ObjectHead, ObjectSummary, Storage } from '../../storage/storage.js'
import { NO_PART_COPY } from '../../storage/parts.js'
import type { ActionContext } from './context.js'
import { fieldsOfNew } from './copy-attributes.js'
import { copyInParts, type MakeParts } from './multipart.js'
import { asTold, headOf, largeObject, POINTS } from './manifests.js'
import { keepTags, taggingOf } from './tags.js'

/** How often an object is looked at anew because somebody wrote to it between HEAD and copy. */
const RACES = 5

/** In which parts an object is made anew. */
export interface PartsAnew {
  /** The least size of a part, in bytes, where nobody asks for another. */
  readonly part: number
  /** How they are made; absent: they are copied inside the store. */
  readonly make?: ((object: ObjectSummary, head: ObjectHead) => MakeParts) | undefined
}

/**
 * Makes objects anew in parts; where they cannot be copied inside the store, as `instead` says. `race` tells how often the source has changed
 * meanwhile. Answers the ETag of the copy.
 */
export function anewInParts(
  job: CopyJob,
  { source, destination, stop, uploads }: ActionContext,
  parts: PartsAnew,
  instead?: PartsAnew,
): (object: ObjectSummary, race: number) => Promise<string> {
  const { attributes, partSize } = job
  const nameOf = renamer(job.map)
  const make = async (object: ObjectSummary, race: number, { part, make }: PartsAnew): Promise<string> => {
    const { key } = object
    const head = await headOf(source, object)
    if (head.manifest === true && make === undefined) throw largeObject(source, key, POINTS)
    const now = asTold(object, head)
    const fields = await fieldsOfNew(attributes, source, now, head)
    const etag = await copyInParts({
      ...{ source, destination, object: now, key: nameOf(key) },
      ...{ fields: make === undefined ? fields : sendable(fields), conditions: [], partSize: partSize ?? part },
      before: race === 0 ? uploads?.before : undefined,
      begun: uploads?.begun,
      shared: uploads?.shared,
      makeParts: make === undefined ? undefined : () => make(now, head),
      stop,
    })
    await keepTagsOfNew(destination, nameOf(key), etag, fields)
    return etag
  }
  // Bytes that pass through this machine have no checksum but what the store makes of itself.
  const other = attributes?.checksumAlgorithm === undefined ? instead : undefined
  return async (object, race) => {
    if (other === undefined) return await make(object, race, parts)
    if (destination.uploading?.limits?.copies() === false) return await make(object, race, other)
    try {
      return await make(object, race, parts)
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== NO_PART_COPY) throw error
      return await make(object, race, other)
    }
  }
}

// S3 makes the checksums of parts that it copies. Of those that are sent it would want them.
function sendable(fields: HeaderFields): HeaderFields {
  return fields.filter(([name]) => name !== 'x-amz-checksum-algorithm')
}

/** Sees to it that an object which was just made of parts with `fields` has its tags. */
async function keepTagsOfNew(destination: Storage, key: string, etag: string, fields: HeaderFields): Promise<void> {
  const tags = fields.find(([name]) => name === 'x-amz-tagging')?.[1]
  if (tags === undefined || destination.rewriting?.dropsTags !== true) return
  const tagging = taggingOf(tags)
  await keepTags(destination, key, { etag, tags: tagging.count }, tagging)
}

/** Carries out attempts until one finds the source unchanged from its beginning to its end; what was told of it and what was copied must be of one moment. */
export async function unlessChanged<T>(attempt: (race: number) => Promise<T>): Promise<T> {
  for (let race = 0; ; race++) {
    try {
      return await attempt(race)
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'PreconditionFailed' || race >= RACES) throw error
    }
  }
}
