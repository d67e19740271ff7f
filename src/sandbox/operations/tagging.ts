import { findObject, versionHeader } from './lookup.js'
import type { Tags } from '../buckets/object.js'
import { emptyReply, xmlReply, type Reply } from '../wire/reply.js'
import type { S3Request } from '../wire/request.js'
import { accessDenied, malformedXml, S3Error } from '../wire/s3-error.js'
import { uploadedBytes } from '../wire/upload-body.js'
import type { World } from './world.js'
import { childrenOf, element, parseXml, textOf, xmlNamespace } from '../wire/xml.js'

export function getObjectTagging(world: World, request: S3Request): Reply {
  const { object, versionId } = findObject(world, request)
  const tags = object.extras.tags.map(([key, value]) => `<Tag>${element('Key', key)}${element('Value', value)}</Tag>`)
  return xmlReply(`<Tagging ${xmlNamespace}><TagSet>${tags.join('')}</TagSet></Tagging>`, versionHeader(versionId))
}

/** Gives the object of a request these tags and no others; answers the header of its version. Throws S3Error. */
export function replaceTags(world: World, request: S3Request, tags: Tags): string[] {
  if (tags.length > 10) throw new S3Error(400, 'BadRequest', 'Object tags cannot be greater than 10')
  if (new Set(tags.map(([key]) => key)).size < tags.length) {
    throw new S3Error(400, 'InvalidTag', 'Cannot provide multiple Tags with the same key')
  }
  const { bucket, key, object, versionId } = findObject(world, request)
  if (bucket.readOnly) throw accessDenied()
  bucket.rewrite(key, object.headers, { ...object.extras, tags }, object.seconds, versionId)
  return versionHeader(versionId)
}

export function putObjectTagging(world: World, request: S3Request): Reply {
  const tagSet = childrenOf(parseXml(uploadedBytes(request)), 'TagSet')[0]
  if (tagSet === undefined) throw malformedXml()
  const tags = childrenOf(tagSet, 'Tag').map((tag) => {
    const key = textOf(tag, 'Key')
    if (key === undefined) throw malformedXml()
    return [key, textOf(tag, 'Value') ?? ''] as const
  })
  return emptyReply(200, replaceTags(world, request, tags))
}

export function deleteObjectTagging(world: World, request: S3Request): Reply {
  return emptyReply(204, replaceTags(world, request, []))
}
