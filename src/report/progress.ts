import { bytes, count, duration, jobTitle, objects, shellWord, waitingText } from './format.js'
import { settled, sum } from '../job/totals.js'
import type { RunEvent, Snapshot } from '../job/events.js'
import { kindOf, type Job } from '../job/kinds.js'
import type { Failure } from '../job/outcome.js'
import { printable, printableName } from '../keys.js'
import { timeOf } from '../times.js'
import { busiestLine, busiestTable } from './busiest-prefixes.js'
import { eventRecord } from './json-records.js'
import { fittedLine, fullLine, RecentRate } from './progress-line.js'
import { exampleLine, headline, nextCommand, skipReason, summaryLines } from './summary.js'
import type { SummaryEvent } from './summary.js'
import { TimeLeft } from './time-left.js'
import { PLAIN, warningLine, type Paint, type Paints } from './paint.js'
import { createLog, createTerminal, writeUntilBroken } from './terminal.js'
import type { TextSurface } from './terminal.js'

/** Where and how much to tell of a run. */
export interface ProgressOptions {
  /** Written to only when `json` is asked for. */
  readonly stdout: NodeJS.WritableStream
  /** Everything meant for a person; a bar that redraws itself when it is a terminal. */
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
  /** One line of JSON per event on stdout, and nothing on stderr. */
  readonly json: boolean
  /** Warnings, failures and an unfinished end only. With `json` the summary is still written. */
  readonly quiet: boolean
  /** Gets what is meant for a person as well, without a bar, whatever `json` says. */
  readonly log?: NodeJS.WritableStream | undefined
  /** How text on stderr is painted, of which the log gets none. */
  readonly paint?: Pick<Paints, 'stderr'> | undefined
  /** Told of all that happens. */
  readonly watch?: ((event: RunEvent) => void) | undefined
  /** Told of the folder of the run, once it begins. */
  readonly begun?: ((folder: string) => void) | undefined
  /** Nothing is done: what is told is what would be. */
  readonly rehearsal?: boolean
  /** Whether progress is drawn again and again at the foot of a terminal; unless told otherwise wherever there is one. */
  readonly redraws?: boolean
  /** Also info notes, and a line for each object. Of no effect with `json`, which has every event. */
  readonly verbose: boolean
}

/** Tells a person, or a program, what happens in a run. */
export interface Progress {
  /** Takes in one event. Never throws; a reader that has gone away (EPIPE) is not an error of the run. */
  event(event: RunEvent): void
  /** Makes room on the terminal for lines that somebody else writes at once. */
  giveWay(): void
  /** Writes what is still held back and restores the terminal. May be called again, and at any moment. */
  close(): void
}

/** Starts telling what happens. The caller closes it, also when the run fails. */
export function createProgress(options: ProgressOptions): Progress {
  const { log, begun, watch } = options
  const tellers = [createShown(options)]
  if (log !== undefined) tellers.push(textProgress(logFor(options, writeUntilBroken(log)), options, PLAIN))
  return {
    event(event) {
      for (const teller of tellers) teller.event(event)
      if (event.type === 'start') begun?.(event.checkpoint)
      watch?.(event)
    },
    giveWay() {
      for (const teller of tellers) teller.giveWay()
    },
    close() {
      for (const teller of tellers) teller.close()
    },
  }
}

function createShown(options: ProgressOptions): Progress {
  const { stdout, stderr, json, quiet, redraws = stderr.isTTY === true } = options
  const { stderr: paint } = options.paint ?? { stderr: PLAIN }
  const tell = writeUntilBroken(stderr)
  if (json) {
    const write = writeUntilBroken(stdout, (error) => {
      tell(`${warningLine(`events can no longer be written to standard output: ${printable(error.message)}`, paint)}\n`)
    })
    return jsonProgress(write, quiet)
  }
  return textProgress(redraws ? createTerminal(stderr, tell) : logFor(options, tell), options, paint)
}

function logFor({ rehearsal = false }: ProgressOptions, write: (text: string) => void): TextSurface {
  return createLog(write, { last: !rehearsal })
}

