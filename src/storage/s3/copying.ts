import { isGivenByItself } from '../../job/storage-classes.js'
import type { CopyWish, ObjectSummary, Storage } from '../storage.js'
import type { HttpResponse } from './http.js'
import {
  askedOf,
  copySource,
  copyTime,
  etagOfCopy,
  objectPath,
  sorted,
  sourceFields,
  type Channel,
  type StoreRequest,
} from './request.js'
import type { Fields } from './sign.js'
import { checkOk, type Asked } from './storage-errors.js'
import { despiteWrongRefusal } from './wrong-refusal.js'

/** How objects are copied into an S3 bucket. */
export function createCopying(
  channel: Channel,
): (source: Storage, object: ObjectSummary, wish?: CopyWish) => Promise<string> {
  const copies = sorted([...channel.always, ...channel.customerKey, ...channel.copySource])
  return async (source, object, wish) => {
    const key = wish?.key ?? object.key
    const asked = askedOf(channel, 'CopyObject', key)
    const { place } = source
    const headers: (readonly [string, string])[] =
      wish?.etag === undefined
        ? [['x-amz-copy-source', copySource(place, object.key, object.version)]]
        : [...sourceFields(channel, place, object.key, wish.etag, object.version)]
    headers.push(...copies)
    if (wish !== undefined) headers.push(...wish.fields)
    // Without the header S3 makes the copy STANDARD, whatever the source is.
    else if (!isGivenByItself(object.storageClass)) headers.push(['x-amz-storage-class', object.storageClass])
    // Without a wish they are in order: `copies` comes between the source and the storage class.
    const fields = wish === undefined ? headers : sorted(headers)
    const path = objectPath(channel, key)
    if (wish?.etag !== undefined) return await copyWhile(channel, wish.etag, source, object, { asked, path, fields })
    const response = await channel.request(asked, { method: 'PUT', path, fields, extra: copyTime(object.size) })
    checkOk(response, asked)
    return etagOfCopy(response, asked)
  }
}

async function copyWhile(
  channel: Channel,
  etag: string,
  source: Storage,
  { key, version, size }: ObjectSummary,
  { asked, path, fields }: Pick<StoreRequest, 'path' | 'fields'> & { readonly asked: Asked },
): Promise<string> {
  const send = (fields: Fields): Promise<HttpResponse> =>
    channel.request(asked, { method: 'PUT', path, fields, extra: copyTime(size) })
  const response = await despiteWrongRefusal(channel, {
    ...{ asked, fields, etag, send, apart: true },
    response: await send(fields),
    look: async () => (await source.reading.head(key, version)).etag,
  })
  checkOk(response, asked)
  return etagOfCopy(response, asked)
}
