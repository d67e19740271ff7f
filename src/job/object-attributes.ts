import { flag, list, oneOf, shape, text, tuple } from './schema.js'

/** Something of an object beside its content that a copy may keep. */
export type Trait = 'acl' | 'annotations' | 'encryption' | 'lock' | 'metadata' | 'redirect' | 'storage-class' | 'tags'

/** What copies are to have that their sources do not, or are to keep or lose against S3's habit. */
export interface Attributes {
  /** Kept beside what S3 keeps by itself: annotations, where no byte passes through this machine, metadata, storage class, tags. */
  readonly preserve?: readonly Trait[]
  /** Not kept though S3 would keep it. */
  readonly drop?: readonly Trait[]
  readonly storageClass?: string
  /** A canned access control list. */
  readonly acl?: string
  /** `AES256`, `aws:kms` or `aws:kms:dsse`. */
  readonly encryption?: string
  readonly kmsKeyId?: string
  readonly bucketKey?: boolean
  readonly checksumAlgorithm?: string
  /** Tags for all, as a value of `x-amz-tagging`. */
  readonly tagging?: string
  /** Headers and user metadata to be set, by lower-case name, and to be taken away; the others stay. */
  readonly set?: readonly (readonly [name: string, value: string])[]
  readonly remove?: readonly string[]
  /** Absolute paths of the files with the keys of the customer's (SSE-C); the keys themselves are never stored. */
  readonly sourceKeyFile?: string
  readonly keyFile?: string
}

/** A header by its name in small letters, or a condition on one. */
export const headerShape = tuple<readonly [string, string]>(text, text)

const traitShape = oneOf('acl', 'annotations', 'encryption', 'lock', 'metadata', 'redirect', 'storage-class', 'tags')

export const attributesShape = shape<Attributes>(
  {},
  {
    preserve: list(traitShape),
    drop: list(traitShape),
    ...{ storageClass: text, acl: text, encryption: text, kmsKeyId: text },
    ...{ bucketKey: flag, checksumAlgorithm: text, tagging: text, set: list(headerShape), remove: list(text) },
    ...{ sourceKeyFile: text, keyFile: text },
  },
)
