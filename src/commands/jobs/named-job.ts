import { UserError } from '../../errors.js'
import { commandsNamed, type Commands } from '../options/command.js'
import type { CommandIo } from '../options/io.js'
import { tellingTo } from '../options/log-format.js'
import { readConfig } from './config-file.js'
import { commandLineOf, type JobLine } from './job-command-line.js'

/** What `s3move run` was asked for: `args` are those behind `run`. */
interface Asked {
  readonly config: string | undefined
  /** Undefined where the jobs are to be listed. */
  readonly job: string | undefined
  /** What goes to the command of the job. */
  readonly given: readonly string[]
}

/** The command line of the job that is named, `args` being what stands behind `run`; undefined where none is. */
export async function namedJob(args: readonly string[], cwd: string, all: Commands): Promise<JobLine | undefined> {
  const { config: given, job, given: flags } = askedFor(args)
  if (job === undefined) return undefined
  const config = await readConfig(given, cwd)
  return await commandLineOf(config, job, flags, all)
}

/** Tells the command line of a job, and carries it out as if it had been given. Resolves with the exit code. */
export async function runNamedJob({ args, text, located }: JobLine, io: CommandIo, all: Commands): Promise<number> {
  const [command = ''] = args
  const quiet = args.some((arg) => arg === '--quiet' || /^-[a-z]*q[a-z]*$/i.test(arg))
  const telling = tellingTo(args, process)
  if (!quiet) telling.stderr.write(`${telling.paint.stderr('dim', text)}\n`)
  const { runCommandLine } = await import('../options/command-line.js')
  try {
    return await runCommandLine(await commandsNamed(command, all), { ...io, ...telling, args, job: text }, all)
  } catch (error) {
    throw error instanceof UserError ? located(error) : error
  }
}

function askedFor(args: readonly string[]): Asked {
  let config: string | undefined
  let job: string | undefined
  const given: string[] = []
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? ''
    const [, joined] = /^--config=(.*)$/s.exec(arg) ?? []
    if (joined !== undefined || arg === '--config') {
      const file = joined ?? args[++at] ?? ''
      if (file === '') throw new UserError('--config needs a value', 'write --config FILE')
      if (config !== undefined) throw new UserError('--config was given twice', 'give it once')
      config = file
    } else if (job === undefined && !arg.startsWith('-')) job = arg
    else given.push(arg)
  }
  return { config, job, given }
}

/** The jobs of a file with their command lines, one a line. A `UserError` for the first of them that is not right. */
export async function listJobs(given: string | undefined, cwd: string, all: Commands): Promise<string> {
  const config = await readConfig(given, cwd)
  const widest = Math.max(0, ...config.names.map((name) => name.length))
  const lines: string[] = []
  for (const name of config.names) {
    const { text } = await commandLineOf(config, name, [], all)
    lines.push(`${name.padEnd(widest)}  ${text}\n`)
  }
  return lines.join('')
}
