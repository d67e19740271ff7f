import { findObject, versionHeader } from './lookup.js'
import type { Restoration, S3Object } from '../buckets/object.js'
import { emptyReply, type Reply } from '../wire/reply.js'
import type { S3Request } from '../wire/request.js'
import { accessDenied, invalidArgument, malformedXml, S3Error } from '../wire/s3-error.js'
import { uploadedBytes } from '../wire/upload-body.js'
import { isoOf, type World } from './world.js'
import { childrenOf, element, parseXml, textOf } from '../wire/xml.js'

const tiers = ['Standard', 'Bulk', 'Expedited']
const day = 86_400

function isArchived({ extras }: S3Object): boolean {
  return extras.storageClass === 'GLACIER' || extras.storageClass === 'DEEP_ARCHIVE'
}

/** The restoration that counts now: one that is under way, or whose copy has not expired. */
function restorationOf({ extras }: S3Object): Restoration | undefined {
  return extras.restoration !== undefined && Date.now() < extras.restoration.until * 1000
    ? extras.restoration
    : undefined
}

const underWay = (restoration: Restoration) => Date.now() < restoration.readyAt

/** Throws InvalidObjectState when the object is archived and there is no restored copy of it. */
export function checkReadable(object: S3Object): void {
  if (!isArchived(object)) return
  const restoration = restorationOf(object)
  if (restoration !== undefined && !underWay(restoration)) return
  const { storageClass } = object.extras
  const message = "The operation is not valid for the object's storage class"
  throw new S3Error(403, 'InvalidObjectState', message, { StorageClass: storageClass })
}

/** The value of `x-amz-restore`; undefined when nothing was restored. */
export function restoreHeader(object: S3Object): string | undefined {
  const restoration = restorationOf(object)
  if (restoration === undefined) return undefined
  if (underWay(restoration)) return 'ongoing-request="true"'
  return `ongoing-request="false", expiry-date="${new Date(restoration.until * 1000).toUTCString()}"`
}

/** The same as an element of a listing; empty when nothing was restored. */
export function restoreStatus(object: S3Object): string {
  const restoration = restorationOf(object)
  if (restoration === undefined) return ''
  const progress = underWay(restoration)
  const expiry = progress ? '' : element('RestoreExpiryDate', isoOf(restoration.until))
  return `<RestoreStatus>${element('IsRestoreInProgress', String(progress))}${expiry}</RestoreStatus>`
}

/** The days that a restored copy is asked to live. Throws MalformedXML, InvalidArgument. */
function readRestoreRequest(body: Buffer, storageClass: string): number {
  const document = parseXml(body)
  const days = Number(textOf(document, 'Days'))
  if (document.name !== 'RestoreRequest' || !Number.isInteger(days)) throw malformedXml()
  if (days < 1) throw invalidArgument('restoration days should be at least 1', 'Days', String(days))
  const [job = document] = childrenOf(document, 'GlacierJobParameters')
  const tier = textOf(job, 'Tier') ?? 'Standard'
  if (!tiers.includes(tier)) throw malformedXml()
  if (tier === 'Expedited' && storageClass === 'DEEP_ARCHIVE') {
    throw invalidArgument('Retrieval option is not supported by this storage class', 'Tier', tier)
  }
  return days
}

export function restoreObject(world: World, request: S3Request): Reply {
  const { bucket, key, object, versionId } = findObject(world, request)
  if (object.denied) throw accessDenied()
  const { extras } = object
  const days = readRestoreRequest(uploadedBytes(request), extras.storageClass)
  if (!isArchived(object)) {
    const message = "Restore is not allowed for the object's current storage class"
    throw new S3Error(403, 'InvalidObjectState', message, { StorageClass: extras.storageClass })
  }
  const present = restorationOf(object)
  if (present !== undefined && underWay(present)) {
    throw new S3Error(409, 'RestoreAlreadyInProgress', 'Object restore is already in progress')
  }
  const readyAt = present?.readyAt ?? Date.now() + world.restoreSeconds * 1000
  // S3 counts the days from now and lets the copy expire at the midnight after.
  const until = (Math.floor(Date.now() / 1000 / day) + days + 1) * day
  bucket.rewrite(key, object.headers, { ...extras, restoration: { readyAt, until } }, object.seconds, versionId)
  return emptyReply(present === undefined ? 202 : 200, versionHeader(versionId))
}
