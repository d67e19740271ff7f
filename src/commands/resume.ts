import { relative } from 'node:path'
import { isScan, isWrite, type ScanCheckpoint, type WriteCheckpoint } from '../checkpoint/checkpoint.js'
import { findRuns, readCheckpoint, refuseLinks, type SavedRun } from '../checkpoint/checkpoint-file.js'
import { differences } from '../checkpoint/job-name.js'
import { lockRun } from '../checkpoint/lock.js'
import { proveLedgers } from '../checkpoint/prove.js'
import { UserError } from '../errors.js'
import { jobTitle, objects, shellWord } from '../report/format.js'
import { deferredDeletesOf, listOf, onlyDeletes } from '../job/kinds.js'
import { sum } from '../job/totals.js'
import { differing } from '../job/verdicts.js'
import { createProgress } from '../report/progress.js'
import { printable } from '../keys.js'
import { intersection } from '../rules/ranges.js'
import { failedByCode } from '../report/summary.js'
import { version } from '../version.js'
import { checkList } from '../sources/files-from/files-from-source.js'
import { wantedRanges } from './run/start-write.js'
import { deletes, drive, endsOf, mirrors, noting, open, threadsFor, storeNeedsOf } from './run/open-and-run.js'
import { performDu } from './du.js'
import { dryRun } from './run/dry-run.js'
import { EXIT } from './run/exit.js'
import { checkOutsideSides } from './options/folders.js'
import type { CommandIo } from './run/io.js'
import { readKeysOf } from './options/sse-c-key.js'
import { performLs } from './ls.js'
import { finishFile, resumeScan } from './run/start-scan.js'
import {
  readConnection,
  readFlag,
  readList,
  readPace,
  readTelling,
  readText,
  type Flags,
} from './options/common-options.js'
import { checkInOneBucket } from './options/places.js'
import { performVerify } from './verify.js'

/** `s3move resume [DIR]`. Resolves with the exit code. */
export async function resume(dir: string | undefined, flags: Flags, io: CommandIo): Promise<number> {
  const onlyFailed = readFlag(flags, 'only-failed') ?? false
  const named = readList(flags, 'only-code')
  const codes = named.length === 0 ? undefined : named
  const dry = readFlag(flags, 'dry-run') ?? false
  const telling = readTelling(flags)
  const given = readText(flags, 'checkpoint')
  if (codes !== undefined && !onlyFailed) {
    throw new UserError(
      '--only-code chooses among the failed objects, and --only-failed is missing',
      'add --only-failed',
    )
  }
  if (onlyFailed && dry) {
    throw new UserError(
      '--only-failed and --dry-run do not go together: what would be tried is the failure ledger itself',
      'read failures.ndjson in the folder of the run',
    )
  }
  if (dir !== undefined && given !== undefined) {
    throw new UserError('the folder was given twice, as DIR and as --checkpoint', 'give one of them')
  }
  const { folder, checkpoint: found } = await choose(dir ?? given, onlyFailed, io.cwd)
  await refuseLinks(folder)
  await checkOutsideSides(found.job, folder, io.cwd)
  if (isScan(found)) return await resumeReading(folder, found, flags, io, { onlyFailed, dry })
  const pace = readPace(flags, found.pace)
  const asked = readConnection(flags, found.connection)
  if (nothingToDo(found, onlyFailed)) {
    if (!telling.quiet) io.stderr.write(`${whyNothing(found, folder, onlyFailed)}\n`)
    if (ledgerEntries(found) > 0) return EXIT.failures
    return found.state === 'finished' ? EXIT.done : EXIT.stopped
  }

  const customerKeys = await readKeysOf(found.job)
  const progress = createProgress({ ...io, ...telling })
  try {
    const lock = await lockRun(folder)
    try {
      // Only now is it certain that nobody else moves it on.
      const { checkpoint } = await readCheckpoint(folder)
      if (!isWrite(checkpoint)) throw new UserError(`${printable(folder)} now holds another job`, 'see s3move status')
      const { job } = checkpoint
      checkRanges(folder, checkpoint)
      await proveLedgers(folder, checkpoint)
      const list = listOf(job)
      if (list !== undefined && checkpoint.list !== undefined && !onlyFailed) await checkList(list, checkpoint.list)
      const opened = await open(endsOf(job), asked, {
        customerKeys,
        readOnly: dry || onlyDeletes(job),
        strays: true,
        named: list !== undefined || onlyFailed,
        deletes: deletes(job),
        wanted: storeNeedsOf(job),
        again: true,
        sourceFolder: checkpoint.sourceFolder,
        emptied: deferredDeletesOf(job)?.side === 'source',
        threads: dry || onlyFailed ? 0 : threadsFor(job, pace),
        io,
        pace,
        ...noting(progress),
      })
      try {
        if ('destination' in job && !opened.ends.settings.distinctBuckets)
          checkInOneBucket(job.source, job.destination, mirrors(job))
        // The store may have moved; were it another one, what is settled would be missing there.
        for (const difference of differences(checkpoint, { job, connection: opened.ends.connection })) {
          const message = `${difference}; what was done so far is taken to be there too`
          progress.event({ type: 'note', level: 'warning', message })
        }
        const unfound = noneOf(checkpoint, codes)
        if (unfound !== undefined) progress.event({ type: 'note', level: 'warning', message: unfound })
        const { sourceFolder } = opened.ends
        if (dry) {
          const { ranges, list } = checkpoint
          return await dryRun({ job, pace, ranges, list, opened, telling, io })
        }
        return await drive({
          folder,
          checkpoint: {
            ...checkpoint,
            program: `s3move ${version()}`,
            connection: opened.ends.connection,
            ...(sourceFolder === undefined ? {} : { sourceFolder }),
            pace,
            sessions: checkpoint.sessions + 1,
          },
          opened,
          progress,
          telling,
          io,
          onlyFailed,
          codes,
          resumed: true,
        })
      } finally {
        opened.close()
      }
    } finally {
      await lock.release()
    }
  } finally {
    progress.close()
  }
}

