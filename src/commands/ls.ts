import { resolve } from 'node:path'
import { headerOf } from '../engine/lines.js'
import { packer, packingOf } from '../engine/pack.js'
import { lsSink } from '../engine/sinks.js'
import { bytes, shellWord } from '../format.js'
import { placeUrl, type LsJob } from '../job.js'
import { printable } from '../keys.js'
import { scanned } from '../scan-progress.js'
import type { CommandIo } from './io.js'
import { readChoice, readFlag, readText, type Flags } from './options.js'
import { parsePlace } from './place.js'
import { conclude, readInto, startScan, type Scan } from './scan.js'

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
  const { io, progress, quiet, resumed } = scan
  const packing = job.to === undefined ? 'plain' : packingOf(job.to)
  const terminal = job.to === undefined && 'isTTY' in io.stdout && io.stdout.isTTY === true
  const ended = await readInto(job.to, scan, (outlet, keyspace) => {
    const header = headerOf(job.format)
    if (header !== '' && outlet.bytes === 0 && !(resumed && job.to === undefined)) {
      outlet.write(packer(packing)(header), () => undefined)
    }
    return lsSink(job, { packing, terminal }, outlet, keyspace)
  })
  if (ended.end === 'finished' && !quiet) {
    if (job.to !== undefined) {
      progress.say(`wrote ${scanned(ended.listed, ended.elapsed)} to ${shellWord(job.to)}, ${bytes(ended.bytes)}`)
    }
    if (ended.listed === 0) progress.say(`${placeUrl(job.source)} has no objects; are bucket and prefix right?`)
  }
  return conclude(scan, ended, job.to === undefined ? 'keys are missing' : `${printable(job.to)}.part is incomplete`)
}
