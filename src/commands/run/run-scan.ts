import { open as openFile, rename } from 'node:fs/promises'
import { reasonOf } from '../../checkpoint/checkpoint-error.js'
import type { ScanCheckpoint } from '../../checkpoint/checkpoint.js'
import { shownFolder } from '../../checkpoint/mounts.js'
import {
  fileOutlet,
  provenBeginning,
  streamOutlet,
  type OutputWriter,
  type Written,
} from '../../engine/output/output-writer.js'
import { runScan, type ScanEnd, type ScanOptions, type Sink } from '../../engine/session/scan-session.js'
import { stopReason } from '../../engine/session/stop-reason.js'
import { UserError } from '../../errors.js'
import { systemCode } from '../../file-system.js'
import { printable, printableName } from '../../keys.js'
import { listOf } from '../../job/kinds.js'
import { isObjectUrl } from '../../job/place.js'
import { sum } from '../../job/totals.js'
import { listWord, objects, shellWord } from '../../report/format.js'
import { failedByCode } from '../../report/summary.js'
import type { ScanProgress } from '../../report/scan-progress.js'
import type { Keyspace } from '../../sources/ranges/keyspace.js'
import { EXIT } from '../options/exit.js'
import { Interrupted, type CommandIo } from '../options/io.js'
import { hostsFor, type HostsNote } from './fleet.js'
import type { Opened } from './open-and-run.js'
import type { ResultObject } from './result-object.js'

/** A job that only reads, ready to run: everything was found out. */
export interface Scan extends ScanTelling {
  readonly opened: Opened
}

/** What its result, and the telling of it, need. */
export interface ScanTelling {
  readonly checkpoint: ScanCheckpoint
  /** The run's folder, locked; absent when nothing is kept. */
  readonly folder: string | undefined
  readonly resumed: boolean
  readonly progress: ScanProgress
  readonly io: CommandIo
  readonly quiet: boolean
  /** Where the result goes, if that is an object. */
  readonly result: ResultObject | undefined
}

/** Runs a scan into a sink. */
export async function read(scan: Scan, openSink: ScanOptions['openSink']): Promise<ScanEnd> {
  const { checkpoint, folder, opened, progress, io } = scan
  const note: HostsNote = (level, message) => {
    const told = printableName(message)
    if (level === 'warning') progress.warn(told)
    else if (!scan.quiet) progress.say(told)
  }
  const hosts = hostsFor(checkpoint.job, { opened, folder, pace: checkpoint.pace, cwd: io.cwd, note })
  const crew = opened.hands.crew(opened.ends, hosts)
  const ended = await runScan({
    ...{ checkpoint, folder, openSink, ends: opened.ends, crew, drain: opened.drain },
    abandon: io.abandon,
    warn: (message) => progress.warn(printableName(message)),
    progress: (listed, elapsed, expected) => progress.update(listed, elapsed, expected),
  })
  await hosts?.ended()
  return ended
}

/** Runs a scan whose lines go to an output, as `writeInto` has it. */
export async function readInto(
  to: string | undefined,
  scan: Scan,
  openSink: (outlet: OutputWriter, keyspace: Keyspace) => Sink,
): Promise<ScanEnd & { readonly bytes: number }> {
  return await writeInto(to, scan, (outlet, onFail) =>
    read(scan, (keyspace, failed) => {
      onFail(failed)
      return openSink(outlet, keyspace)
    }),
  )
}

/**
 * Runs what writes to the file or object `to`, which gets its name once it is whole, or to standard output. `onFail` takes who is told that it
 * cannot be written. Answers also how many bytes were written, over all sessions if there is a file.
 */
