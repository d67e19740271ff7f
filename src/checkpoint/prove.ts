import { join } from 'node:path'
import { UserError } from '../errors.js'
import { deletionPlace } from '../job/kinds.js'
import type { Failure } from '../job/outcome.js'
import { printable } from '../keys.js'
import type { Check } from '../job/schema.js'
import type { LedgerPosition, WriteCheckpoint } from './checkpoint.js'
import { HEADER_SETS } from './header-set-ledger.js'
import { LARGE } from './large-ledger.js'
import { isRenamed, LEDGER, proveLedger, RESTORE, RETRYING, shorter, sizeOf } from './ledger-file.js'
import { ledgerName, ledgerLines, parseEntry, parseLine } from './ledger-lines.js'
import { checkDeferredDelete, removalLedger } from './deferred-delete-ledger.js'
import { WAITING } from './waiting-ledger.js'

/**
 * Proves, before a run is gone on with, that its ledgers hold what its checkpoint counts on: byte for byte where it tells a checksum, and entry for entry
 * in any case. Reads each of them once and changes nothing. Throws a UserError that names the ledger and what is wrong with it.
 */
export async function proveLedgers(folder: string, checkpoint: WriteCheckpoint): Promise<void> {
  const { job, large, waiting, removals, batch } = checkpoint
  const { source } = job
  const changed = deletionPlace(job)
  await proveFailures(folder, checkpoint)
  if (large !== undefined) await proveObjects(LARGE.path(folder), LARGE.check, large.ledger, [source.prefix])
  if (waiting !== undefined) {
    await proveObjects(WAITING.path(folder), WAITING.check, waiting, [source.prefix, changed.prefix])
  }
  if (batch?.planning !== undefined) {
    // Its lines are read when the sets are made of them, and they may be a billion.
    await prove(HEADER_SETS.path(folder), batch.planning, () => undefined)
  }
  const path = removalLedger(folder, job)
  if (path !== undefined && removals !== undefined) {
    await proveObjects(path, checkDeferredDelete, removals, [changed.prefix])
  }
}

async function proveObjects<T extends { readonly key: string }>(
  path: string,
  check: Check<T>,
  position: LedgerPosition,
  prefixes: readonly string[],
): Promise<void> {
  const seen = within(path, prefixes)
  await prove(path, position, (line, number) => seen(parseEntry(check, line, path, number, 0).key, number))
}

// What failed is in the ledger, or in the one whose failures are being tried again: each by the code that the totals count it by.
async function proveFailures(folder: string, { job, ledger, retry, totals }: WriteCheckpoint): Promise<void> {
  const prefixes = [job.source.prefix, deletionPlace(job).prefix]
  const found = new Map<string, number>()
  const taking = (path: string): ((line: Buffer, number: number) => void) => {
    const seen = within(path, prefixes)
    return (line, number) => {
      const { key, code }: Failure = parseLine(line, path, number, 0)
      seen(key, number)
      found.set(code, (found.get(code) ?? 0) + 1)
    }
  }
  const path = join(folder, (await isRenamed(folder, ledger.bytes)) ? RETRYING : LEDGER)
  await prove(path, ledger, taking(path))
  if (retry !== undefined) {
    const retrying = join(folder, RETRYING)
    const bytes = retry.ledger?.bytes ?? (await sizeOf(retrying)) ?? 0
    const take = taking(retrying)
    await prove(retrying, { ...retry.ledger, bytes, entries: retry.of }, (line, number) => {
      // Those before are counted by what became of them since.
      if (number > retry.entries) take(line, number)
    })
  }
  for (const code of new Set([...found.keys(), ...Object.keys(totals.failed)])) {
    const [counted, there] = [Object.hasOwn(totals.failed, code) ? totals.failed[code] : 0, found.get(code) ?? 0]
    if (counted === there) continue
    throw new UserError(
      `${ledgerName(path)} was changed: it has ${there} failures of the code ${printable(code)}, but the checkpoint counts ${counted}`,
      RESTORE,
    )
  }
}

async function prove(
  path: string,
  position: LedgerPosition,
  look: (line: Buffer, number: number) => void,
): Promise<void> {
  const { bytes, entries } = position
  if (bytes === 0) return
  const size = (await sizeOf(path)) ?? 0
  if (size < bytes) throw shorter(path, size, bytes)
  await proveLedger(path, position)
  let number = 0
  for await (const line of ledgerLines(path, 0, bytes)) look(line, ++number)
  if (number === entries) return
  throw new UserError(
    `${ledgerName(path)} was changed: it has ${number} entries, but the checkpoint counts ${entries}`,
    RESTORE,
  )
}

function within(path: string, prefixes: readonly string[]): (key: string, number: number) => void {
  return (key, number) => {
    if (prefixes.some((prefix) => key.startsWith(prefix))) return
    throw new UserError(
      `line ${number} of ${ledgerName(path)} names ${printable(key)}, which is none of this job’s`,
      RESTORE,
    )
  }
}