const JSON_INTERVAL = 1_000
/** Lines about single objects are written together, for there may be tens of thousands a second. */
const LINES_HELD = 500

/** Lines that are written together, when there are enough of them or somebody says so. */
export function heldLines(write: (text: string) => void): { add(line: string): void; flush(): void } {
  let held: string[] = []
  const flush = (): void => {
    if (held.length === 0) return
    const text = held.join('')
    held = []
    write(text)
  }
  return {
    add(line) {
      held.push(`${line}\n`)
      if (held.length >= LINES_HELD) flush()
    },
    flush,
  }
}

function jsonProgress(write: (text: string) => void, quiet: boolean): Progress {
  const lines = heldLines(write)
  let last: number | undefined
  return {
    event(event) {
      if (event.type === 'progress') lines.flush()
      if (quiet && !isGrave(event)) return
      if (event.type === 'progress') {
        const { elapsed } = event.snapshot
        if (last !== undefined && elapsed - last < JSON_INTERVAL) return
        last = elapsed
      }
      lines.add(eventRecord(event))
      if (!isAboutOneObject(event)) lines.flush()
    },
    giveWay: () => undefined,
    close: () => {
      lines.flush()
    },
  }
}

/** Whether somebody who asked for quiet is told of an event. */
function isGrave(event: RunEvent): boolean {
  switch (event.type) {
    case 'failed':
    case 'stopping':
    case 'summary':
    case 'only-waiting':
      return true
    case 'note':
      return event.level === 'warning'
    case 'start':
    case 'example':
    case 'progress':
    case 'waiting':
    case 'skipped':
    case 'copied':
    case 'rewritten':
    case 'tagged':
    case 'encrypted':
    case 'deleted':
    case 'moved':
      return false
  }
}

function isAboutOneObject(event: RunEvent): boolean {
  return ABOUT_ONE.has(event.type)
}

const ABOUT_ONE: ReadonlySet<RunEvent['type']> = new Set([
  'copied',
  'rewritten',
  'tagged',
  'encrypted',
  'deleted',
  'moved',
  'skipped',
  'failed',
  'waiting',
])

