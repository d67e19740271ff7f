import { resolve } from 'node:path'
import { UserError } from '../../errors.js'
import { CHECKSUM_ALGORITHMS } from '../../job/checksums.js'
import type { CopyJob } from '../../job/copy.js'
import type { Attributes, Trait } from '../../job/object-attributes.js'
import { LARGEST_PART, SMALLEST_PART } from '../../job/transfer.js'
import { printable } from '../../keys.js'
import type { Argv } from './argv.js'
import { CANNED_ACLS, readMetadata, readRemovedHeaders, readSettings, refuseBoth } from './header-options.js'
import { readTuning } from './tune-file.js'
import {
  booleanFlag,
  defined,
  grouped,
  many,
  readChoice,
  readFlag,
  readList,
  readText,
  textFlag,
  type Flags,
} from './flag-values.js'
import { onLossFlag } from './pace-options.js'
import { readTagging } from './tag-options.js'

/** What a copy keeps when nobody says otherwise, and what else it can keep. */
const BY_ITSELF = ['annotations', 'metadata', 'storage-class', 'tags'] as const
/** Annotations S3 keeps in its own copies alone. */
const ON_REQUEST = ['acl', 'annotations', 'encryption', 'lock', 'redirect'] as const

/** Flags of what copies are to have. */
export function attributeFlags(argv: Argv): Argv {
  return grouped(argv, 'What copies have beside their content:', {
    preserve: {
      ...many('TRAIT', `what else to keep, at a request or two an object: ${ON_REQUEST.join(', ')}; repeatable`),
      values: ON_REQUEST,
    },
    'no-preserve': { ...many('TRAIT', `what not to keep: ${BY_ITSELF.join(', ')}; repeatable`), values: BY_ITSELF },
    'storage-class': textFlag('CLASS', 'storage class of the copies, such as STANDARD_IA', 'that of the source'),
    acl: {
      ...textFlag('ACL', 'canned access control list of the copies, such as bucket-owner-full-control'),
      values: CANNED_ACLS,
    },
    sse: textFlag('AES256|aws:kms|aws:kms:dsse', 'encryption of the copies', 'as the bucket has it'),
    'sse-kms-key-id': textFlag('KMS-KEY', 'KMS key of the copies, with --sse aws:kms'),
    'bucket-key': booleanFlag(
      'with --sse aws:kms: use a key of the bucket’s, for fewer KMS requests (--no-bucket-key: none)',
    ),
    'checksum-algorithm': {
      ...textFlag('ALGORITHM', `checksum of the copies: ${CHECKSUM_ALGORITHMS.join(', ')}`, 'that of the source'),
      values: CHECKSUM_ALGORITHMS,
    },
    tagging: textFlag('TAGS', "tags of the copies in place of those of the source: 'team=web&cost=7'"),
    'source-sse-c-key-file': textFlag('FILE', 'file of the key with which the sources are encrypted (SSE-C)'),
    'sse-c-key-file': textFlag('FILE', 'file of the key with which to encrypt the copies (SSE-C)'),
    'on-loss': onLossFlag('warn'),
    'part-size': textFlag('SIZE', 'size of the parts in which objects over 5 GiB are copied, such as 1G', '512M'),
  })
}

/** What the flags say of how copies are made, as parts of a job; empty when they say nothing. Paths are taken from `cwd`. */
export function readAttributes(flags: Flags, cwd: string): Pick<CopyJob, 'attributes' | 'partSize'> {
  const partSize = readPartSize(flags) ?? readTuning(flags).partSize
  const keyFile = readText(flags, 'sse-c-key-file')
  const sourceKeyFile = readText(flags, 'source-sse-c-key-file')
  const preserved = readTraits(flags, 'preserve', [...ON_REQUEST, ...BY_ITSELF])
  const given: Given = {
    preserve: someOf(preserved.filter((trait) => ON_REQUEST.some((one) => one === trait))),
    drop: someOf(readTraits(flags, 'no-preserve', BY_ITSELF)),
    storageClass: readStorageClass(flags),
    acl: readChoice(flags, 'acl', CANNED_ACLS),
    encryption: readChoice(flags, 'sse', ['AES256', 'aws:kms', 'aws:kms:dsse']),
    kmsKeyId: readText(flags, 'sse-kms-key-id'),
    bucketKey: readFlag(flags, 'bucket-key'),
    checksumAlgorithm: readChoice(flags, 'checksum-algorithm', CHECKSUM_ALGORITHMS),
    tagging: readTagging(flags)
      ?.map((tag) => tag.map(encodeURIComponent).join('='))
      .join('&'),
    set: someOf([...readSettings(flags), ...readMetadata(flags)]),
    remove: someOf(readRemovedHeaders(flags)),
    sourceKeyFile: sourceKeyFile === undefined ? undefined : resolve(cwd, sourceKeyFile),
    keyFile: keyFile === undefined ? undefined : resolve(cwd, keyFile),
  }
  refuseContradictions(given, preserved)
  const attributes = defined<Attributes>(given)
  return {
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
    ...(partSize === undefined ? {} : { partSize }),
  }
}

