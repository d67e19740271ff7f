import type { MoveJob } from '../job/move.js'
import { attributeFlags, readAttributes } from './options/attribute-options.js'
import type { Command } from './options/command.js'
import { readConnection, sideFlags } from './options/connection-options.js'
import { exitsOfWriting } from './options/exit.js'
import { fleetFlags } from './options/fleet-options.js'
import { listFlags, readKeyListOf } from './options/files-from-options.js'
import { readArgument } from './options/flag-values.js'
import { settingFlags } from './options/header-options.js'
import { bandwidthFlag, costFlags, tuneFlag } from './options/pace-options.js'
import { checkPair, parsePlace, placeArguments } from './options/places.js'
import { checkSlashes, prefixFlags, readPrefixAs } from './options/prefix.js'
import { readRestore, restoreFlags } from './options/restore-options.js'
import { freshFlags, runFlags, savedPlanFlag, yesFlag } from './options/run-options.js'
import { nameFlags, readNames, readObjects, selectionFlags } from './options/selection-options.js'

export const command: Command = {
  usage: 'move <source> <destination>',
  group: 'copying',
  summary: 'copy, and delete at the source what is proven to be copied',
  help: '$0 move s3://source[/prefix] s3://destination[/prefix]\n\nCopies every object as copy does. An object is deleted at the source only when its copy is proven and its key is on the disk, in moved.ndjson. Asks for the name of the source’s bucket first.',
  options: [
    ...[
      listFlags,
      selectionFlags,
      prefixFlags,
      nameFlags,
      settingFlags,
      attributeFlags,
      restoreFlags,
      runFlags,
      bandwidthFlag,
      tuneFlag,
      sideFlags,
    ],
    ...[placeArguments, yesFlag, fleetFlags, freshFlags, savedPlanFlag, costFlags],
  ],
  everyday: [
    'dry-run',
    'include',
    'exclude',
    'files-from',
    'map',
    'concurrency',
    'verbose',
    'endpoint-url',
    'region',
    'profile',
  ],
  examples: [
    ['$0 move s3://photos/2019/ s3://archive/2019/', 'a folder'],
    ['$0 move s3://a s3://b --dry-run', 'how many objects, how many requests'],
    ['$0 move s3://a s3://b --yes', 'without a question, for scripts'],
  ],
  exits: exitsOfWriting(),
  async run(flags, io) {
    const [source, destination] = [readArgument(flags, 'source'), readArgument(flags, 'destination')]
    const place = parsePlace(source, 'source')
    const job: MoveJob = {
      kind: 'move',
      source: place,
      destination: parsePlace(destination, 'destination'),
      ...readPrefixAs(place, flags),
      ...readAttributes(flags, io.cwd),
      ...readObjects(flags),
      ...readKeyListOf(flags, io.cwd),
      ...readRestore(flags),
      ...readNames(flags),
    }
    checkSlashes([job.source, job.destination], [source, destination], flags, io)
    checkPair(job.source, job.destination, readConnection(flags, {}))
    const { begin } = await import('./run/start-write.js')
    const { warningOfLosses } = await import('./run/fidelity-warning.js')
    return await begin(job, flags, io, warningOfLosses(job, flags))
  },
}
