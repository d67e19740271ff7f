import { basename, join } from 'node:path'
import { stat } from 'node:fs/promises'
import { listFileOf } from '../job/kinds.js'
import { isObjectUrl } from '../job/place.js'
import { LIST_COPY, namesBelow, RESULT } from './checkpoint-file.js'
import { isScan, isWrite, type Checkpoint } from './checkpoint.js'
import { removalLedger } from './deferred-delete-ledger.js'
import { LARGE } from './large-ledger.js'
import { LEDGER, RETRYING } from './ledger-file.js'
import { isSetAside } from './retry-steps.js'
import { WAITING } from './waiting-ledger.js'

/** A file of a run's folder, and how many of its first bytes count. */
export interface CountedFile {
  readonly name: string
  readonly bytes: number
}

/** The files that a checkpoint counts on, and those of an earlier run that were set aside: all that another machine needs to go on. None is empty. */
export async function countedFiles(folder: string, checkpoint: Checkpoint): Promise<readonly CountedFile[]> {
  const { job } = checkpoint
  const files = [...ofLedgers(folder, checkpoint)]
  if (isScan(checkpoint) && checkpoint.job.to !== undefined && isObjectUrl(checkpoint.job.to))
    files.push({ name: RESULT, bytes: checkpoint.scan?.bytes ?? 0 })
  const whole = (await namesBelow(folder)).filter(isSetAside)
  if (listFileOf(job)?.origin !== undefined) whole.push(LIST_COPY)
  for (const name of whole) files.push({ name, bytes: (await stat(join(folder, name))).size })
  return files.filter(({ bytes }) => bytes > 0)
}

function* ofLedgers(folder: string, checkpoint: Checkpoint): Generator<CountedFile, void, undefined> {
  if (!isWrite(checkpoint)) return
  const { job, ledger, retry, large, waiting, removals } = checkpoint
  yield { name: LEDGER, bytes: ledger.bytes }
  if (retry?.ledger !== undefined) yield { name: RETRYING, bytes: retry.ledger.bytes }
  if (large !== undefined) yield { name: basename(LARGE.path(folder)), bytes: large.ledger.bytes }
  if (waiting !== undefined) yield { name: basename(WAITING.path(folder)), bytes: waiting.bytes }
  const path = removalLedger(folder, job)
  if (path !== undefined && removals !== undefined) yield { name: basename(path), bytes: removals.bytes }
}
