import { censusReport } from '../report/usage-report.js'
import { UsageCounts } from '../engine/output/usage-counts.js'
import { duSink } from '../engine/session/scan-results.js'
import type { DuJob } from '../job/du.js'
import { placeUrl } from '../job/place.js'
import type { CommandIo } from './run/io.js'
import { readChoice, readWhole, type Flags } from './options/common-options.js'
import { parsePlace } from './options/places.js'
import { conclude, read, startScan, type Scan } from './run/start-scan.js'

/** `s3move du SOURCE`. Resolves with the exit code. */
export function du(source: string, flags: Flags, io: CommandIo): Promise<number> {
  const job: DuJob = {
    kind: 'du',
    source: parsePlace(source, 'source'),
    depth: readWhole(flags, 'depth', 0, 100) ?? 0,
    report: {
      format: readChoice(flags, 'format', ['text', 'json', 'csv']) ?? 'text',
      dates: readChoice(flags, 'dates', ['year', 'month', 'day']) ?? 'year',
    },
  }
  return startScan(job, flags, io, (scan) => performDu(job, scan))
}

/** Counts, and tells the result on stdout. */
export async function performDu(job: DuJob, scan: Scan): Promise<number> {
  const { checkpoint, io } = scan
  const census = new UsageCounts({ depth: job.depth })
  if (checkpoint.scan?.census !== undefined) census.merge(checkpoint.scan.census)
  const ended = await read(scan, () => duSink(job, census))
  scan.progress.close()
  const { format, dates } = job.report
  const complete = ended.end === 'finished'
  const url = placeUrl(job.source)
  io.stdout.write(censusReport(census.data(), { format, dates, depth: job.depth, url, complete }))
  return conclude(scan, ended, 'the figures are of a part only')
}
