import { UserError } from '../errors.js'
import type { Command } from './options/command.js'
import { bucketRunFlags } from './options/connection-options.js'
import { ALWAYS } from './options/exit.js'
import { booleanFlag, many, readChoice, readFlag, readList, textFlag } from './options/flag-values.js'
import { readRunArgument, runOrBucket } from './options/run-options.js'

export const command: Command = {
  usage: 'failures [dir]',
  group: 'runs',
  summary: 'which objects of a run failed, why, and what to do',
  help: '$0 failures [DIR]\n\nShows the failure ledger of a run, by code and folder, with what each code means and what to do about it. Without DIR, of the only run below .s3move/ that has failed objects.',
  options: [
    runOrBucket,
    bucketRunFlags,
    (argv) =>
      argv.options({
        code: many('CODE', 'only those that failed with this code, such as AccessDenied; repeatable'),
        format: textFlag(
          'text|json|csv|keys',
          'how they are shown: text by code, json and csv all that is known, keys one a line',
          'text',
        ),
        json: booleanFlag('the same as --format json'),
      }),
  ],
  examples: [
    ['$0 failures', 'of the only run here with failed objects'],
    ['$0 failures DIR --code AccessDenied --format keys', 'their keys, for --files-from and other programs'],
  ],
  exits: { ...ALWAYS, 4: 'the folder holds no run that can be read', 130: 'interrupted' },
  async run(flags, io) {
    const format = readChoice(flags, 'format', ['text', 'json', 'csv', 'keys'])
    const json = readFlag(flags, 'json') === true
    if (json && format !== undefined && format !== 'json') {
      throw new UserError(`--json and --format ${format} contradict each other`, 'give one of them')
    }
    const [{ failures }, { readingRun }] = await Promise.all([
      import('./run/show-failures.js'),
      import('./run/reading-run.js'),
    ])
    const codes = readList(flags, 'code')
    return await readingRun(readRunArgument(flags), { flags, io, failures: true }, (dir) =>
      failures({ dir, codes, format: json ? 'json' : (format ?? 'text') }, io),
    )
  },
}
