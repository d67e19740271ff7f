import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { comparedNames, factLine, nameInLine, type ChecksumFact } from '../../batch/compare-checksums.js'
import { keyIn, listedInRow } from '../../batch/manifest.js'
import { checksumRows, NOT_COMPUTED } from '../../batch/report.js'
import type { BatchJobState } from '../../checkpoint/batch-state.js'
import { checkpointError } from '../../checkpoint/checkpoint-error.js'
import { packer } from '../../engine/output/compression.js'
import { differenceLine } from '../../engine/output/verify-lines.js'
import { ReaderGone, type Written } from '../../engine/output/output-writer.js'
import type { ScanEnd } from '../../engine/session/scan-session.js'
import { UserError } from '../../errors.js'
import { systemCode } from '../../file-system.js'
import { connectionOf, type Connection } from '../../job/connection.js'
import { exactUrl, type Side } from '../../job/place.js'
import { addVerdicts, NO_VERDICTS, type Problem, type Verdicts } from '../../job/verdicts.js'
import { printable } from '../../keys.js'
import { rowsOf } from '../../sources/files-from/csv-rows.js'
import { externallySorted, type Sortable } from '../../sources/files-from/external-sort.js'
import { tellingReader, type TellingReader } from '../../sources/files-from/stored-files.js'
import { textLines } from '../../sources/files-from/text-lines.js'
import { Interrupted, unless, type CommandIo } from '../options/io.js'
import { partyOf, SIDES, type ChecksumCheckpoint, type ChecksumSetup } from './checksum-setup.js'
import { openListPlace } from './list-object.js'
import type { Opened } from './open-and-run.js'
import { differencesOutput } from './perform-verify.js'
import { writeInto, type ScanTelling } from './run-scan.js'

/** What a comparison that came to its end has found. */
export interface FoundByChecksums {
  readonly found: Verdicts
  /** Of those that are unknown, by the code. */
  readonly unread: Readonly<Record<string, number>>
  /** What proves the file that was written, if one was. */
  readonly kept: Written | undefined
  readonly bytes: number
}

/** Sorts what both sides' manifests and reports tell into the folder of the run, and writes the differences. Undefined when whoever reads them went away. */
export async function compareChecksums(
  setup: ChecksumSetup,
  scan: ScanTelling & { readonly folder: string },
  checkpoint: ChecksumCheckpoint,
  reached: Connection,
): Promise<FoundByChecksums | undefined> {
  const { job } = checkpoint
  const { packing, format, painted } = differencesOutput(job, scan, setup.json)
  const pack = packer(packing)
  await removeSorting(scan.folder)
  const reports = await openReports(setup, checkpoint, reached)
  let kept: Written | undefined
  let found = NO_VERDICTS
  const unread: Record<string, number> = {}
  try {
    const ended = await writeInto(job.to, scan, async (outlet, onFail): Promise<Pick<ScanEnd, 'end' | 'stop'>> => {
      const shown = painted(outlet)
      const failing = new Promise<never>((_resolve, reject) => onFail(reject))
      failing.catch(() => undefined)
      for await (const some of comparedAll(setup, checkpoint, reports, scan.folder)) {
        if (setup.io.stop.aborted) throw new Interrupted('interrupted')
        const gain = { ...NO_VERDICTS }
        let lines = ''
        for (const { key, ...difference } of some) {
          const { verdict, problem } = difference
          gain[verdict]++
          if (problem !== undefined) unread[problem.code] = (unread[problem.code] ?? 0) + 1
          if (verdict !== 'same') lines += differenceLine(format, { key: `${job.source.prefix}${key}`, ...difference })
        }
        found = addVerdicts(found, gain)
        if (lines !== '')
          await Promise.race([new Promise<void>((written) => shown.write(pack(lines), written)), failing])
      }
      await shown.sync()
      kept = outlet.kept
      return { end: 'finished', stop: undefined }
    })
    if (ended.stop !== undefined) throw new UserError(ended.stop.reason, ended.stop.hint)
    if (ended.end !== 'finished') throw new Interrupted('interrupted')
    return { found, unread, kept, bytes: ended.bytes }
  } catch (error) {
    if (error instanceof ReaderGone) return undefined
    throw systemCode(error) === undefined ? error : checkpointError('write', scan.folder, error)
  } finally {
    reports.close()
    await removeSorting(scan.folder)
  }
}

const SORTING = /^checksums\.sorting\.\d+\.ndjson$/

async function removeSorting(folder: string): Promise<void> {
  try {
    for (const name of await readdir(folder)) if (SORTING.test(name)) await rm(join(folder, name), { force: true })
  } catch (error) {
    throw checkpointError('look into', folder, error)
  }
}

function comparedAll(
  setup: ChecksumSetup,
  checkpoint: ChecksumCheckpoint,
  reports: Reports,
  folder: string,
): ReturnType<typeof comparedNames> {
  const { jobs } = checkpoint.batch
  const pathOf = (n: number): string => join(folder, `checksums.sorting.${n}.ndjson`)
  const sorted = externallySorted(factsOf(setup, checkpoint, reports), { pathOf, keyOf: nameInLine })
  return comparedNames(sorted, (at): Problem => {
    const { id, status } = jobs[at] ?? {}
    if (status === 'Complete') return { code: NOT_COMPUTED, message: 'no report tells of it' }
    const code = status === 'Cancelled' ? 'BatchJobCancelled' : 'BatchJobFailed'
    return { code, message: `the job ${String(id)} ended as ${String(status)} before it was known to have read it` }
  })
}

