import { resolve } from 'node:path'
import { headerLine } from '../engine/output/ls-lines.js'
import { packer, packingOf } from '../engine/output/compression.js'
import { lsSink } from '../engine/session/scan-results.js'
import { bytes, shellWord } from '../report/format.js'
import type { LsJob } from '../job/ls.js'
import { placeUrl } from '../job/place.js'
import { printable } from '../keys.js'
import { scanned } from '../report/scan-progress.js'
import type { CommandIo } from './run/io.js'
import { readChoice, readFlag, readText, type Flags } from './options/common-options.js'
import { parsePlace } from './options/places.js'
import { conclude, readInto, startScan, type Scan } from './run/start-scan.js'

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
    const header = headerLine(job.format)
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
