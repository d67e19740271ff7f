import { sleep } from '../../abort.js'
import { UserError } from '../../errors.js'
import { connectionOf } from '../../job/connection.js'
import { placeUrl, type Place } from '../../job/place.js'
import type { Probed } from '../../job/probed.js'
import { printable, printableName } from '../../keys.js'
import { SHARES } from '../../probe/probe-reads.js'
import { bytes, count, duration, usd } from '../../report/format.js'
import { jsonRecord } from '../../report/json-records.js'
import { probePage } from '../../report/pages/probe-page.js'
import { SERVICE_STATES, serviceOutput, worst } from '../../report/nagios.js'
import { probeGraph, probeLine, probeMetrics, probeService } from '../../report/probe-monitor.js'
import { probeJson, probeLines } from '../../report/probe-report.js'
import { readConnection } from '../options/connection-options.js'
import { EXIT } from '../options/exit.js'
import type { Flags } from '../options/flag-values.js'
import type { CommandIo } from '../options/io.js'
import { DEFAULT_PACE } from '../options/pace-options.js'
import type { ProbeBounds, ProbeFiles } from '../options/probe-options.js'
import { tuneText } from '../options/tune-file.js'
import type { MonitorRequest } from '../options/status-options.js'
import { sayTo, warnTo } from './attended.js'
import { refuseDirectory } from './directory-buckets.js'
import { open } from './open-and-run.js'
import { checkOutput, writeResult } from './output-file.js'
import { probeCost, type ProbeCost } from './probe-cost.js'
import { appendHistory, checkHistory, pastProbes } from './probe-history.js'
import { probeOnce, readsOf } from './probe-once.js'
import { rangeOf, unknownFor } from './status-monitor.js'
import { writtenBelow } from './writing-place.js'

/** What is to be measured. */
export interface ProbeRequest extends ProbeBounds, ProbeFiles {
  readonly source: Place
  /** The prefix below which writes are measured; undefined where they are not. */
  readonly write: string | undefined
  readonly json: boolean
  /** The monitoring system that is to be told. */
  readonly monitor: MonitorRequest | undefined
  /** Milliseconds from one probe to the next; undefined for one alone. */
  readonly every: number | undefined
}

/** How long a request of the sampling is tried again, in milliseconds: a person waits. */
const PATIENCE = 2_000

/** Measures a bucket, once or again and again, and says so. Resolves with the exit code, that of a plugin for `nagios`. */
export async function probeStore(asked: ProbeRequest, flags: Flags, io: CommandIo): Promise<number> {
  if (asked.monitor?.format !== 'nagios') return await probeAsOften(asked, flags, io)
  try {
    return await probeAsOften(asked, flags, io)
  } catch (error) {
    // Nagios shows nothing else, and knows no other exit codes.
    io.stdout.write(serviceOutput([unknownFor(error)], []))
    return SERVICE_STATES.indexOf('UNKNOWN')
  }
}

async function probeAsOften(asked: ProbeRequest, flags: Flags, io: CommandIo): Promise<number> {
  const { source, every, history, monitor } = asked
  refuseDirectory(source, 'probe measures listings in the order of the keys, and it lists in none')
  for (const path of [asked.to?.path, asked.tune]) if (path !== undefined) await checkOutput(path)
  if (history !== undefined) await checkHistory(history)
  const limits = {
    warning: monitor?.warning === undefined ? undefined : rangeOf('warning', monitor.warning),
    critical: monitor?.critical === undefined ? undefined : rangeOf('critical', monitor.critical),
  }
  const warn = (message: string): void => warnTo(io, printableName(message))
  // Named, so that a refusal of LIST is a row and not the end.
  const opened = await open({ source }, readConnection(flags, {}), {
    ...{ readOnly: true, named: true, threads: 0, io, warn, pace: { ...DEFAULT_PACE, retryFor: PATIENCE } },
    note: () => undefined,
  })
  try {
    const { ends, drain } = opened
    const cost = await probeCost(ends.source.store.host, connectionOf(ends.connection, 'source').region, asked)
    tellBounds(asked, cost, io)
    for (;;) {
      const next = performance.now() + (every ?? 0)
      const probed = await probeOnce(asked, opened, cost, io)
      const ended = await tellOf(asked, probed, limits, io)
      if (every === undefined || probed.interrupted === true) return ended
      await sleep(Math.max(0, next - performance.now()), drain.signal)
      if (drain.signal.aborted) return EXIT.interrupted
    }
  } finally {
    opened.close()
  }
}

