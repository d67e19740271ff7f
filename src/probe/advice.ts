import { MOST_CONCURRENCY, MOST_LANES } from '../job/pace.js'
import type { MeasuredRequests, PaceAdvice, Sweep } from '../job/probed.js'

const MIB = 1024 * 1024
/** What is asked for at once beyond what an even flow needs. */
const ROOM = 1.2
/** A rate that is so little below another is as good. */
const NEARLY = 1.1
const LANES = { least: 16, most: MOST_LANES }
/** Keys of a page. */
const PAGE = 1_000
/** A part is to take so many times as long as the first byte of its answer is waited for. */
const WORTH = 9
/** Sizes that `--part-size` takes and S3 likes. */
const PARTS = { least: 8 * MIB, most: 1024 * MIB }

/** What settings of a copy follow from what was measured. */
export function adviceOf(rows: readonly MeasuredRequests[], sweeps: readonly Sweep[]): PaceAdvice {
  const reasons: string[] = []
  // A copy inside a store sends nothing else. What was refused to these credentials tells nothing.
  const copies = sweeps.find(({ operation, ended }) => operation === 'CopyObject' && ended !== 'failures')
  const decisive = copies ?? sweeps[0]
  const concurrency = decisive === undefined ? undefined : concurrencyOf(decisive, reasons)
  if (copies !== undefined)
    reasons.push('that is of copies inside the store; where content passes through this machine, it is the bandwidth')
  const lanes = lanesOf(decisive, rows, reasons)
  const partSize = partSizeOf(rows, reasons)
  return {
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(lanes === undefined ? {} : { lanes }),
    ...(partSize === undefined ? {} : { partSize }),
    reasons,
  }
}

function concurrencyOf({ operation, levels, limit, ended, ownLimit }: Sweep, reasons: string[]): number | undefined {
  const [lightest] = levels
  const ms = lightest?.whole.p50
  const best = Math.max(0, ...levels.map(({ perSecond }) => perSecond))
  if (limit === undefined || ms === undefined) {
    const most = Math.max(0, ...levels.map(({ concurrency }) => concurrency))
    reasons.push(
      ended === 'failures' || most === 0
        ? `concurrency: too few ${operation} requests were answered to tell`
        : `concurrency: no limit up to ${Math.round(best)} ${operation} requests a second, ${most} at once; the default stands`,
    )
    return undefined
  }
  // Little’s law: what is under way is the rate times the time that each takes.
  const needed = Math.ceil((limit * ms * ROOM) / 1000)
  // Where answers wait for each other, each takes longer before the store is at its limit.
  const reached = levels.find(({ perSecond }) => perSecond * NEARLY >= limit)?.concurrency ?? 0
  const wanted = Math.min(MOST_CONCURRENCY, Math.max(1, needed, ended === 'knee' ? reached : 0))
  const why = ended === 'refusals' ? 'more are refused' : ownLimit ? 'more is no use on this machine' : 'more is no use'
  reasons.push(
    `concurrency: ${Math.round(limit)} ${operation} requests a second at ${ms.toFixed(0)} ms each need ${wanted} at once; ${why}`,
  )
  return wanted
}

function lanesOf(sweep: Sweep | undefined, rows: readonly MeasuredRequests[], reasons: string[]): number | undefined {
  const page = rows.find(({ operation }) => operation === 'ListObjectsV2')?.whole.p50
  const rate = sweep?.limit ?? Math.max(0, ...(sweep?.levels ?? []).map(({ perSecond }) => perSecond))
  if (page === undefined || rate === 0) return undefined
  const needed = Math.ceil((rate / PAGE) * (page / 1000) * ROOM)
  const lanes = Math.min(LANES.most, Math.max(LANES.least, needed))
  const keys = Math.round((lanes * PAGE * 1000) / page)
  reasons.push(`lanes: ${lanes} list about ${keys} keys a second at ${page.toFixed(0)} ms a page`)
  return lanes
}

function partSizeOf(rows: readonly MeasuredRequests[], reasons: string[]): number | undefined {
  const row = rows.findLast(({ bytesPerSecondAfterFirst }) => bytesPerSecondAfterFirst !== undefined)
  const [wait, rate] = [row?.firstByte?.p50, row?.bytesPerSecondAfterFirst]
  if (wait === undefined || rate === undefined) {
    reasons.push('part size: no object was large enough to tell; the default stands')
    return undefined
  }
  const worth = (WORTH * wait * rate) / 1000
  const size = Math.min(PARTS.most, Math.max(PARTS.least, 2 ** Math.ceil(Math.log2(worth))))
  const share = Math.round((100 * wait) / (wait + (size * 1000) / rate))
  reasons.push(`part size: of ${size / MIB} MiB the first byte takes ${share} % of the time`)
  return size
}
