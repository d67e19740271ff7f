import { UserError } from '../errors.js'
import { printable } from '../keys.js'
import type { Command } from './options/command.js'
import { ALWAYS } from './options/exit.js'
import { booleanFlag, readArgument, readFlag, textFlag } from './options/flag-values.js'
import { jsonFlags, readJson } from './options/output-options.js'
import { readMoment } from './options/selection-options.js'

export const command: Command = {
  usage: 'runs [action]',
  group: 'runs',
  summary: 'the runs here, and how to clear away the finished ones',
  help: '$0 runs\n$0 runs clean [--older-than TIME] [--dry-run]\n\nShows the runs below .s3move/, as status does. ‘runs clean’ removes the folders of finished ones, with their failure ledgers: never one that is unfinished or at work, and none that holds anything else.',
  options: [
    (argv) =>
      argv
        .positional('action', {
          type: 'string',
          describe: 'list, which is what it does by itself, or clean',
          placeholder: 'list|clean',
        })
        .options({
          'older-than': textFlag('DATE', 'clean only those that ended before; 2026-01-31, or 36h or 30d ago'),
          'dry-run': { ...booleanFlag('with clean, say what would be removed, and remove nothing'), alias: 'n' },
          yes: {
            ...booleanFlag('with clean, remove without a question; needed where there is no terminal'),
            alias: 'y',
          },
          ...jsonFlags('with list, one JSON object a run, each on a line'),
        }),
  ],
  examples: [
    ['$0 runs', 'all runs below .s3move/'],
    ['$0 runs clean --older-than 30d', 'remove those that ended more than 30 days ago'],
  ],
  exits: { ...ALWAYS, 4: 'the folder of a run cannot be read', 130: 'interrupted' },
  async run(flags, io) {
    const action = flags.action === undefined ? 'list' : readArgument(flags, 'action')
    if (action === 'list') {
      const { status } = await import('./run/show-status.js')
      return await status({ json: readJson(flags) }, io)
    }
    if (action !== 'clean') {
      throw new UserError(`there is no ‘runs ${printable(action)}’`, 'write s3move runs, or s3move runs clean')
    }
    const { cleanRuns } = await import('./run/clean-runs.js')
    const before = readMoment(flags, 'older-than', new Date())
    const [dry, yes] = ['dry-run', 'yes'].map((name) => readFlag(flags, name) === true)
    return await cleanRuns({ before, dry: dry === true, yes: yes === true }, io)
  },
}
