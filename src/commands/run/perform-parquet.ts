import { ParquetGroups } from '../../engine/output/parquet-groups.js'
import { parquetSink } from '../../engine/session/parquet-sink.js'
import type { ScanEnd, Sink } from '../../engine/session/scan-session.js'
import type { LsJob } from '../../job/ls.js'
import { read, writeInto, type Scan } from './run-scan.js'

/** Writes every key to a Parquet file. Answers also how many there are, and the bytes. */
export async function readIntoParquet(
  job: LsJob,
  scan: Scan,
): Promise<ScanEnd & { readonly bytes: number; readonly lines: number }> {
  const groups = new ParquetGroups()
  let sink: Sink | undefined
  const ended = await writeInto(job.to, scan, async (outlet, onFail) => {
    const ended = await read(scan, (_, failed) => {
      onFail(failed)
      return (sink = parquetSink(job, groups, outlet))
    })
    if (ended.end === 'finished') outlet.write(groups.finish(), () => undefined)
    return ended
  })
  return { ...ended, lines: sink?.state().lines ?? 0 }
}
