import { StorageClass } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { STORAGE_CLASSES } from '../../../src/job/storage-classes.js'

/** Those that no object of a general purpose bucket of a Region can be written in. */
const OTHERS = [
  ...['AWS_BACKUP_LOW_COST_WARM', 'AWS_BACKUP_WARM', 'FSX_ONTAP', 'FSX_OPENZFS'],
  ...['EXPRESS_ONEZONE', 'OUTPOSTS', 'SNOW'],
]

test('the storage classes are those of the model of S3, but for those of other services and kinds of buckets', () => {
  expect([...STORAGE_CLASSES, ...OTHERS].sort()).toEqual(Object.values(StorageClass).sort())
})
