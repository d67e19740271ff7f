import { UserError } from '../../errors.js'
import type { Argv } from './argv.js'
import { connectionFlags } from './connection-options.js'
import { booleanFlag, grouped, readArgument, readFlag, textFlag, type Flags } from './flag-values.js'
import { ATTENDING, tellingFlags } from './output-options.js'
import { EXPECT, paceFlags, RETRY_FOR, SPEED } from './pace-options.js'

/** Flags of the jobs that change objects. Those of the run itself stand further down in the help, under a heading that each command gives them. */
export function runFlags(argv: Argv): Argv {
  return tellingFlags(connectionFlags(paceFlags(argv))).options({
    checkpoint: textFlag(
      'DIR',
      'folder of the run; s3://bucket/prefix keeps it there, for any machine',
      'below .s3move/',
    ),
    'dry-run': { ...booleanFlag('say what would be done, and change nothing'), alias: 'n' },
  })
}

/** Flags of a run that begins. */
export function freshFlags(argv: Argv): Argv {
  return argv
    .options({
      fresh: booleanFlag('begin again, though there is a run of this job, unfinished or finished'),
      'or-resume': OR_RESUME,
    })
    .group(['checkpoint', 'fresh', 'or-resume', 'dry-run'], 'Run:')
}

/** That of a run that begins as it was planned. */
export function savedPlanFlag(argv: Argv): Argv {
  return grouped(argv, 'Run:', {
    plan: textFlag('DIR', 'run what ‘s3move plan COMMAND … --save DIR’ has planned, and refuse any other job'),
  })
}

const OR_RESUME = booleanFlag('go on with the unfinished run of this job, if there is one')

/** Whether an unfinished run of the job is to go on. */
export function readOrResume(flags: Flags): boolean {
  const wanted = readFlag(flags, 'or-resume') ?? false
  if (wanted && readFlag(flags, 'fresh') === true) {
    throw new UserError(
      '--fresh and --or-resume contradict each other: one throws an unfinished run away, the other goes on with it',
      'give one of them',
    )
  }
  return wanted
}

/** That of a job which would do all of it once more. */
export function againFlag(argv: Argv): Argv {
  return grouped(argv, 'Run:', { again: booleanFlag('do all of it once more, though this job is finished') })
}

/** The consent to a deletion, of the jobs that delete. */
export function yesFlag(argv: Argv): Argv {
  return grouped(argv, 'Run:', {
    yes: { ...booleanFlag('delete without a question; needed where there is no terminal'), alias: 'y' },
  })
}

/** Flags of the jobs that only read. */
export function scanFlags(argv: Argv): Argv {
  grouped(connectionFlags(argv), SPEED, {
    lanes: textFlag('N', 'key ranges listed at once', '64'),
    threads: textFlag('N', 'worker threads', 'what the machine and --lanes can use'),
    'retry-for': RETRY_FOR,
    expect: EXPECT,
  })
  return grouped(argv, 'Run:', {
    checkpoint: textFlag('DIR', 'folder that keeps how far it came; from there it can be resumed'),
    fresh: booleanFlag('begin again, though an unfinished run is in --checkpoint'),
    'or-resume': OR_RESUME,
    quiet: { ...booleanFlag('no progress'), alias: 'q' },
    ...ATTENDING,
  })
}

/** The argument that names a run. */
export function runArgument(argv: Argv): Argv {
  return argv.positional('dir', {
    type: 'string',
    describe: 'folder of the run, or the checkpoint.json in it',
    placeholder: 'DIR',
  })
}

/** The same where it may be kept in a bucket. */
export function runOrBucket(argv: Argv): Argv {
  return argv.positional('dir', {
    type: 'string',
    describe: 'folder of the run, or s3://bucket/prefix where it is kept in a bucket',
    placeholder: 'DIR',
  })
}

/** The run that is named, if one is. */
export function readRunArgument(flags: Flags): string | undefined {
  return flags.dir === undefined ? undefined : readArgument(flags, 'dir')
}