// That no object failed with one of these codes, where that is so: the name may be misspelt. What a retry that ended early has left is not counted.
function noneOf({ totals, retry }: WriteCheckpoint, codes: readonly string[] | undefined): string | undefined {
  if (codes === undefined || retry != null || codes.some((code) => (totals.failed[code] ?? 0) > 0)) return undefined
  return `no object in the failure ledger failed with ${printable(codes.join(' or '))}; it has ${failedByCode(totals.failed)}`
}

// What remains must be of what the job selects: else it was damaged before checkpoints had a checksum.
function checkRanges(folder: string, { job, ranges }: WriteCheckpoint): void {
  const inside = intersection(ranges, wantedRanges(job))
  const whole = ranges.every(
    ({ after, until }, index) => inside[index]?.after === after && inside[index]?.until === until,
  )
  if (whole && inside.length === ranges.length) return
  throw new UserError(
    `the checkpoint in ${printable(folder)} is damaged: what remains is not within what the job selects`,
    'restore the folder from a copy, or start the job anew with another checkpoint folder',
  )
}

async function resumeReading(
  folder: string,
  checkpoint: ScanCheckpoint,
  flags: Flags,
  io: CommandIo,
  { onlyFailed, dry }: { readonly onlyFailed: boolean; readonly dry: boolean },
): Promise<number> {
  const { job } = checkpoint
  for (const [name, given] of [...Object.entries({ 'only-failed': onlyFailed, 'dry-run': dry })]) {
    if (given)
      throw new UserError(`--${name} is for jobs that write, and this is: ${jobTitle(job)}`, `leave --${name} away`)
  }
  if (checkpoint.state === 'finished') {
    if ('to' in job) await finishFile(job.to, checkpoint)
    io.stderr.write(`${whyNothing(checkpoint, folder, false)}\n`)
    const found = checkpoint.scan?.likenesses
    return found !== undefined && differing(found) > 0 ? EXIT.failures : EXIT.done
  }
  const json = readFlag(flags, 'json') ?? false
  return await resumeScan({ folder, checkpoint }, flags, io, (scan) => {
    switch (job.kind) {
      case 'ls':
        return performLs(job, scan)
      case 'du':
        return performDu(job, scan)
      case 'verify':
        return performVerify(job, scan, json)
    }
  })
}

async function choose(dir: string | undefined, onlyFailed: boolean, cwd: string): Promise<SavedRun> {
  if (dir !== undefined) return readCheckpoint(dir)
  const runs = (await findRuns(cwd))
    .filter((run): run is SavedRun => 'checkpoint' in run)
    .map((run) => ({ ...run, folder: relative(cwd, run.folder) }))
  const candidates = runs.filter(({ checkpoint }) => !nothingToDo(checkpoint, onlyFailed))
  const [only, ...others] = candidates
  if (only === undefined) {
    throw new UserError(
      onlyFailed ? 'no run here has failed objects' : 'no unfinished run here',
      runs.length === 0
        ? 'give the folder of the run: s3move resume DIR'
        : 'see ‘s3move status’ for the runs here, or give the folder of another: s3move resume DIR',
    )
  }
  if (others.length > 0) {
    const lines = candidates.map(({ folder, checkpoint: { job } }) => `  ${shellWord(folder)}  (${jobTitle(job)})`)
    throw new UserError(
      `${candidates.length} runs here can be resumed:\n${lines.join('\n')}`,
      'name one: s3move resume DIR',
    )
  }
  return only
}

function nothingToDo(checkpoint: SavedRun['checkpoint'], onlyFailed: boolean): boolean {
  return onlyFailed ? ledgerEntries(checkpoint) === 0 && !isUnderWay(checkpoint) : checkpoint.state === 'finished'
}

// What failed and was tried again by a session that was killed is in the failure ledger no more: it waits to be tried once more, or to be deleted.
function isUnderWay({ waiting, removals }: SavedRun['checkpoint']): boolean {
  return waiting !== undefined || (removals !== undefined && removals.done.entries < removals.entries)
}

function ledgerEntries({ ledger, retry }: SavedRun['checkpoint']): number {
  return ledger.entries + (retry === undefined ? 0 : retry.of - retry.entries)
}

function whyNothing(checkpoint: SavedRun['checkpoint'], folder: string, onlyFailed: boolean): string {
  if (onlyFailed) {
    const none = `nothing to try again: no object is in the failure ledger of ${shellWord(folder)}`
    return checkpoint.state === 'finished'
      ? none
      : `${none}; the run is not finished, to go on with it: s3move resume ${shellWord(folder)}`
  }
  const failed = sum(checkpoint.totals.failed)
  const done = `nothing to resume: the run in ${shellWord(folder)} is finished`
  return failed === 0
    ? done
    : `${done}, with ${objects(failed)} in the failure ledger; to try those again: s3move resume --only-failed ${shellWord(folder)}`
}
