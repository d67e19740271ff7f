import { rename } from 'node:fs/promises'
import { resolve } from 'node:path'
import { reasonOf, systemCode } from '../checkpoint/checkpoint-error.js'
import { headerOf } from '../engine/lines.js'
import { fileOutlet, streamOutlet, type Outlet } from '../engine/outlet.js'
import { packer, packingOf } from '../engine/pack.js'
import { lsSink } from '../engine/sinks.js'
import { UserError } from '../errors.js'
import { bytes, placeUrl, shellWord } from '../format.js'
import type { LsJob } from '../job.js'
import { printable } from '../keys.js'
import { scanned } from '../scan-progress.js'
import type { CommandIo } from './io.js'
import { readChoice, readFlag, readText, type Flags } from './options.js'
import { parsePlace } from './place.js'
import { conclude, read, startScan, type Scan } from './scan.js'

/** `s3move ls SOURCE`. Resolves with the exit code. */
export function ls(source: string, flags: Flags, io: CommandIo): Promise<number> {
  const to = readText(flags, 'to')
  const job: LsJob = {
    kind: 'ls',
    source: parsePlace(source, 'source'),
    format: readChoice(flags, 'format', ['text', 'json', 'csv']) ?? 'text',
    sorted: readFlag(flags, 'sorted') ?? false,
    ...(to === undefined ? {} : { to: resolve(io.cwd, to) }),
  }
  // Refused before any request.
  if (job.to !== undefined) packer(packingOf(job.to))
  return startScan(job, flags, io, (scan) => performLs(job, scan))
}

/** Writes every key. */
export async function performLs(job: LsJob, scan: Scan): Promise<number> {
  const { checkpoint, io, progress, quiet, resumed } = scan
  const packing = job.to === undefined ? 'plain' : packingOf(job.to)
  const terminal = job.to === undefined && 'isTTY' in io.stdout && io.stdout.isTTY === true
  let told: ((error: unknown) => void) | undefined
  const fail = (error: unknown): void => told?.(error)
  const before = checkpoint.scan?.bytes
  const outlet: Outlet =
    job.to === undefined
      ? streamOutlet(io.stdout, fail)
      : await fileOutlet(job.to, resumed ? (before ?? 0) : undefined, fail)
  try {
    const header = headerOf(job.format)
    if (header !== '' && outlet.bytes === 0 && !(resumed && job.to === undefined)) {
      outlet.write(packer(packing)(header), () => undefined)
    }
    const ended = await read(scan, (keyspace, failed) => {
      told = failed
      return lsSink(job, { packing, terminal }, outlet, keyspace)
    })
    progress.close()
    if (ended.end === 'finished' && job.to !== undefined) {
      await outlet.finish()
      if (!quiet) {
        progress.say(`wrote ${scanned(ended.listed, ended.elapsed)} to ${shellWord(job.to)}, ${bytes(outlet.bytes)}`)
      }
    }
    if (ended.end === 'finished' && ended.listed === 0 && !quiet) {
      progress.say(`${placeUrl(job.source)} has no objects; are bucket and prefix right?`)
    }
    return conclude(scan, ended, job.to === undefined ? 'keys are missing' : `${printable(job.to)}.part is incomplete`)
  } finally {
    await outlet.close()
  }
}

/** Gives a finished output its name, in case that a crash came before. */
export async function finishLs({ to }: LsJob): Promise<void> {
  if (to === undefined) return
  try {
    await rename(`${to}.part`, to)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    throw new UserError(
      `cannot give ${printable(`${to}.part`)} its name: ${reasonOf(error)}`,
      'rename it by hand: it is whole',
    )
  }
}