// All that is told of one probe. Answers the exit code.
async function tellOf(
  asked: ProbeRequest,
  probed: Probed,
  limits: Parameters<typeof probeService>[1],
  io: CommandIo,
): Promise<number> {
  const { json, monitor, every, to, tune, history } = asked
  const record = jsonRecord('probe', probeJson(probed))
  if (history !== undefined && probed.interrupted !== true) {
    try {
      await appendHistory(history, record)
    } catch (error) {
      if (every === undefined || !(error instanceof UserError)) throw error
      // The disk may have room for the next one.
      warnTo(io, error.message)
    }
  }
  const told = (format: 'text' | 'json'): string =>
    format === 'json' ? `${record}\n` : `${probeLines(probed).join('\n')}\n`
  if (to?.format === 'html') {
    const past = history === undefined ? [] : await pastProbes(history, probed)
    await writeResult(to.path, probePage(probed, past))
  } else if (to !== undefined) await writeResult(to.path, told(to.format))
  if (tune !== undefined && probed.interrupted !== true) await writeTuning(tune, probed, io)
  const isMeasured = probed.rows.some(({ samples }) => samples > 0)
  const isWhole = isMeasured && probed.written?.left === undefined
  const ended = probed.interrupted === true ? EXIT.interrupted : isWhole ? EXIT.done : EXIT.stopped
  switch (monitor?.format) {
    case 'munin':
      io.stdout.write(probeGraph(probed))
      return ended
    case 'prometheus':
      io.stdout.write(await probeMetrics(probed))
      return ended
    case 'nagios': {
      const { findings, values } = probeService(probed, limits)
      io.stdout.write(serviceOutput(findings, values))
      return SERVICE_STATES.indexOf(worst(findings.map(({ state }) => state)))
    }
    case undefined: {
      const text = every === undefined ? probeLines(probed, io.paint?.stdout) : [probeLine(probed)]
      io.stdout.write(json ? told('json') : `${text.join('\n')}\n`)
      return ended
    }
  }
}

async function writeTuning(path: string, { advice, began, source, host }: Probed, io: CommandIo): Promise<void> {
  const { reasons: _, ...settings } = advice
  await writeResult(path, tuneText({ measured: began, source, host, ...settings }))
  const isEmpty = Object.keys(settings).length === 0
  sayTo(io, isEmpty ? `nothing follows for copies: ${printable(path)} has no settings` : `wrote ${printable(path)}`)
}

// The dearest that it can come to, before anything is asked.
function tellBounds(
  { source, requests, bytes: most, maxCost, monitor, every, write }: ProbeRequest,
  cost: ProbeCost | undefined,
  io: CommandIo,
) {
  const writes = write === undefined ? 0 : requests - readsOf(requests)
  const lists = Math.ceil((requests - writes) * (SHARES.sampling + SHARES.list))
  const heads = requests - writes - lists
  const price = cost?.({ ListObjectsV2: lists, PutObject: writes, HeadObject: heads }, most)
  if (price !== undefined && maxCost !== undefined && price > maxCost) {
    throw new UserError(
      `${count(requests)} requests and ${bytes(most)} may cost ${usd(price)}, which is more than --max-cost ${maxCost}`,
      'allow fewer with --max-requests and --max-bytes, or more with --max-cost',
    )
  }
  const priced = price === undefined ? '' : `, ${usd(price)} at most where they leave AWS`
  if (monitor !== undefined) return
  const often = every === undefined ? '' : `, every ${duration(every)}`
  const does =
    write === undefined
      ? 'it only reads'
      : `it writes below ${placeUrl(writtenBelow(source, write))}, and deletes that again`
  sayTo(
    io,
    `probe ${placeUrl(source)}: at most ${count(requests)} requests and ${bytes(most)}${priced}${often}; ${does}`,
  )
}
