import { join } from 'node:path'
import type { Failure } from '../job/outcome.js'
import type { SavedRun } from './checkpoint-file.js'
import { readFailures } from './failure-ledger.js'
import { LEDGER, RETRYING } from './ledger-file.js'

/** The failures that a checkpoint counts: those of its ledger, and those that are to be tried again and were not yet. */
export async function* countedFailures({ folder, checkpoint }: SavedRun): AsyncGenerator<Failure, void, undefined> {
  const { ledger, retry } = checkpoint
  if (ledger.bytes > 0)
    for await (const { failure } of readFailures(join(folder, LEDGER), 0, ledger.bytes)) yield failure
  if (retry === undefined || retry.entries >= retry.of) return
  for await (const { failure } of readFailures(join(folder, RETRYING), retry.bytes)) yield failure
}
