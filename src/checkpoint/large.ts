import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LargeObject } from '../job.js'
import { count, shape, text } from './check.js'
import type { LedgerPosition } from './checkpoint.js'
import { checkpointError } from './checkpoint-error.js'
import { jsonText } from './json.js'
import { Ledger } from './ledger.js'
import { linesOf, parseEntry } from './ledger-lines.js'

/** The name of the ledger of large objects in a run's folder: one JSON object (a `LargeObject`) a line. */
const LARGE = 'large.ndjson'

/** The ledger of the large objects of a run, whose keys are settled in the ranges and which wait for their turn. */
export type LargeLedger = Ledger<LargeObject>

/** Opens it at the position of the checkpoint, as `Ledger.open` does. */
export function openLargeLedger(folder: string, position: LedgerPosition): Promise<LargeLedger> {
  return Ledger.open(join(folder, LARGE), (object: LargeObject) => `${jsonText(object)}\n`, position)
}

/** A large object read from its ledger. */
export interface LargeEntry {
  readonly object: LargeObject
  /** The offsets in bytes at which its line begins and the next one does. */
  readonly at: number
  readonly end: number
}

const check = shape<LargeObject>({ key: text, size: count, etag: text, lastModified: text, storageClass: text }, {})

/** At most `most` entries of the ledger of a folder, from the line that begins at `from` up to byte `end`. Throws as `readFailures` does. */
export async function readLarge(folder: string, from: number, end: number, most: number): Promise<LargeEntry[]> {
  const path = join(folder, LARGE)
  const found: LargeEntry[] = []
  let at = from
  for await (const bytes of linesOf(path, from, end)) {
    const next = at + bytes.length + 1
    found.push({ object: parseEntry(check, bytes, path, found.length + 1, from), at, end: next })
    at = next
    if (found.length === most) break
  }
  return found
}

/** Removes the ledger of a folder, all of whose objects are settled. May be repeated. Throws a CheckpointError when it cannot be. */
export async function removeLarge(folder: string): Promise<void> {
  const path = join(folder, LARGE)
  try {
    await rm(path, { force: true })
  } catch (error) {
    throw checkpointError('remove', path, error)
  }
}
