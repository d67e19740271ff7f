import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Check } from './check.js'
import type { LedgerPosition } from './checkpoint.js'
import { checkpointError } from './checkpoint-error.js'
import { Ledger } from './ledger.js'
import { linesOf, parseEntry } from './ledger-lines.js'

/** An object read from its ledger. */
export interface ObjectEntry<T> {
  readonly object: T
  /** The offsets in bytes at which its line begins and the next one does. */
  readonly at: number
  readonly end: number
}

/** A ledger of objects whose keys are settled in the ranges, and which wait for their turn apart from these. */
export interface ObjectLedger<T> {
  /** Where it is in a run's folder. */
  path(folder: string): string
  /** Proves that a value is an entry of it. */
  readonly check: Check<T>
  /** Opens it in a run's folder at the position of the checkpoint, as `Ledger.open` does. */
  open(folder: string, position: LedgerPosition): Promise<Ledger<T>>
  /** At most `most` entries, from the line that begins at `from` up to byte `end`. Throws as `readFailures` does. */
  read(folder: string, from: number, end: number, most: number): Promise<ObjectEntry<T>[]>
  /** Removes it once all of its objects are settled. May be repeated. Throws a CheckpointError when it cannot be. */
  remove(folder: string): Promise<void>
}

/** The ledger in the file `name` of a run's folder: one JSON object a line. */
export function objectLedger<T>(name: string, check: Check<T>, lineOf: (object: T) => string): ObjectLedger<T> {
  const path = (folder: string): string => join(folder, name)
  return {
    path,
    check,
    open: (folder, position) => Ledger.open(path(folder), lineOf, position),
    async read(folder, from, end, most) {
      const file = path(folder)
      const found: ObjectEntry<T>[] = []
      let at = from
      for await (const bytes of linesOf(file, from, end)) {
        const next = at + bytes.length + 1
        found.push({ object: parseEntry(check, bytes, file, found.length + 1, from), at, end: next })
        at = next
        if (found.length === most) break
      }
      return found
    },
    async remove(folder) {
      try {
        await rm(path(folder), { force: true })
      } catch (error) {
        throw checkpointError('remove', path(folder), error)
      }
    },
  }
}
