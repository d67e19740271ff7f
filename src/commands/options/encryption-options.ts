import { UserError } from '../../errors.js'
import type { SetEncryptionJob } from '../../job/set-encryption.js'
import { printable } from '../../keys.js'
import type { Argv } from './argv.js'
import { booleanFlag, grouped, readChoice, readFlag, readText, textFlag, type Flags } from './flag-values.js'
import { readRewriting } from './rewrite-options.js'

/** Flags of how objects are to be encrypted. */
export function encryptionFlags(argv: Argv): Argv {
  return grouped(argv, 'Encryption:', {
    sse: textFlag('aws:kms|AES256', 'encryption to have; AES256 takes --rewrite-others'),
    'sse-kms-key-id': textFlag('KMS-KEY', 'whole ARN of the key, with --sse aws:kms'),
    'bucket-key': booleanFlag(
      'with --sse aws:kms: a key of the bucket’s, for fewer KMS requests (--no-bucket-key: none)',
    ),
    'rewrite-others': booleanFlag('copy onto itself what S3 cannot change otherwise'),
  })
}

const KEY_ARN = /^arn:aws[-a-z0-9]*:kms:[-a-z0-9]+:[0-9]{12}:key\/[^/]+$/

/** How objects are to be encrypted. A `UserError` for what contradicts itself, or what S3 does not take. */
export function readEncryption(
  flags: Flags,
): Pick<SetEncryptionJob, 'encryption' | 'kmsKeyId' | 'bucketKey' | 'rewriteOthers' | 'acl'> {
  const sse = readText(flags, 'sse')
  if (sse === undefined)
    throw new UserError('nothing to set: no encryption was named', 'write --sse aws:kms --sse-kms-key-id ARN')
  if (sse === 'aws:kms:dsse')
    throw new UserError(
      'S3 changes nothing to aws:kms:dsse in place',
      's3move copy --sse aws:kms:dsse encrypts copies so',
    )
  const encryption = readChoice(flags, 'sse', ['AES256', 'aws:kms']) ?? 'aws:kms'
  const [kmsKeyId, bucketKey] = [readText(flags, 'sse-kms-key-id'), readFlag(flags, 'bucket-key')]
  const rewriteOthers = readFlag(flags, 'rewrite-others') === true
  const { acl } = readRewriting(flags)
  if (acl !== undefined && !rewriteOthers)
    throw new UserError(
      'access control lists stay as they are, unless --rewrite-others is given',
      'leave the option away',
    )
  const common = { ...(rewriteOthers ? { rewriteOthers } : {}), ...(acl === undefined ? {} : { acl }) }
  if (encryption === 'AES256') {
    const other = kmsKeyId !== undefined ? '--sse-kms-key-id' : bucketKey !== undefined ? '--bucket-key' : undefined
    if (other !== undefined)
      throw new UserError(`${other} is for --sse aws:kms, which was not given`, 'write --sse aws:kms')
    if (!rewriteOthers) {
      throw new UserError(
        'S3 changes encryption to AES256 only by a copy of the object onto itself',
        'add --rewrite-others to have objects rewritten; s3move plan tells what that costs',
      )
    }
    return { encryption, ...common }
  }
  if (kmsKeyId === undefined || !KEY_ARN.test(kmsKeyId)) {
    const what =
      kmsKeyId === undefined ? 'no key was named' : `--sse-kms-key-id ${printable(kmsKeyId)} is no ARN of a key`
    throw new UserError(
      `${what}: S3 takes the whole ARN, and neither the id of a key nor an alias`,
      'write --sse-kms-key-id arn:aws:kms:REGION:ACCOUNT:key/ID, as aws kms describe-key shows it',
    )
  }
  return { encryption, kmsKeyId, ...(bucketKey === undefined ? {} : { bucketKey }), ...common }
}
