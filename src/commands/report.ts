import { UserError } from '../errors.js'
import type { Command } from './options/command.js'
import { bucketRunFlags } from './options/connection-options.js'
import { ALWAYS } from './options/exit.js'
import { readChoice, readText, textFlag } from './options/flag-values.js'
import { readRunArgument, runOrBucket } from './options/run-options.js'

export const command: Command = {
  usage: 'report [dir]',
  group: 'runs',
  summary: 'a run in full, for those who asked for it',
  help: '$0 report [DIR] [--to FILE]\n\nTells all of a run: what and how much, how long, rates over time, throttling, failures and what to do about them, cost, the newest comparison of both sides if there was one, and how it was run. As a page that needs nothing beside itself and prints well, as Markdown, or as JSON. Without DIR it is the only run below .s3move/.',
  options: [
    runOrBucket,
    bucketRunFlags,
    (argv) =>
      argv.options({
        format: textFlag('html|markdown|json', 'in which form', 'by the name of --to, else markdown'),
        to: textFlag('FILE', 'file to write it to, which is replaced: .html, .md or .json', 'standard output'),
      }),
  ],
  examples: [
    ['$0 report --to report.html', 'of the only run here, as a page'],
    ['$0 report DIR --format json', 'for programs'],
  ],
  exits: { ...ALWAYS, 4: 'the folder holds no run that can be read' },
  async run(flags, io) {
    const format = readChoice(flags, 'format', ['html', 'markdown', 'json'])
    const to = readText(flags, 'to')
    const [{ reportRun }, { reportFormatOf }, { readingRun }] = await Promise.all([
      import('./run/run-report.js'),
      import('./run/report-file.js'),
      import('./run/reading-run.js'),
    ])
    if (to !== undefined && format === undefined && reportFormatOf(to) === undefined) {
      throw new UserError('--to names no form that a report has', 'end it with .html, .md or .json, or add --format')
    }
    return await readingRun(readRunArgument(flags), { flags, io, failures: true }, (dir) =>
      reportRun({ dir, format, to }, io),
    )
  },
}
