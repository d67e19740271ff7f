import { isScanJob, listOf, type WriteJob } from '../job/kinds.js'
import { NOT_FOR_BATCH } from '../job/outcome.js'
import { settled, sum } from '../job/totals.js'
import { compareKeys, type KeyRange } from '../keys.js'
import { Mismatch } from '../job/schema.js'
import { isBatchUnderWay, uncounted } from './batch-state.js'
import type { Checkpoint, LedgerPosition, ListState } from './checkpoint.js'

/**
 * Proves that the fields of a checkpoint, each of which is well-formed, fit together: that what remains is in order and of the job, and that what is
 * counted adds up, so that between what is settled and what remains no key is left out. Throws a Mismatch.
 */
export function checkConsistency(checkpoint: Checkpoint): void {
  checkRanges(checkpoint.ranges)
  checkPositions(checkpoint)
  const { job } = checkpoint
  if (!isScanJob(job)) checkCounts(job, checkpoint)
  const finished = checkpoint.state === 'finished'
  must(finished !== remains(checkpoint), `state is "${checkpoint.state}", but ${finished ? 'work' : 'nothing'} remains`)
}

/** Whether anything of a run is still to be done. */
function remains({ ranges, list, retry, large, waiting, removals, batch }: Checkpoint): boolean {
  const apart = large !== undefined || waiting !== undefined || left(removals) > 0 || isBatchUnderWay(batch)
  return ranges.length > 0 || list !== undefined || retry !== undefined || apart
}

function checkRanges(ranges: readonly KeyRange[]): void {
  for (const [index, { after, until }] of ranges.entries()) {
    must(
      after === undefined || until === undefined || compareKeys(after, until) < 0,
      `ranges[${index}] ends before it begins`,
    )
    const before = ranges[index - 1]
    if (before === undefined) continue
    const behind = before.until !== undefined && after !== undefined && compareKeys(before.until, after) <= 0
    must(behind, `ranges[${index}] does not begin behind the end of the one before it`)
  }
}

function checkPositions({ ledger, list, retry, large, waiting, removals, batch }: Checkpoint): void {
  checkWithin('list.entries', list?.entries, list?.of)
  let reached = list?.entries ?? 0
  for (const { from, to } of list?.ahead ?? []) {
    must(from >= reached && to > from, 'list.ahead is not in order')
    reached = to
  }
  checkWithin('list.ahead', reached, list?.of)
  checkOpenRows(list)
  checkWithin('retry.entries', retry?.entries, retry?.of)
  checkBeginning('retry', retry, retry?.ledger)
  checkBeginning('removals.done', removals?.done, removals)
  checkBeginning('waiting.done', waiting?.done, waiting)
  checkBeginning('large.begun', large?.begun, large?.ledger)
  const planning = batch?.planning
  for (const [name, position] of Object.entries({ ledger, waiting, removals, large: large?.ledger, planning }))
    checkLines(name, position)
  let before = -1
  for (const { at } of (large?.open ?? []).toSorted((one, other) => one.at - other.at)) {
    must(at > before && at < (large?.begun.bytes ?? 0), 'large.open has an object that was not begun')
    before = at
  }
}

function checkOpenRows({ open = [], next }: Pick<ListState, 'open' | 'next'> = {}): void {
  for (const [index, { file, row, until = Infinity }] of open.entries()) {
    const behind = open[index + 1] ?? next
    const inOrder = behind !== undefined && (behind.file > file || (behind.file === file && behind.row >= until))
    must(row < until && inOrder, 'list.open is not in order')
  }
}

/** Whether what is settled, what was put off and what was listed add up. */
function checkCounts(job: WriteJob, checkpoint: Checkpoint): void {
  const { ranges, list, totals, ledger, retry, large, waiting, removals, listed, batch } = checkpoint
  must(listOf(job) === undefined || ranges.length === 0, 'ranges is not empty, and the job has a list')
  must(listOf(job) !== undefined || list === undefined, 'list is there, and the job has none')
  const recorded = ledger.entries + (retry === undefined ? 0 : retry.of - retry.entries)
  const failed = sum(totals.failed)
  must(failed === recorded, `totals.failed adds up to ${failed}, but ${recorded} are in the ledger`)
  const putOff = large === undefined ? 0 : large.ledger.entries - large.begun.entries + large.open.length
  const { planning } = batch ?? {}
  must(planning === undefined || batch?.planned === false, 'batch.planning is there, and all is planned')
  const own = sum(planning?.own ?? {})
  const leftOver = totals.failed[NOT_FOR_BATCH] ?? 0
  must(
    planning === undefined || own === leftOver,
    `batch.planning.own adds up to ${own}, but ${leftOver} are left over`,
  )
  const apart = left(waiting) + left(removals) + uncounted(batch) + (planning?.entries ?? 0)
  const known = settled(totals) + putOff + apart
  must(known <= listed, `listed is ${listed}, but ${known} objects are settled`)
  const allListed = ranges.length === 0 && list === undefined
  must(!allListed || known === listed, `listed is ${listed}, nothing is left to list, but ${known} objects are settled`)
  // Of a page all are decided about before it counts.
  must(planning === undefined || known === listed, `listed is ${listed}, but ${known} objects are decided about`)
}

/** Entries of a ledger without an outcome. */
function left(part: (LedgerPosition & { readonly done: LedgerPosition }) | undefined): number {
  return part === undefined ? 0 : part.entries - part.done.entries
}

function checkWithin(name: string, part: number | undefined, whole: number | undefined): void {
  must(part === undefined || whole === undefined || part <= whole, `${name} is more than there are`)
}

function checkBeginning(name: string, part: LedgerPosition | undefined, whole: LedgerPosition | undefined): void {
  checkWithin(`${name}.entries`, part?.entries, whole?.entries)
  checkWithin(`${name}.bytes`, part?.bytes, whole?.bytes)
}

function checkLines(name: string, position: LedgerPosition | undefined): void {
  const lines = position === undefined || (position.bytes === 0) === (position.entries === 0)
  must(lines, `${name} has bytes without entries, or entries without bytes`)
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Mismatch(otherwise)
}
