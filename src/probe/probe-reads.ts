import { StorageError } from '../errors.js'
import type { MeasuredConnections, MeasuredRequests, Sweep } from '../job/probed.js'
import type { SetUpTime } from '../connections/connect.js'
import type { AnswerTime, TimedRequests } from '../storage/timed-requests.js'
import { Allowance } from './allowance.js'
import { affordableOf, AT_ONCE, measured, NONE_AFFORDABLE, TIME } from './measure.js'
import { percentilesOf } from './percentiles.js'
import { answerProblem, rowOf } from './rows.js'
import { MOST_READ_AT_ONCE, SIZE_CLASSES, type ReadSample } from './size-classes.js'
import { sweep } from './sweep.js'

/** How much may be asked. */
export interface ProbeLimits {
  readonly requests: number
  /** Bytes of content. */
  readonly bytes: number
  /** Requests at once, to which their number is raised; 0 where it is not. */
  readonly concurrency: number
}

/** How many of the requests are for what. The rest is for the sweep. */
export const SHARES = { sampling: 0.02, list: 0.04, head: 0.24, get: 0.2 }

/** Connections that are set up, one after the other. */
const CONNECTIONS = 10

/** What is measured by requests that only read. */
export interface MeasuredReads {
  readonly connections: MeasuredConnections
  readonly rows: readonly MeasuredRequests[]
  readonly sweeps: readonly Sweep[]
  readonly requests: Readonly<Record<string, number>>
  readonly bytesRead: number
}

/** Measures a bucket by requests that only read. What is refused is told in its row. Once `stop` aborts, nothing more is asked. */
export async function probeReads(
  timed: TimedRequests,
  sample: ReadSample,
  limits: ProbeLimits,
  told: (what: string) => void,
  stop: AbortSignal,
): Promise<MeasuredReads> {
  const all = new Allowance(limits.requests)
  const common = { atOnce: AT_ONCE, time: TIME, allowance: all, stop }
  const share = (part: number): number => Math.floor(limits.requests * part)
  let bytesRead = 0
  const counted = async (asked: Promise<AnswerTime>): Promise<AnswerTime> => {
    const answer = await asked
    bytesRead += answer.bytes
    return answer
  }
  told('connections')
  const connections = await connectionsOf(timed, stop)
  told('LIST')
  const listed = await measured(() => timed.list(), {
    ...common,
    operation: 'ListObjectsV2',
    samples: share(SHARES.list),
  })
  const rows = [rowOf('ListObjectsV2', listed)]
  const objects = sample.all()
  if (objects.length === 0) {
    const none = { times: [], failed: {} }
    const problem = noObject(sample)
    rows.push(...['HeadObject', 'GetObject'].map((operation) => ({ ...rowOf(operation, none), problem })))
    return { connections, rows, sweeps: [], requests: all.sent, bytesRead }
  }
  const keyAt = (at: number): string => objects[at % objects.length]?.key ?? ''
  told('HEAD')
  const heads = await measured((at) => timed.head(keyAt(at)), {
    ...common,
    operation: 'HeadObject',
    samples: share(SHARES.head),
  })
  rows.push(rowOf('HeadObject', heads))
  const classes = SIZE_CLASSES.filter((one) => sample.of(one).length > 0)
  for (const sizes of classes) {
    if (stop.aborted) break
    told('GET')
    const of = sample.of(sizes)
    const mean = of.reduce((sum, { size }) => sum + Math.min(size, MOST_READ_AT_ONCE), 0) / of.length
    const amount = affordableOf(share(SHARES.get / classes.length), limits.bytes / classes.length, mean)
    if (amount === undefined) {
      rows.push({ ...rowOf('GetObject', { times: [], failed: {} }, sizes), problem: NONE_AFFORDABLE })
      continue
    }
    const got = await measured(
      (at) => {
        const { key = '', size = 1 } = of[at % of.length] ?? {}
        return counted(timed.get(key, 0, Math.min(size, MOST_READ_AT_ONCE) - 1))
      },
      { ...common, ...amount, operation: 'GetObject' },
    )
    rows.push(rowOf('GetObject', got, sizes))
  }
  const sweeps: Sweep[] = []
  if (limits.concurrency > 0 && heads.times.length > 0 && !stop.aborted) {
    told('HEAD, ever more at once')
    let at = 0
    const ask = (): Promise<AnswerTime> => timed.head(keyAt(at++))
    sweeps.push(await sweep(ask, { operation: 'HeadObject', most: limits.concurrency, allowance: all, stop }))
  }
  return { connections, rows, sweeps, requests: all.sent, bytesRead }
}

function noObject({ seen, unreadable }: ReadSample): string {
  if (seen === 0) return 'no object is known here'
  return unreadable === 0
    ? 'no object here has content'
    : 'the objects here are archived, or of a class of which reading costs by the byte: none is asked for'
}

async function connectionsOf(timed: TimedRequests, stop: AbortSignal): Promise<MeasuredConnections> {
  const times: SetUpTime[] = []
  const failed: Record<string, number> = {}
  let problem: string | undefined
  const tried = async <T>(ask: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      failed[error.code] = (failed[error.code] ?? 0) + 1
      problem ??= answerProblem(error)
      return undefined
    }
  }
  const addresses = new Set<string>()
  let origin = ''
  for (let i = 0; i < CONNECTIONS && !stop.aborted; i++) {
    const server = await tried(() => timed.server())
    origin = server?.origin ?? origin
    for (const address of server?.addresses ?? []) addresses.add(address)
    const time = await tried(() => timed.connect())
    if (time !== undefined) times.push(time)
  }
  const step = (of: 'dns' | 'tcp' | 'tls') => {
    const known = times.flatMap((time) => time[of] ?? [])
    return known.length === 0 ? {} : { [of]: percentilesOf(known) }
  }
  const protocol = times.find((time) => time.protocol !== undefined)?.protocol
  return {
    ...{ origin, addresses: [...addresses].sort(), samples: times.length },
    ...step('dns'),
    ...step('tcp'),
    ...step('tls'),
    ...(protocol === undefined ? {} : { protocol }),
    whole: percentilesOf(times.map(({ whole }) => whole)),
    failed,
    ...(problem === undefined ? {} : { problem }),
  }
}
