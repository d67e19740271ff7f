import { allTogether, less } from '../../engine/actions/context.js'
import { StorageError, UserError } from '../../errors.js'
import { connectionOf } from '../../job/connection.js'
import type { Finding } from '../../job/finding.js'
import { exactUrl, placeUrl, type Place } from '../../job/place.js'
import type { MeasuredRequests, Probed, ProbedWrites, Sweep } from '../../job/probed.js'
import { sum } from '../../job/totals.js'
import { printableName } from '../../keys.js'
import { adviceOf } from '../../probe/advice.js'
import { honouredByReads, READ_QUESTIONS } from '../../probe/honoured.js'
import type { ProbeFolder } from '../../probe/probe-folder.js'
import { probeReads, SHARES, type MeasuredReads } from '../../probe/probe-reads.js'
import { probeWrites, type MeasuredWrites } from '../../probe/probe-writes.js'
import type { OpenStore } from '../../storage/backend.js'
import { able, type BucketTraits } from '../../storage/storage.js'
import { traitFindings } from '../../storage/trait-findings.js'
import type { CommandIo } from '../options/io.js'
import { sayTo, warnTo } from './attended.js'
import type { Opened } from './open-and-run.js'
import type { ProbeCost } from './probe-cost.js'
import { readSampleOf } from './probe-sample.js'
import type { ProbeRequest } from './probe-store.js'
import { inWords, openWritingPlace, writtenBelow } from './writing-place.js'

/** Requests that read, of so many of which others write. */
export function readsOf(requests: number): number {
  return Math.ceil(requests / 2)
}

type Counts = Readonly<Record<string, number>>

/** What came of one probe. */
interface Found {
  readonly reads: MeasuredReads
  readonly writes: MeasuredWrites | undefined
  readonly traits: readonly Finding[]
}

/** Measures once. */
export async function probeOnce(
  asked: ProbeRequest,
  opened: Opened,
  cost: ProbeCost | undefined,
  io: CommandIo,
): Promise<Probed> {
  const { source, write } = asked
  const { ends, drain } = opened
  const before = { ...ends.meter.requests }
  const metered = (): Counts => less(ends.meter.requests, before)
  const [began, from] = [new Date(), performance.now()]
  const traits = write === undefined && isWatched(asked) ? undefined : await traitsOf(ends.source)
  const below = write === undefined ? undefined : writtenBelow(source, write)
  const folder = below === undefined ? undefined : await writingPlace(asked, below, traits, opened, io)
  let found: Found
  let left: ProbedWrites['left']
  try {
    found = await measure(asked, opened, { traits, folder, metered, io })
  } finally {
    left = await folder?.close()
    folder?.place.close()
    if (left !== undefined && below !== undefined) warnTo(io, leftLine(below, left))
  }
  const { reads, writes } = found
  const rows: readonly MeasuredRequests[] = [...reads.rows, ...(writes?.rows ?? [])]
  const sweeps: readonly Sweep[] = [...reads.sweeps, ...(writes?.sweeps ?? [])]
  const requests = allTogether([metered(), reads.requests, writes?.requests ?? {}])
  const { region } = connectionOf(ends.connection, 'source')
  return {
    ...{ began: began.toISOString(), elapsedMs: performance.now() - from },
    ...{ source: exactUrl(source), host: ends.source.store.host ?? '' },
    ...(region === undefined ? {} : { region }),
    ...{ connections: reads.connections, rows, sweeps, traits: found.traits, advice: adviceOf(rows, sweeps) },
    ...{ requests, bytesRead: reads.bytesRead },
    ...(folder === undefined || below === undefined
      ? {}
      : {
          written: { below: exactUrl(below), bytes: folder.bytesWritten, ...(left === undefined ? {} : { left }) },
        }),
    ...(cost === undefined ? {} : { spentUsd: cost(requests, reads.bytesRead) }),
    ...(drain.signal.aborted ? { interrupted: true } : {}),
  }
}

interface Tools {
  readonly traits: BucketTraits | undefined
  readonly folder: ProbeFolder | undefined
  /** Requests that were sent and are not counted by who measures. */
  readonly metered: () => Counts
  readonly io: CommandIo
}

async function measure(
  asked: ProbeRequest,
  { ends, drain }: Opened,
  { traits, folder, metered, io }: Tools,
): Promise<Found> {
  const { requests, bytes, concurrency } = asked
  const { store, timed } = ends.source
  const reading = able(timed, 'be measured')
  const told = (what: string): void => {
    if (io.stderr.isTTY === true && asked.every === undefined) sayTo(io, `  measuring ${what}`)
  }
  const share = folder === undefined ? requests : readsOf(requests)
  const sample = await readSampleOf(store, Math.max(1, Math.floor(share * SHARES.sampling)), drain.signal)
  const object = isWatched(asked) || folder !== undefined ? undefined : sample.all()[0]
  const [spent, kept] = [sum(metered()), object === undefined ? 0 : READ_QUESTIONS]
  const most = folder === undefined ? bytes : bytes / 2
  const limits = { requests: share - spent - kept, bytes: most, concurrency }
  const reads = await probeReads(reading, sample, limits, told, drain.signal)
  const findings = traits === undefined ? [] : traitFindings(traits)
  const asking: Record<string, number> = {}
  const count = (operation?: string): void => {
    if (operation !== undefined) asking[operation] = (asking[operation] ?? 0) + 1
  }
  if (object !== undefined && !drain.signal.aborted)
    findings.push(...(await honouredByReads(store, reading, object, count)))
  const writes =
    folder === undefined || drain.signal.aborted
      ? undefined
      : await probeWrites(
          folder,
          { requests: requests - share, bytes: most, concurrency, honours: !isWatched(asked) },
          told,
          drain.signal,
        )
  return {
    reads: { ...reads, requests: allTogether([reads.requests, asking]) },
    writes,
    traits: [...findings, ...(writes?.traits ?? [])],
  }
}

function isWatched({ every, monitor }: ProbeRequest): boolean {
  return every !== undefined || monitor !== undefined
}

// A store that is asked again and again is measured as far as it can be.
async function writingPlace(
  asked: ProbeRequest,
  below: Place,
  traits: BucketTraits | undefined,
  opened: Opened,
  io: CommandIo,
): Promise<ProbeFolder | undefined> {
  try {
    return await openWritingPlace(below, traits, opened, io)
  } catch (error) {
    if (asked.every === undefined || !(error instanceof UserError)) throw error
    warnTo(io, error.message)
    return undefined
  }
}

async function traitsOf(store: OpenStore): Promise<BucketTraits | undefined> {
  try {
    return await store.traits(true)
  } catch (error) {
    if (error instanceof StorageError) return undefined
    throw error
  }
}

function leftLine(below: Place, { problem, ...remains }: NonNullable<ProbedWrites['left']>): string {
  const what = inWords(remains)
  return `${what === '' ? 'what may be left' : what} below ${placeUrl(below)} could not be deleted: ${printableName(problem)}; a probe with the same --write, from some minutes later on, tries again`
}
