import type { Command } from './options/command.js'
import { EXIT, exitsOfWriting } from './options/exit.js'
import { readText, textFlag } from './options/flag-values.js'

export const command: Command = {
  usage: 'run [job]',
  group: 'runs',
  summary: 'start a job of s3move.yaml by its name',
  help: '$0 run JOB [OPTION..]\n$0 run\n\nStarts the job of that name in s3move.yaml of the working directory, exactly as the command line that it stands for, which is told first.\nOptions behind the name are those of its command, and count in place of what the file says. Without a name it lists the jobs with their command lines.',
  options: [
    (argv) =>
      argv
        .positional('job', { type: 'string', describe: 'the name of a job' })
        .option('config', textFlag('FILE', 'the file of jobs', 's3move.yaml or s3move.yml here')),
  ],
  examples: [
    ['$0 run', 'the jobs, and what they stand for'],
    ['$0 run nightly --dry-run', 'rehearse the job nightly'],
    ['$0 run nightly --or-resume', 'go on where an earlier start left it unfinished'],
  ],
  exits: exitsOfWriting(', differ (verify), or were not deleted though --delete was given (sync)'),
  // A job that is named has taken the place of this command line before it came here.
  async run(flags, io, all) {
    const { listJobs } = await import('./jobs/named-job.js')
    io.stdout.write(await listJobs(readText(flags, 'config'), io.cwd, all))
    return EXIT.done
  },
}
