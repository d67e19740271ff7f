// On AWS. Elsewhere a class may be only a name.
const ARCHIVES: ReadonlySet<string> = new Set(['GLACIER', 'DEEP_ARCHIVE'])

/** Whether objects of this storage class must be restored before they can be read. */
export function isArchiveClass(storageClass: string): boolean {
  return ARCHIVES.has(storageClass)
}
