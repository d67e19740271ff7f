import { UserError } from '../errors.js'
import type { Command } from './options/command.js'
import { isObjectUrl } from '../job/place.js'
import { printable } from '../keys.js'
import { bucketRunFlags } from './options/connection-options.js'
import { ALWAYS } from './options/exit.js'
import { fleetStatusFlags, readFleetStatus } from './options/fleet-options.js'
import { readFlag, texts, type Flags } from './options/flag-values.js'
import { readJson } from './options/output-options.js'
import { readMonitor, statusFlags } from './options/status-options.js'

export const command: Command = {
  usage: 'status [dir..]',
  group: 'runs',
  summary: 'what a run has done and what remains',
  help: '$0 status [DIR]\n$0 status --merge DIR..\n$0 status redis://HOST\n\nShows a run: what is done, what remains, rates, failures by code. Without DIR, the runs below .s3move/. With --merge it adds up the runs of the shards of one job, and says which are missing. At a Redis it shows the runs that were started with --fleet there, and their hosts.',
  options: [
    (argv) =>
      argv.positional('dir', {
        type: 'string',
        array: true,
        describe:
          'folder of the run; s3://bucket/prefix where it is kept in a bucket; redis://HOST:PORT or rediss://HOST:PORT',
        placeholder: 'DIR',
      }),
    ...[statusFlags, fleetStatusFlags, bucketRunFlags],
  ],
  everyday: ['json', 'format', 'merge', 'watch', 'fleet'],
  exits: {
    ...ALWAYS,
    3: 'with --merge: a shard is missing or unfinished, or objects failed or differ',
    4: 'the folder holds no run that can be read',
    130: 'interrupted',
  },
  async run(flags, io) {
    const monitor = readMonitor(flags)
    const dirs = texts(flags.dir)
    const [dir, ...others] = dirs
    const fleet = readFleetStatus(dirs, flags)
    if (fleet !== undefined) {
      const { fleetStatus } = await import('./run/show-fleet.js')
      return await fleetStatus(fleet, readJson(flags), io)
    }
    refuseForBucket(flags, dirs)
    if (readFlag(flags, 'merge') === true) {
      const { mergeStatus } = await import('./run/merge-status.js')
      return await mergeStatus(dirs, readJson(flags), io)
    }
    if (others.length > 0) {
      throw new UserError(
        `status shows one run, and ${dirs.length} folders were given`,
        'add --merge where they are of the shards of one job, or name one',
      )
    }
    if (monitor !== undefined) {
      const { statusForMonitor } = await import('./run/status-monitor.js')
      return await statusForMonitor({ ...monitor, dir }, io)
    }
    const [{ status }, { readingRun }] = await Promise.all([
      import('./run/show-status.js'),
      import('./run/reading-run.js'),
    ])
    const watch = readFlag(flags, 'watch')
    return await readingRun(dir, { flags, io }, (dir) => status({ dir, json: readJson(flags), watch }, io))
  },
}

// Of a run in a bucket there is what was saved last, and no more.
function refuseForBucket(flags: Flags, dirs: readonly string[]): void {
  const url = dirs.find(isObjectUrl)
  if (url === undefined) return
  const monitor = readMonitor(flags)
  const flag = ['merge', 'watch'].find((name) => readFlag(flags, name) === true)
  if (flag === undefined && monitor === undefined) return
  throw new UserError(
    `--${flag ?? `format ${monitor?.format ?? ''}`} is for runs in folders, and ${printable(url)} is in a bucket`,
    'ask for each by itself, as text or with --json',
  )
}
