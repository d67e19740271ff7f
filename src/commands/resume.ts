import { UserError } from '../errors.js'
import type { Command } from './options/command.js'
import { sideFlags } from './options/connection-options.js'
import { exitsOfWriting } from './options/exit.js'
import { fleetFlags } from './options/fleet-options.js'
import { booleanFlag, grouped, many, readFlag, readList, readText, type Flags } from './options/flag-values.js'
import { readTelling } from './options/output-options.js'
import { bandwidthFlag, costFlags, onLossFlag } from './options/pace-options.js'
import { readRunArgument, runFlags, runOrBucket } from './options/run-options.js'
import type { ResumeRequest } from './run/resume-run.js'

/** Settings that a run keeps until it is told otherwise. */
const KEPT = [
  ...['concurrency', 'lanes', 'threads', 'max-errors', 'retry-for', 'bandwidth'],
  ...['connect-timeout', 'read-timeout', 'min-rate', 'on-loss', 'max-cost', 'prices'],
]

export const command: Command = {
  usage: 'resume [dir]',
  group: 'runs',
  summary: 'go on with an interrupted run',
  help: '$0 resume [DIR]\n\nGoes on with the run whose checkpoint is in DIR; without DIR, with the only unfinished run below .s3move/.',
  options: [
    ...[runFlags, bandwidthFlag, costFlags, fleetFlags, sideFlags, runOrBucket],
    (argv) =>
      grouped(argv, 'Run:', {
        'only-failed': booleanFlag('try the objects in the failure ledger again'),
        'only-code': many(
          'CODE',
          'with --only-failed: only those that failed with this code, such as AccessDenied; repeatable',
        ),
        'on-loss': onLossFlag(),
        yes: { ...booleanFlag('start the jobs of batch without a question'), alias: 'y' },
      })
        .group(['checkpoint', 'dry-run'], 'Run:')
        .otherwise(['checkpoint'], 'the only unfinished run below .s3move/')
        .otherwise(KEPT, 'that of the run'),
  ],
  everyday: [
    'only-failed',
    'only-code',
    'concurrency',
    'bandwidth',
    'max-errors',
    'dry-run',
    'json',
    'quiet',
    'verbose',
    'profile',
  ],
  examples: [
    ['$0 resume', 'the only unfinished run here'],
    ['$0 resume --only-failed DIR', 'try again what failed'],
  ],
  exits: exitsOfWriting(', differ (verify), or were not deleted though --delete was given (sync)'),
  async run(flags, io) {
    const asked = readRequest(flags)
    const { resume } = await import('./run/resume-run.js')
    return await resume(asked, flags, io)
  },
}

function readRequest(flags: Flags): ResumeRequest {
  const onlyFailed = readFlag(flags, 'only-failed') ?? false
  const named = readList(flags, 'only-code')
  const codes = named.length === 0 ? undefined : named
  const dry = readFlag(flags, 'dry-run') ?? false
  const telling = readTelling(flags)
  const dir = readRunArgument(flags)
  const given = readText(flags, 'checkpoint')
  if (codes !== undefined && !onlyFailed) {
    throw new UserError(
      '--only-code chooses among the failed objects, and --only-failed is missing',
      'add --only-failed',
    )
  }
  if (onlyFailed && dry) {
    throw new UserError(
      '--only-failed and --dry-run do not go together: what would be tried is the failure ledger itself',
      'read failures.ndjson in the folder of the run',
    )
  }
  if (dir !== undefined && given !== undefined) {
    throw new UserError('the folder was given twice, as DIR and as --checkpoint', 'give one of them')
  }
  return { dir: dir ?? given, onlyFailed, codes, dry, telling }
}
