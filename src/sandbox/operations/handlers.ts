import { getObjectAcl, putObjectAcl } from './acl.js'
import * as annotations from './annotations.js'
import * as jobs from './batch-jobs.js'
import * as buckets from './bucket-operations.js'
import { copyObject } from './copy.js'
import { createSession } from './sessions.js'
import { deleteObject, deleteObjects } from './delete.js'
import { updateObjectEncryption } from './encryption.js'
import { listObjectVersions } from './list-versions.js'
import { listObjects, listObjectsV2 } from './list.js'
import * as multipart from './multipart.js'
import * as objects from './objects.js'
import type { Operation } from '../wire/operation-names.js'
import type { Reply } from '../wire/reply.js'
import type { S3Request } from '../wire/request.js'
import { renameObject } from './rename.js'
import { restoreObject } from './restore.js'
import * as tagging from './tagging.js'
import type { World } from './world.js'

/** Carries an operation out at once and whole; throws S3Error. `disordered` is a fault that concerns listings. */
type Handler = (world: World, request: S3Request, disordered: boolean) => Reply

export const handlers: Readonly<Record<Operation, Handler>> = {
  ListBuckets: buckets.listBuckets,
  CreateBucket: buckets.createBucket,
  DeleteBucket: buckets.deleteBucket,
  HeadBucket: buckets.headBucket,
  CreateSession: createSession,
  GetBucketLocation: buckets.getBucketLocation,
  GetBucketVersioning: buckets.getBucketVersioning,
  PutBucketVersioning: buckets.putBucketVersioning,
  GetBucketOwnershipControls: buckets.getBucketOwnershipControls,
  PutBucketOwnershipControls: buckets.putBucketOwnershipControls,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  ListObjectVersions: listObjectVersions,
  HeadObject: objects.headObject,
  GetObject: objects.getObject,
  PutObject: objects.putObject,
  CopyObject: copyObject,
  RenameObject: renameObject,
  DeleteObject: deleteObject,
  RestoreObject: restoreObject,
  DeleteObjects: deleteObjects,
  GetObjectTagging: tagging.getObjectTagging,
  PutObjectTagging: tagging.putObjectTagging,
  DeleteObjectTagging: tagging.deleteObjectTagging,
  UpdateObjectEncryption: updateObjectEncryption,
  GetObjectAcl: getObjectAcl,
  PutObjectAcl: putObjectAcl,
  ListObjectAnnotations: annotations.listObjectAnnotations,
  GetObjectAnnotation: annotations.getObjectAnnotation,
  PutObjectAnnotation: annotations.putObjectAnnotation,
  DeleteObjectAnnotation: annotations.deleteObjectAnnotation,
  CreateMultipartUpload: multipart.createMultipartUpload,
  UploadPart: multipart.uploadPart,
  UploadPartCopy: multipart.uploadPartCopy,
  CompleteMultipartUpload: multipart.completeMultipartUpload,
  AbortMultipartUpload: multipart.abortMultipartUpload,
  ListParts: multipart.listParts,
  ListMultipartUploads: multipart.listMultipartUploads,
  CreateJob: jobs.createJob,
  DescribeJob: jobs.describeJob,
  ListJobs: jobs.listBatchJobs,
  UpdateJobStatus: jobs.updateJobStatus,
}