export async function writeInto<End extends Pick<ScanEnd, 'end' | 'stop'>>(
  to: string | undefined,
  scan: ScanTelling,
  run: (outlet: OutputWriter, onFail: (told: (error: unknown) => void) => void) => Promise<End>,
): Promise<End & { readonly bytes: number }> {
  let told: ((error: unknown) => void) | undefined
  const fail = (error: unknown): void => told?.(error)
  const { progress, result } = scan
  const outlet = await outletOf(to, scan, fail)
  try {
    const ended = await run(outlet, (failed) => (told = failed))
    progress.close()
    if (ended.end !== 'finished') return { ...ended, bytes: outlet.bytes }
    if (result !== undefined) {
      return await deliver(ended, async () => {
        await outlet.finish()
        return result.kept === undefined ? outlet.bytes : await result.send()
      })
    }
    await outlet.finish()
    return { ...ended, bytes: outlet.bytes }
  } finally {
    await outlet.close()
  }
}

async function outletOf(
  to: string | undefined,
  { checkpoint, folder, io, resumed, progress, result }: ScanTelling,
  fail: (error: unknown) => void,
): Promise<OutputWriter> {
  if (to === undefined) return streamOutlet(io.stdout, fail, () => progress.giveWay())
  if (result !== undefined && result.kept === undefined) return result.outlet(fail)
  const before = resumed ? writtenBefore(checkpoint.scan) : undefined
  return await fileOutlet(result?.kept ?? to, { before, proven: folder !== undefined }, fail)
}

/** Sends a result to its object. What has finished has not, unless the object is there: then it answers its bytes, too. */
export async function deliver<End extends Pick<ScanEnd, 'end' | 'stop'>>(
  ended: End,
  send: () => Promise<number>,
): Promise<End & { readonly bytes: number }> {
  try {
    return { ...ended, bytes: await send() }
  } catch (error) {
    if (error instanceof Interrupted) return { ...ended, end: 'interrupted', bytes: 0 }
    return { ...ended, end: 'stopped', stop: stopReason(error), bytes: 0 }
  }
}

/** What there is of a result that is not whole. */
export function unfinished(to: string): string {
  return isObjectUrl(to) ? `${printable(to)} was not written` : `${printable(to)}.part is incomplete`
}

function writtenBefore(scan: ScanCheckpoint['scan']): Written {
  return { bytes: scan?.bytes ?? 0, ...(scan?.sha256 === undefined ? {} : { sha256: scan.sha256 }) }
}

/** Gives the finished output of a job its name, as far as it has none, in case that a crash came before. */
export async function finishFile(to: string, scan: ScanCheckpoint['scan']): Promise<void> {
  try {
    const file = await openFile(`${to}.part`)
    try {
      await provenBeginning(file, `${to}.part`, writtenBefore(scan))
    } finally {
      await file.close()
    }
    await rename(`${to}.part`, to)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    if (error instanceof UserError) throw error
    throw new UserError(
      `cannot give ${printable(`${to}.part`)} its name: ${reasonOf(error)}`,
      'rename it by hand: it is whole',
    )
  }
}

/** Says on stderr why a scan did not finish, and how to go on. Answers the exit code. */
export function conclude(
  { checkpoint: { job }, progress, folder, quiet }: ScanTelling,
  { end, stop, readerGone, unread }: ScanEnd,
  incomplete: string,
): number {
  const failed = sum(unread)
  const list = listOf(job)
  if (failed > 0 && list !== undefined && !quiet) {
    progress.say(`${objects(failed)} that ${listWord(list)} names could not be read: ${failedByCode(unread)}`, 'bad')
  }
  if (stop === undefined && (end === 'finished' || readerGone)) return failed > 0 ? EXIT.failures : EXIT.done
  const because = stop === undefined ? '' : ` (${stop.reason})`
  progress.say(`${end} before it finished${because}: ${incomplete}`, stop === undefined ? 'warning' : 'bad')
  if (stop?.hint !== undefined) progress.say(`  hint      ${printable(stop.hint)}`)
  progress.say(
    folder === undefined
      ? '  next      the same command, which begins anew (with --checkpoint DIR it could go on)'
      : `  next      s3move resume ${shellWord(shownFolder(folder))}`,
  )
  return stop === undefined ? EXIT.interrupted : EXIT.stopped
}
