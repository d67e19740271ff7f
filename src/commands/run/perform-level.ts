import { packer, packingOf } from '../../engine/output/compression.js'
import { levelHeaderLine, levelLineWriter } from '../../engine/output/level-lines.js'
import { runLevel } from '../../engine/session/level-session.js'
import type { LsJob } from '../../job/ls.js'
import { placeUrl } from '../../job/place.js'
import { bytes, count, objects, shellWord } from '../../report/format.js'
import { conclude, unfinished, writeInto, type Scan } from './run-scan.js'

/** Writes the folders and objects of one level, and says how many there are. Answers the exit code. */
export async function performLevel(job: LsJob, scan: Scan): Promise<number> {
  const { io, opened, progress, quiet } = scan
  const { to, source, format } = job
  if (format === 'parquet') throw new Error('a level is written in lines')
  const pack = packer(to === undefined ? 'plain' : packingOf(to))
  const lines = levelLineWriter(format, source.prefix, to === undefined && io.stdout.isTTY === true)
  const ended = await writeInto(to, scan, (outlet, onFail) => {
    const header = levelHeaderLine(format)
    if (header !== '') outlet.write(pack(header), () => undefined)
    return runLevel({
      ...{ store: opened.ends.source.store, outlet, onFail, drain: opened.drain, abandon: io.abandon },
      pack: (entries) => pack(lines(entries)),
      progress: (listed, elapsed) => progress.update(listed, elapsed, undefined),
    })
  })
  if (ended.end === 'finished' && !quiet) {
    const { folders, listed, size } = ended
    const found = `${count(folders)} ${folders === 1 ? 'folder' : 'folders'} and ${objects(listed - folders)}, ${bytes(size)}`
    const written = to === undefined ? found : `wrote ${found}, to ${shellWord(to)}, ${bytes(ended.bytes)}`
    progress.say(written, 'good')
    if (listed === 0) progress.say(`${placeUrl(source)} has no objects; are bucket and prefix right?`, 'warning')
  }
  return conclude(scan, ended, to === undefined ? 'names are missing' : unfinished(to))
}