function textProgress(
  surface: TextSurface,
  { quiet, verbose, rehearsal = false }: Pick<ProgressOptions, 'quiet' | 'verbose' | 'rehearsal'>,
  paint: Paint,
): Progress {
  const lines = heldLines((text) => {
    surface.log(text)
  })
  const say = (...text: readonly string[]): void => {
    for (const line of text) lines.add(line)
    lines.flush()
  }
  const recent = new RecentRate()
  const timeLeft = new TimeLeft()
  const codesSeen = new Set<string>()
  let job: Job | undefined
  let resumed = false
  let stopping = false
  let inFlight: number | undefined

  const failed = (failure: Failure): void => {
    const first = !codesSeen.has(failure.code)
    codesSeen.add(failure.code)
    if (verbose) lines.add(failureLine(failure, paint))
    else if (first) say(`${failureLine(failure, paint)} (more with this code are counted, not shown)`)
  }
  const draw = (snapshot: Snapshot): void => {
    const doing = job === undefined ? 'working' : kindOf(job).verb
    const verb = stopping ? 'stopping' : rehearsal ? 'rehearsing' : doing
    const { elapsed, expected, settledHere: doneHere } = snapshot
    const perSecond = recent.add(snapshot)
    const outlook = timeLeft.look({ expected, done: settled(snapshot.totals), doneHere, elapsed, perSecond })
    const view = { verb, rehearsal, snapshot, perSecond, outlook }
    const { busiest = [] } = snapshot
    surface.draw({
      elapsed,
      inLog: () => [fullLine(view), busiestLine(busiest)].filter((line) => line !== undefined).join('\n'),
      lines: [
        (width, bar) => fittedLine(view, width, bar, paint),
        ...busiestTable(busiest).map((line) => (width: number) => line(width, paint)),
      ],
    })
  }
  const event = (event: RunEvent): void => {
    switch (event.type) {
      case 'start':
        ;({ job, resumed } = event)
        say(...startLines(event, paint))
        break
      case 'example':
        say(exampleLine(event))
        break
      case 'note':
        if (event.level === 'warning') say(warningLine(printableName(event.message), paint))
        else if (verbose) say(printableName(event.message))
        break
      case 'progress':
        inFlight = event.snapshot.inFlight
        draw(event.snapshot)
        break
      case 'failed':
        failed(event.failure)
        break
      case 'waiting':
        if (verbose) lines.add(failureLine(event.failure, paint, 'waiting'))
        break
      case 'only-waiting':
        say(...onlyWaiting(event))
        break
      case 'skipped':
        if (verbose) lines.add(`skipped ${printableName(event.key)}: ${skipReason(event.reason)}`)
        break
      case 'copied':
      case 'rewritten':
      case 'tagged':
      case 'encrypted':
      case 'deleted':
      case 'moved':
        if (verbose) lines.add(`${event.type} ${printable(event.key)} (${bytes(event.bytes)})`)
        break
      case 'stopping':
        stopping = true
        say(
          `${paint('warning', 'stopping:')} ${printable(event.reason)}${inFlight ? `; waiting for ${count(inFlight)} in flight` : ''}`,
        )
        break
      case 'summary':
        lines.flush()
        if (!quiet) draw(event.snapshot)
        surface.close()
        say(...(quiet ? graveSummary(event, job, paint) : summaryLines(event, { job, resumed, verbose }, paint)))
        break
    }
  }
  return {
    event: (told) => {
      if (told.type === 'progress') lines.flush()
      if (told.type === 'start') ({ job } = told)
      if (!quiet || isGrave(told)) event(told)
    },
    giveWay: () => surface.erase(),
    close: () => {
      lines.flush()
      surface.close()
    },
  }
}

function startLines(event: Extract<RunEvent, { readonly type: 'start' }>, paint: Paint): string[] {
  const { job, pace } = event
  const { verb, preposition = '' } = kindOf(job)
  return [
    `${event.resumed ? 'resuming: ' : ''}${verb}${preposition} ${jobTitle(job).slice(job.kind.length + 1)}`,
    paint(
      'dim',
      `at most ${objects(pace.concurrency)} in flight, ${count(pace.lanes)} ${pace.lanes === 1 ? 'range' : 'ranges'} listed at once; ` +
        `checkpoint ${shellWord(event.checkpoint)}`,
    ),
  ]
}

function onlyWaiting({ waiting, until }: Extract<RunEvent, { readonly type: 'only-waiting' }>): string[] {
  const left = duration(timeOf(until) - Date.now())
  return [
    `all else is done; ${waitingText(waiting)} until ${until.slice(0, 19)}Z (${left}, --retry-for) at the latest`,
    'Ctrl-C ends the run now; ‘s3move resume’ tries them again',
  ]
}

function failureLine(failure: Failure, paint: Paint, word: 'failed' | 'waiting' = 'failed'): string {
  const status = failure.status === undefined ? '' : ` ${failure.status}`
  const error = `${failure.operation} ${failure.code}${status}: ${failure.message}`
  return `${paint(word === 'failed' ? 'bad' : 'warning', word)} ${printable(`${failure.key}: ${error}`)}`
}

// Somebody who asked for quiet must still learn that the run did not do all that it was asked for.
function graveSummary(event: SummaryEvent, job: Job | undefined, paint: Paint): string[] {
  const { failed: byCode } = event.snapshot.totals
  const failed = sum(byCode)
  if (event.end === 'finished' && failed === 0) return []
  const next = nextCommand(event.end === 'finished', byCode, event.checkpoint)
  const lines = [headline(event, { job }, paint)]
  if (failed > 0) lines.push(`failures: ${shellWord(event.ledger)}`)
  if (event.hint !== undefined) lines.push(`hint: ${printable(event.hint)}`)
  return next === undefined ? lines : [...lines, `next: ${next}`]
}
