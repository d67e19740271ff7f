import type { Command } from './options/command.js'
import { ALWAYS } from './options/exit.js'
import { readFlag } from './options/flag-values.js'
import { readJson } from './options/output-options.js'
import { readRunArgument, runArgument } from './options/run-options.js'
import { readMonitor, statusFlags } from './options/status-options.js'

export const command: Command = {
  usage: 'status [dir]',
  group: 'runs',
  summary: 'what a run has done and what remains',
  help: '$0 status [DIR]\n\nShows a run: what is done, what remains, rates, failures by code. Without DIR, the runs below .s3move/.',
  options: [runArgument, statusFlags],
  exits: { ...ALWAYS, 4: 'the folder holds no run that can be read', 130: 'interrupted' },
  async run(flags, io) {
    const monitor = readMonitor(flags)
    if (monitor !== undefined) {
      const { statusForMonitor } = await import('./run/status-monitor.js')
      return await statusForMonitor({ ...monitor, dir: readRunArgument(flags) }, io)
    }
    const { status } = await import('./run/show-status.js')
    return await status({ dir: readRunArgument(flags), json: readJson(flags), watch: readFlag(flags, 'watch') }, io)
  },
}
