import { fstatSync } from 'node:fs'
import { journalLines, MARKED } from '../../report/journal.js'
import { paintsFor } from './color.js'
import { lastGiven, readChoice, textFlag, type Flags } from './flag-values.js'
import type { CommandIo } from './io.js'

const NAME = 'log-format'
const CHOICES = ['text', 'journald'] as const

/** The flag of how lines for people are written. It is looked at before all others (`tellingTo`). */
export const LOG_FORMAT = textFlag(
  'text|journald',
  'how lines for people are written: journald has a priority before each',
  'journald where standard error is the journal of systemd',
)

/** A `UserError` for a value that there is not. */
export function checkLogFormat(flags: Flags): void {
  readChoice(flags, NAME, CHOICES)
}

/** Where people are told something, and how that is painted, by the command line and the environment. */
export function tellingTo(
  args: readonly string[],
  { stdout, stderr }: { readonly stdout: CommandIo['stdout']; readonly stderr: CommandIo['stderr'] & { fd?: number } },
  env: NodeJS.ProcessEnv = process.env,
): Pick<Required<CommandIo>, 'stderr' | 'paint'> {
  const paint = paintsFor(args, { stdout, stderr }, env)
  const format = lastGiven(args, NAME) ?? (isJournal(stderr.fd, env) ? 'journald' : 'text')
  if (format !== 'journald') return { stderr, paint }
  return { stderr: journalLines(stderr), paint: { ...paint, stderr: MARKED } }
}

// systemd.exec(5): device and inode of what systemd has connected to the journal, which a shell may have put something else in the place of.
function isJournal(fd: number | undefined, { JOURNAL_STREAM: journal }: NodeJS.ProcessEnv): boolean {
  if (fd === undefined || journal === undefined) return false
  const { dev, ino } = fstatSync(fd, { bigint: true })
  return `${dev}:${ino}` === journal
}
