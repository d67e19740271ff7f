import { keyListShape, type KeyList } from './files-from.js'
import type { WriteKind } from './kind.js'
import { placeShape, type Place } from './place.js'
import { flag, oneOf, shape, text } from './schema.js'
import { selectionShape, type Selection } from './selection.js'

/** The encryption that objects are to have. */
export interface WantedEncryption {
  readonly encryption: 'AES256' | 'aws:kms'
  /** With `aws:kms`: the ARN of the key. */
  readonly kmsKeyId?: string
  /** With `aws:kms`: whether a key of the bucket's is used. Absent: as each object has it. */
  readonly bucketKey?: boolean
}

/** Change the encryption of every object below `source`, in place: nothing is rewritten that need not be. */
export interface SetEncryptionJob extends WantedEncryption {
  readonly kind: 'set-encryption'
  readonly source: Place
  readonly list?: KeyList
  readonly select?: Selection
  /** Each version of an object, delete markers apart. */
  readonly versions?: boolean
  /** What S3 can only encrypt otherwise by a copy is rewritten. */
  readonly rewriteOthers?: boolean
  /** Of what is rewritten, as that of `SetHeadersJob`. */
  readonly acl?: string
}

export const SET_ENCRYPTION: WriteKind<SetEncryptionJob> = {
  shape: shape<SetEncryptionJob>(
    { kind: oneOf('set-encryption'), source: placeShape, encryption: oneOf('AES256', 'aws:kms') },
    {
      ...{ list: keyListShape, select: selectionShape, versions: flag, kmsKeyId: text, bucketKey: flag },
      ...{ rewriteOthers: flag, acl: text },
    },
  ),
  verb: 'setting the encryption',
  adjustable: ['concurrency'],
  preposition: ' of',
  done: 'encrypted',
  task: 'encrypt',
  sets: 'the encryption',
  updates: ({ rewriteOthers }) => (rewriteOthers === true ? undefined : 'UpdateObjectEncryption'),
  listsVersions: true,
  needsNamesOnly: true,
  readsEncryption: true,
  repeats: { all: 'go over all of it once more' },
  parts: ({ select, versions, encryption, kmsKeyId, bucketKey, rewriteOthers, acl }) => [
    ['objects', { ...select, ...(versions === true ? { versions: true } : {}) }],
    [
      'changes',
      {
        ...{ encryption, kmsKeyId: kmsKeyId ?? null, bucketKey: bucketKey ?? null },
        ...{ rewriteOthers: rewriteOthers ?? false, acl: acl ?? null },
      },
    ],
  ],
}

/** A change of encryption. */
export function setEncryptionOf(job: Omit<SetEncryptionJob, 'kind'>): SetEncryptionJob {
  return { kind: 'set-encryption', ...job }
}

/** The key that a job has S3 put in the place of those of objects; undefined where it only rewrites, or changes something else. */
export function updatedKeyOf(job: { readonly kind: string }): string | undefined {
  return isSetEncryption(job) && job.encryption === 'aws:kms' ? job.kmsKeyId : undefined
}

/** Whether a job changes encryption and leaves content where it is. */
export function onlyUpdatesEncryption(job: { readonly kind: string }): boolean {
  return isSetEncryption(job) && job.rewriteOthers !== true
}

function isSetEncryption(job: { readonly kind: string }): job is SetEncryptionJob {
  return job.kind === 'set-encryption'
}
