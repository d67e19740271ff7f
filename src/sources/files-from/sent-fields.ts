/** The fields of a list whose text is sent to the store, as a header or a part of one. */
type SentField = keyof typeof ALPHABETS

// Versions are what S3 and stores like it give out: base64 in its forms, UUIDs, dates. Names of classes are the stores' own.
const ALPHABETS = {
  version: /^[A-Za-z0-9._~:+/=-]{1,1024}$/,
  // RFC 9110 §8.8.3, but for what is not ASCII.
  etag: /^[!#-~]{1,1024}$/,
  storageClass: /^[!-~](?:[ -~]{0,126}[!-~])?$/,
} as const

/** The fields of a line in which a control character shows that it is not what it says: none can have one. */
export const PLAIN_FIELDS = ['version', 'size', 'etag', 'lastModified', 'storageClass'] as const

/** Whether a value is text with a control character. */
export function hasControl(value: unknown): boolean {
  return typeof value === 'string' && CONTROL.test(value)
}

const CONTROL = /\p{Cc}/u

/** Whether a value is text that a field can have, of such characters as are sent safely. */
export function isOf(field: SentField, value: unknown): value is string {
  return typeof value === 'string' && ALPHABETS[field].test(value)
}
