import { ownerId } from './acl.js'
import { isBucketName } from '../buckets/buckets.js'
import { DirectoryBucket, isDirectoryName } from '../buckets/directory-bucket.js'
import { OrdinaryBucket } from '../buckets/ordinary-bucket.js'
import { emptyReply, xmlReply, type Reply } from '../wire/reply.js'
import { requestHeader, type S3Request } from '../wire/request.js'
import { malformedXml, S3Error } from '../wire/s3-error.js'
import { uploadedBytes } from '../wire/upload-body.js'
import { bucketOf, isoOf, nowInSeconds, type World } from './world.js'
import { childrenOf, element, parseXml, textOf, xmlNamespace } from '../wire/xml.js'

export function listBuckets(world: World): Reply {
  const buckets = [...world.buckets.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, created }) => `<Bucket>${element('Name', name)}${element('CreationDate', isoOf(created))}</Bucket>`)
  return xmlReply(
    `<ListAllMyBucketsResult ${xmlNamespace}><Owner>${element('ID', ownerId)}</Owner>` +
      `<Buckets>${buckets.join('')}</Buckets></ListAllMyBucketsResult>`,
  )
}

export function createBucket(world: World, request: S3Request): Reply {
  const name = request.bucket
  if (!isBucketName(name)) {
    throw new S3Error(400, 'InvalidBucketName', 'The specified bucket is not valid.', { BucketName: name })
  }
  if (world.buckets.has(name)) {
    const message = 'Your previous request to create the named bucket succeeded and you already own it.'
    throw new S3Error(409, 'BucketAlreadyOwnedByYou', message, { BucketName: name })
  }
  const ownership = requestHeader(request.headers, 'x-amz-object-ownership') ?? 'BucketOwnerEnforced'
  const bucket = isDirectoryName(name) ? new DirectoryBucket(name, nowInSeconds()) : undefined
  world.buckets.set(name, bucket ?? new OrdinaryBucket(name, nowInSeconds(), ownership === 'BucketOwnerEnforced'))
  return emptyReply(200, ['Location', `/${name}`])
}

export function deleteBucket(world: World, request: S3Request): Reply {
  const bucket = bucketOf(world, request.bucket)
  if (!bucket.isEmpty()) {
    const versions = bucket.versioning === undefined ? '' : '. You must delete all versions in the bucket.'
    throw new S3Error(409, 'BucketNotEmpty', `The bucket you tried to delete is not empty${versions}`, {
      BucketName: request.bucket,
    })
  }
  world.buckets.delete(request.bucket)
  return emptyReply(204)
}

export function headBucket(world: World, request: S3Request): Reply {
  bucketOf(world, request.bucket)
  return emptyReply(200, ['x-amz-bucket-region', world.region, 'Content-Type', 'application/xml'])
}

export function getBucketLocation(world: World, request: S3Request): Reply {
  bucketOf(world, request.bucket)
  const { region } = world
  // The oldest region has no name here.
  return xmlReply(`<LocationConstraint ${xmlNamespace}>${region === 'us-east-1' ? '' : region}</LocationConstraint>`)
}

export function getBucketVersioning(world: World, request: S3Request): Reply {
  const { versioning } = bucketOf(world, request.bucket)
  const status = versioning === undefined ? '' : element('Status', versioning)
  return xmlReply(`<VersioningConfiguration ${xmlNamespace}>${status}</VersioningConfiguration>`)
}

export function putBucketVersioning(world: World, request: S3Request): Reply {
  const bucket = bucketOf(world, request.bucket)
  const status = textOf(parseXml(uploadedBytes(request)), 'Status')
  if (status !== 'Enabled' && status !== 'Suspended') {
    const message = 'The Versioning element must be specified'
    throw new S3Error(400, 'IllegalVersioningConfigurationException', message)
  }
  bucket.setVersioning(status)
  return emptyReply(200)
}

export function getBucketOwnershipControls(world: World, request: S3Request): Reply {
  const { ownerEnforced } = bucketOf(world, request.bucket)
  const rule = element('ObjectOwnership', ownerEnforced ? 'BucketOwnerEnforced' : 'ObjectWriter')
  return xmlReply(`<OwnershipControls ${xmlNamespace}><Rule>${rule}</Rule></OwnershipControls>`)
}

export function putBucketOwnershipControls(world: World, request: S3Request): Reply {
  const bucket = bucketOf(world, request.bucket)
  const rule = childrenOf(parseXml(uploadedBytes(request)), 'Rule')[0]
  const ownership = rule && textOf(rule, 'ObjectOwnership')
  if (ownership === undefined) throw malformedXml()
  bucket.ownerEnforced = ownership === 'BucketOwnerEnforced'
  return emptyReply(200)
}
