import { UserError } from '../errors.js'
import type { Command } from './options/command.js'
import { ALWAYS } from './options/exit.js'
import { booleanFlag, readFlag, readText, textFlag } from './options/flag-values.js'
import { readRunArgument, runArgument } from './options/run-options.js'

export const command: Command = {
  usage: 'watch [dir]',
  group: 'runs',
  summary: 'a live page of a run, and metrics, in a browser',
  help: '$0 watch [DIR]\n$0 watch --all\n\nServes a page that follows a run, and /metrics for Prometheus, until it is interrupted. It reads the folder of the run alone, so it neither slows nor stops that, and the run may have ended. Without DIR it is the only unfinished run below .s3move/.',
  options: [
    runArgument,
    (argv) =>
      argv.options({
        all: booleanFlag('all runs below .s3move/, those to come too'),
        listen: textFlag('[ADDRESS:]PORT', 'where; 0 is a free port', '127.0.0.1:7380'),
      }),
  ],
  examples: [
    ['$0 watch', 'the run that goes on here'],
    ['$0 watch --all', 'all runs of this folder, and what Prometheus scrapes'],
  ],
  exits: { ...ALWAYS, 4: 'the folder holds no run that can be read', 130: 'interrupted' },
  async run(flags, io) {
    const named = readRunArgument(flags)
    // What a run with --listen starts: it tells its folder on standard input. An argument that is a dash alone comes empty.
    const dir = named === '' && io.args.includes('-') ? '-' : named
    const all = readFlag(flags, 'all') === true
    if (all && dir !== undefined) throw new UserError('--all and a folder contradict each other', 'give one of them')
    const { watch } = await import('./run/watch-page.js')
    return await watch({ dir, all, listen: readText(flags, 'listen') }, io)
  },
}
