import { compareKeys } from '../../keys.js'

const DATED = /^\d{4}-\d\d-\d\dT\d\d-\d\dZ$/

/** Whether a folder is named as S3 names that of one inventory: by when it was begun. */
export function isDated(name: string): boolean {
  return DATED.test(name)
}

/** Those of some names of folders that are of inventories, the newest first. */
export function newestFirst(names: readonly string[]): string[] {
  return names.filter(isDated).sort((one, other) => compareKeys(other, one))
}
