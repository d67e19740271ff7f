import { StorageError } from '../../errors.js'
import type { Attributes, Trait } from '../../job/object-attributes.js'
import { isGivenByItself } from '../../job/storage-classes.js'
import { applied, type Headers } from '../../rules/decide.js'
import type { CopyWish, HeaderFields, ObjectHead, ObjectSummary, Storage } from '../../storage/storage.js'

/** The fields of a request in which each trait is kept, as `ObjectHead.carried` names them. */
const FIELDS_OF: Readonly<Partial<Record<Trait, RegExp>>> = {
  encryption: /^x-amz-server-side-encryption/,
  lock: /^x-amz-object-lock-/,
  redirect: /^x-amz-website-redirect-location$/,
  'storage-class': /^x-amz-storage-class$/,
}

const CHECKSUM = 'x-amz-checksum-algorithm'

/** Whether the source must be looked at before a CopyObject that is to have these attributes. */
export function needsHead({ preserve = [], ...attributes }: Attributes): boolean {
  return preserve.some((trait) => trait !== 'acl' && FIELDS_OF[trait] !== undefined) || changesHeaders(attributes)
}

/** Whether a copy inside a store inherits all headers of its source. */
export function keepsHeaders(attributes: Attributes): boolean {
  return attributes.drop?.includes('metadata') !== true && !changesHeaders(attributes)
}

// Headers that were changed replace all others, so the others must be known.
function changesHeaders({ drop = [], set = [], remove = [] }: Attributes): boolean {
  return !drop.includes('metadata') && set.length + remove.length > 0
}

/**
 * What a CopyObject must be sent so that the copy has these attributes. `head` is that of `object`, where `needsHead` says so. Rejects as
 * `Reading.grants` does, and with an error of severity `fail-object` for headers that cannot be sent again.
 */
export async function wishFor(
  attributes: Attributes,
  source: Storage,
  object: ObjectSummary,
  head: ObjectHead | undefined,
): Promise<CopyWish> {
  const { drop = [], preserve = [], set = [], checksumAlgorithm, tagging } = attributes
  const fields: (readonly [string, string])[] = [
    ...givenFields(attributes),
    ...keptOf(attributes, head),
    ...classOf(attributes, head?.storageClass ?? object.storageClass),
  ]
  if (checksumAlgorithm !== undefined) fields.push([CHECKSUM, checksumAlgorithm])
  if (drop.includes('metadata') || changesHeaders(attributes)) {
    const headers = head === undefined ? set : headersOf(attributes, source, object, head)
    fields.push(['x-amz-metadata-directive', 'REPLACE'], ...headers)
  }
  if (tagging !== undefined || drop.includes('tags')) fields.push(['x-amz-tagging-directive', 'REPLACE'])
  if (tagging !== undefined) fields.push(['x-amz-tagging', tagging])
  if (drop.includes('annotations')) fields.push(['x-amz-object-annotation-directive', 'EXCLUDE'])
  if (!preserve.includes('acl')) return { fields, ...(head === undefined ? {} : { etag: head.etag }) }
  // A list of grants is that of one content: another one may be more secret.
  fields.push(...(await source.reading.grants(object.key, object.version)))
  return { fields, etag: (head?.etag ?? object.etag) || undefined }
}

/**
 * All that an object is to have which is made anew, in parts or from a stream, and so inherits nothing: headers, user metadata, tags, storage
 * class and what the attributes say. `head` is that of `object` in `source`. Rejects as `Reading.tagging` and `Reading.grants` do, and with an
 * error of severity `fail-object` for headers that cannot be sent again.
 */
export async function fieldsOfNew(
  attributes: Attributes | undefined,
  source: Storage,
  object: ObjectSummary,
  head: ObjectHead,
): Promise<HeaderFields> {
  const { drop = [], preserve = [], tagging, checksumAlgorithm } = attributes ?? {}
  const fields: (readonly [string, string])[] = [
    ...headersOf(attributes ?? {}, source, object, head),
    ...givenFields(attributes ?? {}),
    ...keptOf(attributes ?? {}, head),
    ...classOf(attributes ?? {}, head.storageClass),
  ]
  const [checksum] = head.carried.filter(([name]) => name === CHECKSUM)
  if (checksumAlgorithm !== undefined) fields.push([CHECKSUM, checksumAlgorithm])
  else if (checksum !== undefined) fields.push(checksum)
  if (tagging !== undefined) fields.push(['x-amz-tagging', tagging])
  else if (head.tags > 0 && !drop.includes('tags')) {
    const { header } = await source.reading.tagging(object.key, object.version)
    fields.push(['x-amz-tagging', header])
  }
  if (preserve.includes('acl')) fields.push(...(await source.reading.grants(object.key, object.version)))
  return fields
}

// What is the same for every object.
function givenFields({ acl, encryption, kmsKeyId, bucketKey }: Attributes): HeaderFields {
  const given: [string, string | undefined][] = [
    ['x-amz-acl', acl],
    ['x-amz-server-side-encryption', encryption],
    ['x-amz-server-side-encryption-aws-kms-key-id', kmsKeyId],
    ['x-amz-server-side-encryption-bucket-key-enabled', bucketKey === undefined ? undefined : String(bucketKey)],
  ]
  return given.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
}

function classOf({ storageClass, drop = [] }: Attributes, ofSource: string): HeaderFields {
  const wanted = storageClass ?? (drop.includes('storage-class') ? 'STANDARD' : ofSource)
  return wanted === 'STANDARD' || (storageClass === undefined && isGivenByItself(wanted))
    ? []
    : [['x-amz-storage-class', wanted]]
}

function keptOf({ preserve = [] }: Attributes, head: ObjectHead | undefined): HeaderFields {
  const kept = preserve.filter((trait) => trait !== 'storage-class').map((trait) => FIELDS_OF[trait])
  return head?.carried.filter(([name]) => kept.some((fields) => fields?.test(name) === true)) ?? []
}

/** The headers and user metadata of a copy, where they are not all dropped. Throws as `wishFor` rejects. */
export function headersOf(
  { drop = [], set = [], remove = [] }: Attributes,
  source: Storage,
  object: ObjectSummary,
  { headers, unshown }: ObjectHead,
): Headers {
  if (drop.includes('metadata')) return new Map(set)
  if (unshown > 0) {
    const message = `it has metadata that HTTP cannot show (${unshown} of them), so a copy with headers of its own would lose it`
    throw new StorageError(message, {
      ...{ severity: 'fail-object', code: 'MetadataNotShown', operation: 'HeadObject', bucket: source.place.bucket },
      key: source.place.prefix + object.key,
    })
  }
  return applied({ set, remove }, headers)
}
