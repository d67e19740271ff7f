#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'
import { CheckpointError } from './checkpoint/checkpoint-error.js'
import { commandsNamed, type Commands } from './commands/options/command.js'
import { asksFor, isPlanned } from './commands/options/asked.js'
import { EXIT } from './commands/options/exit.js'
import { Interrupted, type CommandIo } from './commands/options/io.js'
import { tellingTo } from './commands/options/log-format.js'
import { StoppedError, UserError } from './errors.js'
import { printable, withoutCredentials } from './keys.js'
import { keepThreadPoolAwake } from './libuv-wakeups.js'
import { ignoresHangup } from './processes.js'
import { version } from './version.js'

/** What the completion scripts give in place of a command, with what has been typed behind it. */
const OFFER = '__complete'

/** What is behind the name of the program; of a job that was named, the command line that it stands for. */
let commandLine: readonly string[] = process.argv.slice(2)

/** A closed terminal is not to end the program. */
const hangupIgnored = ignoresHangup()

/**
 * Ends a run in two steps: the first signal asks for an orderly end, the second for an end at once. Of a terminal that closes two often come at once, from the
 * kernel and from the shell, so they count as one.
 */
function stopOnSignals(): Pick<CommandIo, 'stop' | 'abandon'> {
  const stop = new AbortController()
  const abandon = new AbortController()
  const signalled = (): void => {
    if (stop.signal.aborted) abandon.abort()
    else stop.abort()
  }
  process.on('SIGINT', signalled)
  process.on('SIGTERM', signalled)
  process.on('SIGHUP', () => {
    if (!hangupIgnored) stop.abort()
  })
  return { stop: stop.signal, abandon: abandon.signal }
}

/** Says what ended the program: to a person, and where JSON was asked for to a program too. Answers the exit code. */
async function complain(exitCode: number, message: string, hint?: string): Promise<number> {
  const { stderr, paint } = tellingTo(commandLine, process)
  const name = paint.stderr(exitCode === EXIT.interrupted ? 'warning' : 'bad', 's3move:')
  const text = `${name} ${message}\n${hint === undefined ? '' : `        ${hint}\n`}`
  // Whatever was wrong with a URL, and whoever says so.
  stderr.write(withoutCredentials(text))
  if (asksForJson(commandLine)) {
    const { jsonRecord } = await import('./report/json-records.js')
    const told = { exitCode, message: withoutCredentials(message), hint: hint && withoutCredentials(hint) }
    process.stdout.write(`${jsonRecord('error', told)}\n`)
  }
  return exitCode
}

// The command line may be what is wrong, so it is looked at as it is.
function asksForJson(args: readonly string[]): boolean {
  return args.some((arg, at) => /^--(json|format=json)$/.test(arg) || (arg === 'json' && args[at - 1] === '--format'))
}

/** Resolves once all that was written to a stream is with its reader, or nobody reads it: `exit` drops what a full pipe has not taken. */
async function handedOver(stream: NodeJS.WritableStream): Promise<void> {
  await new Promise<void>((resolve) => stream.write('', () => resolve()))
}

/** The commands, in the order of the help. */
const COMMANDS: Commands = new Map([
  ['copy', () => import('./commands/copy.js')],
  ['sync', () => import('./commands/sync.js')],
  ['move', () => import('./commands/move.js')],
  ['set-headers', () => import('./commands/set-headers.js')],
  ['set-tags', () => import('./commands/set-tags.js')],
  ['set-storage-class', () => import('./commands/set-storage-class.js')],
  ['set-encryption', () => import('./commands/set-encryption.js')],
  ['delete', () => import('./commands/delete.js')],
  ['batch', () => import('./commands/batch.js')],
  ['ls', () => import('./commands/ls.js')],
  ['du', () => import('./commands/du.js')],
  ['head', () => import('./commands/head.js')],
  ['verify', () => import('./commands/verify.js')],
  ['check', () => import('./commands/check.js')],
  ['probe', () => import('./commands/probe.js')],
  ['plan', () => import('./commands/plan.js')],
  ['resume', () => import('./commands/resume.js')],
  ['status', () => import('./commands/status.js')],
  ['watch', () => import('./commands/watch.js')],
  ['report', () => import('./commands/report.js')],
  ['runs', () => import('./commands/runs.js')],
  ['run', () => import('./commands/run.js')],
  ['worker', () => import('./commands/worker.js')],
  ['failures', () => import('./commands/failures.js')],
  ['sandbox', () => import('./commands/sandbox.js')],
  ['help', () => import('./commands/help.js')],
  ['completion', () => import('./commands/completion.js')],
  ['version', () => import('./commands/version.js')],
])

