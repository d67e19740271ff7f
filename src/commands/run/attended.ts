import { resolve } from 'node:path'
import { Writable } from 'node:stream'
import { CheckpointError } from '../../checkpoint/checkpoint-error.js'
import { StoppedError, UserError } from '../../errors.js'
import type { RunEvent } from '../../job/events.js'
import { printable, withBytesShown, withoutCredentials } from '../../keys.js'
import { eventRecord, jsonRecord } from '../../report/json-records.js'
import { warningLine } from '../../report/paint.js'
import type { Progress } from '../../report/progress.js'
import type { SummaryEvent } from '../../report/summary.js'
import { EXIT } from '../options/exit.js'
import { readFlag, readText, type Flags } from '../options/flag-values.js'
import { Interrupted, type CommandIo } from '../options/io.js'
import { checkLogFormat } from '../options/log-format.js'
import type { OutputOptions } from '../options/output-options.js'
import { readWebhook, type Webhook } from '../options/webhook-options.js'
import { openLogFile } from './log-file.js'
import { runOnFinish } from './on-finish.js'
import { readReportFile } from './report-file.js'
import { startPage, type RunPage } from './run-page.js'
import { serviceManager } from './service-manager.js'
import { callWebhook } from './webhook.js'

/**
 * Does `work` with the log of `--log-file` and the page of `--listen`, heard by the service manager if there is one, and `--on-finish` and `--notify` after it, whatever its end is; a rehearsal (`dry`) is no run that finishes.
 * All are of this start, and not of the job. Resolves or rejects as `work` does.
 */
export async function attended(
  flags: Flags,
  io: CommandIo,
  dry: boolean,
  work: (io: CommandIo) => Promise<number>,
): Promise<number> {
  const after = { onFinish: readText(flags, 'on-finish'), webhook: readWebhook(flags) }
  const path = readText(flags, 'log-file')
  checkLogFormat(flags)
  const listen = readText(flags, 'listen')
  const controls = readFlag(flags, 'listen-control') ?? false
  if (controls && listen === undefined)
    throw new UserError('--listen-control is of the page of --listen, and there is none', 'add --listen PORT')
  const report = await readReportFile(flags, io.cwd)
  if (dry && (listen !== undefined || report !== undefined)) {
    const flag = listen === undefined ? '--report' : '--listen'
    throw new UserError(`${flag} is of a run, and --dry-run makes none`, 'leave one of them away')
  }
  // What is wrong with the log is not for the log.
  const warn = (message: string): void => warnTo({ ...io, log: undefined }, message)
  const file = path === undefined ? undefined : await openLogFile(resolve(io.cwd, path), warn)
  const service = serviceManager({ stop: io.stop, warn })
  const log = toAll([file?.stream, service?.log].filter((one) => one !== undefined))
  const heard = { ...io, log }
  const pageIo = {
    ...io,
    controls,
    say: (line: string) => sayTo(heard, line),
    warn: (message: string) => warnTo(heard, message),
  }
  let page: RunPage | undefined
  if (io.job !== undefined) log?.write(`${io.job}\n`)
  let summary: SummaryEvent | undefined
  let folder: string | undefined
  const watch = (event: RunEvent): void => {
    if (event.type === 'summary') summary = event
    service?.watch(event)
  }
  const ended = async (code: number, error?: unknown): Promise<void> => {
    if (error !== undefined) log?.write(`${complaintOf(error)}\n`)
    if (report !== undefined && folder !== undefined) {
      const trouble = await report.write(folder)
      if (trouble !== undefined) warnTo(heard, `--report: ${trouble}`)
    }
    if (!dry) {
      const told = summary === undefined ? withoutSummary(code, error) : eventRecord({ ...summary, exitCode: code })
      await tellOthers(after, told, { ...io, log }, readFlag(flags, 'quiet') ?? false)
    }
    page?.close()
    await Promise.all([service?.close(), file?.close()])
  }
  const begun = (begunIn: string): void => {
    folder = begunIn
    page?.show(begunIn)
  }
  return await endingWith(ended, async () => {
    if (listen !== undefined) page = await startPage(listen, pageIo)
    const told = page === undefined && report === undefined ? undefined : begun
    return await work({ ...heard, watch, begun: told, onPace: page?.onPace })
  })
}

function toAll(streams: readonly Writable[]): Writable | undefined {
  if (streams.length < 2) return streams[0]
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      for (const stream of streams) stream.write(chunk)
      done()
    },
  })
}

interface After {
  readonly onFinish: string | undefined
  readonly webhook: Webhook | undefined
}

async function tellOthers({ onFinish, webhook }: After, told: string, io: CommandIo, quiet: boolean): Promise<void> {
  const shell = async (command: string): Promise<void> => {
    const trouble = await runOnFinish(command, told, io.abandon)
    if (trouble !== undefined) warnTo(io, `--on-finish ${printable(command)}: ${trouble}`)
  }
  const post = async (hook: Webhook): Promise<void> => {
    const trouble = await callWebhook(hook, told, io.abandon, (reason) => {
      if (!quiet) sayTo(io, `--notify ${hook.name}: ${reason}; it is tried again for a minute at most`)
    })
    if (trouble !== undefined) warnTo(io, `--notify ${hook.name}: ${trouble}`)
  }
  await Promise.all([
    onFinish === undefined ? undefined : shell(onFinish),
    webhook === undefined ? undefined : post(webhook),
  ])
}

async function endingWith(
  ended: (code: number, error?: unknown) => Promise<void>,
  work: () => Promise<number>,
): Promise<number> {
  let code: number
  try {
    code = await work()
  } catch (error) {
    await ended(codeOf(error), error)
    throw error
  }
  await ended(code)
  return code
}

/** Writes a line for people, and into the log. */
export function sayTo({ stderr, log }: Pick<CommandIo, 'stderr' | 'log'>, line: string): void {
  stderr.write(`${line}\n`)
  log?.write(`${line}\n`)
}

/** Tells what a person must know, and not only one who asked for more. */
export function tell(
  message: string,
  { telling, progress, io }: { readonly telling: OutputOptions; readonly progress: Progress; readonly io: CommandIo },
): void {
  if (telling.json) progress.event({ type: 'note', level: 'info', message })
  else sayTo(io, message)
}

/** The same for who wants to hear more than warnings and the end. */
export function tellUnlessQuiet(message: string, setup: Parameters<typeof tell>[1]): void {
  if (!setup.telling.quiet) tell(message, setup)
}

/** Warns people, and the log. */
export function warnTo({ stderr, log, paint }: Pick<CommandIo, 'stderr' | 'log' | 'paint'>, message: string): void {
  stderr.write(`${warningLine(message, paint?.stderr)}\n`)
  log?.write(`${warningLine(message)}\n`)
}

function codeOf(error: unknown): number {
  if (error instanceof StoppedError || error instanceof CheckpointError) return EXIT.stopped
  if (error instanceof UserError) return EXIT.usage
  return error instanceof Interrupted ? EXIT.interrupted : EXIT.unexpected
}

function withoutSummary(exitCode: number, error: unknown): string {
  if (error !== undefined) return jsonRecord('error', { exitCode, message: complaintOf(error) })
  const end = exitCode === EXIT.interrupted ? 'interrupted' : exitCode === EXIT.stopped ? 'stopped' : 'finished'
  return jsonRecord('summary', { end, exitCode })
}

// Messages of ours are fit to be shown; of others nobody knows.
function complaintOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const shown = error instanceof UserError || error instanceof CheckpointError ? message : printable(message)
  return withBytesShown(withoutCredentials(shown))
}
