/** Those that AWS writes objects of general purpose buckets in. */
export const STORAGE_CLASSES: readonly string[] = [
  ...['STANDARD', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE'],
  'REDUCED_REDUNDANCY',
]

/** The one class of directory buckets. */
export const EXPRESS_ONEZONE = 'EXPRESS_ONEZONE'

/** Whether a bucket writes objects in this storage class, or in its own like it, where no other one is asked for. */
export function isGivenByItself(storageClass: string): boolean {
  return storageClass === 'STANDARD' || storageClass === EXPRESS_ONEZONE
}

// On AWS. Elsewhere a class may be only a name.
const ARCHIVES: ReadonlySet<string> = new Set(['GLACIER', 'DEEP_ARCHIVE'])

/** Whether objects of this storage class must be restored before they can be read. */
export function isArchiveClass(storageClass: string): boolean {
  return ARCHIVES.has(storageClass)
}
