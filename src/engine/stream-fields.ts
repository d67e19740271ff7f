import type { Attributes } from '../job.js'
import type { HeaderFields, ObjectHead, ObjectSummary, Storage } from '../storage/storage.js'

/** All that a streamed object is to have: headers, user metadata, storage class and tags. */
export async function fieldsOfNew(
  _attributes: Attributes | undefined,
  source: Storage,
  { key, version }: ObjectSummary,
  head: ObjectHead,
): Promise<HeaderFields> {
  const fields: (readonly [string, string])[] = [...head.headers]
  if (head.storageClass !== 'STANDARD') fields.push(['x-amz-storage-class', head.storageClass])
  if (head.tags > 0) fields.push(['x-amz-tagging', (await source.reading.tagging(key, version)).header])
  return fields
}