async function* factsOf(
  { io }: ChecksumSetup,
  { job, batch }: ChecksumCheckpoint,
  reports: Reports,
): AsyncGenerator<readonly Sortable[], void, undefined> {
  for (const [at, one] of batch.jobs.entries()) {
    const side = one.side ?? 'destination'
    const { prefix } = job[side]
    const fact = (key: string, told: ChecksumFact): Sortable => {
      if (key.startsWith(prefix)) return factLine(key.slice(prefix.length), side, told)
      throw new UserError(`the report of the job ${String(one.id)} names ${printable(key)}, which is none of it`, AGAIN)
    }
    for await (const rows of manifestRows(reports, side, one)) {
      if (io.stop.aborted) throw new Interrupted('interrupted')
      yield rows.map(({ key, traits }) => fact(key, { kind: 'listed', job: at, ...traits }))
    }
    const { manifests } = partyOf(batch, side)
    const manifest = `${manifests.prefix}${batch.id}/reports/job-${String(one.id)}/manifest.json`
    const whole = one.status === 'Complete'
    // S3 writes none of a job that came to no object.
    if (!whole && !(await reports.has(side, manifest))) continue
    let found = 0
    for await (const rows of checksumRows(manifest, (key) => reports.read(side, key), job.checksums)) {
      if (io.stop.aborted) throw new Interrupted('interrupted')
      found += rows.length
      yield rows.map((row) => {
        if (!('checksum' in row)) return fact(row.key, { kind: 'failed', code: row.code, message: row.message })
        return fact(row.key, { kind: 'computed', etag: row.etag, checksum: row.checksum })
      })
    }
    if (!whole || found === one.rows) continue
    throw new UserError(
      `the report of the job ${String(one.id)} has ${found} rows where it had ${one.rows} objects`,
      AGAIN,
    )
  }
}

const AGAIN =
  'resume the run to read it again; if it stays so, the bucket of the reports was written to by somebody else'

async function* manifestRows(
  reports: Reports,
  side: Side,
  { manifest, etag, rows: expected }: BatchJobState,
): AsyncGenerator<readonly { readonly key: string; readonly traits: { size: number; etag: string } }[]> {
  const name = printable(manifest)
  let found = 0
  for await (const rows of rowsOf(textLines(reports.read(side, manifest, etag), name), name)) {
    found += rows.length
    yield rows.map(({ fields: [, key = '', listed = ''] }) => {
      const traits = listedInRow(listed)
      if (traits === undefined) throw new UserError(`the manifest ${name} is not as it was written`, AGAIN)
      return { key: keyIn(key), traits }
    })
  }
  if (found === expected) return
  throw new UserError(`the manifest ${name} has ${found} rows where ${expected} were written`, AGAIN)
}

/** Manifests and reports of both sides. What cannot be read is a `UserError`. */
interface Reports {
  read(side: Side, key: string, etag?: string): AsyncGenerator<Buffer, void, undefined>
  has(side: Side, key: string): Promise<boolean>
  close(): void
}

/** Bytes that are asked for at once. */
const PIECE = 8 * 1024 * 1024

async function openReports(
  { io, pace }: ChecksumSetup,
  { batch }: ChecksumCheckpoint,
  reached: Connection,
): Promise<Reports> {
  const opened = new Map<Side, { readonly bucket: string; readonly place: Opened; readonly reader: TellingReader }>()
  const close = (): void => {
    for (const { place } of opened.values()) place.close()
  }
  try {
    for (const side of SIDES) {
      const { bucket } = partyOf(batch, side).manifests
      const place = await openListPlace({ bucket, prefix: '' }, { connection: connectionOf(reached, side), pace, io })
      opened.set(side, { bucket, place, reader: readerOf(place, io) })
    }
  } catch (error) {
    close()
    throw error
  }
  const of = (side: Side, key: string) => {
    const found = opened.get(side)
    if (found === undefined) throw new Error(`there are no reports of the ${side}`)
    return {
      ...found.reader,
      url: exactUrl({ bucket: found.bucket, prefix: key }),
      store: found.place.ends.source.store,
    }
  }
  return {
    async *read(side, key, etag) {
      const { told, head, url, store } = of(side, key)
      const found = await told(head(key), url)
      if (found === undefined)
        throw new UserError(`the report or manifest ${printable(url)} is not there`, 'put it back, then resume the run')
      if (etag !== undefined && etag !== found.etag) {
        throw new UserError(
          `the manifest ${printable(url)} was replaced`,
          'put back the one that the run wrote, then resume it',
        )
      }
      const object = { key, etag: found.etag }
      for (let at = 0; at < found.size; at += PIECE)
        yield await told(store.reading.read(object, at, Math.min(at + PIECE, found.size) - 1), url)
    },
    async has(side, key) {
      const { told, head, url } = of(side, key)
      return (await told(head(key), url)) !== undefined
    },
    close,
  }
}

function readerOf({ ends: { source } }: Opened, io: Pick<CommandIo, 'stop'>): TellingReader {
  return tellingReader(source.store, 'report or manifest', (work) => unless(io.stop, work))
}