type Given = { readonly [Name in keyof Attributes]: Attributes[Name] | undefined }

function refuseContradictions(given: Given, preserved: readonly Trait[]): void {
  const { drop = [], storageClass, acl, encryption, kmsKeyId, bucketKey, tagging, set = [], remove = [] } = given
  const refuse = (wrong: boolean, message: string, hint = 'give one of them'): void => {
    if (wrong) throw new UserError(message, hint)
  }
  const keeps = (trait: Trait): boolean => preserved.includes(trait)
  for (const trait of drop) {
    refuse(keeps(trait), `--preserve ${trait} and --no-preserve ${trait} contradict each other`)
  }
  const others: [Trait, string, unknown][] = [
    ['acl', 'acl', acl],
    ['encryption', 'sse', encryption],
    ['encryption', 'sse-c-key-file', given.keyFile],
    ['annotations', 'sse-c-key-file', given.keyFile],
    ['storage-class', 'storage-class', storageClass],
    ['tags', 'tagging', tagging],
  ]
  for (const [trait, name, value] of others) {
    refuse(keeps(trait) && value !== undefined, `--preserve ${trait} and --${name} contradict each other`)
  }
  refuse(
    encryption !== undefined && given.keyFile !== undefined,
    '--sse and --sse-c-key-file contradict each other: an object is encrypted in one way',
  )
  refuse(
    keeps('encryption') && given.sourceKeyFile !== undefined,
    '--preserve encryption cannot keep a key of yours (SSE-C)',
    'give the key of the copies with --sse-c-key-file',
  )
  const kms = encryption?.startsWith('aws:kms') === true
  refuse(
    kmsKeyId !== undefined && !kms,
    '--sse-kms-key-id is for --sse aws:kms, which was not given',
    'add --sse aws:kms',
  )
  refuse(bucketKey !== undefined && !kms, '--bucket-key is for --sse aws:kms, which was not given', 'add --sse aws:kms')
  refuseBoth(set, remove)
  refuse(
    drop.includes('metadata') && remove.length > 0,
    'with --no-preserve metadata nothing is left to be removed',
    'leave --remove and --remove-metadata away',
  )
}

function readTraits<const T extends Trait>(flags: Flags, name: string, allowed: readonly T[]): T[] {
  // A bare --no-preserve is what yargs reads as --preserve being false.
  if (flags.preserve === false || (Array.isArray(flags.preserve) && flags.preserve.includes(false))) {
    throw new UserError('--no-preserve needs a value', `write one of: ${BY_ITSELF.join(', ')}`)
  }
  const found = readList(flags, name)
    .flatMap((given) => given.split(','))
    .map((given) => {
      const trait = allowed.find((one) => one === given)
      if (trait !== undefined) return trait
      throw new UserError(`--${name} cannot be ${printable(given)}`, `write one of: ${allowed.join(', ')}`)
    })
  // In one order, so that the same wish is the same job.
  return [...new Set(found)].sort()
}

/** The storage class that `--storage-class` names. A `UserError` where it can be none. */
export function readStorageClass(flags: Flags): string | undefined {
  const given = readText(flags, 'storage-class')
  if (given === undefined || /^[A-Z][A-Z0-9_-]*$/.test(given)) return given
  throw new UserError(
    `--storage-class cannot be ${printable(given)}`,
    'write a storage class as S3 has it, such as STANDARD, STANDARD_IA or GLACIER_IR',
  )
}

function readPartSize(flags: Flags): number | undefined {
  const given = readText(flags, 'part-size')
  if (given === undefined) return undefined
  const [, number = '', unit = ''] = /^([0-9]{1,12})([KMG]?)(?:i?B)?$/i.exec(given) ?? []
  const size = Number(number) * 1024 ** ' KMG'.indexOf(unit.toUpperCase() || ' ')
  if (number !== '' && size >= SMALLEST_PART && size <= LARGEST_PART) return size
  throw new UserError(
    `--part-size wants a size from 5M to 5G, and was given ${printable(given)}`,
    'write something like --part-size 1G',
  )
}

function someOf<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list
}
