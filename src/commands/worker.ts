import type { Command } from './options/command.js'
import { connectionOfHost } from './options/connection-options.js'
import { ALWAYS } from './options/exit.js'
import { fleetConnectionFlags, readFleetAt } from './options/fleet-options.js'
import { booleanFlag, grouped, many, readFlag, readText, textFlag } from './options/flag-values.js'
import { bandwidthFlag, DEFAULT_PACE, SPEED } from './options/pace-options.js'

export const command: Command = {
  usage: 'worker [url]',
  group: 'runs',
  summary: 'lend this machine to runs of other hosts',
  help: '$0 worker URL --allow s3://bucket[/prefix] ...\n\nWaits for runs that were started with --fleet at the same Redis, and works on them with the credentials of this machine, one after the other.\nIt does nothing but at the places that --allow names. Without URL, S3MOVE_FLEET has it.',
  options: [
    (argv) =>
      argv.positional('url', {
        type: 'string',
        describe: 'redis://HOST:PORT or rediss://HOST:PORT, of a Redis 6.2 or Valkey',
        placeholder: 'URL',
      }),
    (argv) =>
      grouped(argv, 'What it may do:', {
        allow: many('S3-PREFIX', 'place at which it may read and write; repeatable'),
        'allow-delete': booleanFlag('also help move, delete and sync --delete'),
        'allow-endpoint': many('URL', 'endpoint other than those of AWS that a run may name; repeatable'),
        name: textFlag('NAME', 'help the run of this name alone'),
        once: booleanFlag('end with the first run that it helped'),
      }),
    (argv) =>
      grouped(argv, SPEED, {
        concurrency: textFlag('N', 'objects in flight at once', `${DEFAULT_PACE.concurrency}`),
        lanes: textFlag('N', 'key ranges listed at once', `${DEFAULT_PACE.lanes}`),
        threads: textFlag('N', 'worker threads', 'what the machine and --concurrency can use'),
      }),
    ...[bandwidthFlag, connectionOfHost, fleetConnectionFlags],
  ],
  everyday: ['allow', 'allow-delete', 'name', 'once', 'concurrency', 'threads', 'profile'],
  examples: [
    ['$0 worker rediss://redis.example:6379 --allow s3://old --allow s3://new', 'until it is stopped, run after run'],
    ['$0 worker --allow s3://old --allow s3://new --name archive --once', 'for one run; S3MOVE_FLEET has the URL'],
  ],
  exits: {
    ...ALWAYS,
    0: 'stopped by SIGTERM or Ctrl-C, or the run of --once is over',
    4: 'the run of --once dismissed it',
  },
  async run(flags, io) {
    const name = readText(flags, 'name')
    const asked = readFleetAt(readText(flags, 'url') ?? 'env', name, flags)
    const { lendThreads } = await import('./run/lend-threads.js')
    return await lendThreads({ asked, once: readFlag(flags, 'once') ?? false }, flags, io)
  },
}
