import type { LsJob } from '../../job/ls.js'
import type { ObjectRows } from '../output/object-rows.js'
import type { OutputWriter } from '../output/output-writer.js'
import type { ParquetGroups } from '../output/parquet-groups.js'
import type { Sink } from './scan-session.js'

/** Writes objects to `outlet` as a Parquet file, whose end the caller adds. It cannot be gone on with: what tells where its groups are comes last. */
export function parquetSink(job: LsJob, groups: Pick<ParquetGroups, 'add'>, outlet: OutputWriter): Sink {
  let lines = 0
  // Of what is held no one waits for the writing; who fills a group, and who comes before it is written, does.
  let writing = 0
  let waiting: (() => void)[] = []
  return {
    task: { kind: 'rows', job },
    deliver(product, settle) {
      const rows = product as ObjectRows
      lines += rows.keys.length
      const bytes = groups.add(rows)
      if (bytes.length === 0 && writing === 0) {
        settle()
        return
      }
      waiting.push(settle)
      if (bytes.length === 0) return
      writing++
      outlet.write(bytes, () => {
        if (--writing > 0) return
        const settles = waiting
        waiting = []
        for (const one of settles) one()
      })
    },
    moved: () => undefined,
    state: () => ({ lines }),
    sync: () => Promise.resolve(),
  }
}