async function main(args: readonly string[]): Promise<number> {
  const { stdin, stdout, stderr } = process
  const [first = ''] = args
  // Before anything is loaded: a version must be had at once.
  if (args.length === 1 && ['--version', '-V', 'version'].includes(first)) {
    stdout.write(`${version()}\n`)
    return EXIT.done
  }
  if (first === OFFER) {
    const { offer } = await import('./commands/completion/offer.js')
    stdout.write(await offer(args.slice(1), COMMANDS, process.cwd()))
    return EXIT.done
  }
  const asked = args.length === 0 ? 'short help' : asksFor(args)
  if (asked === 'version') {
    stdout.write(`${version()}\n`)
    return EXIT.done
  }
  if (asked !== undefined) {
    const { showHelp } = await import('./commands/help/show.js')
    // A script whose variable is empty must not take it for done.
    await showHelp(args, asked === 'help', args.length === 0 ? stderr : stdout, COMMANDS)
    return args.length === 0 ? EXIT.usage : EXIT.done
  }
  const io: CommandIo = { stdin, stdout, ...tellingTo(args, process), cwd: process.cwd(), args, ...stopOnSignals() }
  if (first === 'run') {
    const { namedJob, runNamedJob } = await import('./commands/jobs/named-job.js')
    const job = await namedJob(args.slice(1), io.cwd, COMMANDS)
    if (job !== undefined) {
      commandLine = job.args
      return await runNamedJob(job, io, COMMANDS)
    }
  }
  if (isPlanned(args)) {
    const { runPlanned } = await import('./commands/options/planned-command.js')
    return await runPlanned(io, COMMANDS)
  }
  const { runCommandLine } = await import('./commands/options/command-line.js')
  return await runCommandLine(await commandsNamed(first, COMMANDS), io, COMMANDS)
}

async function complainOf(error: unknown): Promise<number> {
  if (error instanceof StoppedError) return await complain(EXIT.stopped, error.message, error.hint)
  if (error instanceof UserError) return await complain(EXIT.usage, error.message, error.hint)
  if (error instanceof CheckpointError) return await complain(EXIT.stopped, error.message, error.hint)
  if (error instanceof Interrupted) {
    const hint = 'give the same command again to begin anew'
    return await complain(EXIT.interrupted, 'interrupted before anything was changed', hint)
  }
  return await complain(
    EXIT.unexpected,
    `unexpected: ${printable(error instanceof Error ? error.message : String(error))}`,
    'this is a defect of s3move; a run that was under way can be resumed: s3move resume',
  )
}

// Every listed object lives for a second and is garbage then. Left to itself V8 lets four times what is alive pile up before
// it collects; twice is enough, and keeps memory flat from the first hundred thousand objects on. (docs/design/decisions.md has the figures.)
setFlagsFromString('--heap-growing-percent=100')

// What dependencies want to warn of (an old Node, an experimental feature) is not our user's business.
process.removeAllListeners('warning')
process.on('warning', () => undefined)
let unwritten: Error | undefined
for (const stream of [process.stdout, process.stderr]) {
  // A reader that went away, or a terminal that was closed, is no reason to end a run; its writes go nowhere. A disk that is full is none either, but is told.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    const gone = error.code === 'EPIPE' || (error.code === 'EIO' && stream.isTTY)
    if (!gone && stream === process.stdout) unwritten ??= error
  })
}

async function program(): Promise<void> {
  keepThreadPoolAwake()
  try {
    process.exitCode = await main(commandLine)
  } catch (error) {
    process.exitCode = await complainOf(error)
  }
  // A reader that is slow is waited for, and a signal ends the waiting.
  for (const signal of ['SIGINT', 'SIGTERM', ...(hangupIgnored ? [] : ['SIGHUP'])]) process.removeAllListeners(signal)
  await handedOver(process.stdout)
  if (unwritten !== undefined && process.exitCode === EXIT.done) {
    process.exitCode = await complain(
      EXIT.unexpected,
      `standard output is not whole: ${printable(unwritten.message)}`,
      'what was done is done; what was to be told is lost: give the output another place',
    )
  }
  await handedOver(process.stderr)
  // Connections and timers that are still open must not keep a finished command waiting.
  process.exit()
}

// Nothing is awaited at the top: the single file loads this as a script.
void program()
