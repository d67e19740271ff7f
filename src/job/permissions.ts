import type { Side } from './place.js'

/** The commands whose permissions are known. */
export const PERMITTED_COMMANDS = [
  'copy',
  'sync',
  'move',
  'set-headers',
  'set-tags',
  'set-storage-class',
  'set-encryption',
  'delete',
  'ls',
  'du',
  'verify',
] as const

export type PermittedCommand = (typeof PERMITTED_COMMANDS)[number]

/** An action of IAM that commands need on one side of a job, where that is a bucket. */
export interface Permission {
  readonly side: Side
  /** Whether it is granted on the bucket or on the objects in it. */
  readonly on: 'bucket' | 'objects'
  readonly action: string
  /** Commands that fail without it, be it for some objects alone. */
  readonly needs: readonly PermittedCommand[]
  /** Commands that do less without it. */
  readonly helps?: readonly PermittedCommand[]
  /** What it is for. */
  readonly purpose: string
}

const COPIES = ['copy', 'sync', 'move'] as const
const REWRITES = ['set-headers', 'set-storage-class'] as const

type Entry = Omit<Permission, 'side' | 'on'>

function on(side: Side, subject: Permission['on'], entries: readonly Entry[]): Permission[] {
  return entries.map((entry) => ({ side, on: subject, ...entry }))
}

/** Actions for objects that one request cannot copy. */
const IN_PARTS = ['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts'] as const

/** Every action that a command needs without further options; docs/permissions.md has them as policies, and a test holds the two together. */
export const PERMISSIONS: readonly Permission[] = [
  ...on('source', 'bucket', [
    {
      action: 's3:ListBucket',
      needs: [...COPIES, ...REWRITES, 'set-tags', 'set-encryption', 'delete', 'ls', 'du', 'verify'],
      purpose: 'the listing; not with --files-from',
    },
    { action: 's3:GetBucketOwnershipControls', needs: REWRITES, purpose: 'whether objects have their own ACL' },
    { action: 's3:GetBucketVersioning', needs: REWRITES, purpose: 'whether a change keeps what it replaces' },
  ]),
  ...on('source', 'objects', [
    { action: 's3:GetObject', needs: [...COPIES, ...REWRITES, 'set-encryption', 'verify'], purpose: 'to read objects' },
    {
      action: 's3:GetObjectTagging',
      needs: [...COPIES, ...REWRITES, 'set-tags', 'verify'],
      purpose: 'objects that have tags',
    },
    {
      action: 's3:GetObjectAnnotation',
      needs: [...COPIES, ...REWRITES],
      purpose: 'objects that have annotations',
    },
    { action: 's3:ListObjectAnnotations', needs: [...COPIES, ...REWRITES], purpose: 'objects over 5 GiB' },
    { action: 's3:PutObjectAnnotation', needs: REWRITES, purpose: 'objects that have annotations' },
    { action: 's3:PutObject', needs: REWRITES, purpose: 'to write objects' },
    { action: 's3:PutObjectTagging', needs: [...REWRITES, 'set-tags'], purpose: 'objects that have tags' },
    { action: 's3:DeleteObjectTagging', needs: ['set-tags'], purpose: 'objects that are to have none' },
    { action: 's3:UpdateObjectEncryption', needs: ['set-encryption'], purpose: 'to change encryption' },
    { action: 's3:GetObjectRetention', needs: REWRITES, helps: ['set-encryption'], purpose: 'objects that are locked' },
    { action: 's3:PutObjectRetention', needs: REWRITES, purpose: 'objects that are locked' },
    { action: 's3:GetObjectLegalHold', needs: REWRITES, helps: ['set-encryption'], purpose: 'objects that are locked' },
    { action: 's3:PutObjectLegalHold', needs: REWRITES, purpose: 'objects that are locked' },
    ...IN_PARTS.map((action): Entry => ({ action, needs: REWRITES, purpose: 'objects over 5 GiB' })),
    { action: 's3:DeleteObject', needs: ['move', 'delete'], purpose: 'to delete objects' },
  ]),
  ...on('destination', 'bucket', [
    {
      action: 's3:ListBucket',
      needs: ['sync', 'verify'],
      helps: ['copy', 'move'],
      purpose: 'the listing of sync and verify; to see what is not there',
    },
  ]),
  ...on('destination', 'objects', [
    { action: 's3:PutObject', needs: COPIES, purpose: 'to write objects' },
    { action: 's3:PutObjectTagging', needs: COPIES, purpose: 'objects that have tags' },
    {
      action: 's3:GetObject',
      needs: ['move', 'verify'],
      helps: ['copy', 'sync'],
      purpose: 'to look at what was written',
    },
    {
      action: 's3:GetObjectTagging',
      needs: ['verify'],
      helps: COPIES,
      purpose: 'to look at what was written',
    },
    { action: 's3:PutObjectAnnotation', needs: COPIES, purpose: 'objects that have annotations' },
    { action: 's3:ListObjectAnnotations', needs: COPIES, purpose: 'objects over 5 GiB that have annotations' },
    ...IN_PARTS.map((action): Entry => ({ action, needs: COPIES, purpose: 'objects over 5 GiB' })),
    { action: 's3:DeleteObject', needs: [], helps: ['sync'], purpose: 'sync --delete' },
  ]),
]

/** The commands that fail, or do less, without a permission. */
export function usersOf({ needs, helps = [] }: Permission): readonly PermittedCommand[] {
  return [...needs, ...helps]
}
