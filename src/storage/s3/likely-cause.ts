import type { StorageError } from '../../errors.js'
import type { Fields } from './sign.js'

const CUSTOMER_KEY = 'x-amz-server-side-encryption-customer-algorithm'
const PARTS: ReadonlySet<string> = new Set(['UploadPart', 'UploadPartCopy', 'CompleteMultipartUpload'])
const WRITES: ReadonlySet<string> = new Set(['PutObject', 'CopyObject', 'CreateMultipartUpload', ...PARTS])

/** What a refusal of a write with such fields may come of that its code does not say, and what to do about it; undefined for most. */
export function likelyCause(
  { code, status, operation, message }: Pick<StorageError, 'code' | 'status' | 'operation' | 'message'>,
  fields: Fields,
): string | undefined {
  if (!WRITES.has(operation)) return undefined
  const has = (name: string): boolean => fields.some(([field]) => field === name)
  if (code === 'AccessDenied' && has(CUSTOMER_KEY)) {
    return 'the bucket may block keys of yours (SSE-C, BlockedEncryptionTypes of its encryption): allow them there, or leave --sse-c-key-file away'
  }
  const mayRefuse = code === 'AccessDenied' || status === 400
  if (PARTS.has(operation) && mayRefuse && /encrypt|\bkms\b/i.test(message)) {
    return 'an upload in parts keeps the encryption that the bucket had when it began: where that was changed since, resume --only-failed once the upload is aborted, which begins a new one'
  }
  return undefined
}
