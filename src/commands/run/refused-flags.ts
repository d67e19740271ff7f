import { isAwsHost } from '../../storage/aws-host.js'
import { UserError } from '../../errors.js'
import { givenStorageClass, type WriteJob } from '../../job/kinds.js'
import { STORAGE_CLASSES } from '../../job/storage-classes.js'
import { backendOf } from '../../storage/backends.js'
import { nearest } from '../options/nearest.js'

const SIDES = ['source', 'destination'] as const

/** Refuses what is asked of copies and a side cannot have, such as an access control list of files. */
export function checkSides(job: WriteJob): void {
  if (!('destination' in job)) return
  for (const backend of new Set(SIDES.map((side) => backendOf(job[side])))) {
    for (const { flag, side, isAsked } of backend.refused) {
      if (!backend.opens(job[side]) || !isAsked(job)) continue
      throw new UserError(`--${flag} is for a bucket, and the ${side} is ${backend.called}`, `leave --${flag} away`)
    }
  }
}

/** What a person must know of a storage class that AWS, on which `host` is, has not, or had not when this was written; undefined for others. */
export function unknownStorageClass(job: WriteJob, host: string | undefined): string | undefined {
  const storageClass = isAwsHost(host) ? givenStorageClass(job) : undefined
  if (storageClass === undefined || STORAGE_CLASSES.includes(storageClass)) return undefined
  const meant = nearest(storageClass, STORAGE_CLASSES)
  const suggestion = meant === undefined ? '' : `; did you mean ${meant}?`
  return `--storage-class ${storageClass} is none that AWS is known to have, and it may refuse each copy${suggestion}`
}
