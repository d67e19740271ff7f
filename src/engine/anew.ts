import { StorageError } from '../errors.js'
import type { CopyJob } from '../job.js'
import { renamer } from '../rules/rename.js'
import type { HeaderFields, ObjectHead, ObjectSummary, Storage } from '../storage/storage.js'
import type { Ways } from './acts.js'
import { fieldsOfNew } from './attributes.js'
import { copyInParts, type MakeParts } from './in-parts.js'
import { keepTags, taggingOf } from './tags.js'

/** How often an object is looked at anew because somebody wrote to it between HEAD and copy. */
const RACES = 5

/**
 * Makes objects anew in parts of at least `part` bytes, which are copied inside the store unless `parts` makes them in another way. `race` tells how
 * often the source has changed meanwhile. Answers the ETag of the copy.
 */
export function anewInParts(
  job: CopyJob,
  { source, destination, stop, uploads }: Ways,
  part: number,
  parts?: (object: ObjectSummary, head: ObjectHead) => MakeParts,
): (object: ObjectSummary, race: number) => Promise<string> {
  const { attributes, partSize } = job
  const nameOf = renamer(job.map)
  return async (object, race) => {
    const { key, version } = object
    const head = await source.reading.head(key, version, object)
    const { size, lastModified } = head
    const now = { ...object, size, etag: head.etag, lastModified }
    const fields = await fieldsOfNew(attributes, source, now, head)
    const etag = await copyInParts({
      ...{
        source,
        destination,
        object: now,
        key: nameOf(key),
        fields: parts === undefined ? fields : sendable(fields),
      },
      ...{ conditions: [], partSize: partSize ?? part },
      before: race === 0 ? uploads?.before : undefined,
      begun: uploads?.begun,
      parts: parts?.(now, head),
      stop,
    })
    await keepTagsOfNew(destination, nameOf(key), etag, fields)
    return etag
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
