import type { Argv } from './argv.js'
import { UserError } from '../../errors.js'
import { booleanFlag, grouped, readChoice, readFlag, textFlag, type Flags } from './flag-values.js'
import { LOG_FORMAT } from './log-format.js'

/** How much is told, and how. */
export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  /** How much is told of progress: a line, or the busiest prefixes too. */
  readonly progress: 'line' | 'full'
}

/** Flags of what is told as text or, as `json` says, for programs. */
export function jsonFlags(json: string) {
  return { json: booleanFlag(json), format: textFlag('text|json', 'json is the same as --json', 'text') }
}

/** Whether JSON was asked for, in either way. */
export function readJson(flags: Flags): boolean {
  const [json, format] = [readFlag(flags, 'json'), readChoice(flags, 'format', ['text', 'json'])]
  if (json === true && format === 'text')
    throw new UserError('--json and --format text contradict each other', 'give one of them')
  return json ?? format === 'json'
}

/** Flags of what is told. */
export function tellingFlags(argv: Argv): Argv {
  return grouped(argv, 'Output:', {
    ...jsonFlags('one line of JSON for each event, on standard output'),
    quiet: { ...booleanFlag('tell only of warnings and failures'), alias: 'q' },
    verbose: { ...booleanFlag('tell of each object'), alias: 'v' },
    progress: textFlag('line|full', 'full has a table of the busiest prefixes too', 'line'),
    ...ATTENDING,
  })
}

/** Flags of what stands beside a long run, of this start alone. */
export const ATTENDING = {
  'log-file': textFlag('FILE', 'file to append what is told to; with the time, without progress bars'),
  'log-format': LOG_FORMAT,
  'on-finish': textFlag(
    'SHELL',
    'command for the shell when the run ends, however: the summary is on its standard input',
  ),
  notify: textFlag('URL', 'webhook that the summary is POSTed to when the run ends, signed with S3MOVE_NOTIFY_SECRET'),
  report: textFlag('FILE', 'report to write when the run ends, however: .html, .md or .json (s3move report)'),
  listen: textFlag('[ADDRESS:]PORT', 'serve a live page of the run there, and /metrics', 'none'),
  'listen-control': booleanFlag('the page may stop the run, as Ctrl-C does, and change its pace'),
}

/** What the flags say of output. */
export function readTelling(flags: Flags): OutputOptions {
  const [quiet, verbose] = [readFlag(flags, 'quiet') ?? false, readFlag(flags, 'verbose') ?? false]
  if (quiet && verbose) throw new UserError('--quiet and --verbose contradict each other', 'give one of them')
  const progress = readChoice(flags, 'progress', ['line', 'full']) ?? 'line'
  if (quiet && progress === 'full') {
    throw new UserError('--quiet and --progress full contradict each other', 'give one of them')
  }
  return { json: readJson(flags), quiet, verbose, progress }
}
