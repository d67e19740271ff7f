import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LedgerPosition, WriteCheckpoint } from './checkpoint.js'
import { checkpointError } from './checkpoint-error.js'
import { syncFolder } from '../file-system.js'
import { isRenamed, LEDGER, openLedger, renameIn, RETRYING, sizeOf } from './ledger-file.js'
import { REMOVAL_LEDGERS } from './deferred-delete-ledger.js'
import type { RunFolder } from './run-folder.js'

/*
 * Trying the failed objects again, in steps between which a crash does no harm:
 *
 *   1. beginRetry: failures.ndjson, cut to the checkpoint's position, becomes failures.retrying.ndjson
 *   2. the checkpoint is saved with `retry` and with a ledger position of zero
 *   3. objects that fail again go to a new failures.ndjson; each save moves `retry` on
 *   4. the checkpoint is saved without `retry`
 *   5. endRetry: failures.retrying.ndjson is removed
 *
 * After a crash between 1 and 2 the checkpoint counts on a failures.ndjson that is not there, while the other file has exactly
 * its length: beginRetry takes that as done, openFailures gives it its name back. After one between 4 and 5 both are
 * there; the next beginRetry writes over the older, whose failures are all settled.
 */

/**
 * Step 1: `position` is the ledger's in a checkpoint without `retry`. May be repeated after a crash. Throws a UserError when the
 * ledger is not what the checkpoint says, a CheckpointError when it cannot be renamed.
 */
export async function beginRetry(folder: string, position: LedgerPosition): Promise<void> {
  if (await isRenamed(folder, position.bytes)) return
  const { file } = await openLedger(join(folder, LEDGER), position)
  await file.close()
  await renameIn(folder, LEDGER, RETRYING)
}

/** Steps 1 and 2, before anything can be appended to a new ledger. `codes` are those of the failures to try; absent for all. */
export async function setFailuresAside(
  run: Pick<RunFolder, 'path' | 'save'>,
  checkpoint: WriteCheckpoint,
  codes: readonly string[] | undefined,
): Promise<WriteCheckpoint> {
  const { ledger, retry } = checkpoint
  if (retry !== undefined || ledger.entries === 0) return checkpoint
  await beginRetry(run.path, ledger)
  const begun: WriteCheckpoint = {
    ...checkpoint,
    state: 'unfinished',
    ledger: { bytes: 0, entries: 0 },
    retry: { bytes: 0, entries: 0, of: ledger.entries, ...(codes === undefined ? {} : { codes }), ledger },
  }
  await run.save(begun)
  return begun
}

/** Step 5. May be repeated. Throws a CheckpointError when the file cannot be removed. */
export async function endRetry(folder: string): Promise<void> {
  const path = join(folder, RETRYING)
  try {
    await rm(path, { force: true })
    await syncFolder(folder)
  } catch (error) {
    throw checkpointError('remove', path, error)
  }
}

/**
 * Keeps the ledgers of an earlier run out of the way of a new one in the same folder: what is not empty is renamed to
 * `failures.<time>.ndjson`, and so on. Returns the new paths. Throws a CheckpointError when a file
 * cannot be renamed.
 */
export async function setAside(folder: string): Promise<readonly string[]> {
  const moved: string[] = []
  for (const name of [LEDGER, RETRYING, ...REMOVAL_LEDGERS]) {
    if (((await sizeOf(join(folder, name))) ?? 0) === 0) continue
    const free = await freeName(folder, name)
    await renameIn(folder, name, free)
    moved.push(join(folder, free))
  }
  return moved
}

/** Whether a name is that of a ledger of an earlier run that was set aside. */
export function isSetAside(name: string): boolean {
  return SET_ASIDE.test(name)
}

const SET_ASIDE = /^(?:failures|failures\.retrying|moved|extra)\.\d{4}-\d\d-\d\dT[\w.-]*\.ndjson$/

async function freeName(folder: string, name: string): Promise<string> {
  // Windows allows no colons in names.
  const time = new Date().toISOString().replaceAll(':', '-')
  const stem = name.slice(0, name.lastIndexOf('.'))
  for (let copy = 1; ; copy++) {
    const candidate = copy === 1 ? `${stem}.${time}.ndjson` : `${stem}.${time}-${copy}.ndjson`
    if ((await sizeOf(join(folder, candidate))) === undefined) return candidate
  }
}
